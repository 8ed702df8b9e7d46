"""Differences between scrubs of one model on one list of references, as shares of what is at stake.

What is at stake is the mean of baseline − original, the denominator of loss recovered. All numbers
are paired by reference.
"""

from __future__ import annotations

from scrub.results import Numbered
from scrub.statistics import Interval, Numbers, loss_recovered


def share(change: Numbers, numbers: Numbered) -> Interval:
    """mean(change) / mean(baseline − original), with the interval of loss recovered.

    0 where nothing changed; positive where the change is towards the baseline: a loss.

    Args:
        change: difference of the metric between two scrubs, per reference, float64 [samples].
    """
    return loss_recovered(numbers.original, numbers.baseline - change, numbers.baseline)
