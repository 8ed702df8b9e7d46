"""Circuits of sites and of edges: the model with everything outside the circuit from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from attrs import evolve
from torch import Tensor

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.engines import ENGINE
from oracle.two_sources import Writer, edges, two_sources
from scrub.data.dataset import Dataset, padded_tokens
from scrub.draw import Draws, draw
from scrub.engine.plan import plan
from scrub.hypothesis.circuit import Circuit, Edge, Placed, edge
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.positions import ALL, At
from scrub.hypothesis.sites import (
    Sites,
    Through,
    anything,
    embeddings,
    heads,
    mlp,
    mlps,
    none,
    output,
)
from scrub.hypothesis.tree import Tree, treeify
from scrub.model.bridge import graph_of
from scrub.model.config import Shape
from scrub.model.skeleton import skeleton
from scrub.names import Cell, attention_site
from scrub.names import mlp as mlp_site
from scrub.samplers import Uncond
from support import tiny_models
from support.difference import difference
from support.random_data import random_dataset

quick = settings(
    max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
SEEDS = st.integers(0, 2**32 - 1)
MODEL = "3x2"
HEADS = [(layer, head) for layer in range(3) for head in range(2)]


def cell(writer: Writer) -> Cell:
    kind, layer, head = writer
    if layer is None:
        return Cell(kind)
    return Cell(mlp_site(layer)) if head is None else Cell(attention_site(layer, "z"), head)


def knocked_out(
    through: Through | Circuit, data: Dataset, seed: int, at: str = "end"
) -> tuple[Tree, Draws]:
    """The model on other inputs, but for what comes from the embeddings' own along these paths."""
    logits = InterpNode("logits", Uncond(), other=Uncond())
    inside = logits.child("inside", Uncond())
    sites = {logits: output(at=at), inside: embeddings(through=through)}
    tree = treeify(Correspondence(sites))
    return tree, draw(tree, data, samples=6, seed=seed)


def scrubbed(through: Through | Circuit, data: Dataset, seed: int, at: str = "end") -> Tensor:
    tree, draws = knocked_out(through, data, seed, at)
    (outputs,) = ENGINE.outputs(tree, draws, graph_of(tiny_models.bridge(MODEL)))
    return outputs.scrubbed


def by_hand(kept: Mapping[tuple[Writer, Writer, str], At], data: Dataset, seed: int) -> Tensor:
    """The same, by the forward pass from two inputs."""
    _, draws = knocked_out(none, data, seed)
    inside, outside = draws.nodes["logits", "inside"].own, draws.nodes["logits",].other
    assert outside is not None
    tokens = [torch.tensor(padded_tokens(r.data, r.data.width)[r.index]) for r in (inside, outside)]
    real = torch.arange(data.width) < torch.tensor(data.lengths[outside.index])[:, None]

    def where(writer: Writer, reader: Writer, port: str) -> Tensor:
        at = kept.get((writer, reader, port), ())
        mask = torch.full(real.shape, at == ALL)
        for spec in () if isinstance(at, str) else at:
            mask[torch.arange(len(mask)), data.position(spec)[outside.index]] = True
        return mask

    with torch.no_grad():
        value = two_sources(tiny_models.hugging_face_model(MODEL), where, *tokens, real)
    end = data.position("end")[outside.index]
    return value[torch.arange(len(value)), end][:, None, None]


def random_edges(rng: np.random.Generator, share: float) -> dict[tuple[Writer, Writer, str], At]:
    """Some edges of the model, some of them at some positions."""
    ats: list[At] = [ALL, ("end",), ("a",), ("a", "b"), (1,), ("b", 2)]
    every = edges(tiny_models.hugging_face_model(MODEL))
    kept = [one for one in every if rng.random() < share]
    return {one: ats[rng.choice(6, p=[0.5, 0.1, 0.1, 0.1, 0.1, 0.1])] for one in kept}


def circuit_of(kept: Mapping[tuple[Writer, Writer, str], At]) -> Circuit:
    return Circuit(
        edges=tuple(Edge(cell(w), cell(r), port, at) for (w, r, port), at in kept.items())
    )


# Edges


@quick
@given(seed=SEEDS, share=st.sampled_from([0.4, 0.7, 0.95]))
def test_some_edges_are_the_forward_pass_from_two_inputs(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    data, kept = random_dataset(rng, "data"), random_edges(rng, share)
    if kept:
        found = scrubbed(circuit_of(kept), data, seed)
        assert difference(found, by_hand(kept, data, seed)) < 1e-9


def test_the_forward_pass_from_two_inputs_can_tell_edges_apart() -> None:
    rng = np.random.default_rng(0)
    data, kept = random_dataset(rng, "data"), dict.fromkeys(random_edges(rng, 0.95), ALL)
    found = scrubbed(circuit_of(kept), data, 0)
    telling = [one for one in kept if one[0][0] != "pos_embed"]  # which is alike in all inputs
    for one in telling:
        without = {other: at for other, at in kept.items() if other != one}
        assert difference(found, by_hand(without, data, 0)) > 1e-9, one


@quick
@given(seed=SEEDS)
def test_all_edges_or_all_sites_are_the_model_on_the_donors_inputs(seed: int) -> None:
    """Where rows are alike in length, so that masks are."""
    data = alike(seed)
    tree, draws = knocked_out(none, data, seed)
    own = draws.nodes["logits", "inside"].own
    graph = graph_of(tiny_models.bridge(MODEL))
    (outputs,) = ENGINE.outputs(tree, Draws(own, own, draws.nodes), graph)
    every = circuit_of(dict.fromkeys(edges(tiny_models.hugging_face_model(MODEL)), ALL))
    sites = Circuit.of(heads(HEADS), mlp(0, 1, 2), embeddings())
    for circuit in (every, sites, anything):
        assert difference(scrubbed(circuit, data, seed), outputs.original) < 1e-12


@quick
@given(seed=SEEDS)
def test_edges_into_the_logits_alone_are_direct_paths(seed: int) -> None:
    data = random_dataset(np.random.default_rng(seed), "data")
    alone = Circuit.of_edges(edge(embeddings(), output()))
    assert torch.equal(scrubbed(alone, data, seed), scrubbed(none, data, seed))


# Positions


def alike(seed: int) -> Dataset:
    """Rows of one length."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, tiny_models.VOCABULARY, (10, 6))
    ends = {"end": np.full(10, 5), "a": rng.integers(0, 2, 10), "b": rng.integers(2, 5, 10)}
    return Dataset("alike", inputs={"tokens": tokens}, lengths=np.full(10, 6), positions=ends)


SOME: list[Sites] = [heads([(0, 0)]), heads([(1, 1), (0, 1)]), mlp(0, 2), heads([(2, 0)]) | mlp(1)]


def at(sites: Sites, specs: At) -> Sites:
    (route, *more) = sites.routes
    return Sites(tuple(type(r)(r.cells, specs) for r in (route, *more)))


@quick
@given(seed=SEEDS, sites=st.sampled_from(SOME))
def test_positions_that_are_all_of_them_are_all(seed: int, sites: Sites) -> None:
    data, every = alike(seed), tuple(range(6))
    for whole, named in (
        (none.including(sites), none.including(at(sites, every))),
        (anything.excluding(sites), anything.excluding(at(sites, every))),
        (mlps.excluding(sites), mlps.excluding(at(sites, every))),
    ):
        expected = scrubbed(whole, data, seed)
        assert difference(scrubbed(named, data, seed), expected) < 1e-12
    assert anything.excluding(at(sites, ALL)) == anything.excluding(sites)


@quick
@given(seed=SEEDS, sites=st.sampled_from(SOME))
def test_positions_may_be_named_apart(seed: int, sites: Sites) -> None:
    data = random_dataset(np.random.default_rng(seed), "data")
    together = none.including(at(sites, ("a", "end")))
    apart = none.including(at(sites, ("a",))).including(at(sites, ("end",)))
    expected = scrubbed(together, data, seed)
    assert difference(scrubbed(apart, data, seed), expected) < 1e-12
    excluded = none.including(sites).excluding(at(sites, ("b",)))
    both = none.including(sites).excluding(at(sites, ("b",))).including(at(sites, ("b",)))
    assert difference(scrubbed(both, data, seed), scrubbed(excluded, data, seed)) < 1e-12


@quick
@given(seed=SEEDS)
def test_a_circuit_of_sites_is_what_is_included(seed: int) -> None:
    data = random_dataset(np.random.default_rng(seed), "data")
    sites = (heads([(0, 1)], at="end"), mlp(1, at=("a", "b")), heads([(2, 0)]))
    circuit = scrubbed(Circuit.of(*sites), data, seed)
    assert torch.equal(circuit, scrubbed(none.including(*sites), data, seed))
    assert not torch.equal(circuit, scrubbed(none, data, seed))


# Values


def test_the_order_of_naming_makes_no_difference() -> None:
    one = Circuit.of(heads([(1, 1)], at="end"), mlp(0), heads([(1, 1)], at=("a", "end")))
    other = Circuit.of(heads([(1, 1)], at=("end", "a")), mlp(0))
    assert one == other
    assert hash(one) == hash(other)
    assert one.cells == (
        Placed(Cell(mlp_site(0))),
        Placed(Cell(attention_site(1, "z"), 1), ("a", "end")),
    )
    edges = (
        edge(mlp(0), output(), at="end"),
        edge(heads([(0, 0)]), heads([(1, 1)]), into=("q", "k")),
    )
    assert Circuit.of_edges(*edges) == Circuit.of_edges(*reversed(edges), edges[0])


def test_what_a_circuit_says_of_itself() -> None:
    circuit = Circuit.of(heads([(9, 9)], at="end"), mlp(0), embeddings())
    assert str(circuit) == "Circuit(embed, pos_embed, MLP 0, head 9.9 at end)"
    edges = edge(heads([(5, 5)]), heads([(9, 9)]), into="q", at=("s2", "end"))
    assert str(Circuit.of_edges(edges)) == "Circuit(head 5.5 → head 9.9 into q at end/s2)"
    many = Circuit.of_edges(edge(heads([(0, h) for h in range(12)]), output()))
    assert str(many).endswith("head 0.4 → logits, 7 more)")
    through = none.including(mlp(3, at="s2"), mlp(4)).excluding(heads([(9, 9)], at=("s2", 4)))
    assert str(through) == "none.including(MLP 4, MLP 3 at s2).excluding(head 9.9 at s2/4)"


# Size


LARGE = Shape(
    layers=12,
    heads=12,
    kv_heads=12,
    d_model=24,
    d_head=2,
    d_mlp=32,
    vocabulary=11,
    outputs=11,
    width=8,
    activation="gelu",
    epsilon=1e-5,
    scales=(1.0,) * 12,
    windows=(None,) * 12,
)


def test_a_circuit_of_all_edges_is_planned_as_the_whole_model_is() -> None:
    """What may be read alike is read once, though 32,936 edges lead along more paths than atoms."""
    graph, data = skeleton(LARGE), alike(0)
    every = heads([(layer, head) for layer in range(12) for head in range(12)]) | mlp(*range(12))
    edges = [*edge(embeddings(), every), *edge(embeddings() | every, output())]
    for layer in range(12):
        own = heads([(layer, head) for head in range(12)])
        if layer:
            below = heads([(under, head) for under in range(layer) for head in range(12)])
            edges += edge(below | mlp(*range(layer)), own | mlp(layer))
        edges += edge(own, mlp(layer))
    circuit, _ = knocked_out(Circuit(edges=tuple(edges)), data, 0)
    whole, _ = knocked_out(anything, data, 0)
    assert len(plan(circuit, graph).steps) == len(plan(whole, graph).steps)


def test_a_circuit_of_some_edges_has_a_step_for_each_value() -> None:
    """432 edges: no more steps than sites of the heads that they name, and what these read."""
    graph, rng = skeleton(LARGE), np.random.default_rng(0)
    ends = [heads([(int(rng.integers(0, 6)), h), (int(rng.integers(6, 12)), h)]) for h in range(12)]
    writers = [Sites((evolve(s.routes[0], cells=s.routes[0].cells[:1]),)) for s in ends]
    readers = [Sites((evolve(s.routes[0], cells=s.routes[0].cells[1:]),)) for s in ends]
    edges = [e for w in writers for r in readers for p in "qkv" for e in edge(w, r, into=p)]
    assert len(edges) == 432
    edges += [e for w in writers for e in edge(embeddings(), w)]
    edges += [e for r in readers for e in edge(r, output())]
    tree, _ = knocked_out(Circuit(edges=tuple(edges)), alike(0), 0)
    sites, streams = 12, 4  # of a head; that it reads, and what they continue
    assert len(plan(tree, graph).steps) < 24 * (sites + 3 * streams)
