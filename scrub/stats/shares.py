"""Differences between scrubs of one model on one list of references, as shares of what is at stake.

What is at stake is the mean of baseline − original, the denominator of loss recovered. All numbers
are paired by reference. A reference on which the metric is undefined is left out, as it is of loss
recovered.
"""

from __future__ import annotations

import numpy as np

from scrub.stats.intervals import CONFIDENCE, Interval, PerReference, loss_recovered
from scrub.stats.scores import Scores


def share(change: PerReference, scores: Scores, confidence: float = CONFIDENCE) -> Interval:
    """mean(change) / mean(baseline − original), with the interval of loss recovered.

    0 where nothing changed; positive where the change is towards the baseline: a loss.

    Args:
        change: difference of the metric between two scrubs, per reference, float64 [samples].
    """
    which = scores.defined
    here = scores.where(which)
    with np.errstate(invalid="ignore"):  # a metric may be infinite; the interval then says so
        scrubbed = here.baseline - change[which]
    return loss_recovered(here.original, scrubbed, here.baseline, confidence=confidence)
