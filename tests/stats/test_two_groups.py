"""The interval of a difference of two groups' means."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st
from scrub.stats.effect import paired_mean
from scrub.stats.intervals import Interval
from scrub.stats.two_groups import apart

ENDS = st.tuples(*[st.floats(-100, 100)] * 3).map(sorted)
INTERVALS = ENDS.map(lambda ends: Interval(ends[1], ends[0], ends[2]))


@given(INTERVALS, INTERVALS)
def test_swapped_it_is_its_mirror_image(one: Interval, other: Interval) -> None:
    there, back = apart(one, other), apart(other, one)
    assert (back.mean, back.low, back.high) == (-there.mean, -there.high, -there.low)
    assert there.low <= there.mean <= there.high


@given(INTERVALS, st.floats(-100, 100))
def test_from_a_known_mean_it_is_the_interval_moved(one: Interval, known: float) -> None:
    found = apart(one, Interval(known, known, known))
    assert found.low == pytest.approx(one.low - known, abs=1e-9)
    assert found.high == pytest.approx(one.high - known, abs=1e-9)


def test_by_hand() -> None:
    found = apart(Interval(5.0, 2.0, 9.0), Interval(1.0, -1.0, 5.0))
    assert (found.mean, found.low, found.high) == (4.0, 4 - 5.0, 4 + math.hypot(4, 2))


def test_what_is_unbounded_stays_so() -> None:
    known, unknown = Interval(1.0, 0.0, 2.0), Interval(1.0, -math.inf, math.inf, reason="one")
    found = apart(known, unknown)
    assert (found.low, found.high, found.reason) == (-math.inf, math.inf, "one")


def covered(draw: np.random.Generator, sizes: tuple[int, int], level: float) -> bool:
    """Whether the interval of two groups of skewed numbers holds the difference of their means."""
    first = draw.exponential(3.0, sizes[0]) - 3.0
    second = draw.normal(1.0, 0.5, sizes[1])
    intervals = (paired_mean(group, confidence=level) for group in (first, second))
    found = apart(*intervals)
    return found.low <= -1.0 <= found.high


@pytest.mark.parametrize(("sizes", "level"), [((20, 60), 0.95), ((60, 60), 0.95), ((40, 80), 0.8)])
def test_it_holds_the_truth_as_often_as_it_says(sizes: tuple[int, int], level: float) -> None:
    draw = np.random.default_rng(5)
    share = np.mean([covered(draw, sizes, level) for _ in range(400)])
    assert level - 0.03 <= share <= 1.0
