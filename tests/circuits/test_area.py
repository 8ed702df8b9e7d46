"""CPR and CMD: by hand, and of circuits of a model whose numbers are known."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from scrub.api import collected_behaviour
from scrub.circuits.area import SHARES, Areas, areas_of
from scrub.circuits.conventions import conventions_of
from scrub.circuits.edges import all_edges
from scrub.circuits.kept import keeping
from scrub.circuits.measurements import Measurements
from scrub.circuits.subject import subject_of
from scrub.datasets import ioi
from scrub.hypothesis.circuit import Circuit, Edge
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.session import Session


@functools.cache
def measured() -> Measurements:
    options, session = Options(model="ioi-planted", samples=12), Session()
    subject = subject_of(collected_behaviour(ioi.behaviour(30)), session, options)
    return Measurements.of(subject, conventions_of(subject)[0], Context(session, options))


def of(faithfulness: list[float]) -> Areas:
    return Areas(tuple(range(len(faithfulness))), tuple(faithfulness))


def test_the_areas_by_hand() -> None:
    whole = of([1.0] * 10)
    assert (whole.cpr, whole.cmd) == (pytest.approx(0.999), 0)
    none = of([0.0] * 9 + [1.0])
    assert none.cpr == pytest.approx(0.25)  # a triangle from 50% to 100%
    assert none.cmd == pytest.approx(0.999 - 0.25)
    # twice as good as the model from 10% on is more CPR, and as far from the model as nothing is
    better = of([0.0] * 6 + [2.0] * 4)
    assert better.cpr == pytest.approx(2 * 0.9 + 0.05)
    assert better.cmd == pytest.approx(0.999)


def test_the_circuits_are_the_first_edges_of_the_ranking() -> None:
    edges = all_edges(measured().model.graph)
    order = [edges[i] for i in np.random.default_rng(3).permutation(len(edges))]
    found = areas_of(measured(), order)
    assert found.sizes == tuple(int(share * len(edges)) for share in SHARES)
    assert found.faithfulness[-1] == pytest.approx(1, abs=1e-4)
    half = Circuit(edges=tuple(order[: found.sizes[-2]]))
    share = measured().of_ablated(keeping(half, measured().model)).mean
    assert found.faithfulness[-2] == pytest.approx(share, abs=1e-6)


def first_to_last(order: list[Edge]) -> tuple[float, ...]:
    return areas_of(measured(), order).faithfulness[:-1]


def test_a_circuit_that_leads_nowhere_is_all_knocked_out() -> None:
    edges = all_edges(measured().model.graph)
    order = sorted(edges, key=lambda edge: edge.reader.site == "logits")
    found = areas_of(measured(), order)
    assert found.faithfulness[:9] == (0.0,) * 9
    # The other way round the logits' edges come first: something leads through. It can fail.
    assert areas_of(measured(), order[::-1]).faithfulness[6] != 0


def test_what_comes_after_the_last_size_changes_nothing() -> None:
    edges = list(all_edges(measured().model.graph))
    half = int(0.5 * len(edges))
    turned = edges[:half] + edges[: half - 1 : -1]
    assert first_to_last(turned) == first_to_last(edges)
