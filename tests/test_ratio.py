"""The confidence set of a ratio: laws, hand-computed cases, and how often it holds the truth.

`benchmarks/coverage.py` measures the coverage at length; here a few hundred simulations must agree
with it, and intervals that are known to be wrong must not.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from scrub.ratio import critical_values, fieller_set, ratio_set, rule_of_three, told_from_zero

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from coverage_methods import fieller
from coverage_situations import SITUATIONS, Situation, Triple

Ends = tuple[np.ndarray, np.ndarray]
seeds = st.integers(0, 2**32 - 1)


def pairs(seed: int, samples: int, *others: int) -> tuple[np.ndarray, np.ndarray]:
    """Saved and gap, skewed and correlated."""
    rng = np.random.default_rng(seed)
    gap = rng.gamma(1.5, 1, (*others, samples)) + rng.normal(0, 0.3, (*others, samples))
    return 0.8 * gap - rng.exponential(0.3, gap.shape), gap


def t_at(saved: np.ndarray, gap: np.ndarray, ratio: float) -> float:
    rest = saved - ratio * gap
    return float(rest.mean() / (rest.std(ddof=1) / math.sqrt(len(rest))))


# The definition


@given(seed=seeds, samples=st.integers(8, 200), confidence=st.sampled_from([0.8, 0.95, 0.995]))
@settings(deadline=None, max_examples=50)
def test_at_the_ends_t_comes_to_its_critical_values(
    seed: int, samples: int, confidence: float
) -> None:
    saved, gap = pairs(seed, samples)
    low, high = fieller_set(saved, gap, confidence)
    assume(np.isfinite(low))
    below, above = critical_values(saved, gap, confidence)
    assert t_at(saved, gap, float(low)) == pytest.approx(float(above), rel=1e-6)
    assert t_at(saved, gap, float(high)) == pytest.approx(float(below), rel=1e-6)
    assert low < saved.mean() / gap.mean() < high


@given(seed=seeds, samples=st.integers(5, 100))
@settings(deadline=None, max_examples=30)
def test_the_critical_values_are_halls(seed: int, samples: int) -> None:
    """His transformation takes them to Student's quantiles."""
    saved, gap = pairs(seed, samples)
    rest = saved - saved.mean() / gap.mean() * gap
    b = stats.skew(rest) / math.sqrt(samples)
    for t, tail in zip(critical_values(saved, gap, 0.9), (0.05, 0.95), strict=True):
        c = 2 * b / 3
        cubic, exponential = t + t**2 * b / 3 + t**3 * b**2 / 27, (np.exp(c * t) - 1) / c
        wanted = stats.t.ppf(tail, samples - 1) - b / 6
        assert cubic == pytest.approx(wanted) or exponential == pytest.approx(wanted)


@given(seed=seeds, samples=st.integers(5, 50))
@settings(deadline=None, max_examples=30)
def test_without_skewness_it_is_fiellers_set(seed: int, samples: int) -> None:
    """Each pair with its mirror image about the means: the rest is symmetric."""
    saved, gap = pairs(seed, samples)
    saved = np.concatenate([saved, 2 * saved.mean() - saved])
    gap = np.concatenate([gap, 2 * gap.mean() - gap])
    losses = tuple(x[None] for x in (0 * gap, gap - saved, gap))
    expected = fieller(losses, 0.95, np.random.default_rng(0))  # type: ignore[arg-type]
    found = fieller_set(saved, gap, 0.95)
    np.testing.assert_allclose(found, [end[0] for end in expected], rtol=1e-6)


@given(seed=seeds)
@settings(deadline=None, max_examples=15)
def test_many_at_once_are_each_alone(seed: int) -> None:
    saved, gap = pairs(seed, 12, 5)
    together = ratio_set(saved, gap, 0.95)
    for i in range(5):
        alone = ratio_set(saved[i], gap[i], 0.95)
        np.testing.assert_allclose([end[i] for end in together], alone, rtol=1e-9)


# Failures: counts for which exact intervals are known


@pytest.mark.parametrize("failures", [10, 20, 50, 200])
def test_counts_of_failures_have_about_the_exact_interval(failures: int) -> None:
    """Of 10,000 references so many lose all: Clopper & Pearson's interval, to 4%."""
    gap = np.ones(10_000)
    saved = gap - (np.arange(10_000) < failures)
    low, high = (1 - float(end) for end in ratio_set(saved, gap, 0.95))
    exact = stats.binomtest(failures, 10_000).proportion_ci(0.95, method="exact")
    assert high == pytest.approx(exact.low, rel=0.04)
    assert low == pytest.approx(exact.high, rel=0.04)


@pytest.mark.parametrize("failures", range(9))
def test_few_failures_have_no_narrower_an_interval_than_the_exact_one(failures: int) -> None:
    """At the end that says how bad it may be; at the other it may be a fifth too near."""
    gap = np.ones(1_000)
    saved = gap - (np.arange(1_000) < failures)
    low, high = (1 - float(end) for end in ratio_set(saved, gap, 0.95))
    exact = stats.binomtest(failures, 1_000).proportion_ci(0.95, method="exact")
    assert exact.high * 0.99 <= low <= 2.5 * exact.high
    assert high <= 1.2 * exact.low


def test_no_failure_at_all_is_the_rule_of_three() -> None:
    gap = np.full(1_000, 2.0)
    low, high = ratio_set(gap, gap, 0.95)
    assert 1 - low == pytest.approx(1 - 0.025 ** (1 / 1_000))
    assert high - 1 == pytest.approx(1 - low)
    assert float(rule_of_three(gap, 0.95)) == pytest.approx(3.682 / 1_000, rel=2e-3)
    some = gap * (np.arange(1_000) < 100)  # a tenth of unrelated inputs fail, and at this cost
    assert float(rule_of_three(some, 0.95)) == pytest.approx(10 * 3.682 / 1_000, rel=2e-3)


# Unbounded


@given(seed=seeds, gap=st.floats(-0.6, 0.6), samples=st.integers(2, 40))
@settings(deadline=None)
def test_bounded_only_where_a_t_test_tells_the_gap_from_zero(
    seed: int, gap: float, samples: int
) -> None:
    rng = np.random.default_rng(seed)
    gaps = rng.normal(gap, 1, samples)
    saved = gaps * 0.5 + rng.normal(0, 0.1, samples)
    p = stats.ttest_1samp(gaps, 0).pvalue
    assume(abs(p - 0.05) > 1e-9)
    assert bool(told_from_zero(gaps, 0.95)) == (p < 0.05)
    low, high = ratio_set(saved, gaps, 0.95)
    assert np.isinf(low) == np.isinf(high)
    if p > 0.05:
        assert (low, high) == (-math.inf, math.inf)


# Coverage, in fewer simulations than the benchmark's

SIMULATIONS = 600
LOOSE = 3.5
"""Standard errors: a right interval fails once in 2,000."""


def planted(name: str, samples: int = 1_000) -> Situation:
    (found,) = (s for s in SITUATIONS if (s.name, s.samples) == (name, samples))
    return found


def coverage(method: Callable[[Triple], Ends], situation: Situation) -> float:
    losses = situation.draw(np.random.default_rng(5), (SIMULATIONS, situation.samples))
    low, high = method(losses)
    return float(((low <= situation.truth) & (situation.truth <= high)).mean())


def honest(share: float, rule: str) -> bool:
    error = LOOSE * math.sqrt(0.95 * 0.05 / SIMULATIONS)
    return share > 0.95 - error and (rule != "exact" or share < 0.95 + error)


def ours(losses: Triple) -> Ends:
    original, scrubbed, baseline = losses
    return ratio_set(baseline - scrubbed, baseline - original, 0.95)


CHECKED = [
    planted("ordinary"),
    planted("skewed losses"),
    planted("few distinct rows", 100),
    planted("rare failures, 5%"),
    planted("rare failures, 0.05%"),
    planted("near-undefined, 5 errors"),
]


@pytest.mark.parametrize("situation", CHECKED, ids=lambda s: f"{s.name}, {s.samples}")
def test_the_interval_holds_the_truth_as_often_as_it_says(situation: Situation) -> None:
    assert honest(coverage(ours, situation), situation.rule)


def _unpaired(losses: Triple) -> Ends:
    original, scrubbed, baseline = losses
    order = np.random.default_rng(0).permutation(original.shape[1])
    return ratio_set(baseline - scrubbed[:, order], baseline - original, 0.95)


def _as_if_the_gap_were_known(losses: Triple) -> Ends:
    """Student's interval for the scrubbed loss, over the mean gap."""
    original, scrubbed, baseline = losses
    gap = (baseline - original).mean(1)
    error = scrubbed.std(1, ddof=1) / math.sqrt(scrubbed.shape[1])
    estimate = (baseline - scrubbed).mean(1) / gap
    return estimate - 1.98 * error / gap, estimate + 1.98 * error / gap


def _failures_seen_only(losses: Triple) -> Ends:
    original, scrubbed, baseline = losses
    return fieller_set(baseline - scrubbed, baseline - original, 0.95)


@pytest.mark.parametrize(
    ("mutant", "name", "samples"),
    [
        (_unpaired, "ordinary", 1_000),
        (_as_if_the_gap_were_known, "ordinary", 1_000),
        (_failures_seen_only, "rare failures, 0.05%", 1_000),
    ],
)
def test_an_interval_that_lies_is_found_out(
    mutant: Callable[[Triple], Ends], name: str, samples: int
) -> None:
    situation = planted(name, samples)
    assert not honest(coverage(mutant, situation), situation.rule)
