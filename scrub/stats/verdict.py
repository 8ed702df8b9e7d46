"""From an interval to a verdict on a belief."""

from __future__ import annotations

import math

from attrs import frozen

from scrub.hypothesis.belief import Expectation, Verdict
from scrub.printing import brief
from scrub.stats.intervals import (
    FEW,
    HALF,
    OVERSHOOT,
    Interval,
)
from scrub.stats.sample_size import CHANCE, Standing, more_samples

NOT_APPLICABLE: Verdict = "not applicable"
"""The verdict on a claim that its file says is not about the model."""


@frozen(repr=False)
class Judgement:
    """What the interval says of the file's bounds, and whether the file expected it.

    Attributes:
        passed: None of a claim that is not applicable, which is neither.
        vacuous: why the claim could not have failed; "" if it could have.
        settle: for an inconclusive verdict, about how many more samples settle it with a chance of
            `scrub.stats.sample_size.CHANCE`; None where no number within reason does.
    """

    verdict: Verdict | None
    passed: bool | None
    vacuous: str = ""
    settle: int | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return brief(self)


def verdict_of(interval: Interval, expect: Expectation) -> Verdict:
    """What an interval says of the belief that its figure lies between an expectation's bounds.

    It must say so even at the worst of what was not seen. Law: what is expected does not matter,
    only the bounds.
    """
    least, most = min(interval.low, interval.least), max(interval.high, interval.most)
    return _between(least, most, expect)


def _between(least: float, most: float, expect: Expectation) -> Verdict:
    low, high = _bounds(expect)
    if not (math.isfinite(least) and math.isfinite(most)):
        return "inconclusive"
    if least >= low and most <= high:
        return "supported"
    if most < low or least > high:
        return "refuted"
    return "inconclusive"


def _bounds(expect: Expectation) -> tuple[float, float]:
    return (
        -math.inf if expect.low is None else expect.low,
        math.inf if expect.high is None else expect.high,
    )


def judge(
    interval: Interval, expect: Expectation | None, samples: int, vacuous: str = ""
) -> Judgement:
    """The verdict. What the file expects decides only whether it passed.

    Args:
        vacuous: why the claim could not have failed (see `scrub.analysis.vacuity` and
            `scrub.analysis.support`); "" if it could have.
    """
    notes = [interval.reason] if interval.reason else []
    if interval.mean > OVERSHOOT and not (expect and expect.is_effect):
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
        notes += _why_inconclusive(interval, expect, samples)
        settle = _to_settle(interval, expect, samples)
        if settle:
            notes.append(f"{settle:,} more samples settle it with a chance of about {CHANCE:.0%}")
    return Judgement(verdict, verdict == expect.verdict, settle=settle, notes=tuple(notes))


def _why_inconclusive(interval: Interval, expect: Expectation, samples: int) -> list[str]:
    """What besides the spread of the references keeps a verdict from being one."""
    seen = _between(interval.low, interval.high, expect)
    if seen == "inconclusive":
        return [interval.widened] if interval.widened else []
    which, low, high = "recovered", ("fail", "bad", "worst"), ("do well", "good", "best")
    if expect.belief is not None and expect.is_effect:
        which = f"the {expect.belief.figure}"
        low, high = ("differ", "low", "lowest"), ("differ", "high", "highest")
    words, end = low, f"as low as {interval.least:.3f}"
    if _between(interval.least, interval.high, expect) == seen:
        words, end = high, f"as high as {interval.most:.3f}"
    few = ""
    if interval.concentration is not None and interval.concentration >= HALF:
        few = f"; {FEW} references carry {interval.concentration:.0%} of the loss"
    rate = 1 - ((1 - interval.level) / 2) ** (1 / samples)
    return [
        f"{seen} by what was seen, but up to {rate:.2%} of references may {words[0]} and show in "
        f"none of {samples:,}: were each as {words[1]} as the {words[2]} number drawn, {which} "
        f"would be {end}{few}"
    ]


def _to_settle(interval: Interval, expect: Expectation, samples: int) -> int | None:
    if interval.error is None:
        return None
    now = Standing(
        mean=interval.mean,
        error=interval.error,
        below=interval.mean - min(interval.low, interval.least),
        above=max(interval.high, interval.most) - interval.mean,
        samples=samples,
        confidence=interval.level,
    )
    return more_samples(now, *_bounds(expect))
