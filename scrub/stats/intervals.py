"""From per-reference numbers to loss recovered, its interval and a verdict.

Loss recovered = (baseline − scrubbed) / (baseline − original), each a mean over the same
references, so it is a ratio of paired means. What is estimated is its value in the population of
all references, drawn uniformly from the data, and all draws of donors and of unrelated inputs. A
row that is drawn twice as reference gets fresh donors, so the three numbers of a reference are
independent of those of all others, however few rows there are, and the references are the units.

The interval is `scrub.stats.ratio`'s; docs/statistics.md says why that one, and how often it is
right. Where the baseline lies so near the original that their difference is not told from zero, or
where too few references differ from the rest, it is (−∞, ∞), the verdict inconclusive, and the
reason said. Where they are equal in every reference the ratio is undefined: NaN.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import Factory, field, frozen
from jaxtyping import Float

from scrub.stats.ratio import (
    farthest,
    fieller_set,
    ratio_set,
    rule_of_three,
    told_from_zero,
)

CONFIDENCE = 0.95
FEW, HALF = 3, 0.5
"""If so few references carry half of the loss or more, a verdict that hangs on it says so."""
OVERSHOOT = 1.2
"""Recovered above this is flagged: the scrub does better than the model."""

NOT_TOLD = (
    "the baseline is not told from the original, so no bounded interval is honest "
    "(more samples may help)"
)
TOO_FEW = (
    "too few references differ from the rest for a bounded interval to be honest "
    "(more samples may help)"
)

PerReference = Float[np.ndarray, " samples"]


def _six_digits(value: float) -> str:
    return f"{value:.6g}"


@frozen
class Interval:
    """An estimate with its confidence interval. Unbounded and undefined ends say why.

    Attributes:
        widened: why an end stands further out than the references alone would put it; "" where
            none does.
        least, most: how far it reaches if scrubs too rare to show are each as bad, or as good, as
            any number that was drawn; no nearer than `low` and `high`. A verdict is read off these.
        error: standard error of the mean; None where it is not known.
        concentration: share of what the scrub costs that the `FEW` references carry which lose
            most; None where it costs nothing.
        looks: at so many sample sizes an interval is looked at, and this is one of them: all of
            them hold together with `confidence` (Bonferroni).
    """

    mean: float = field(repr=_six_digits)
    low: float = field(repr=_six_digits)
    high: float = field(repr=_six_digits)
    confidence: float = field(default=CONFIDENCE, repr=_six_digits)
    reason: str = field(default="", repr=False)
    widened: str = field(default="", repr=False)
    least: float = field(default=Factory(lambda self: self.low, takes_self=True), repr=False)
    most: float = field(default=Factory(lambda self: self.high, takes_self=True), repr=False)
    error: float | None = field(default=None, repr=False)
    concentration: float | None = field(default=None, repr=False)
    looks: int = field(default=1, repr=False)

    @property
    def level(self) -> float:
        """The confidence that it has by itself."""
        return 1 - (1 - self.confidence) / self.looks

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def loss_recovered(
    original: PerReference,
    scrubbed: PerReference,
    baseline: PerReference,
    *,
    confidence: float = CONFIDENCE,
    looks: int = 1,
) -> Interval:
    """Loss recovered with its interval, from numbers that are paired by reference.

    Args:
        looks: how many such intervals, of other numbers of references, are to hold together with
            this confidence: whichever of them a run stops at, then holds with it.
    """
    undefined = "baseline and original are equal, so loss recovered is undefined"
    if reason := _not_finite(original, scrubbed, baseline):
        return Interval(math.nan, -math.inf, math.inf, reason=reason)
    gap, saved = baseline - original, baseline - scrubbed
    if math.isclose(baseline.mean(), original.mean(), rel_tol=1e-12, abs_tol=1e-12):
        return Interval(math.nan, -math.inf, math.inf, reason=undefined)
    mean = float(saved.mean() / gap.mean())
    level = 1 - (1 - confidence) / looks
    low, high = (float(end) for end in ratio_set(saved, gap, level))
    if math.isinf(low):
        reason = TOO_FEW if told_from_zero(gap, level) else NOT_TOLD
        return Interval(mean, low, high, confidence, reason, looks=looks)
    alone = fieller_set(saved, gap, level)
    widened = ""
    if low < alone[0] or high > alone[1]:
        widened = (
            f"the interval allows for failures too rare to show among {len(gap):,} references: "
            f"±{float(rule_of_three(gap, level)):.2g} (rule of three)"
        )
    least, most = (float(end) for end in farthest(original, scrubbed, baseline, level))
    rest = saved - mean * gap
    return Interval(
        mean,
        low,
        high,
        confidence,
        widened=widened,
        least=min(low, least),
        most=max(high, most),
        error=float(rest.std(ddof=1)) / math.sqrt(len(rest)) / abs(float(gap.mean())),
        concentration=_concentration(np.sign(gap.mean()) * (scrubbed - original)),
        looks=looks,
    )


def _concentration(cost: PerReference) -> float | None:
    """The share of all that is lost which the few references carry that lose most."""
    lost = np.sort(np.maximum(cost, 0.0))
    return float(lost[-FEW:].sum() / lost.sum()) if lost.any() else None


def _not_finite(original: PerReference, scrubbed: PerReference, baseline: PerReference) -> str:
    """How many numbers are not finite, in words; "" if all are.

    They are not left out: whether the metric is finite may hang on how well the model does.
    """
    if not len(original):
        return "the metric is NaN for every reference"
    named = (("original", original), ("scrubbed", scrubbed), ("baseline", baseline))
    counts = [(name, int((~np.isfinite(values)).sum())) for name, values in named]
    if not any(count for _, count in counts):
        return ""
    said = ", ".join(f"{name} {count:,}" for name, count in counts)
    return f"the metric is not finite everywhere (of {len(original):,}: {said})"
