"""Effects and shares: their definition, laws, and in fewer simulations how often they are right."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from coverage_effects_situations import BOUNDARY, SHARES, SITUATIONS, Pair, Situation
from scipy import stats

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import attends, raises, recovers, unchanged
from scrub.hypothesis.belief import Belief, Expectation, answers
from scrub.stats.effect import (
    farthest_effects,
    mean_set,
    paired_mean,
    share,
    share_set,
    unseen_rate,
)
from scrub.stats.figure import figure, in_words
from scrub.stats.intervals import Interval
from scrub.stats.scores import Scores
from scrub.stats.verdict import judge, verdict_of

seeds = st.integers(0, 2**32 - 1)
Ends = tuple[np.ndarray, np.ndarray]


def drawn(seed: int, size: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 1.0, size) - 1.0


def ends(found: Interval) -> tuple[float, float, float, float, float]:
    return found.least, found.low, found.mean, found.high, found.most


# The mean of paired differences


@given(seed=seeds, scale=st.sampled_from([1e-12, 0.01, 100.0, 1e9]))
@settings(deadline=None, max_examples=20)
def test_the_unit_and_the_sign_are_those_of_the_interval(seed: int, scale: float) -> None:
    plain = ends(paired_mean(drawn(seed)))
    np.testing.assert_allclose(ends(paired_mean(scale * drawn(seed))), np.multiply(plain, scale))
    turned = ends(paired_mean(-drawn(seed)))
    np.testing.assert_allclose(turned, [-end for end in reversed(plain)])


@given(seed=seeds, size=st.integers(2, 400))
@settings(deadline=None, max_examples=20)
def test_the_interval_holds_the_mean_and_the_verdicts_interval_holds_it(
    seed: int, size: int
) -> None:
    found = paired_mean(drawn(seed, size))
    if math.isfinite(found.low):
        assert list(ends(found)) == sorted(ends(found))
    wider = paired_mean(drawn(seed, size), confidence=0.999)
    assert wider.low <= found.low <= found.high <= wider.high
    looked = paired_mean(drawn(seed, size), looks=50)
    assert (looked.low, looked.level) == (pytest.approx(wider.low), pytest.approx(0.999))


def test_of_many_symmetric_differences_it_is_students() -> None:
    numbers = np.random.default_rng(0).normal(0.3, 1, 2_000)
    found, t = paired_mean(numbers), stats.ttest_1samp(numbers, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((t.low, t.high), abs=2e-3)
    assert found.error == pytest.approx(numbers.std(ddof=1) / math.sqrt(2_000))


def test_no_effect_anywhere_is_nothing_with_what_it_rests_on() -> None:
    found = paired_mean(np.zeros(1_000))
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)
    assert found.widened == (
        "no effect in any of 1,000 references; up to 0.37% of references may have one and show in "
        "none (rule of three)"
    )


def test_one_that_is_the_same_everywhere_allows_for_references_that_have_none() -> None:
    """By hand: 1 − 0.025^(1/9) is 0.3363."""
    found = paired_mean(np.full(9, 2.0))
    assert (found.low, found.high) == pytest.approx((2 - 0.6726, 2 + 0.6726), abs=1e-3)
    assert "too rare to show among 9 references: ±0.67" in found.widened


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ([], "the metric is NaN for every reference"),
        ([1.0, math.nan, 2.0], "it is not finite in 1 of 3 references"),
        ([math.inf, 1.0], "it is not finite in 1 of 2 references"),
    ],
)
def test_what_is_undefined_is_nan_with_a_reason(numbers: list[float], reason: str) -> None:
    for found in (paired_mean(np.array(numbers)), share(np.array(numbers))):
        assert math.isnan(found.mean)
        assert (found.low, found.high) == (-math.inf, math.inf)
        assert found.reason == reason


def test_one_reference_has_no_interval() -> None:
    found = paired_mean(np.ones(1))
    assert (found.mean, found.low, found.high) == (1.0, -math.inf, math.inf)
    assert found.reason


def test_what_was_not_seen_is_as_far_as_any_number_drawn() -> None:
    """By hand: from a mean of 1 on, a reference may come down to −3 or up to 9."""
    before, after, baseline = np.array([0.0, 2.0]), np.array([1.0, 9.0]), np.array([-3.0, 0.0])
    assert farthest_effects(before, after, baseline) == (-4.0, 8.0)
    scores = Scores(*(np.tile(x, 50) for x in (before, after, baseline, before)))
    found, rate = scores.effect(), unseen_rate(100, 0.95)
    assert found.mean == 4.0
    assert found.least == pytest.approx(min(found.low, 4 - rate * 8))
    assert found.most == pytest.approx(max(found.high, 4 + rate * 4))


# A share


@given(hits=st.integers(0, 50), size=st.integers(1, 50), level=st.sampled_from([0.8, 0.95, 0.999]))
@settings(deadline=None)
def test_a_share_has_the_exact_interval(hits: int, size: int, level: float) -> None:
    hits = min(hits, size)
    found = share((np.arange(size) < hits).astype(float), confidence=level)
    exact = stats.binomtest(hits, size).proportion_ci(level, method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    missed = share((np.arange(size) >= hits).astype(float), confidence=level)
    assert (missed.low, missed.high) == pytest.approx((1 - found.high, 1 - found.low))


# Figures of beliefs

SCORES = Scores(
    original=np.array([1.0, 1, 1, 1]),
    scrubbed=np.array([1.0, 0, 1, 1]),
    baseline=np.array([0.0, 0, 0, 1]),
    before=np.array([0.0, 0, 1, 0]),
)


def test_each_belief_has_its_own_figure() -> None:
    of = {
        "recovered": (recovers(above=0.5), 2 / 3),
        "effect": (raises(by=0.1), 0.5),
        "share": (answers("io", share=0.5), 0.75),
        "attention": (attends(to="io", share=0.5), 0.75),
    }
    for name, (belief, mean) in of.items():
        assert belief.figure == name
        assert figure(SCORES, belief).mean == pytest.approx(mean)
    assert figure(SCORES, None) == SCORES.recovered()
    assert in_words(None, 0.25) == "0.250 is recovered"
    assert in_words(raises(by=0.1), -1.0) == "the effect is -1.000"


def test_attention_stays_between_0_and_1() -> None:
    found = figure(SCORES, attends(to="io", share=0.5))
    assert ends(found)[0] == 0.0
    assert ends(found)[-1] == 1.0


def test_a_metric_that_is_undefined_for_a_reference_leaves_it_out() -> None:
    gone = np.array([math.nan, 0, 0, 0])
    some = Scores(**{name: numbers + gone for name, numbers in SCORES.columns.items()})
    assert figure(some, raises(by=0.1)).mean == pytest.approx(1 / 3)
    assert figure(some, answers("io", share=0.5)).mean == pytest.approx(2 / 3)


def test_an_infinite_metric_has_no_effect() -> None:
    some = Scores(*(np.array([1.0, math.inf]) for _ in range(4)))
    assert some.effect().reason == "it is not finite in 1 of 2 references"


# Equivalence


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.1, 0.1, "supported"),
        (-0.09, 0.0, "supported"),
        (0.05, 0.11, "inconclusive"),  # significant, and small; not told to be small enough
        (-0.5, 0.5, "inconclusive"),  # not significant, which says nothing
        (0.11, 0.2, "refuted"),
        (-0.3, -0.11, "refuted"),
    ],
)
def test_unchanged_is_a_test_of_equivalence(low: float, high: float, verdict: str) -> None:
    expect = Expectation("supported", unchanged(within=0.1))
    assert verdict_of(Interval((low + high) / 2, low, high), expect) == verdict


def test_a_verdict_that_hangs_on_what_was_not_seen_says_so_in_its_own_words() -> None:
    found = Interval(0.0, 0.0, 0.0, least=-0.4, most=0.2)
    judgement = judge(found, Expectation("supported", unchanged(within=0.1)), 100)
    assert judgement.verdict == "inconclusive"
    assert judgement.notes == (
        "supported by what was seen, but up to 3.62% of references may differ and show in none of "
        "100: were each as low as the lowest number drawn, the effect would be as low as -0.400",
    )
    assert judge(Interval(3.0, 2.9, 3.1), Expectation("supported", raises(by=1)), 9).notes == ()


# Coverage, in fewer simulations than the benchmark's

SIMULATIONS = 600
LOOSE = 3.5
Method = Callable[[Pair], Ends]


def planted(name: str, samples: int = 1_000) -> Situation:
    every = (*SITUATIONS, *SHARES, *BOUNDARY)
    return next(s for s in every if (s.name, s.samples) == (name, samples))


def covered(method: Method, situation: Situation) -> float:
    rng, held = np.random.default_rng(5), []
    for _ in range(SIMULATIONS // 200):
        low, high = method(situation.draw(rng, (200, situation.samples)))
        held.append(((low <= situation.truth) & (situation.truth <= high)).mean())
    return float(np.mean(held))


def honest(found: float, rule: str) -> bool:
    error = LOOSE * math.sqrt(0.05 * 0.95 / SIMULATIONS)
    return found > 0.95 - error and (rule != "exact" or found < 0.95 + error)


def ours(pair: Pair) -> Ends:
    return mean_set(pair[1] - pair[0], 0.95)


def of_a_share(pair: Pair) -> Ends:
    return share_set(pair[1].sum(-1).astype(np.int64), pair[1].shape[-1], 0.95)


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("ordinary", 100),
        ("skewed", 1_000),
        ("few distinct rows", 100),
        ("rare, 1%", 1_000),
        ("exactly zero", 20),
        ("about zero", 100),
        ("attention, elsewhere in 1%", 1_000),
    ],
)
def test_the_interval_holds_the_truth_as_often_as_it_says(name: str, samples: int) -> None:
    situation = planted(name, samples)
    assert honest(covered(ours, situation), situation.rule)


@pytest.mark.parametrize("name", ["share, 0", "share, 0.001", "share, 0.5", "share, 1"])
def test_so_does_that_of_a_share(name: str) -> None:
    assert honest(covered(of_a_share, planted(name, 100)), "at least")


def _unpaired(pair: Pair) -> Ends:
    order = np.random.default_rng(0).permutation(pair[0].shape[1])
    return ours((pair[0][:, order], pair[1]))


def _students(pair: Pair) -> Ends:
    found = stats.ttest_1samp(pair[1] - pair[0], 0.0, axis=-1).confidence_interval()
    return found.low, found.high


def _walds(pair: Pair) -> Ends:
    mean, samples = pair[1].mean(-1), pair[1].shape[-1]
    half = 1.96 * np.sqrt(mean * (1 - mean) / samples)
    return mean - half, mean + half


@pytest.mark.parametrize(
    ("mutant", "name", "samples"),
    [
        (_unpaired, "ordinary", 100),
        (_students, "rare, 1%", 1_000),
        (_walds, "share, 0.01", 100),
    ],
)
def test_an_interval_that_lies_is_found_out(mutant: Method, name: str, samples: int) -> None:
    situation = planted(name, samples)
    assert not honest(covered(mutant, situation), situation.rule)


def called_unchanged(method: Method, situation: Situation) -> float:
    assert situation.within is not None
    rng = np.random.default_rng(6)
    low, high = method(situation.draw(rng, (SIMULATIONS, situation.samples)))
    return float(((low >= -situation.within) & (high <= situation.within)).mean())


@pytest.mark.parametrize("situation", BOUNDARY, ids=lambda s: f"{s.name}, {s.truth}, {s.samples}")
def test_an_effect_at_the_boundary_is_seldom_called_unchanged(situation: Situation) -> None:
    assert called_unchanged(ours, situation) < 0.025 + 3.5 * math.sqrt(0.025 / SIMULATIONS)


def _not_significant(pair: Pair) -> Ends:
    """Calls an effect unchanged where a test does not tell it from zero: no interval at all."""
    low, high = ours(pair)
    return np.where((low <= 0) & (high >= 0), 0.0, low), np.where(
        (low <= 0) & (high >= 0), 0.0, high
    )


def test_not_significant_is_found_out() -> None:
    situation = planted("at the boundary, noise", 100)
    assert called_unchanged(_not_significant, situation) > 0.5


def test_beliefs_about_what_is_recovered_are_no_effects() -> None:
    belief: Belief = recovers(above=0.5)
    assert not belief.is_effect
    assert raises(by=1).is_effect
