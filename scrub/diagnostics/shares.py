"""Differences between scrubs of one model on one list of references, as shares of what is at stake.

What is at stake is the mean of baseline − original, the denominator of loss recovered. All numbers
are paired by reference.
"""

from __future__ import annotations

from scrub.results import Numbered
from scrub.statistics import Interval, Numbers, loss_recovered


def share(change: Numbers, numbers: Numbered, seed: int) -> Interval:
    """mean(change) / mean(baseline − original), with the interval of loss recovered.

    0 where nothing changed; positive where the change is towards the baseline: a loss.

    Args:
        change: difference of the metric between two scrubs, per reference, float64 [samples].
    """
    found = loss_recovered(numbers.original, numbers.baseline - change, numbers.baseline, seed=seed)
    unbounded = found.mean != found.mean or found.low == -float("inf")
    if not unbounded and not change.any():  # exactly, whatever rounding the interval has
        return Interval(0.0, 0.0, 0.0, confidence=found.confidence)
    return found


def lost(numbers: Numbered, seed: int, *, since: Numbers | None = None) -> Interval:
    """What a scrub loses beyond an earlier one (default: beyond the model itself), as a share.

    Law: `lost(numbers)` is 1 − loss recovered.
    """
    before = numbers.original if since is None else since
    return share(numbers.scrubbed - before, numbers, seed)
