"""From per-reference numbers to loss recovered, its interval and a verdict.

Loss recovered = (baseline − scrubbed) / (baseline − original), each a mean over the same
references, so it is a ratio of paired means. Its interval is the paired percentile bootstrap
(Efron & Tibshirani 1993, §13.3) over references, with scipy: all three numbers of a reference are
drawn together.

The denominator. Where the baseline lies so near the original that their difference is not told from
zero at the interval's confidence (the condition under which Fieller's 1954 set for a ratio is
unbounded), no bounded interval is honest: ours is then (−∞, ∞), the verdict inconclusive, and the
reason said. Where they are equal in every reference the ratio is undefined: NaN.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import frozen
from jaxtyping import Float
from scipy import stats

from scrub.hypothesis import Expectation, Verdict

CONFIDENCE = 0.95
RESAMPLES = 2_000
"""Bootstrap resamples: the error of a 95% bound from these is about 2% of the half-width."""
OVERSHOOT = 1.2
"""Recovered above this is flagged (design §3.9): the scrub does better than the model."""

NOT_TOLD = (
    "the baseline is not told from the original, so no bounded interval is honest "
    "(more samples may help)"
)

Numbers = Float[np.ndarray, " samples"]


@frozen
class Interval:
    """An estimate with its confidence interval. Unbounded and undefined ends say why."""

    mean: float
    low: float
    high: float
    confidence: float = CONFIDENCE
    reason: str = ""

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


@frozen
class Judgement:
    """What the interval says of the file's bounds, and whether the file expected it.

    Attributes:
        settle: for an inconclusive verdict, about how many more samples would settle it;
            None where no number of samples is likely to.
    """

    verdict: Verdict | None
    passed: bool
    settle: int | None = None
    notes: tuple[str, ...] = ()


def loss_recovered(
    original: Numbers,
    scrubbed: Numbers,
    baseline: Numbers,
    *,
    seed: int,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Loss recovered with its interval, from numbers that are paired by reference."""
    gap = baseline - original
    undefined = "baseline and original are equal, so loss recovered is undefined"
    if not np.isfinite(gap).all() or not np.isfinite(scrubbed).all():
        return Interval(math.nan, -math.inf, math.inf, reason="the metric is not finite everywhere")
    if math.isclose(baseline.mean(), original.mean(), rel_tol=1e-12, abs_tol=1e-12):
        return Interval(math.nan, -math.inf, math.inf, reason=undefined)
    mean = float((baseline - scrubbed).mean() / gap.mean())
    if not _told_from_zero(gap, confidence):
        return Interval(mean, -math.inf, math.inf, reason=NOT_TOLD)

    def ratio(saved: np.ndarray, gap: np.ndarray, axis: int = -1) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):  # answered below
            return saved.mean(axis=axis) / gap.mean(axis=axis)

    if np.ptp(gap) == 0 and np.ptp(baseline - scrubbed) == 0:
        return Interval(mean, mean, mean)
    found = stats.bootstrap(
        (baseline - scrubbed, gap),
        ratio,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="percentile",
        batch=max(1, min(250, 1_000_000 // len(gap))),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    if not (np.isfinite(found.low) and np.isfinite(found.high)):  # a resample without a gap
        return Interval(mean, -math.inf, math.inf, reason=NOT_TOLD)
    return Interval(mean, float(found.low), float(found.high))


def _told_from_zero(gap: Numbers, confidence: float) -> bool:
    """Whether Fieller's condition holds: the mean differs from zero by a t test."""
    if len(gap) < 2:
        return False
    error = gap.std(ddof=1) / math.sqrt(len(gap))
    return bool(abs(gap.mean()) > stats.t.ppf((1 + confidence) / 2, len(gap) - 1) * error)


def judge(interval: Interval, expect: Expectation | None, samples: int) -> Judgement:
    """The verdict (design §3.9). What the file expects decides only whether it passed."""
    notes = [interval.reason] if interval.reason else []
    if interval.mean > OVERSHOOT:
        notes.append(f"overshoot: recovered is above {OVERSHOOT}")
    if expect is None:
        return Judgement(None, True, notes=tuple(notes))
    low = -math.inf if expect.low is None else expect.low
    high = math.inf if expect.high is None else expect.high
    verdict: Verdict = "inconclusive"
    if math.isfinite(interval.low) and math.isfinite(interval.high):
        if interval.low >= low and interval.high <= high:
            verdict = "supported"
        elif interval.high < low or interval.low > high:
            verdict = "refuted"
    settle = None
    if verdict == "inconclusive":
        settle = _to_settle(
            interval, [b for b in (expect.low, expect.high) if b is not None], samples
        )
        if settle:
            notes.append(f"about {settle:,} more samples would likely settle it")
    return Judgement(verdict, verdict == expect.verdict, settle, tuple(notes))


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
