"""The confidence set of a ratio: laws, hand-computed cases, and how often it holds the truth.

`benchmarks/coverage.py` measures the coverage at length; here a few hundred simulations must agree
with it, and intervals that are known to be wrong must not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from coverage_methods import decides, fieller, ours
from coverage_situations import SITUATIONS, Situation, Triple
from scipy import stats

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scrub.stats.ratio import (
    critical_values,
    farthest,
    fieller_set,
    ratio_set,
    rule_of_three,
    told_from_zero,
)

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
    """His transformation takes them to Student's quantiles; the nearer is bent less.

    By what twice the squared error of the sum of cubes leaves of its square.
    """
    saved, gap = pairs(seed, samples)
    rest = saved - saved.mean() / gap.mean() * gap
    cubes = (rest**3).sum()
    told = max(0.0, 1 - 2 * (rest**6).sum() / cubes**2)
    for t, tail in zip(critical_values(saved, gap, 0.9), (0.05, 0.95), strict=True):
        farther = (tail - 0.5) * cubes < 0
        b = stats.skew(rest) / math.sqrt(samples) * (1 if farther else told)
        wanted = stats.t.ppf(tail, samples - 1) - b / 6
        if b == 0:
            assert t == pytest.approx(wanted)
            continue
        c = 2 * b / 3
        cubic, exponential = t + t**2 * b / 3 + t**3 * b**2 / 27, (np.exp(c * t) - 1) / c
        assert cubic == pytest.approx(wanted) or exponential == pytest.approx(wanted)


def test_a_single_outlier_draws_no_end_in() -> None:
    """Its skewness may be chance: the end on its side moves out, the other stays Student's."""
    gap = np.tile([0.5, 1.5], 50)
    saved = 0.8 * gap
    saved[1] -= 20
    low, high = critical_values(saved, gap, 0.95)
    quantile = stats.t.ppf(0.975, 99)
    assert high > 1.2 * quantile
    assert low == pytest.approx(-quantile, rel=1e-3)
    many = np.tile(saved, 30)  # thirty of them are no chance
    assert critical_values(many, np.tile(gap, 30), 0.95)[0] > -0.95 * stats.t.ppf(0.975, 2_999)


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


# Scrubs that were not seen, at their worst


def test_the_worst_number_drawn_in_as_many_references_as_show_none() -> None:
    """By hand: 1 − 0.025^(1/4) is 0.6024; the worst number drawn is 6, the best −1."""
    original, baseline = np.array([0.0, 0, -1, 1]), np.array([1.0, 2, 3, 6])
    scrubbed = np.array([1.0, 0, 1, 2])  # gap 3, mean 1: a third is lost
    low, high = farthest(original, scrubbed, baseline, 0.95)
    assert low == pytest.approx(2 / 3 - 0.60236 * (6 - 1) / 3, abs=1e-4)
    assert high == pytest.approx(2 / 3 + 0.60236 * (1 + 1) / 3, abs=1e-4)


@given(
    seed=seeds,
    scale=st.floats(0.01, 100),
    shift=st.floats(-10, 10),
    confidence=st.sampled_from([0.8, 0.95, 0.999]),
)
@settings(deadline=None, max_examples=30)
def test_scale_shift_and_sign_of_the_metric_move_no_end(
    seed: int, scale: float, shift: float, confidence: float
) -> None:
    saved, gap = pairs(seed, 30, 3)
    original = np.random.default_rng(seed).normal(0, 1, gap.shape)
    losses = original, original + gap - saved, original + gap
    plain = farthest(*losses, confidence)
    estimate = saved.mean(-1) / gap.mean(-1)
    assert (plain[0] <= estimate).all()
    assert (estimate <= plain[1]).all()
    for factor in (scale, -scale):
        turned = farthest(*(factor * numbers + shift for numbers in losses), confidence)
        np.testing.assert_allclose(turned, plain, rtol=1e-6, atol=1e-9)


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
Interval = Callable[[Triple, float, np.random.Generator], Ends]


def planted(name: str, samples: int = 1_000) -> Situation:
    (found,) = (s for s in SITUATIONS if (s.name, s.samples) == (name, samples))
    return found


def coverage(method: Interval, situation: Situation, simulations: int = SIMULATIONS) -> float:
    rng, held = np.random.default_rng(5), []
    for _ in range(simulations // 200):
        losses = situation.draw(rng, (200, situation.samples))
        low, high = method(losses, 0.95, rng)
        held.append(((low <= situation.truth) & (situation.truth <= high)).mean())
    return float(np.mean(held))


def honest(share: float, rule: str, simulations: int = SIMULATIONS) -> bool:
    least = 0.93 if rule == "93%" else 0.95
    error = LOOSE * math.sqrt(least * (1 - least) / simulations)
    return share > least - error and (rule != "exact" or share < 0.95 + error)


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


def _unpaired(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    original, scrubbed, baseline = losses
    order = np.random.default_rng(0).permutation(original.shape[1])
    return ratio_set(baseline - scrubbed[:, order], baseline - original, confidence)


def _as_if_the_gap_were_known(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    """Student's interval for the scrubbed loss, over the mean gap."""
    original, scrubbed, baseline = losses
    gap = (baseline - original).mean(1)
    error = scrubbed.std(1, ddof=1) / math.sqrt(scrubbed.shape[1])
    estimate = (baseline - scrubbed).mean(1) / gap
    return estimate - 1.98 * error / gap, estimate + 1.98 * error / gap


def _failures_seen_only(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    original, scrubbed, baseline = losses
    return fieller_set(baseline - scrubbed, baseline - original, confidence)


@pytest.mark.parametrize(
    ("mutant", "name", "samples"),
    [
        (_unpaired, "ordinary", 1_000),
        (_as_if_the_gap_were_known, "ordinary", 1_000),
        (_failures_seen_only, "rare failures, 0.05%", 1_000),
    ],
)
def test_an_interval_that_lies_is_found_out(mutant: Interval, name: str, samples: int) -> None:
    situation = planted(name, samples)
    assert not honest(coverage(mutant, situation), situation.rule)


# Where a failure may cost more than the whole gap, the verdict's interval must hold 93%

MANY = 3_000
COSTLY = [s for s in SITUATIONS if s.rule == "93%"]


@pytest.mark.parametrize("situation", COSTLY, ids=lambda s: f"{s.name}, {s.samples}")
def test_what_verdicts_are_read_off_holds_where_failures_are_rare_and_dear(
    situation: Situation,
) -> None:
    assert honest(coverage(decides, situation, MANY), "93%", MANY)


@pytest.mark.parametrize(
    "situation", [s for s in COSTLY if s.name != "outliers"], ids=lambda s: f"{s.name}, {s.samples}"
)
def test_the_interval_of_what_was_seen_would_not(situation: Situation) -> None:
    assert not honest(coverage(ours, situation, MANY), "93%", MANY)


@pytest.mark.parametrize("samples", [1_000, 200])
def test_outliers_to_both_sides_are_held_by_the_interval_itself(samples: int) -> None:
    assert honest(coverage(ours, planted("outliers", samples), MANY), "93%", MANY)


def _drawn_in_by_any_skewness(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    """Hall's interval for the scrubbed loss alone, bent both ways by whatever skewness there is."""
    original, scrubbed, baseline = losses
    gap, samples = (baseline - original).mean(1), scrubbed.shape[1]
    cost = scrubbed - original - 0.4 * (baseline - original)
    error = cost.std(1, ddof=1) / math.sqrt(samples)
    b = stats.skew(cost, axis=1) / math.sqrt(samples)
    aim = stats.norm.ppf((1 + confidence) / 2)
    low, high = ((np.cbrt(1 + b * (q - b / 6)) - 1) * 3 / b for q in (-aim, aim))
    estimate = 1 - (0.4 + cost.mean(1) / gap)
    return estimate + low * error / gap, estimate + high * error / gap


def test_skewness_that_is_chance_misleads() -> None:
    found = coverage(_drawn_in_by_any_skewness, planted("outliers"), MANY)
    assert not honest(found, "93%", MANY)
