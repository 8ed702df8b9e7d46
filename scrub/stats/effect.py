"""Effects and shares with their intervals: means of numbers per reference, without a denominator.

An effect is a mean of differences that are paired by reference, in the metric's units. Its interval
is that of `scrub.stats.ratio` with nothing to divide by: Student's t, with Hall's correction for
skewness (J. R. Statist. Soc. B 54, 1992). A share of references has the interval of Clopper &
Pearson (Biometrika 26, 1934), which is exact at 0 and 1 too: it holds the truth at least as often
as it says.

No mean shows effects that are rarer than one reference in n. So its ends lie no closer than the
rule of three leaves open, at the cost of the effects that were seen; where none was seen, in no
reference, that costs nothing, the interval is [0, 0], and it says what it rests on. A verdict is
read off `least` and `most`, in which what was not seen is as far away as can be: as any number of
the metric that was drawn (as in Anderson's bounds for a mean of known range, 1969).
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from scrub.stats.intervals import CONFIDENCE, Interval, PerReference
from scrub.stats.ratio import fieller_set

Array = np.ndarray
ONE_REFERENCE = "one reference has no spread, so that no interval is known (more samples help)"
TOO_FEW = (
    "too few references differ from the rest for a bounded interval to be honest "
    "(more samples may help)"
)


def paired_mean(
    differences: PerReference,
    *,
    confidence: float = CONFIDENCE,
    looks: int = 1,
    unseen: tuple[float, float] | None = None,
) -> Interval:
    """The mean of differences, each of one reference, with its interval.

    Laws: the sign and the scale of the differences are those of the interval; the interval of
    differences that are all zero is [0, 0].

    Args:
        looks: how many such intervals, of other numbers of references, are to hold together with
            this confidence.
        unseen: between what a difference may lie that no reference showed (default: the differences
            themselves, and 0); see `farthest_effects`.

    Returns:
        NaN where there is no difference or one that is not finite, with the reason.
    """
    if reason := _not_finite(differences):
        return Interval(math.nan, -math.inf, math.inf, confidence, reason, looks=looks)
    mean, samples = float(differences.mean()), len(differences)
    if samples == 1:
        return Interval(mean, -math.inf, math.inf, confidence, ONE_REFERENCE, looks=looks)
    level = 1 - (1 - confidence) / looks
    low, high = (float(end) for end in mean_set(differences, level))
    if math.isinf(low):
        return Interval(mean, low, high, confidence, TOO_FEW, looks=looks)
    if unseen is None:
        unseen = min(0.0, float(differences.min())), max(0.0, float(differences.max()))
    rate = unseen_rate(samples, level)
    return Interval(
        mean,
        low,
        high,
        confidence,
        widened=_caveat(differences, level),
        least=min(low, mean - rate * (mean - unseen[0])),
        most=max(high, mean + rate * (unseen[1] - mean)),
        error=float(differences.std(ddof=1)) / math.sqrt(samples),
        looks=looks,
    )


def share(hits: PerReference, *, confidence: float = CONFIDENCE, looks: int = 1) -> Interval:
    """The share of references in which something is so, with the interval of Clopper & Pearson.

    Law: the interval of the share of misses is its mirror image.

    Args:
        hits: 1 where it is so, 0 where it is not; NaN or infinite where it is not known.
        looks: as in `paired_mean`.
    """
    if reason := _not_finite(hits):
        return Interval(math.nan, -math.inf, math.inf, confidence, reason, looks=looks)
    assert np.isin(hits, (0.0, 1.0)).all(), "a share is of what is so or is not"
    samples, level = len(hits), 1 - (1 - confidence) / looks
    low, high = (float(end) for end in share_set(hits.sum().astype(np.int64), samples, level))
    mean = float(hits.mean())
    error = math.sqrt(mean * (1 - mean) / samples)
    return Interval(mean, low, high, confidence, error=error, looks=looks)


def mean_set(
    differences: Float[Array, "*others samples"], confidence: float
) -> tuple[Float[Array, "*others"], Float[Array, "*others"]]:
    """Ends of the interval of a mean, from numbers that are i.i.d.; (−∞, ∞) where none is known."""
    scale = np.abs(differences).max(-1)
    unit = differences / np.where(scale > 0, scale, 1.0)[..., None]  # so that units do not matter
    low, high = fieller_set(unit, np.ones_like(unit), confidence)
    reach = _unshown(unit, confidence)
    mean = unit.mean(-1)
    return scale * np.minimum(low, mean - reach), scale * np.maximum(high, mean + reach)


def share_set(
    hits: Int[Array, "*others"], samples: int, confidence: float
) -> tuple[Float[Array, "*others"], Float[Array, "*others"]]:
    """Ends of the interval of a share, from so many hits of so many references."""
    tail, misses = (1 - confidence) / 2, samples - hits
    low = stats.beta.ppf(tail, np.maximum(hits, 1), misses + 1)
    high = stats.beta.isf(tail, hits + 1, np.maximum(misses, 1))
    return np.where(hits == 0, 0.0, low), np.where(misses == 0, 1.0, high)


def farthest_effects(before: PerReference, *drawn: PerReference) -> tuple[float, float]:
    """Between what the effect on a reference may lie that was not seen, taken from what was drawn.

    On average such a reference starts from the mean of `before`, and ends at the lowest or highest
    number of the metric that was drawn.

    Args:
        drawn: the metric's numbers, `before` among them or not.
    """
    every = np.concatenate([before, *drawn])
    return float(every.min() - before.mean()), float(every.max() - before.mean())


def unseen_rate(samples: int, confidence: float) -> float:
    """The share of references up to which something may be so that so many do not show."""
    return 1 - ((1 - confidence) / 2) ** (1 / samples)


def _unshown(differences: Float[Array, "*others samples"], confidence: float) -> Array:
    """What effects that no reference showed may change of the mean, if they are like those seen."""
    size = np.abs(differences).mean(-1)
    cost = (differences**2).mean(-1) / np.where(size > 0, size, 1.0)
    return unseen_rate(differences.shape[-1], confidence) * cost


def _caveat(differences: PerReference, level: float) -> str:
    """What the interval rests on besides the spread of the references; "" if nothing else."""
    samples = len(differences)
    if not differences.any():
        rate = unseen_rate(samples, level)
        return (
            f"no effect in any of {samples:,} references; up to {rate:.2%} of references may have "
            "one and show in none (rule of three)"
        )
    low, high = fieller_set(differences, np.ones_like(differences), level)
    reach = float(_unshown(differences, level))
    if reach <= min(differences.mean() - low, high - differences.mean()):
        return ""
    return (
        f"the interval allows for effects too rare to show among {samples:,} references: "
        f"±{reach:.2g} (rule of three)"
    )


def _not_finite(numbers: PerReference) -> str:
    if not len(numbers):
        return "the metric is NaN for every reference"
    missing = int((~np.isfinite(numbers)).sum())
    return f"it is not finite in {missing:,} of {len(numbers):,} references" if missing else ""
