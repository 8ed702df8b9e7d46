"""`--precision`: the interval that a run stops at holds as often as it says, whatever stops it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from coverage import coverage, simulated, stopped
from coverage_situations import SITUATIONS

import scrub
from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.hypothesis.collect import load
from scrub.stats.intervals import loss_recovered
from support.command import SUMS
from support.paths import ROOT

ENDS = ("low", "high", "least", "most")


@given(seed=st.integers(0, 2**32 - 1), looks=st.integers(1, 20))
@settings(deadline=None, max_examples=20)
def test_looks_that_hold_together_are_each_surer(seed: int, looks: int) -> None:
    """By Bonferroni: with 95% all four of them hold if each does with 98.75%."""
    rng = np.random.default_rng(seed)
    original, baseline = rng.gamma(2, 1, 50), 3 + rng.gamma(2, 1, 50)
    losses = original, original + rng.exponential(0.3, 50), baseline
    one_of, alone = loss_recovered(*losses, looks=looks), loss_recovered(*losses)
    surer = loss_recovered(*losses, confidence=1 - 0.05 / looks)
    assert [getattr(one_of, e) for e in ENDS] == [getattr(surer, e) for e in ENDS]
    assert (one_of.confidence, one_of.level) == (0.95, pytest.approx(1 - 0.05 / looks))
    assert one_of.low <= alone.low < alone.high <= one_of.high


def test_a_run_stops_at_the_first_look_at_which_all_are_narrow_enough() -> None:
    """Looks at 200, 400, 800 and 1,600 references: four, of which it takes as few as will do."""
    claim = load(ROOT / SUMS).only_x
    whole = scrub.run(claim, samples=1_600, diagnose=False)
    assert whole.recovered.looks == 1
    widths = {}
    for samples in (200, 400, 800, 1_600):
        first = whole.scores.where(np.arange(1_600) < samples)
        widths[samples] = first.recovered(looks=4).half_width
    precision = widths[400] * 1.01
    found = scrub.run(claim, samples=1_600, precision=precision, diagnose=False)
    assert min(samples for samples, width in widths.items() if width <= precision) == 400
    assert found.samples == 400
    assert found.recovered == found.scores.recovered(looks=4)
    assert found.recovered.half_width <= precision
    two = scrub.run([claim, claim], samples=1_600, precision=precision, diagnose=False)
    assert two[0].corrected == two[0].scores.recovered(0.975, looks=4)
    few = scrub.run(claim, samples=399, precision=1e-9, diagnose=False)
    assert (few.samples, few.recovered.looks) == (399, 1)


# By simulation, where a sample whose tail has not shown yet is narrow, and wrong

SIMULATIONS = 2_000
PRECISION = 0.14


def held(confidence: Callable[[int], float]) -> float:
    (heavy,) = (s for s in SITUATIONS if (s.name, s.samples) == ("heavy lognormal", 1_000))
    ends = [
        stopped(losses, PRECISION, confidence)[:2]
        for losses in simulated(heavy, SIMULATIONS, 4_000, "a test")
    ]
    low, high = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    return coverage((low, high), heavy.truth).share


def honest(share: float) -> bool:
    """At least 93%: a right rule fails once in 4,000."""
    return share > 0.93 - 3.5 * math.sqrt(0.93 * 0.07 / SIMULATIONS)


def test_the_looks_of_a_run_hold_together() -> None:
    assert honest(held(lambda looks: 1 - 0.05 / looks))


def test_looks_at_full_confidence_are_found_out() -> None:
    assert not honest(held(lambda looks: 0.95))
