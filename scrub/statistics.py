"""From per-reference numbers to loss recovered, its interval and a verdict.

Loss recovered = (baseline − scrubbed) / (baseline − original), each a mean over the same
references, so it is a ratio of paired means. What is estimated is its value in the population of
all references, drawn uniformly from the data, and all draws of donors and of unrelated inputs. A
row that is drawn twice as reference gets fresh donors, so the three numbers of a reference are
independent of those of all others, however few rows there are, and the references are the units.

The interval is `scrub.ratio`'s; docs/statistics.md says why that one, and how often it is right.
Where the baseline lies so near the original that their difference is not told from zero, or where
too few references differ from the rest, it is (−∞, ∞), the verdict inconclusive, and the reason
said. Where they are equal in every reference the ratio is undefined: NaN.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import frozen
from jaxtyping import Float

from scrub.hypothesis import Expectation, Verdict
from scrub.ratio import fieller_set, ratio_set, rule_of_three, told_from_zero

CONFIDENCE = 0.95
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

Numbers = Float[np.ndarray, " samples"]


@frozen
class Interval:
    """An estimate with its confidence interval. Unbounded and undefined ends say why.

    Attributes:
        widened: why an end stands further out than the references alone would put it; "" where
            none does.
    """

    mean: float
    low: float
    high: float
    confidence: float = CONFIDENCE
    reason: str = ""
    widened: str = ""

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


@frozen
class Judgement:
    """What the interval says of the file's bounds, and whether the file expected it.

    Attributes:
        vacuous: why the claim could not have failed; "" if it could have.
        settle: for an inconclusive verdict, about how many more samples would settle it;
            None where no number of samples is likely to.
    """

    verdict: Verdict | None
    passed: bool
    vacuous: str = ""
    settle: int | None = None
    notes: tuple[str, ...] = ()


def loss_recovered(
    original: Numbers,
    scrubbed: Numbers,
    baseline: Numbers,
    *,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Loss recovered with its interval, from numbers that are paired by reference."""
    gap, saved = baseline - original, baseline - scrubbed
    undefined = "baseline and original are equal, so loss recovered is undefined"
    if reason := _not_finite(original, scrubbed, baseline):
        return Interval(math.nan, -math.inf, math.inf, reason=reason)
    if math.isclose(baseline.mean(), original.mean(), rel_tol=1e-12, abs_tol=1e-12):
        return Interval(math.nan, -math.inf, math.inf, reason=undefined)
    mean = float(saved.mean() / gap.mean())
    low, high = (float(end) for end in ratio_set(saved, gap, confidence))
    if math.isinf(low):
        reason = TOO_FEW if told_from_zero(gap, confidence) else NOT_TOLD
        return Interval(mean, low, high, confidence, reason)
    alone = fieller_set(saved, gap, confidence)
    widened = ""
    if low < alone[0] or high > alone[1]:
        widened = (
            f"the interval allows for failures too rare to show among {len(gap):,} references: "
            f"±{float(rule_of_three(gap, confidence)):.2g} (rule of three)"
        )
    return Interval(mean, low, high, confidence, widened=widened)


def _not_finite(original: Numbers, scrubbed: Numbers, baseline: Numbers) -> str:
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


def verdict_of(interval: Interval, expect: Expectation) -> Verdict:
    """What an interval says of the belief that loss recovered lies between an expectation's bounds.

    Law: what is expected does not matter, only the bounds.
    """
    low = -math.inf if expect.low is None else expect.low
    high = math.inf if expect.high is None else expect.high
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return "inconclusive"
    if interval.low >= low and interval.high <= high:
        return "supported"
    if interval.high < low or interval.low > high:
        return "refuted"
    return "inconclusive"


def judge(
    interval: Interval, expect: Expectation | None, samples: int, vacuous: str = ""
) -> Judgement:
    """The verdict. What the file expects decides only whether it passed.

    Args:
        vacuous: why the claim could not have failed (see `scrub.vacuity` and `scrub.earned`); "" if
            it could have.
    """
    notes = [interval.reason] if interval.reason else []
    if interval.mean > OVERSHOOT:
        notes.append(f"overshoot: recovered is above {OVERSHOOT}")
    if expect is None:
        return Judgement(None, True, vacuous, notes=tuple(notes))
    if vacuous:
        return Judgement("vacuous", expect.verdict == "vacuous", vacuous, notes=tuple(notes))
    if expect.low is None and expect.high is None:
        notes.append("it could have failed, and the file gives no bound to judge it by")
        return Judgement("inconclusive", False, notes=tuple(notes))
    verdict = verdict_of(interval, expect)
    settle = None
    if verdict == "inconclusive":
        settle = _to_settle(
            interval, [b for b in (expect.low, expect.high) if b is not None], samples
        )
        if interval.widened:
            notes.append(interval.widened)
        if settle:
            notes.append(f"about {settle:,} more samples would likely settle it")
    return Judgement(verdict, verdict == expect.verdict, settle=settle, notes=tuple(notes))


def _to_settle(interval: Interval, bounds: list[float], samples: int) -> int | None:
    """More samples until the interval, shrinking as 1/√samples, clears the nearest bound."""
    distance = min(abs(interval.mean - bound) for bound in bounds)
    half = (interval.high - interval.low) / 2
    if not math.isfinite(half) or distance == 0 or math.isnan(distance):
        return None
    total = samples * (half / distance) ** 2
    if total >= 1e9:
        return None
    more = max(math.ceil(total * 1.1) - samples, math.ceil(samples / 10))
    step = 10 ** max(0, len(str(more)) - 2)  # two digits are all that the estimate is good for
    return math.ceil(more / step) * step
