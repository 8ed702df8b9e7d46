"""How many more references settle a verdict: laws, and the chance that is said, by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from attrs import evolve
from scipy import stats

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.stats.sample_size import (
    CHANCE,
    REASON,
    Standing,
    chance_to_settle,
    more_samples,
)

NOW = Standing(mean=0.75, error=0.05, below=0.0, above=0.0, samples=100, confidence=0.95)
standings = st.builds(
    Standing,
    mean=st.floats(-1, 1),
    error=st.floats(1e-3, 0.5),
    below=st.floats(0, 1),
    above=st.floats(0, 1),
    samples=st.integers(10, 10_000),
    confidence=st.sampled_from([0.9, 0.95, 0.999]),
)


def test_the_chance_by_hand() -> None:
    """Four times as many: the margin is 1.96 · 0.025 and the estimate moves by 0.05 · √¾."""
    moves, margin = 0.05 * math.sqrt(0.75), 1.959964 * 0.025
    for low, high in ((0.7, math.inf), (-math.inf, 0.8)):
        wanted = stats.norm.sf((margin - 0.05) / moves) + stats.norm.cdf((-0.05 - margin) / moves)
        assert chance_to_settle(NOW, low, high, 400) == pytest.approx(wanted)
    between = chance_to_settle(NOW, 0.7, 0.8, 400)
    assert between == pytest.approx(
        stats.norm.cdf((0.05 - margin) / moves) * 2 - 1 + 2 * stats.norm.sf((0.05 + margin) / moves)
    )


def test_what_was_not_seen_shrinks_faster() -> None:
    """At 16 times as many an eighth of its reach is left, against a quarter of the margin."""
    now = evolve(NOW, error=1e-9, below=0.39)
    assert chance_to_settle(now, 0.7, math.inf, 1_600) == pytest.approx(1)
    assert chance_to_settle(evolve(now, below=0.41), 0.7, math.inf, 1_600) == pytest.approx(0)


@given(now=standings, bound=st.floats(-1, 1))
@settings(deadline=None, max_examples=100)
def test_below_is_the_mirror_of_above(now: Standing, bound: float) -> None:
    mirrored = evolve(now, mean=-now.mean, below=now.above, above=now.below)
    for samples in (2 * now.samples, 10 * now.samples):
        above = chance_to_settle(now, bound, math.inf, samples)
        assert 0 <= above <= 1
        assert chance_to_settle(mirrored, -math.inf, -bound, samples) == pytest.approx(above)


@given(now=standings, bound=st.floats(-1, 1))
@settings(deadline=None, max_examples=100)
def test_what_is_said_has_the_chance_and_two_digits(now: Standing, bound: float) -> None:
    more = more_samples(now, bound, math.inf)
    if more is None:
        assert chance_to_settle(now, bound, math.inf, REASON * now.samples) < CHANCE + 0.02
        return
    assert chance_to_settle(now, bound, math.inf, now.samples + more) >= CHANCE
    assert len(str(more).rstrip("0")) <= 2
    assert more <= 1.1 * REASON * now.samples


def test_nothing_is_said_where_nothing_helps() -> None:
    assert more_samples(evolve(NOW, mean=0.7), 0.7, math.inf) is None
    assert more_samples(evolve(NOW, above=math.inf), 0.7, math.inf) is None
    assert more_samples(evolve(NOW, mean=math.nan), 0.7, math.inf) is None


def test_without_any_spread_only_what_was_not_seen_counts() -> None:
    """A reach of 0.1 must come down to 0.05: 2^(4/3) times as many, 252 in all."""
    more = more_samples(evolve(NOW, error=0.0, below=0.1), 0.7, math.inf)
    assert more is not None
    assert 152 <= more <= 170


# By simulation: Gaussian means, truths spread evenly about the bound


def settled(rule: Callable[[Standing], int | None], runs: int = 6_000) -> tuple[int, int]:
    """In how many runs as many more as the rule says settled it, of how many of which it spoke."""
    rng, z = np.random.default_rng(3), 1.959964
    done = spoken = 0
    for truth in rng.uniform(-8, 8, runs):
        estimate = truth + rng.normal()  # in standard errors of 100 samples; the bound is 0
        now = Standing(estimate, 1.0, z, z, 100, 0.95)
        more = rule(now) if abs(estimate) < z else None
        if more is None:
            continue
        total = 100 + more
        later = (100 * estimate + more * (truth + rng.normal() * math.sqrt(100 / more))) / total
        spoken += 1
        done += abs(later) >= z * math.sqrt(100 / total)
    return done, spoken


def _as_if_the_estimate_would_stay(now: Standing) -> int | None:
    """As many as bring the margin down to the distance, and a tenth more."""
    return min(math.ceil(110 * (1.96 / abs(now.mean)) ** 2), 2_000) - 100


def test_the_chance_that_is_said_is_met() -> None:
    done, spoken = settled(lambda now: more_samples(now, 0.0, math.inf))
    assert spoken > 500
    assert stats.binomtest(done, spoken, CHANCE).pvalue > 1e-4


def test_a_rule_that_forgets_that_the_estimate_moves_is_found_out() -> None:
    done, spoken = settled(_as_if_the_estimate_would_stay)
    assert stats.binomtest(done, spoken, CHANCE, alternative="less").pvalue < 1e-6
