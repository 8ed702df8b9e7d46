"""The difference of two means of independent groups, from the interval of each.

The interval is that of Zou & Donner (Statistics in Medicine 27, 2008: variances recovered from
intervals): each end lies as far from the difference as the ends of the two means' intervals
together, in squares. So it is as good for skewed numbers, and allows as much for what no reference
showed, as the two are. For normal numbers it is Welch's but for the degrees of freedom.
"""

from __future__ import annotations

import math

from scrub.stats.intervals import Interval


def apart(first: Interval, second: Interval) -> Interval:
    """The first mean minus the second, with the confidence that both intervals have.

    Laws: swapped it is its mirror image; where one mean is known exactly it is the other's
    interval, moved.
    """
    assert first.confidence == second.confidence
    mean = first.mean - second.mean
    reason = first.reason or second.reason
    if math.isnan(mean) or not _bounded(first) or not _bounded(second):
        return Interval(mean, -math.inf, math.inf, first.confidence, reason)
    low = mean - math.hypot(first.mean - first.low, second.high - second.mean)
    high = mean + math.hypot(first.high - first.mean, second.mean - second.low)
    return Interval(mean, low, high, first.confidence)


def _bounded(found: Interval) -> bool:
    return math.isfinite(found.low) and math.isfinite(found.high)
