"""Cochran's Q, I² and τ: by hand, and their laws."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st
from scrub.stats.heterogeneity import heterogeneity, pooled, seed_spread
from scrub.stats.intervals import Interval


def estimates(means: Sequence[float], errors: Sequence[float]) -> list[Interval]:
    pairs = zip(means, errors, strict=True)
    return [
        Interval(mean, mean - 2 * error, mean + 2 * error, error=error) for mean, error in pairs
    ]


def test_by_hand() -> None:
    """Weights 1, 1, 1/4; centre 2 of 0, 3, 6; Q = 4 + 1 + 4; Σw − Σw²/Σw = 9/4 − 33/36."""
    found = heterogeneity([estimates([0, 3, 6], [1, 1, 2])])
    assert (found.q, found.degrees) == (pytest.approx(9), 2)
    assert found.i2 == pytest.approx(7 / 9)
    assert found.p == pytest.approx(math.exp(-9 / 2))  # χ² with 2 degrees
    assert found.tau == pytest.approx(math.sqrt(7 / (9 / 4 - 33 / 36)))


numbers = st.lists(st.tuples(st.floats(-2, 2), st.floats(0.01, 1)), min_size=2, max_size=6)


@given(group=numbers, unit=st.floats(0.1, 10), by=st.floats(-5, 5))
def test_units_change_tau_alone(group: list[tuple[float, float]], unit: float, by: float) -> None:
    means, errors = np.array(group).T
    one = heterogeneity([estimates(means, errors)])
    other = heterogeneity([estimates(unit * means + by, unit * errors)])
    assert other.q == pytest.approx(one.q, rel=1e-6, abs=1e-6)
    assert other.i2 == pytest.approx(one.i2, abs=1e-6) or one.q < 1e-3
    assert other.tau == pytest.approx(unit * one.tau, rel=1e-4, abs=1e-3)


@given(group=numbers)
def test_groups_add_up_and_shifts_between_them_do_not_count(
    group: list[tuple[float, float]],
) -> None:
    means, errors = np.array(group).T
    one = heterogeneity([estimates(means, errors)])
    two = heterogeneity([estimates(means, errors), estimates(means + 3, errors)])
    assert two.q == pytest.approx(2 * one.q, rel=1e-6, abs=1e-6)
    assert two.degrees == 2 * one.degrees


def test_what_says_nothing_is_nan() -> None:
    exact = estimates([1, 1], [0, 0])
    for groups in ([], [estimates([1], [1])], [exact], [[Interval(1, 0, 2)] * 3]):
        found = heterogeneity(groups)
        assert all(map(math.isnan, (found.q, found.p, found.i2, found.tau)))
    assert heterogeneity([estimates([1, 1], [1, 2])]).q == 0


def test_repeats_of_one_truth_scatter_as_their_errors_say() -> None:
    """And p is uniform: 5% of studies lie below 0.05. A scatter of truths is found."""
    rng = np.random.default_rng(0)
    errors = rng.uniform(0.5, 2, 8)

    def low(tau: float) -> float:
        studies = (rng.normal(rng.normal(0, tau, 8), errors) for _ in range(400))
        return float(np.mean([heterogeneity([estimates(s, errors)]).p < 0.05 for s in studies]))

    assert 0.02 < low(0.0) < 0.09
    assert low(3.0) > 0.8


def test_the_spread_between_seeds_by_hand() -> None:
    found = seed_spread([estimates([0, 2], [1, 1]), estimates([10, 14], [3, 1])])
    assert found.observed == pytest.approx(math.sqrt((2 + 8) / 2))
    assert found.within == pytest.approx(math.sqrt((1 + 1 + 9 + 1) / 4))
    alone = seed_spread([estimates([1], [1])])
    assert math.isnan(alone.observed)
    assert alone.within == 1


def test_pooled_by_hand() -> None:
    found = pooled(estimates([1, 3], [3, 4]))
    assert (found.mean, found.error) == (2, 2.5)
    assert pooled([Interval(1, 0, 2)]).error is None
