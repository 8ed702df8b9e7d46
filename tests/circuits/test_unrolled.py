"""A circuit unrolled: the tree computes what the circuit does, and names it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from torch import Tensor

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from oracle.engines import ENGINE
from scrub.checks.structure import check
from scrub.circuits.edges import all_edges
from scrub.circuits.files import read_circuit
from scrub.circuits.unrolled import Part, as_tree, depth, places, size, unrolled
from scrub.data.dataset import Dataset
from scrub.draw import draw
from scrub.hypothesis.circuit import Circuit, edge
from scrub.hypothesis.claimed_circuit import circuit_of_correspondence
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.positions import ALL
from scrub.hypothesis.sites import Route, embeddings, heads, mlp, output, token_embedding
from scrub.hypothesis.tree import Occurrence, treeify
from scrub.model.bridge import graph_of
from scrub.model.graph import Graph
from scrub.model.registry import describe
from scrub.names import LOGITS, POS_EMBED, Cell
from scrub.samplers import Exact, Paired
from support import tiny_models
from support.difference import difference
from support.paths import ROOT
from support.random_data import random_dataset

quick = settings(
    max_examples=6,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
SEEDS = st.integers(0, 2**32 - 1)
END = Route((Cell(LOGITS),), ("end",))
MANY = 60
ATS = [ALL, ALL, ALL, ("end",), ("a",), ("a", "b"), ("b", "end")]


def graph(model: str = "3x2") -> Graph:
    return graph_of(tiny_models.bridge(model))


def data_of(seed: int) -> tuple[Dataset, Paired]:
    """Rows, and others in their place: of each one, always the same. Inputs go index by index."""
    rng = np.random.default_rng(seed)
    return random_dataset(rng, "data"), Paired(random_dataset(rng, "others"))


def part_of(circuit: Circuit, data: Dataset, model: str = "3x2", other: Any = None) -> Part:
    tables = [data, *([] if other is None else [other.pair])]
    return unrolled(circuit, graph(model), END, tables, circuit.roles)


def random_edges(
    seed: int,
    share: float,
    ats: list[Any] = ATS,
    model: str = "3x2",
    inputs_at: list[Any] | None = None,
) -> Circuit:
    """Edges of the model, drawn, each at drawn positions; most of those from the embeddings."""
    rng, every = np.random.default_rng(seed), all_edges(graph(model))
    inputs = [one for one in every if one.writer.name.layer is None]
    others = [
        one
        for one in every
        if one not in inputs and rng.random() < (0.5 if one.reader == Cell(LOGITS) else share)
    ]
    placed = [evolve(one, at=ats[rng.integers(len(ats))]) for one in others]
    fed = [one for one in inputs if rng.random() < 0.7]
    if inputs_at is not None:
        fed = [evolve(one, at=inputs_at[rng.integers(len(inputs_at))]) for one in fed]
    return Circuit(edges=(*fed, *placed))


def with_roles(circuit: Circuit, seed: int) -> Circuit:
    """Heads are of one of two roles, or of none, so that those that read alike are one node."""
    drawn = np.random.default_rng(seed).integers(0, 3, size=6)
    cells = [Cell(f"blocks.{layer}.attn.z", head) for layer in range(3) for head in range(2)]
    of = {role: [c for c, one in zip(cells, drawn, strict=True) if one == role] for role in (0, 1)}
    return evolve(circuit, roles={f"role {role}": tuple(held) for role, held in of.items()})


def scrubbed(correspondence: Correspondence, data: Dataset, model: str = "3x2") -> Tensor:
    tree = treeify(correspondence)
    (outputs,) = ENGINE.outputs(tree, draw(tree, data, samples=4, seed=0), graph(model))
    return outputs.scrubbed


def alone(circuit: Circuit, other: Any) -> Correspondence:
    root = InterpNode("root", Exact(), other=other)
    inputs = root.child("inputs", Exact())
    through = circuit.on(_Model())
    return Correspondence({root: output(at="end"), inputs: embeddings(through=through)})


class _Model:
    @property
    def graph(self) -> Graph:
        return graph()


@quick
@given(seed=SEEDS, share=st.sampled_from([0.05, 0.15, 0.3]))
def test_the_tree_of_edges_computes_what_they_do(seed: int, share: float) -> None:
    (data, other), circuit = (
        data_of(seed),
        with_roles(random_edges(seed, share, inputs_at=ATS), seed),
    )
    root = part_of(circuit, data)
    assume(not root.is_leaf and size(root) <= MANY)
    tree = as_tree(root, other, folded=False)
    assert difference(scrubbed(tree, data), scrubbed(alone(circuit, other), data)) < 1e-9


@pytest.mark.parametrize("model", ["neox", "llama"])
def test_so_it_does_in_other_families(model: str) -> None:
    """Parallel blocks; grouped queries, and no learned positions."""
    told = 0
    for seed in range(1, 6):
        (data, other), circuit = data_of(seed), random_edges(seed, 0.2, model=model)
        root = part_of(circuit, data, model)
        if root.is_leaf or size(root) > MANY:
            continue
        top = InterpNode("root", Exact(), other=other)
        inputs = top.child("inputs", Exact())
        by_circuit = {top: output(at="end"), inputs: token_embedding(through=circuit)}
        found = scrubbed(as_tree(root, other, folded=True), data, model)
        assert difference(found, scrubbed(Correspondence(by_circuit), data, model)) < 1e-9
        told += size(root) > 10
    assert told


@quick
@given(seed=SEEDS, free=st.booleans())
def test_the_tree_of_sites_computes_what_they_do(seed: int, free: bool) -> None:
    data, other = data_of(seed)
    rng = np.random.default_rng(seed)
    every = [(layer, head) for layer in range(3) for head in range(2)]
    chosen = [every[number] for number in rng.permutation(6)[:4]]
    placed = [heads([head], at=[ALL, "end", ("a", "b")][rng.integers(3)]) for head in chosen]
    more = [] if free else [mlp(int(rng.integers(3)))]
    circuit = with_roles(Circuit.of(*placed, *more, free="mlps" if free else ()), seed)
    root = part_of(circuit, data)
    assume(size(root) <= MANY)
    tree = as_tree(root, other, folded=False)
    assert difference(scrubbed(tree, data), scrubbed(alone(circuit, other), data)) < 1e-9


@pytest.mark.parametrize("seed", [1041, 1147, 1190])
def test_columns_and_indices_meet_in_rows_of_other_datasets_too(seed: int) -> None:
    """Each has a path that is open in no row of the data, but in one of those in their place."""
    data, other = data_of(seed)
    mixed = [*ATS, (1,), ("b", 2), (0, "end")]
    circuit = with_roles(random_edges(seed, (0.1, 0.2, 0.3)[seed % 3], mixed), seed)
    found = scrubbed(alone(circuit, other), data)
    for tables, same in ((None, False), (other, True)):
        tree = as_tree(part_of(circuit, data, other=tables), other, folded=True)
        assert (difference(scrubbed(tree, data), found) < 1e-9) == same


def test_a_tree_that_lacks_one_edge_computes_something_else() -> None:
    """The mutant of the tests above: each edge that its tree has can be told."""
    data, other = data_of(1)
    circuit = random_edges(1, 0.15)
    found = scrubbed(alone(circuit, other), data)
    there = circuit_of_correspondence(as_tree(part_of(circuit, data), other, folded=True))
    assert len(there.edges) > 20
    telling = [one for one in there.edges if one.writer != Cell(POS_EMBED)]  # alike in all rows
    for one in telling:
        fewer = Circuit(edges=tuple(another for another in there.edges if another != one))
        assert difference(scrubbed(alone(fewer, other), data), found) > 1e-9, one


def said(node: Occurrence) -> tuple[Any, ...]:
    return node.node.name, node.routes, node.is_leaf, tuple(map(said, node.children))


@quick
@given(seed=SEEDS, share=st.sampled_from([0.1, 0.3]))
def test_folded_it_is_the_same_tree_in_fewer_words(seed: int, share: float) -> None:
    (data, other), circuit = data_of(seed), random_edges(seed, share)
    root = part_of(circuit, data)
    assume(not root.is_leaf and size(root) <= MANY)
    plain, folded = (treeify(as_tree(root, other, folded=one)) for one in (False, True))
    assert said(plain) == said(folded)
    assert len(plain.walk()) == size(root) == len(places(root, folded=False))
    assert len(places(root, folded=True)) <= size(root)
    assert depth(root) == max(len(node.path) for node in plain.walk())


@quick
@given(seed=SEEDS, share=st.sampled_from([0.05, 0.2]))
def test_the_tree_is_legal(seed: int, share: float) -> None:
    (data, other), circuit = data_of(seed), random_edges(seed, share)
    root = part_of(circuit, data)
    assume(not root.is_leaf and size(root) <= MANY)
    assert check(as_tree(root, other, folded=True), graph(), data) == ()


# And back


def live(circuit: Circuit) -> Iterator[tuple[Cell, Cell, str | None]]:
    """Edges on some way from the embeddings to the logits, where all are at all positions."""
    fed = {one.writer for one in circuit.edges if one.writer.name.layer is None}
    read = {Cell(LOGITS)}
    for _ in circuit.edges:
        fed |= {one.reader for one in circuit.edges if one.writer in fed}
        read |= {one.writer for one in circuit.edges if one.reader in read}
    for one in circuit.edges:
        if one.writer in fed and one.reader in read:
            yield one.writer, one.reader, one.into


def ends(circuit: Circuit) -> set[tuple[Cell, Cell, str | None]]:
    return {(one.writer, one.reader, one.into) for one in circuit.edges}


@quick
@given(seed=SEEDS, share=st.sampled_from([0.05, 0.2, 0.5]))
def test_the_tree_names_the_circuit_again(seed: int, share: float) -> None:
    """Its edges as far as they lead from the embeddings to the logits; positions are narrowed."""
    (data, other), circuit = data_of(seed), random_edges(seed, share, [ALL])
    found = circuit_of_correspondence(as_tree(part_of(circuit, data), other, folded=True))
    assert ends(found) == set(live(circuit))
    again = circuit_of_correspondence(as_tree(part_of(found, data), other, folded=True))
    assert again == found


@quick
@given(seed=SEEDS, share=st.sampled_from([0.1, 0.3]))
def test_what_a_tree_names_does_what_the_circuit_does(seed: int, share: float) -> None:
    (data, other), circuit = data_of(seed), random_edges(seed, share)
    root = part_of(circuit, data)
    assume(not root.is_leaf)
    found = circuit_of_correspondence(as_tree(root, other, folded=True))
    assert ends(found) <= ends(circuit)
    before, after = (scrubbed(alone(one, other), data) for one in (circuit, found))
    assert difference(before, after) < 1e-9


def test_an_edge_elsewhere_is_not_named_again() -> None:
    """The mutant of the tests above."""
    data, other = data_of(0)
    circuit = random_edges(0, 0.2, [ALL])
    found = circuit_of_correspondence(as_tree(part_of(circuit, data), other, folded=True))
    more = {
        (one.writer, one.reader, one.into) for one in all_edges(graph()) if one not in circuit.edges
    }
    assert more
    assert not more & ends(found)


# By hand


def test_a_small_circuit_by_hand() -> None:
    """Roles are nodes where their heads read alike and are read alike; a dead end is left out."""
    data, _ = data_of(0)
    early, late = heads([(0, 0), (0, 1)]), heads([(2, 0), (2, 1)])
    circuit = Circuit.of_edges(
        edge(embeddings(), early, into="v"),
        edge(early, late, into=("k", "v"), at="a"),
        edge(embeddings(), heads([(2, 1)]), into="q"),
        edge(heads([(1, 0)]), heads([(2, 1)]), into="q", at="end"),
        edge(late, output(), at="end"),
    )
    cells = {role: tuple(c for r in s.routes for c in r.cells) for role, s in
             {"early": early, "late": late}.items()}  # fmt: skip
    circuit = evolve(circuit, roles=cells)
    listed = places(part_of(circuit, data), folded=False)
    found = [
        (one.name, one.parents, one.route.at, one.route.into and set(one.route.into))
        for one in listed
    ]
    assert found == [
        ("root", (), ("end",), None),
        ("late 2.0", (0,), ("end",), None),
        ("late 2.1", (0,), ("end",), None),
        ("early into k", (1,), ("a",), {"k"}),
        ("early into v", (1,), ("a",), {"v"}),
        ("embeddings into q", (2,), ALL, {"q"}),
        ("early into k", (2,), ("a",), {"k"}),
        ("early into v", (2,), ("a",), {"v"}),
        ("embeddings into v", (3,), ALL, {"v"}),
        ("embeddings into v", (4,), ALL, {"v"}),
        ("embeddings into v", (6,), ALL, {"v"}),
        ("embeddings into v", (7,), ALL, {"v"}),
    ]
    back = circuit_of_correspondence(as_tree(part_of(circuit, data), Exact(), folded=True))
    assert {role: set(held) for role, held in back.roles.items()} == {
        role: set(held) for role, held in cells.items()
    }
    assert back.edges == tuple(
        evolve(one, at=("end",) if one.into == "q" else one.at)
        for one in circuit.edges
        if one.writer != Cell("blocks.1.attn.z", 0)
    )


@pytest.mark.parametrize("folded", [True, False])
def test_nothing_leads_to_the_root(folded: bool) -> None:
    data, _ = data_of(0)
    root = part_of(Circuit.of_edges(edge(heads([(0, 0)]), output())), data)
    assert root.is_leaf
    assert size(root) == depth(root) == len(places(root, folded=folded)) == 1


def test_a_position_that_nothing_attends_to_is_left_out() -> None:
    """What is written at the last position is no key of a query before it."""
    data, _ = data_of(0)
    last = heads([(2, 0)], at="end")
    circuit = Circuit.of(heads([(0, 0)], at=("a", "end")), heads([(1, 0)], at="a"), last)
    (into_k,) = {
        one.part.at
        for part in part_of(circuit, data).walk()
        for one in part.inputs
        if (part.label, one.part.label, one.port) == ("head 1.0", "head 0.0", "k")
    }
    assert into_k == ("a",)


def test_an_edge_by_any_port_and_one_by_a_port_are_read_at_the_positions_of_both() -> None:
    data, _ = data_of(0)
    head, last = heads([(0, 0)]), heads([(1, 0)])
    circuit = Circuit.of_edges(
        edge(embeddings(), head, into="v"),
        edge(head, last, at="a"),
        edge(head, last, into="v", at="b"),
        edge(last, output(), at="end"),
    )
    root = part_of(circuit, data)
    (only,) = (one.part for one in root.inputs)
    found = {one.port: one.part.at for one in only.inputs}
    assert found == {"k": ("a",), "v": ("a", "b")}  # the query at END reads nothing at A


def test_the_published_circuit_of_gpt2_by_its_edges_and_without(tmp_path: Path) -> None:
    """As docs/circuits.md says. Only the configuration is read."""
    (tmp_path / "config.json").write_text(json.dumps(GPT2), encoding="utf-8")
    model, circuit = describe(str(tmp_path)), read_circuit(ROOT / "circuits" / "ioi-gpt2.json")
    places_at = {"io": 2, "s1": 4, "s1+1": 5, "s2": 10, "end": 14}
    data = Dataset(
        "prompts",
        inputs={"tokens": np.zeros((2, 15), dtype=int)},
        lengths=np.full(2, 15),
        positions={name: np.full(2, at) for name, at in places_at.items()},
    )
    sizes = {}
    for name, one in {"edges": circuit, "sites": circuit.of_sites()}.items():
        root = unrolled(one, model.graph, END, [data], circuit.roles, set(places_at))
        sizes[name] = (size(root), depth(root))
        assert len(places(root, folded=True)) == {"edges": 26, "sites": 51}[name]
    assert len(circuit) == 26
    assert sizes == {"edges": (122, 6), "sites": (3_605_942, 11)}


GPT2 = {
    "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 50257,
    "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12,
}  # fmt: skip
