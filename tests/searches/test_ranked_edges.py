"""Circuits of ranked edges: always on paths, one within the next."""

from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.circuits.edges import all_edges
from scrub.data.dataset import Dataset
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.positions import ALL
from scrub.hypothesis.sites import output
from scrub.model.registry import describe
from scrub.names import EMBED, LOGITS, Cell, attention_site
from scrub.searches.pruned_parts import ends, whole
from scrub.searches.ranked_edges import (
    Place,
    Places,
    by_size,
    greedy_order,
    on_paths,
    sizes,
    top_order,
)

MODEL = describe("ioi-planted")
ROOT = output(at="end")
EVERY = whole(ROOT, MODEL.graph)
ANYWHERE = Places()
END = Cell(LOGITS)
LAST: tuple[Place, ...] = ((END, ALL),)


def head(layer: int, number: int = 0) -> Cell:
    return Cell(attention_site(layer, "z"), number)


WORDS = Cell(EMBED)
CHAIN = [
    Edge(WORDS, head(0), "q"),
    Edge(head(0), head(1), "v"),
    Edge(WORDS, head(1), "q"),
    Edge(head(1), END),
    Edge(WORDS, END),
    Edge(WORDS, head(2), "k"),
]


def test_by_hand_edges_come_from_the_output_backwards() -> None:
    """The largest edge of all, into a head, waits until the head is read."""
    scores = np.array([9.0, -5.0, 1.0, 0.5, -2.0, 7.0])
    assert greedy_order(CHAIN, scores, LAST, ANYWHERE) == [4, 3, 1, 0, 2]
    assert top_order(scores) == [0, 5, 1, 4, 2, 3]
    assert top_order(np.array([1.0, -1.0, 1.0])) == [0, 1, 2]


def test_by_hand_what_lies_on_a_path() -> None:
    assert on_paths(CHAIN, LAST, ANYWHERE, MODEL.graph) == tuple(CHAIN[:5])
    assert on_paths(CHAIN[1:4], LAST, ANYWHERE, MODEL.graph) == tuple(CHAIN[1:4][1:])
    assert on_paths(CHAIN[:3], LAST, ANYWHERE, MODEL.graph) == ()


def placed() -> tuple[list[Edge], Places]:
    positions = {"s1": np.array([1, 1]), "s2": np.array([4, 5]), "end": np.array([6, 7])}
    data = Dataset(
        "rows", inputs={"tokens": np.zeros((2, 8))}, lengths=np.full(2, 8), positions=positions
    )
    edges = [
        Edge(WORDS, head(0), "q", ("s1",)),
        Edge(WORDS, head(0), "v", ("end",)),
        Edge(head(0), head(1), "v", ("s2",)),
        Edge(WORDS, head(1), "q", ("s1",)),
        Edge(head(1), END, None, ("end",)),
    ]
    return edges, Places.of(("s1", "s2", "end"), data, causal=True)


def test_at_columns_edges_meet_where_they_stand_and_see_what_comes_before() -> None:
    """Head 0 is read at S2: its query at S1 does not matter, nor can it look ahead, at END. Head 1
    is read at END: it sees S2, and has its query at END, not at S1.
    """
    edges, places = placed()
    last = tuple(places.at([END], ("end",)))
    assert last == ((END, "end"),)
    order = greedy_order(edges, np.arange(1.0, 6.0), last, places)
    assert order == [4, 2]
    assert on_paths(edges, last, places, MODEL.graph) == ()
    more = [*edges, Edge(WORDS, head(0), "v", ("s1",))]
    assert on_paths(more, last, places, MODEL.graph) == (edges[2], edges[4], more[5])
    both_ways = Places(places.columns, dict.fromkeys(places.columns, places.columns))
    assert edges[1] in on_paths(edges, last, both_ways, MODEL.graph)


@settings(max_examples=15, deadline=None, database=None)
@given(seed=st.integers(0, 2**32 - 1), greedy=st.booleans())
def test_every_edge_lies_on_a_path_and_circuits_lie_in_each_other(seed: int, greedy: bool) -> None:
    scores = np.random.default_rng(seed).standard_cauchy(len(EVERY))
    circuit_of = by_size(EVERY, scores, ROOT, MODEL, greedy=greedy)
    before: set[Edge] = set()
    for size in sizes(len(EVERY)):
        here = set(circuit_of(size).edges)
        assert before <= here
        assert len(here) <= size
        before = here
        for edge in here:
            assert edge.reader == END or any(one.writer == edge.reader for one in here)
            embedded = edge.writer.head is None and edge.writer.name.layer is None
            assert embedded or any(one.reader == edge.writer for one in here)
    assert before == set(EVERY)


@settings(max_examples=15, deadline=None, database=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_greedy_takes_no_edge_before_its_reader_is_read(seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=len(EVERY))
    last = [(cell, ALL) for cell in ends(ROOT, MODEL.graph)]
    assert led_on(greedy_order(EVERY, scores, last, ANYWHERE))
    assert not led_on(top_order(scores)), "the order by size alone does not hold to it"


def led_on(order: list[int]) -> bool:
    there = {END}
    for number in order:
        if EVERY[number].reader not in there:
            return False
        there.add(EVERY[number].writer)
    return len(order) == len(EVERY) == len(all_edges(MODEL.graph))


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, []), (1, [1]), (2, [1, 2]), (10, [1, 2, 3, 5, 8, 10])],
)
def test_sizes_grow_by_half(count: int, expected: list[int]) -> None:
    assert sizes(count) == expected
