"""How much of the error cancels in the mean.

Loss recovered compares means, so that a scrub may do better on some references and worse on others
and still recover everything. Scheurer et al. (2023, "Practical Pitfalls of Causal Scrubbing") find
that this cancellation is how false claims pass in practice. Beside the mean stands therefore the
same ratio with the errors' signs taken away.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import frozen

from scrub.printing import brief
from scrub.stats.intervals import Interval, loss_recovered
from scrub.stats.scores import Scores

ROUNDING = 1e-5
"""Errors up to this share of the largest number are rounding (docs/semantics.md, Laws: float32)."""


@frozen(repr=False)
class Cancellation:
    """What the mean hides.

    Attributes:
        recovered: 1 − mean |scrubbed − original| / mean |baseline − original|: 1 where no
            reference's metric changed, 0 where it moved as far as for an unrelated input. Law: at
            most the loss recovered, where the baseline is on one side of the original in every
            reference.
        cancelled: 1 − |mean error| / mean |error|, error = scrubbed − original: the share of the
            error that cancels in the mean, from 0 (all errors have one sign) to 1 (they add up to
            nothing). NaN where there is no error.
        hidden: (mean |error| − |mean error|) / mean |baseline − original|: how much less would be
            recovered if no errors cancelled. 0 where there is no error, NaN where undefined.
        reason: why `cancelled` is NaN, if it is.
    """

    recovered: Interval
    cancelled: float
    hidden: float
    reason: str = ""

    def __repr__(self) -> str:
        return brief(self)


def cancellation(scores: Scores) -> Cancellation:
    """Recovered per reference, and the share of the error that cancels."""
    scores = scores.where(scores.defined)
    error = scores.scrubbed - scores.original
    gap = scores.baseline - scores.original
    recovered = loss_recovered(np.zeros(len(gap)), np.abs(error), np.abs(gap))
    if not len(error):
        reason = "the metric is undefined on every reference"
        return Cancellation(recovered, math.nan, math.nan, reason)
    if not np.isfinite(error).all():
        return Cancellation(recovered, math.nan, math.nan, "the metric is not finite everywhere")
    largest = max(np.abs(scores.original).max(), np.abs(scores.scrubbed).max())
    size = float(np.abs(error).mean())
    if size <= ROUNDING * largest:
        return Cancellation(recovered, math.nan, 0.0, "no reference's metric changed")
    left = abs(float(error.mean()))
    stake = float(np.abs(gap).mean())
    hidden = max(0.0, size - left) / stake if stake else math.nan
    return Cancellation(recovered, max(0.0, 1 - left / size), hidden)


def in_words(found: Cancellation, recovered: str) -> str:
    """One line. `recovered` is the interval in words."""
    if math.isnan(found.cancelled):
        return f"recovered per reference {recovered}; {found.reason}"
    return (
        f"recovered per reference {recovered}; "
        f"{found.cancelled:.0%} of the error cancels in the mean"
    )
