"""Cancellation: by hand, its bounds, and a claim that passes in the mean alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from attrs import evolve
from hypothesis.extra.numpy import arrays

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.stats.cancellation import Cancellation, cancellation
from scrub.stats.intervals import loss_recovered
from scrub.stats.scores import Scores

ORIGINAL = np.array([1.0, 2, 3, 4])
BASELINE = ORIGINAL + np.array([4.0, 6, 4, 6])


def found(error: list[float]) -> Cancellation:
    return cancellation(Scores(ORIGINAL, ORIGINAL + np.array(error), BASELINE))


def by_hand(measure: object = cancellation) -> None:
    errors = {
        (1.0, 1.0, 1.0, 1.0): (1 - 1 / 5, 0.0, 0.0),
        (-1.0, -1.0, -1.0, -1.0): (1 - 1 / 5, 0.0, 0.0),
        (2.0, -2.0, 2.0, -2.0): (1 - 2 / 5, 1.0, 2 / 5),
        (3.0, -1.0, 0.0, 0.0): (1 - 1 / 5, 0.5, 1 / 10),
        (5.0, 5.0, 5.0, 5.0): (0.0, 0.0, 0.0),
    }
    for error, expected in errors.items():
        here = measure(Scores(ORIGINAL, ORIGINAL + np.array(error), BASELINE))  # type: ignore[operator]
        figures = (here.recovered.mean, here.cancelled, here.hidden)
        assert figures == pytest.approx(expected)


def test_by_hand() -> None:
    by_hand()


def test_a_claim_that_passes_in_the_mean_alone() -> None:
    numbers = Scores(ORIGINAL, ORIGINAL + np.array([5.0, -5, 5, -5]), BASELINE)
    recovered = loss_recovered(numbers.original, numbers.scrubbed, numbers.baseline)
    assert recovered.mean == 1
    assert found([5.0, -5, 5, -5]).recovered.mean == 0


def test_undefined_is_said() -> None:
    none = found([0.0, 0, 0, 0])
    assert math.isnan(none.cancelled)
    assert none.reason == "no reference's metric changed"
    assert none.recovered.mean == 1
    assert none.hidden == 0
    infinite = found([math.inf, 0, 0, 0])
    assert math.isnan(infinite.cancelled)
    assert math.isnan(infinite.recovered.mean)
    assert math.isnan(infinite.hidden)
    assert infinite.reason == "the metric is not finite everywhere"
    still = cancellation(Scores(ORIGINAL, ORIGINAL + 1, ORIGINAL))
    assert math.isnan(still.recovered.mean)


def test_references_without_a_metric_are_left_out() -> None:
    def padded(values: np.ndarray) -> np.ndarray:
        return np.concatenate([[math.nan], values, [math.nan]])

    error = np.array([3.0, -1, 0, 0])
    here = Scores(padded(ORIGINAL), padded(ORIGINAL + error), padded(BASELINE))
    assert cancellation(here) == cancellation(Scores(ORIGINAL, ORIGINAL + error, BASELINE))
    nothing = np.full(4, math.nan)
    none = cancellation(Scores(nothing, nothing, nothing))
    assert none.reason == "the metric is undefined on every reference"
    assert math.isnan(none.recovered.mean)


numbers = arrays(float, 12, elements=st.floats(-8, 8, width=32))


@given(original=numbers, scrubbed=numbers, gap=arrays(float, 12, elements=st.floats(0.5, 8)))
@settings(deadline=None, max_examples=30)
def test_bounds(original: np.ndarray, scrubbed: np.ndarray, gap: np.ndarray) -> None:
    """With the baseline on one side, recovered per reference is at most recovered."""
    for side in (1, -1):
        here = Scores(original, scrubbed, original + side * gap)
        mean = loss_recovered(here.original, here.scrubbed, here.baseline).mean
        measured = cancellation(here)
        assert measured.recovered.mean <= min(mean, 1) + 1e-9
        assert math.isnan(measured.cancelled) or 0 <= measured.cancelled <= 1
        if (scrubbed >= original).all() and side == 1:
            assert measured.recovered.mean == pytest.approx(mean, abs=1e-9)


def _by_medians(numbers: Scores) -> Cancellation:
    right = cancellation(numbers)
    error = numbers.scrubbed - numbers.original
    return evolve(right, cancelled=1 - abs(np.median(error)) / np.abs(error).mean())


def _against_errors(numbers: Scores) -> Cancellation:
    """As a share of the errors, not of what is at stake."""
    right = cancellation(numbers)
    return evolve(right, hidden=right.cancelled)


def _signed(numbers: Scores) -> Cancellation:
    recovered = loss_recovered(numbers.original, numbers.scrubbed, numbers.baseline)
    return evolve(cancellation(numbers), recovered=recovered)


@pytest.mark.parametrize("mutant", [_by_medians, _signed, _against_errors])
def test_mutants_are_caught(mutant: object) -> None:
    with pytest.raises(AssertionError):
        by_hand(mutant)
