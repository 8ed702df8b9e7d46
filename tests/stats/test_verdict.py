"""From an interval to the verdict on a belief, and what is said of an inconclusive one."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from attrs import evolve

from hypothesis import given
from hypothesis import strategies as st
from scrub.errors import UserError
from scrub.hypothesis.belief import (
    Belief,
    Expectation,
    inconclusive,
    refuted,
    supported,
)
from scrub.stats.intervals import Interval
from scrub.stats.verdict import judge

numbers = st.floats(-2, 2, allow_nan=False, width=32)


@pytest.mark.parametrize(
    ("expect", "low", "high", "verdict"),
    [
        (supported(above=0.7), 0.7, 0.9, "supported"),
        (supported(above=0.7), 0.6999, 0.9, "inconclusive"),
        (supported(above=0.7), 0.5, 0.7, "inconclusive"),
        (supported(above=0.7), 0.5, 0.6999, "refuted"),
        (supported(below=0.2), 0.0, 0.2, "supported"),
        (supported(below=0.2), 0.1, 0.3, "inconclusive"),
        (supported(below=0.2), 0.2001, 0.3, "refuted"),
        (supported(above=0.7, below=1.2), 0.7, 1.2, "supported"),
        (supported(above=0.7, below=1.2), 0.9, 1.3, "inconclusive"),
        (supported(above=0.7, below=1.2), 0.5, 1.3, "inconclusive"),
        (supported(above=0.7, below=1.2), 1.21, 1.3, "refuted"),
        (supported(above=0.7, below=1.2), 0.1, 0.3, "refuted"),
        (supported(above=0.7), -math.inf, math.inf, "inconclusive"),
        (supported(above=0.7), math.nan, math.nan, "inconclusive"),
        (Expectation("supported", Belief("recovered", -math.inf, None, "")), 0.1, 0.2, "supported"),
    ],
)
def test_verdicts(expect: Expectation, low: float, high: float, verdict: str) -> None:
    interval = Interval((low + high) / 2, low, high)
    assert judge(interval, expect, 100).verdict == verdict


intervals = st.tuples(numbers, numbers).map(lambda x: Interval(sum(x) / 2, min(x), max(x)))


@given(interval=intervals, bound=numbers, other=numbers)
def test_below_is_the_mirror_of_above(interval: Interval, bound: float, other: float) -> None:
    mirrored = Interval(-interval.mean, -interval.high, -interval.low)
    above, below = supported(above=bound), supported(below=-bound)
    assert judge(interval, above, 50).verdict == judge(mirrored, below, 50).verdict
    low, high = sorted((bound, other))
    both, turned = supported(above=low, below=high), supported(above=-high, below=-low)
    assert judge(interval, both, 50).verdict == judge(mirrored, turned, 50).verdict


@given(interval=intervals, bound=numbers)
def test_what_the_file_expects_never_enters_the_verdict(interval: Interval, bound: float) -> None:
    expectations = (supported(above=bound), refuted(below=bound), inconclusive(above=bound))
    judged = [judge(interval, expect, 50) for expect in expectations]
    assert len({judgement.verdict for judgement in judged}) == 1
    for expect, judgement in zip(expectations, judged, strict=True):
        assert judgement.passed == (judgement.verdict == expect.verdict)


def test_refuted_below_expects_the_verdict_refuted_of_at_least() -> None:
    """`refuted(below=0.7)` is about the belief "recovers at least 0.7"."""
    expect = refuted(below=0.7)
    assert judge(Interval(0.3, 0.2, 0.4), expect, 50).passed
    assert not judge(Interval(0.8, 0.75, 0.9), expect, 50).passed
    assert judge(Interval(0.8, 0.75, 0.9), refuted(above=0.7), 50).passed
    assert judge(Interval(0.8, 0.75, 0.9), None, 50).passed


@pytest.mark.parametrize("expectation", [supported, refuted, inconclusive])
def test_bounds_that_make_no_sense(expectation: Callable[..., Expectation]) -> None:
    with pytest.raises(UserError, match="needs a bound"):
        expectation()


def test_bounds_that_exclude_each_other() -> None:
    with pytest.raises(UserError, match="exclude each other"):
        supported(above=0.9, below=0.1)


def test_an_inconclusive_verdict_says_that_failures_were_too_few_to_be_seen() -> None:
    interval = Interval(0.71, 0.69, 0.73, widened="rare failures")
    assert "rare failures" in judge(interval, supported(above=0.7), 100).notes
    assert judge(interval, supported(above=0.6), 100).notes == ()


def test_overshoot_is_noted() -> None:
    assert not judge(Interval(1.2, 1.1, 1.3), supported(above=0.7), 50).notes
    (note,) = judge(Interval(1.21, 1.1, 1.3), supported(above=0.7), 50).notes
    assert note == "overshoot: recovered is above 1.2"


# Scrubs that were not seen

WIDE = Interval(0.9, 0.88, 0.92, least=0.8, most=0.95, concentration=0.6)


@pytest.mark.parametrize(
    ("expect", "verdict", "says"),
    [
        (supported(above=0.8), "supported", ""),
        (supported(above=0.81), "inconclusive", "supported by what was seen, but up to 3.62% of"),
        (
            supported(above=0.88),
            "inconclusive",
            "as bad as the worst number drawn, recovered would",
        ),
        (supported(above=0.9), "inconclusive", ""),
        (supported(above=0.93), "inconclusive", "refuted by what was seen"),
        (
            supported(above=0.93),
            "inconclusive",
            "as good as the best number drawn, recovered would",
        ),
        (supported(above=0.951), "refuted", ""),
        (supported(below=0.95), "supported", ""),
        (supported(below=0.93), "inconclusive", "recovered would be as high as 0.950"),
        (supported(below=0.85), "inconclusive", "recovered would be as low as 0.800"),
        (supported(below=0.85), "inconclusive", "3 references carry 60% of the loss"),
        (supported(below=0.79), "refuted", ""),
        (supported(above=0.8, below=0.94), "inconclusive", "as high as 0.950"),
    ],
)
def test_a_verdict_allows_for_the_worst_that_was_not_seen(
    expect: Expectation, verdict: str, says: str
) -> None:
    judgement = judge(WIDE, expect, 100)
    assert judgement.verdict == verdict
    assert says in " ".join(judgement.notes)
    assert bool(judgement.notes) == bool(says)


# How many more samples would settle it: tests/stats/test_sample_size.py


def test_an_inconclusive_verdict_says_how_many_more_samples_and_how_likely() -> None:
    interval = Interval(0.775, 0.675, 0.875, error=0.05)
    judgement = judge(interval, supported(above=0.7), 100)
    assert judgement.settle
    assert judgement.notes == (
        f"{judgement.settle:,} more samples settle it with a chance of about 80%",
    )
    at_the_bound = judge(interval, supported(above=0.775), 100)
    assert (at_the_bound.settle, at_the_bound.notes) == (None, ())
    unbounded = judge(evolve(interval, high=math.inf), supported(above=0.7), 100)
    assert (unbounded.verdict, unbounded.settle) == ("inconclusive", None)
    assert judge(interval, supported(above=0.6), 100).settle is None
