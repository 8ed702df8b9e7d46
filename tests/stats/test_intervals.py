"""Loss recovered and its interval. How often it is right: test_ratio.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scrub.stats.intervals import Interval, loss_recovered

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]

numbers = st.floats(-2, 2, allow_nan=False, width=32)
NAMES = ("original", "scrubbed", "baseline")
seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, size: int = 60, gap: float = 4.0) -> Sample:
    """Original, scrubbed and baseline, all correlated within a reference."""
    rng = np.random.default_rng(seed)
    difficulty = rng.gamma(2.0, 1.0, size)
    original = difficulty + rng.normal(0, 0.3, size)
    baseline = original + gap * rng.gamma(2.0, 0.5, size)
    scrubbed = original + 0.4 * (baseline - original) + rng.normal(0, 0.5, size)
    return original, scrubbed, baseline


def ends(interval: Interval) -> tuple[float, float, float]:
    return interval.mean, interval.low, interval.high


# Loss recovered


def test_the_definition() -> None:
    original, scrubbed, baseline = (np.array(x, float) for x in ([1, 3], [2, 5], [6, 8]))
    assert loss_recovered(original, scrubbed, baseline).mean == (7 - 3.5) / (7 - 2)


@given(seed=seeds, scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
@settings(deadline=None, max_examples=15)
def test_scale_shift_and_sign_of_the_metric_change_nothing(
    seed: int, scale: float, shift: float
) -> None:
    sample = drawn(seed)
    plain = ends(loss_recovered(*sample))
    for factor in (scale, -scale):
        other = loss_recovered(*(factor * m + shift for m in sample))
        assert ends(other) == pytest.approx(plain, rel=1e-6, abs=1e-8)


@given(seed=seeds)
@settings(deadline=None, max_examples=15)
def test_the_interval_holds_the_mean(seed: int) -> None:
    sample = drawn(seed, 1_000)
    found = loss_recovered(*sample)
    assert found.low < found.mean < found.high
    assert found.confidence == 0.95
    assert found.widened == ""
    wider = loss_recovered(*sample, confidence=0.999)
    assert wider.low < found.low < found.high < wider.high


def test_where_nothing_varies_only_failures_that_were_not_seen_count() -> None:
    """Of 9 references none failed, so the rate is below 1 − 0.025^(1/9): 0.336."""
    constant = loss_recovered(np.zeros(9), np.full(9, 0.25), np.ones(9))
    assert ends(constant) == pytest.approx((0.75, 0.75 - 0.3363, 0.75 + 0.3363), abs=1e-4)
    assert constant.widened == (
        "the interval allows for failures too rare to show among 9 references: "
        "±0.34 (rule of three)"
    )
    original, _, baseline = drawn(0)
    for scrubbed, mean in ((original, 1), (baseline, 0)):
        found = loss_recovered(original, scrubbed, baseline)
        assert found.mean == mean
        assert found.high - mean == pytest.approx(mean - found.low)
        assert found.widened


def test_references_are_paired() -> None:
    """The mean does not care which numbers belong together, the interval does."""
    original, scrubbed, baseline = drawn(1, size=200)
    paired = loss_recovered(original, scrubbed, baseline)
    order = np.random.default_rng(0).permutation(200)
    torn = loss_recovered(original, scrubbed[order], baseline)
    assert torn.mean == pytest.approx(paired.mean)
    assert torn.half_width > 1.3 * paired.half_width


@given(values=st.lists(numbers, min_size=2, max_size=30))
@settings(deadline=None)
def test_no_gap_is_undefined_and_never_0_or_1(values: list[float]) -> None:
    original = np.array(values)
    found = loss_recovered(original, original + 1, original[::-1].copy())
    assert math.isnan(found.mean)
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert found.reason == "baseline and original are equal, so loss recovered is undefined"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_metric_that_is_not_finite_is_undefined(bad: float, which: int) -> None:
    sample = drawn(0)
    sample[which][3] = bad
    found = loss_recovered(*sample)
    assert math.isnan(found.mean)
    counts = ", ".join(f"{name} {int(which == i)}" for i, name in enumerate(NAMES))
    assert found.reason == f"the metric is not finite everywhere (of 60: {counts})"


@given(seed=seeds, gap=st.floats(-0.6, 0.6), size=st.integers(2, 40))
@settings(deadline=None)
def test_unbounded_says_why(seed: int, gap: float, size: int) -> None:
    rng = np.random.default_rng(seed)
    gaps = rng.normal(gap, 1, size)
    saved = gaps * 0.5 + rng.normal(0, 0.1, size)
    told = stats.ttest_1samp(gaps, 0).pvalue
    assume(abs(told - 0.05) > 1e-9)
    found = loss_recovered(np.zeros(size), gaps - saved, gaps)
    assert found.mean == pytest.approx(saved.mean() / gaps.mean())
    if math.isfinite(found.half_width):
        assert told < 0.05
        assert found.reason == ""
    else:
        assert (found.low, found.high) == (-math.inf, math.inf)
        assert ("not told from the original" in found.reason) == (told > 0.05)
        assert ("too few references differ" in found.reason) == (told < 0.05)


def test_one_reference_has_no_interval() -> None:
    found = loss_recovered(np.zeros(1), np.ones(1), np.full(1, 2.0))
    assert ends(found) == (0.5, -math.inf, math.inf)
    assert found.reason


# Scrubs that were not seen


def test_the_worst_number_may_be_the_originals_or_the_baselines() -> None:
    """A hundred references that lose nothing: 3.62% may cost up to 10 − 1, of a gap of 1."""
    original, baseline = np.ones(100), np.full(100, 2.0)
    for numbers in (original, baseline):
        others = numbers.copy()
        others[0] = 10
        losses = (others, others, baseline + others - 1) if numbers is original else (
            original, original, others
        )  # fmt: skip
        found = loss_recovered(*losses)
        gap = losses[2].mean() - losses[0].mean()
        worst = max(losses[2].max(), losses[0].max()) - losses[1].mean()
        assert found.least == pytest.approx(1 - (1 - 0.025**0.01) * worst / gap)
        assert found.most == pytest.approx(found.high)


def test_what_few_references_carry_of_the_loss() -> None:
    original, baseline = np.zeros(10), np.full(10, 4.0)
    cost = np.array([5.0, 3, 2, 1, 1, 0, 0, 0, -6, 0])
    assert loss_recovered(original, cost, baseline).concentration == pytest.approx(10 / 12)
    assert loss_recovered(-original, -cost, -baseline).concentration == pytest.approx(10 / 12)
    assert loss_recovered(original, original, baseline).concentration is None


@given(seed=seeds)
@settings(deadline=None, max_examples=15)
def test_the_standard_error_is_the_delta_methods(seed: int) -> None:
    original, scrubbed, baseline = drawn(seed, 200)
    found = loss_recovered(original, scrubbed, baseline)
    s, g = baseline - scrubbed, baseline - original
    covariance = np.cov(s, g) / 200
    variance = (
        covariance[0, 0] - 2 * found.mean * covariance[0, 1] + found.mean**2 * covariance[1, 1]
    )
    assert found.error == pytest.approx(math.sqrt(variance) / g.mean())
