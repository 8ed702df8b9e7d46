"""Paths that end early at what a knock-out leaves intact have the values of those that go on."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from attrs import evolve

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.api import collected_behaviour
from scrub.circuits import measurements
from scrub.circuits.conventions import conventions_of
from scrub.circuits.edges import all_edges
from scrub.circuits.intact import ended_early, frames_are_alike
from scrub.circuits.kept import WHOLE, Kept, keeping, removing
from scrub.circuits.measurements import Measurements
from scrub.circuits.subject import Subject, subject_of
from scrub.datasets import ioi
from scrub.hypothesis.circuit import Circuit, Edge, Placed
from scrub.hypothesis.sites import heads, mlps, none
from scrub.names import Cell
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.session import Session

OPTIONS = Options(model="ioi-planted", samples=8)


@functools.cache
def session() -> Session:
    return Session()


@functools.cache
def subject() -> Subject:
    return subject_of(collected_behaviour(ioi.behaviour(40)), session(), OPTIONS)


@functools.cache
def edges() -> tuple[Edge, ...]:
    return all_edges(subject().graph)


def measured(number: int, *, early: bool) -> Measurements:
    convention = conventions_of(subject(), ["s2", "end"])[number]
    found = Measurements.of(subject(), convention, Context(session(), OPTIONS))
    assert found._alike
    found._alike = early
    return found


@st.composite
def knock_outs(draw: st.DrawFn) -> Kept:
    """The model but for a few edges or heads, most often of late layers."""
    heads_of = st.builds(
        Cell, st.integers(0, 3).map(lambda n: f"blocks.{n}.attn.z"), st.integers(0, 3)
    )
    kind = draw(st.sampled_from(("edges", "edges at", "heads", "heads at", "sites", "none")))
    few = draw(st.sets(st.integers(0, len(edges()) - 1), max_size=4))
    if kind == "edges":
        left = tuple(edge for number, edge in enumerate(edges()) if number not in few)
        return keeping(Circuit(edges=left), subject().model)
    if kind == "edges at":
        some = (evolve(edges()[number], at=("end",)) for number in few)
        left = (edge for number, edge in enumerate(edges()) if number not in few)
        return keeping(Circuit(edges=(*left, *some)), subject().model)
    if kind == "sites":
        first = [(layer, head) for layer in (0, 1) for head in range(4)]
        return mlps.including(heads(first), heads([(2, 1)], at="end"))
    if kind == "none":
        return none
    cells = draw(st.sets(heads_of, min_size=1, max_size=3))
    at = ("end",) if kind == "heads at" else "all"
    return removing([Placed(cell, at) for cell in cells])


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 4), st.lists(knock_outs(), min_size=1, max_size=4))
def test_what_is_intact_is_not_computed_again(number: int, kept: list[Kept]) -> None:
    early, whole = (measured(number, early=one).numbers(kept) for one in (True, False))
    assert np.allclose(early, whole, atol=2e-4)


@pytest.mark.parametrize("number", range(5))
def test_where_no_edge_leads_to_the_root_nothing_is_recovered(number: int) -> None:
    """All else is intact then, and must not be read where no edge says so."""
    inner = tuple(edge for edge in edges() if edge.reader != Cell("logits"))
    found = measured(number, early=True)
    (values,) = found.numbers([keeping(Circuit(edges=inner), subject().model)])[0]
    assert np.allclose(values, found.nothing[0], atol=2e-4)


def test_what_is_knocked_out_is_not_intact() -> None:
    """A mutant that takes a component for intact whose inputs are not is caught."""
    graph = subject().graph
    late = removing([Cell("blocks.2.attn.z", 0)])
    cells, left = ended_early(late, graph)
    assert {cell.name.layer for cell in cells} == {0, 1, 2}
    assert Cell("blocks.2.mlp") not in cells
    assert left is not None
    everything = tuple(cell for cell, _ in _writers_of(WHOLE))
    assert set(cells) < set(everything)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurements, "ended_early", lambda kept, graph: (everything, left))
        wrong = measured(0, early=True).numbers([late])
    assert not np.allclose(wrong, measured(0, early=False).numbers([late]), atol=1e-2)


def _writers_of(kept: Kept) -> list[tuple[Cell, Kept]]:
    cells, left = ended_early(kept, subject().graph)
    return [(cell, left) for cell in cells]


def test_other_lengths_are_not_alike() -> None:
    draws = measured(0, early=True).draws
    assert frames_are_alike(draws)
    root = draws.nodes["root",]
    assert root.other is not None
    lengths = root.other.data.lengths
    shorter = np.flatnonzero(lengths == lengths.min())[:1]
    assert lengths.min() < lengths.max()
    other = root.other.at(np.repeat(shorter, len(draws.references)))
    nodes = {**draws.nodes, ("root",): evolve(root, other=other)}
    assert not frames_are_alike(evolve(draws, nodes=nodes))
