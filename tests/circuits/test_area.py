"""CPR and CMD, as the Mechanistic Interpretability Benchmark has them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from attrs import frozen

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import Circuit, heads, mlp
from scrub.api import collected_behaviour
from scrub.circuits.area import SHARES, Areas, areas, trapezoids, weighted_edges
from scrub.circuits.conventions import conventions_of
from scrub.circuits.edges import all_edges
from scrub.circuits.kept import Kept
from scrub.circuits.measurements import Measurements
from scrub.circuits.subject import subject_of
from scrub.datasets import ioi
from scrub.hypothesis.circuit import Edge
from scrub.model.registry import describe
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.session import Session
from scrub.searches.ranked_edges import by_size

MODEL = describe("ioi-planted")
EVERY = all_edges(MODEL.graph)


@frozen(eq=False)
class Made:
    """Numbers of circuits by how many edges they have, without a model that runs."""

    of_size: Callable[[int], np.ndarray]
    original: np.ndarray
    nothing: np.ndarray
    model: Any = MODEL

    def numbers(self, kept: Sequence[Kept]) -> np.ndarray:
        circuits = [Circuit() if one is None else one.circuit or Circuit() for one in kept]
        sizes = [len(one.edges) for one in circuits]
        return np.stack([self.of_size(size) for size in sizes])[None]


def first(count: int) -> Circuit:
    return Circuit(edges=EVERY[:count])


def of_curve(faithfulness: Callable[[int], float]) -> Areas:
    """Of circuits with this faithfulness by size, on references that differ."""
    rng = np.random.default_rng(0)
    nothing, original = rng.normal(1, 1, 40), rng.normal(9, 1, 40)
    stake = original.mean() - nothing.mean()

    def numbers(size: int) -> np.ndarray:
        noise = rng.normal(0, 0.1, 40)
        return nothing + faithfulness(size) * stake + noise - noise.mean()

    return areas(Made(numbers, original[None], nothing[None]), first, len(EVERY))  # type: ignore[arg-type]


def as_published(faithfulness: Sequence[float]) -> tuple[float, float]:
    """The areas under and from 1, trapezoid by trapezoid."""
    under = away = 0.0
    for number in range(len(faithfulness) - 1):
        step = SHARES[number + 1] - SHARES[number]
        here, there = faithfulness[number], faithfulness[number + 1]
        under += step * (here + there) / 2
        away += step * (abs(1 - here) + abs(1 - there)) / 2
    return under, away


@settings(max_examples=30, deadline=None, database=None)
@given(values=st.lists(st.floats(-2, 3), min_size=10, max_size=10))
def test_the_areas_are_those_of_their_trapezoids(values: list[float]) -> None:
    by_size = dict(zip((int(share * len(EVERY)) for share in SHARES), values, strict=True))
    found = of_curve(by_size.__getitem__)
    kept = [by_size[count] for count in found.counts]
    under, away = as_published(kept)
    assert found.faithfulness == pytest.approx(kept, abs=1e-9)
    assert found.cpr.mean == pytest.approx(under, abs=1e-9)
    assert found.cmd == pytest.approx(away, abs=1e-9)
    if max(kept) <= 1:
        assert found.cpr.mean + found.cmd == pytest.approx(0.999)


def test_of_the_whole_model_and_of_nothing() -> None:
    whole, nothing = of_curve(lambda size: 1.0), of_curve(lambda size: 0.0)
    assert (whole.cpr.mean, whole.cmd) == pytest.approx((0.999, 0))
    assert (nothing.cpr.mean, nothing.cmd) == pytest.approx((0, 0.999))
    assert whole.cpr.low < 0.999 < whole.cpr.high
    assert whole.edges == whole.counts
    assert whole.counts == (0, 1, 2, 5, 10, 26, 53, 106, 266, 532)


def test_a_model_that_does_as_it_does_knocked_out_has_no_area() -> None:
    same = np.ones((1, 40))
    found = areas(Made(lambda size: same[0], same, same), first, len(EVERY))  # type: ignore[arg-type]
    assert math.isnan(found.cmd)
    assert math.isnan(found.cpr.mean)


def test_weights_are_halves_of_the_steps_beside() -> None:
    assert trapezoids((0.0, 1.0, 3.0)) == pytest.approx([0.5, 1.5, 1.0])


def test_edges_of_circuits_of_sites_are_those_among_them() -> None:
    graph = MODEL.graph
    assert weighted_edges(Circuit(), graph) == 0
    every = Circuit.of(*(heads([(layer, head)]) for layer in range(4) for head in range(4)),
                       mlp(0, 1, 2, 3))  # fmt: skip
    assert weighted_edges(every, graph) == len(EVERY)
    two = Circuit.of(heads([(1, 0)]), heads([(2, 1)], at="end"))
    embedded = 2 * (3 + 3 + 1)
    assert weighted_edges(two, graph) == embedded + 3 + 2
    (one, *_) = EVERY
    placed = Circuit(edges=(Edge(one.writer, one.reader, one.into, ("end", "s2")),))
    assert weighted_edges(placed, graph) == 1


@functools.cache
def measured() -> Measurements:
    options, session = Options(model="ioi-planted", samples=16), Session()
    subject = subject_of(collected_behaviour(ioi.behaviour(60)), session, options)
    (own, *_) = conventions_of(subject)
    return Measurements.of(subject, own, Context(session, options))


def test_a_ranking_with_the_output_first_does_better_than_one_with_it_last() -> None:
    """Measured: the circuit of all is the model; the planted heads are what matters."""
    planted = {head for heads in MODEL.roles.values() for head in heads}

    def of_planted(edge: Edge) -> bool:
        ends = [one for one in (edge.writer, edge.reader) if one.head is not None]
        return all((one.name.layer, one.head) in planted for one in ends)

    root, model = measured().subject.root, measured().model
    scores = np.array([1.0 if of_planted(edge) else 0.1 for edge in EVERY])
    good = areas(measured(), by_size(EVERY, scores, root, model), len(EVERY))
    bad = areas(measured(), by_size(EVERY, 1 - scores, root, model), len(EVERY))
    assert good.faithfulness[-1] == bad.faithfulness[-1] == pytest.approx(1)
    assert good.cpr.mean > bad.cpr.mean + 0.1
    assert good.cmd < bad.cmd
