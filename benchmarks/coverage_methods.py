"""Intervals for loss recovered that were considered, each for many simulations at once.

A resample is drawn once for a batch of simulations: their data are independent, and means and
second moments of all resamples are then one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from attrs import frozen
from coverage_situations import Triple
from scipy import stats

from scrub.stats.ratio import farthest, fieller_set, ratio_set

Ends = tuple[np.ndarray, np.ndarray]
Method = Callable[[Triple, float, np.random.Generator], Ends]
"""(losses [simulations, samples], confidence) → low and high, each [simulations]."""
RESAMPLES, BATCH = 2_000, 100


def ours(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    return ratio_set(*_saved_and_gap(losses), confidence)


def decides(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    """What verdicts are read off: ours, and the worst that scrubs which were not seen may do."""
    low, high = ours(losses, confidence, rng)
    least, most = farthest(*losses, confidence)
    return np.minimum(low, least), np.maximum(high, most)


def without_rule_of_three(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    return fieller_set(*_saved_and_gap(losses), confidence)


def fieller(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    """Fieller's set with Student's t."""
    saved, gap = _saved_and_gap(losses)
    quantile = stats.t.ppf((1 + confidence) / 2, saved.shape[1] - 1)
    return _fieller(saved, gap, np.full(len(saved), -quantile), np.full(len(saved), quantile))


def percentile(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    """Paired percentile bootstrap, unbounded where Fieller's set is."""
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    found = [np.quantile(moments.ratio, tails, axis=0) for moments in _resampled(losses, rng)]
    return _where_told(losses, confidence, np.concatenate(found, axis=1))


def bca(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    """Paired bootstrap, bias-corrected and accelerated (Efron 1987), likewise unbounded."""
    saved, gap = _saved_and_gap(losses)
    estimate = saved.mean(1) / gap.mean(1)
    rest = saved - estimate[:, None] * gap
    spread = (rest**2).sum(1)
    cubes = (rest**3).sum(1) * np.sign(gap.mean(1))
    acceleration = np.where(spread > 0, cubes / np.maximum(6 * spread**1.5, 1e-300), 0.0)
    found = []
    for number, moments in enumerate(_resampled(losses, rng)):
        here = slice(number * BATCH, (number + 1) * BATCH)
        below = (moments.ratio < estimate[here]).mean(0) + (moments.ratio == estimate[here]).mean(
            0
        ) / 2
        shift = stats.norm.ppf(np.clip(below, 1e-4, 1 - 1e-4))
        ends = []
        for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
            z = shift + stats.norm.ppf(tail)
            level = stats.norm.cdf(shift + z / (1 - acceleration[here] * z))
            ends.append([np.quantile(r, p) for r, p in zip(moments.ratio.T, level, strict=True)])
        found.append(np.array(ends))
    return _where_told(losses, confidence, np.concatenate(found, axis=1))


def bootstrapped_fieller(losses: Triple, confidence: float, rng: np.random.Generator) -> Ends:
    """Fieller's set with the t statistic's bootstrapped quantiles (Hwang 1995)."""
    saved, gap = _saved_and_gap(losses)
    sign = np.sign(gap.mean(1))
    saved, gap = saved * sign[:, None], gap * sign[:, None]
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    found = []
    for number, moments in enumerate(_resampled((0 * gap, gap - saved, gap), rng)):
        here = slice(number * BATCH, (number + 1) * BATCH)
        estimate = saved[here].mean(1) / gap[here].mean(1)
        mean, variance = moments.of_rest(estimate)
        samples = saved.shape[1]
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = mean / np.sqrt(variance / (samples - 1))
        statistic = np.where(np.isnan(statistic), 0.0, statistic)
        found.append(np.quantile(statistic, tails, axis=0, method="nearest"))
    low, high = np.concatenate(found, axis=1)
    return _fieller(saved, gap, low, high)


METHODS: dict[str, Method] = {
    "ours": ours,
    "without the rule of three": without_rule_of_three,
    "Fieller, t": fieller,
    "Fieller, bootstrapped t": bootstrapped_fieller,
    "percentile": percentile,
    "BCa": bca,
}


@frozen(eq=False)
class _Moments:
    """Means over resamples, each [resamples, simulations]."""

    saved: np.ndarray
    gap: np.ndarray
    saved_saved: np.ndarray
    saved_gap: np.ndarray
    gap_gap: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(self.saved / self.gap, posinf=np.inf, neginf=-np.inf)

    def of_rest(self, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of saved − ratio · gap within each resample."""
        mean = self.saved - ratio * self.gap
        square = self.saved_saved - 2 * ratio * self.saved_gap + ratio**2 * self.gap_gap
        return mean, np.maximum(square - mean**2, 0.0)


def _resampled(losses: Triple, rng: np.random.Generator) -> Iterator[_Moments]:
    saved, gap = _saved_and_gap(losses)
    simulations, samples = saved.shape
    for first in range(0, simulations, BATCH):
        s, g = saved[first : first + BATCH].T, gap[first : first + BATCH].T
        index = rng.integers(0, samples, (RESAMPLES, samples))
        index += np.arange(RESAMPLES)[:, None] * samples
        counts = np.bincount(index.ravel(), minlength=RESAMPLES * samples)
        weights = counts.reshape(RESAMPLES, samples) / samples
        yield _Moments(*(weights @ x for x in (s, g, s * s, s * g, g * g)))


def _fieller(saved: np.ndarray, gap: np.ndarray, low: np.ndarray, high: np.ndarray) -> Ends:
    """Fieller's set for these critical values of t: by its quadratic, written out again."""
    samples = saved.shape[1]
    s, g = saved.mean(1), gap.mean(1)
    ss, gg = saved.var(1, ddof=1) / samples, gap.var(1, ddof=1) / samples
    sg = ((saved - s[:, None]) * (gap - g[:, None])).sum(1) / (samples * (samples - 1))
    ends = []
    for critical, side in ((high, -1), (low, 1)):
        with np.errstate(invalid="ignore", divide="ignore"):
            a = g**2 - critical**2 * gg
            b = s * g - critical**2 * sg
            c = s**2 - critical**2 * ss
            end = (b + side * np.sqrt(np.maximum(b * b - a * c, 0))) / a
        ends.append(np.where(a > 0, end, math.nan))
    bounded = np.isfinite(ends[0]) & np.isfinite(ends[1])
    return np.where(bounded, ends[0], -np.inf), np.where(bounded, ends[1], np.inf)


def _where_told(losses: Triple, confidence: float, ends: np.ndarray) -> Ends:
    low, _ = fieller(losses, confidence, np.random.default_rng(0))
    return np.where(np.isfinite(low), ends[0], -np.inf), np.where(np.isfinite(low), ends[1], np.inf)


def _saved_and_gap(losses: Triple) -> tuple[np.ndarray, np.ndarray]:
    original, scrubbed, baseline = losses
    return baseline - scrubbed, baseline - original
