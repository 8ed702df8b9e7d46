"""The circuit that a claim names, by hand: each kind of path and site; and what is refused."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

import pytest

import scrub
from scrub import (
    Circuit,
    Correspondence,
    Exact,
    InterpNode,
    UserError,
    anything,
    claim,
    edge,
    embeddings,
    heads,
    input_stream,
    mlp,
    mlps,
    none,
    output,
    summand,
    supported,
)
from scrub.circuits.claimed import circuit_of
from scrub.datasets import ioi
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.sites import Sites
from scrub.hypothesis.splits import neurons
from scrub.metrics import logit_diff
from scrub.names import EMBED, LOGITS, POS_EMBED, Cell, attention_site
from scrub.names import mlp as mlp_site
from scrub.runner.session import Session

DATA = ioi.prompts(20, templates=(1,), seed=0)
ROOT = InterpNode("root", Exact())
ALL_HEADS = [(layer, head) for layer in range(4) for head in range(4)]
MOVER = heads([(3, 0)], at="end")


@functools.cache
def session() -> Session:
    return Session()


def head(layer: int, number: int) -> Cell:
    return Cell(attention_site(layer, "z"), number)


def tree(*chain: Sites, names: tuple[str, ...] = ()) -> Correspondence:
    """Each below the one before, and the first below the logits."""
    sites, parent = {ROOT: output(at="end")}, ROOT
    for one, name in itertools.zip_longest(chain, names):
        parent = parent.child(name or f"node {len(sites)}", Exact())
        sites[parent] = one
    return Correspondence(sites)


def claimed(correspondence: Correspondence) -> Any:
    @claim(data=DATA, metric=logit_diff("io", "s"), expect=supported(above=0.5))
    def believed(model: Any) -> Correspondence:
        return correspondence

    return believed


def named(correspondence: Correspondence) -> Circuit:
    """By the model; the same as without one, where that can tell."""
    found = circuit_of(claimed(correspondence), "ioi-planted", session=session())
    assert Circuit.of(correspondence) == found
    return found


def of_model(correspondence: Correspondence) -> Circuit:
    """Where it depends on the model, which `Circuit.of` says."""
    with pytest.raises(UserError, match=r"depends on the model. Write scrub.circuit_of\(claim\)"):
        Circuit.of(correspondence)
    return circuit_of(claimed(correspondence), "ioi-planted", session=session())


def test_direct_paths_are_edges_by_port_and_position() -> None:
    found = named(tree(MOVER, heads([(2, 0), (2, 1)], at="end", into="q"), mlp(0)))
    inhibition = heads([(2, 0), (2, 1)])
    assert found == Circuit.of_edges(
        edge(heads([(3, 0)]), output(), at="end"),
        edge(inhibition, heads([(3, 0)]), into="q", at="end"),
        edge(mlp(0), inhibition),
    )
    assert not found.free


def test_all_positions_of_a_query_are_where_it_stands() -> None:
    found = named(tree(MOVER, heads([(2, 0)], into="q"), embeddings(into=("k", "v"))))
    assert found == Circuit.of_edges(
        edge(heads([(3, 0)]), output(), at="end"),
        edge(heads([(2, 0)]), heads([(3, 0)]), into="q", at="end"),
        edge(embeddings(), heads([(2, 0)]), into=("k", "v")),
    )


def test_a_path_through_mlps_leaves_them_free() -> None:
    found = named(tree(MOVER, heads([(1, 0)], at="s2", into="v", through=mlps)))
    assert found == Circuit.of_edges(
        edge(heads([(3, 0)]), output(), at="end"),
        edge(heads([(1, 0)]), heads([(3, 0)]), into="v", at="s2"),
        free="mlps",
    )


def test_parts_of_heads_are_entered_by_their_ports() -> None:
    """A pattern's input goes by q and k; a part of a node's own head is no edge."""
    pattern = heads([(3, 0)], part="pattern", at="end")
    found = named(tree(MOVER, pattern, heads([(2, 0)], at="end", into="q")))
    assert found == Circuit.of_edges(
        edge(heads([(3, 0)]), output(), at="end"),
        edge(heads([(2, 0)]), heads([(3, 0)]), into="q", at="end"),
    )
    values = heads([(3, 0)], part="v", at="s1")
    found = named(tree(MOVER, values, heads([(2, 0)], at="s1")))
    assert Edge(head(2, 0), head(3, 0), "v", ("s1",)) in found.edges


def test_no_edge_is_named_that_the_model_has_not() -> None:
    """Of heads of two layers one may read the other's, and not its own."""
    found = named(tree(heads([(2, 0), (3, 0)], at="end"), heads([(1, 0), (2, 1)], at="end")))
    assert {(e.writer, e.reader) for e in found.edges if e.reader.site != LOGITS} == {
        (head(1, 0), head(2, 0)), (head(1, 0), head(3, 0)), (head(2, 1), head(3, 0)),
    }  # fmt: skip


def test_an_input_stream_is_all_that_is_read_there() -> None:
    stream = input_stream(heads([(1, 0)]), by="k", at="s1")
    found = of_model(tree(heads([(1, 0)], at="end"), stream))
    writers = {Cell(EMBED), Cell(POS_EMBED), Cell(mlp_site(0))} | {head(0, n) for n in range(4)}
    assert {one for one in found.edges if one.reader == head(1, 0)} == {
        Edge(writer, head(1, 0), "k", ("s1",)) for writer in writers
    }


def test_anything_is_all_that_lies_on_the_way() -> None:
    found = of_model(tree(heads([(2, 0)], at="end", through=anything)))
    later = {head(3, number) for number in range(4)} | {Cell(mlp_site(2)), Cell(mlp_site(3))}
    assert {one.writer for one in found.edges} == later | {head(2, 0)}
    ports = {one.into for one in found.edges if one.reader == head(3, 1)}
    assert ports == {"q", "k", "v"}
    assert Edge(Cell(mlp_site(3)), head(3, 0)) not in found.edges
    fewer = anything.excluding(heads([(3, 1)]))
    found = of_model(tree(heads([(2, 0)], at="end", through=fewer)))
    assert {one.writer for one in found.edges} == later - {head(3, 1)} | {head(2, 0)}


def test_sites_that_are_passed_are_on_the_way_at_their_positions() -> None:
    way = none.including(heads([(3, 0)], at="end"), heads([(3, 1)]), mlp(0))
    found = of_model(tree(heads([(2, 0)], at="s2", through=way)))
    assert found == Circuit.of_edges(
        edge(heads([(3, 0), (3, 1)]), output(), at="end"),
        edge(heads([(2, 0)]), heads([(3, 0), (3, 1)]), into=("k", "v"), at="s2"),
        edge(heads([(2, 0)]), heads([(3, 1)]), into="q", at="s2"),  # 3.0 is passed at END alone
    )


@pytest.mark.parametrize(
    "circuit",
    [
        Circuit.of(heads([(2, 0)], at="end"), mlp(0)),
        Circuit.of_edges(edge(embeddings(), heads([(2, 0)])), edge(heads([(2, 0)]), output())),
    ],
)
def test_one_node_that_keeps_to_a_circuit_is_that_circuit(circuit: Circuit) -> None:
    assert named(tree(embeddings(through=circuit))) == circuit


def test_beside_others_a_circuits_edges_are_its_own() -> None:
    kept = Circuit.of_edges(
        edge(embeddings(), heads([(2, 0)]), into="q"), edge(heads([(2, 0)]), heads([(3, 0)]))
    )
    found = named(tree(MOVER, embeddings(through=kept)))
    assert set(found.edges) == {*kept.edges, Edge(head(3, 0), Cell(LOGITS), None, ("end",))}


def test_roles_are_what_nodes_are_called_but_for_ports_and_numbers() -> None:
    chain = (
        heads([(3, 0)], at="end"), heads([(2, 0)], at="end", into="q"), mlp(0), embeddings(),
    )  # fmt: skip
    found = named(tree(*chain, names=("mover 3.0", "S-inhibition into q", "MLP 0", "words")))
    expected: Mapping[str, tuple[Cell, ...]] = {
        "mover": (head(3, 0),), "S-inhibition": (head(2, 0),),
    }  # fmt: skip
    assert found.roles == expected


def test_a_summand_is_taken_for_its_site() -> None:
    split = neurons(some=[0, 1])
    part = summand(scrub.mlp_part("post", 1), split, "some")
    found = named(tree(MOVER, part))
    assert Edge(Cell(mlp_site(1)), head(3, 0)) in found.edges


# What is refused


def test_a_claim_is_given_to_the_function_that_knows_its_model() -> None:
    with pytest.raises(UserError, match=r"Write scrub.circuit_of\(claim\)"):
        Circuit.of(claimed(tree(MOVER)))
    with pytest.raises(UserError, match="was given a Circuit"):
        scrub.circuit_of(Circuit.of(mlp(0)))  # type: ignore[arg-type]  # that is the mistake


def test_a_tree_of_the_root_alone_names_no_circuit() -> None:
    for given in (Circuit.of, lambda one: circuit_of(claimed(one), "ioi-planted")):
        with pytest.raises(UserError, match="It has no node below the root"):
            given(Correspondence({ROOT: output(at="end")}))
    with pytest.raises(UserError, match="one root; this one has 2"):
        Circuit.of(Correspondence({ROOT: output(at="end"), InterpNode("other", Exact()): output()}))


def test_positions_that_are_left_are_not_guessed() -> None:
    way = anything.excluding(heads([(3, 1)], at="end"))
    with pytest.raises(UserError, match=r"passes head 3\.1 at all positions but end"):
        circuit_of(claimed(tree(heads([(2, 0)], through=way))), "ioi-planted", session=session())
