"""Random circuits of the same size: how large they are, and that they are random."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from attrs import evolve

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scrub.circuits import random_circuits as module
from scrub.circuits.random_circuits import dangling, random_circuits
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit, Edge, edge
from scrub.hypothesis.sites import embeddings, heads, mlp, output
from scrub.model.bridge import graph_of
from scrub.model.registry import Model
from scrub.names import Cell
from support import tiny_models
from support.random_circuits import of_edges, of_sites

quick = settings(max_examples=25, deadline=None, database=None)


def model(name: str = "3x2") -> Model:
    return Model(name, graph_of(tiny_models.bridge(name)))


def sizes(circuit: Circuit) -> tuple[Counter, Counter]:
    """How many nodes and edges there are of each kind, layer, port and position."""
    nodes = Counter((placed.cell.site, placed.at) for placed in circuit.cells)
    edges = Counter((e.writer.site, e.reader.site, e.into, e.at) for e in circuit.edges)
    return nodes, edges


@given(of_sites() | of_edges(any_port=False), st.integers(0, 99))
@quick
def test_as_large_layer_by_layer(circuit: Circuit, seed: int) -> None:
    assume(circuit)
    subject = model()
    some = random_circuits(circuit, subject, 3, seed=seed)
    assert [sizes(one) for one in some] == [sizes(circuit)] * 3
    assert some[:2] == random_circuits(circuit, subject, 2, seed=seed)
    for one in some:
        assert one.on(subject).free == ()


@given(of_edges(most=12, any_port=False), st.integers(0, 99))
@quick
def test_connected_ones_are(circuit: Circuit, seed: int) -> None:
    loose = dangling(circuit.edges)
    more = [Edge(Cell("embed"), cell, None if cell.head is None else "v") for cell in loose]
    circuit = Circuit(
        edges=(
            *circuit.edges,
            *(e for e in more if e.reader.name.layer is not None),
            *(Edge(cell, Cell("logits")) for cell in loose if cell != Cell("logits")),
        )
    )
    assume(circuit)
    assert dangling(circuit.edges) == ()
    for one in random_circuits(circuit, model(), 3, seed=seed, connected=True):
        assert dangling(one.edges) == ()
        assert sizes(one) == sizes(circuit)


CHAIN = Circuit.of_edges(
    edge(embeddings(), heads([(0, 0)]), into="v"),
    edge(heads([(0, 0)]), heads([(1, 1)]), into="q", at="end"),
    edge(heads([(1, 1)]), output(), at="end"),
)


def frequencies(some: list[Circuit]) -> dict[str, float]:
    counts = Counter(str(one) for circuit in some for one in circuit.edges)
    return {name: count / len(some) for name, count in counts.items()}


def test_every_head_of_the_layer_comes_as_often() -> None:
    """A chain's connected random ones are the chains; others join edges that do not meet."""
    subject = model()
    some = random_circuits(CHAIN, subject, 400, seed=0, connected=True)
    assert len(set(some)) == 4
    assert all(abs(count / 400 - 1 / 4) < 0.1 for count in Counter(some).values())
    loose = random_circuits(CHAIN, subject, 400, seed=0)
    assert len(set(loose)) == 2 * 4 * 2
    assert all(0.5 < 16 * count / 400 < 1.7 for count in Counter(loose).values())


def test_connected_ones_are_all_that_there_are_as_often() -> None:
    """By enumeration: two edges from layer 0 to layer 1, by q, of a model with two heads each."""
    circuit = Circuit.of_edges(
        edge(embeddings(), heads([(0, 0), (0, 1)]), into="v"),
        edge(heads([(0, 0)]), heads([(1, 0)]), into="q"),
        edge(heads([(0, 1)]), heads([(1, 1)]), into="q"),
        edge(heads([(0, 0), (1, 0), (1, 1)]), output()),
    )
    some = random_circuits(circuit, model(), 600, seed=1, connected=True)
    assert all(dangling(one.edges) == () for one in some)
    found = Counter(some)
    # Both heads of layer 0 are read by the logits' one edge or by layer 1, both of layer 1 by the
    # logits; two of the four edges between them enter both of layer 1: 4 choices, of which two
    # leave a head of layer 0 to the logits alone. Times two for which head the logits read.
    assert len(found) == 2 * 2 + 2
    assert all(abs(count / 600 - 1 / 6) < 0.06 for count in found.values())


def test_exchanges_must_keep_it_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant that takes every exchange."""
    monkeypatch.setattr(module._Exchanging, "_is_connected", lambda self, place: True)
    some = random_circuits(CHAIN, model(), 20, seed=0, connected=True)
    assert any(dangling(one.edges) for one in some)


def test_what_is_on_no_path() -> None:
    circuit = Circuit.of_edges(
        edge(embeddings(), mlp(0)),
        edge(mlp(0), output()),
        edge(mlp(1), heads([(2, 0)]), into="q"),
        edge(heads([(2, 0)]), output()),
        edge(mlp(0), heads([(1, 1)]), into="k"),
    )
    assert set(map(str, dangling(circuit.edges))) == {"MLP 1", "head 2.0", "head 1.1"}
    with pytest.raises(UserError, match="on no path from the embeddings to the logits lie"):
        random_circuits(circuit, model(), 1, seed=0, connected=True)


def test_both_embeddings_go_together_and_free_mlps_stay_free() -> None:
    circuit = evolve(CHAIN, free="mlps")
    for one in random_circuits(circuit, model(), 10, seed=0):
        assert one.free == ("mlps",)
        writers = Counter(str(e.writer) for e in one.edges if e.writer.name.layer is None)
        assert writers == {"embed": 1, "pos_embed": 1}
        read = {e.reader for e in one.edges if e.writer.name.layer is None}
        assert len(read) == 1
    rotary = random_circuits(Circuit.of(embeddings(), heads([(1, 0)])), model("neox"), 20, seed=0)
    assert {len(one.nodes) for one in rotary} == {2}
    assert np.ptp([one.heads[0][1] for one in rotary]) == 1
