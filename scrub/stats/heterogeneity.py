"""Do estimates of one figure differ by more than their own intervals explain?

Of a claim on several models, or with several seeds, each estimate θᵢ has a standard error sᵢ. With
weights wᵢ = 1 / sᵢ² and their weighted mean θ̄, Cochran's Q = Σ wᵢ (θᵢ − θ̄)² has about a χ²
distribution with k − 1 degrees of freedom where all k share one truth (Cochran 1954). I² = (Q −
(k − 1)) / Q, not below 0, is the share of the scatter that is not explained by the errors (Higgins
and Thompson 2002). I² does not say how far the truths lie apart: for more samples it comes near 1
however little that is. τ does, in the figure's own units (DerSimonian and Laird 1986).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen
from scipy import special

from scrub.stats.intervals import Interval


@frozen
class Heterogeneity:
    """How estimates scatter.

    Attributes:
        q, degrees, p: Cochran's Q, its degrees of freedom, and the chance of as much or more where
            all share one truth.
        i2: share of the scatter that errors do not explain, 0 to 1.
        tau: standard deviation of the truths, one to the next, in the figure's units.
    """

    q: float
    degrees: int
    p: float
    i2: float
    tau: float


UNKNOWN = Heterogeneity(math.nan, 0, math.nan, math.nan, math.nan)


def heterogeneity(groups: Sequence[Sequence[Interval]]) -> Heterogeneity:
    """How estimates scatter within groups, all groups together; for one group among all of them.

    Laws: a group of one says nothing; estimates that are equal have Q = 0; units change Q, p and I²
    not at all, and τ as they change the figure. Estimates whose error is not known or zero are left
    out. NaN where fewer than two are left in every group.
    """
    q = scale = 0.0
    degrees = 0
    for group in groups:
        known = [(one.mean, one.error) for one in group if one.error and math.isfinite(one.mean)]
        if len(known) < 2:
            continue
        means, errors = np.array(known, dtype=float).T
        weights = errors**-2.0
        centre = (weights * means).sum() / weights.sum()
        q += float((weights * (means - centre) ** 2).sum())
        scale += float(weights.sum() - (weights**2).sum() / weights.sum())
        degrees += len(known) - 1
    if not degrees:
        return UNKNOWN
    i2 = max(0.0, (q - degrees) / q) if q else 0.0
    tau = math.sqrt(max(0.0, (q - degrees) / scale))
    return Heterogeneity(q, degrees, float(special.chdtrc(degrees, q)), i2, tau)


@frozen
class SeedSpread:
    """What repeats with other seeds scatter by, beside what one of them says of itself.

    Attributes:
        observed: standard deviation from one seed to the next; NaN for fewer than two.
        within: standard error that a seed's own references give, root mean square; NaN where one
            is not known.
    """

    observed: float
    within: float


def seed_spread(groups: Sequence[Sequence[Interval]]) -> SeedSpread:
    """The spread between seeds of one model, pooled over models, one group each.

    Law: where the intervals are right, the two are about equal.
    """
    squares, degrees = 0.0, 0
    for group in groups:
        means = np.array([one.mean for one in group])
        if len(means) > 1:
            squares += float(means.var(ddof=1)) * (len(means) - 1)
            degrees += len(means) - 1
    every = [one.error for group in groups for one in group]
    errors = np.array([math.nan if error is None else error for error in every])
    within = math.sqrt(float((errors**2).mean())) if len(errors) else math.nan
    return SeedSpread(math.sqrt(squares / degrees) if degrees else math.nan, within)


def pooled(group: Sequence[Interval]) -> Interval:
    """The mean of independent estimates with its standard error (None where one is not known)."""
    means = [one.mean for one in group]
    errors = [one.error for one in group if one.error is not None]
    mean = float(np.mean(means)) if means else math.nan
    known = len(errors) == len(means) and means
    error = math.sqrt(sum(e**2 for e in errors)) / len(errors) if known else None
    return Interval(mean, -math.inf, math.inf, error=error)
