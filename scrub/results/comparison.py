"""Two scrubs compared on common random numbers: what they recover, or their beliefs' figures.

References are drawn alike wherever the data has as many rows, and donors wherever nodes have the
same names, so that what both scrubs share cancels in the difference.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

from scrub.errors import UserError
from scrub.printing import html_of, one_line
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.stats.effect import paired_mean
from scrub.stats.intervals import CONFIDENCE, Interval, PerReference
from scrub.stats.rounding import interval
from scrub.stats.scores import Scores
from scrub.stats.shares import share

if TYPE_CHECKING:
    import pandas as pd

RESAMPLES = 2_000
"""Of the bootstrap: the error of a 95% bound from these is about 2% of the half-width."""
ROUNDING = 1e-5
"""Numbers that differ by this share of the largest are the same.

It is what float32 leaves open (docs/semantics.md, Laws).
"""


@frozen(eq=False, repr=False)
class Comparison:
    """Two results, and how far apart they are.

    Attributes:
        difference: the figure of the first minus that of the second: loss recovered, or what both
            beliefs are about.
        paired: whether the two have the same references.
    """

    first: Result
    second: Result
    difference: Interval
    paired: bool

    @property
    def words(self) -> str:
        """Which of them recovers more, as far as the interval tells."""
        more = "recovers more" if self.figure == "recovered" else "is higher"
        if self.difference.low > 0:
            return f"the first {more}"
        if self.difference.high < 0:
            return f"the second {more}"
        return "not told apart"

    @property
    def figure(self) -> str:
        """What is compared: "recovered", "effect", "share" or "attention"."""
        return figure_of(self.first)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a side, and one for the difference: the figure with its interval."""
        import pandas as pd

        sides = {
            "first": self.first.figure,
            "second": self.second.figure,
            "first − second": self.difference,
        }
        claims = [self.first.claim.name, self.second.claim.name, ""]
        models = [self.first.model, self.second.model, ""]
        return pd.DataFrame(
            {
                "claim": claims,
                "model": models,
                self.figure: [found.mean for found in sides.values()],
                "low": [found.low for found in sides.values()],
                "high": [found.high for found in sides.values()],
            },
            index=list(sides),
        )

    def __repr__(self) -> str:
        found = self.difference
        return one_line(f"Comparison({interval(found)}: {self.words})")

    def _repr_html_(self) -> str:
        return html_of(self)


def compare(first: Result, second: Result) -> Comparison:
    """Compare two results of one seed. Law: a result differs from itself by exactly 0.

        scrub.compare(scrub.run(by_value), scrub.run(by_position))

    Raises:
        UserError: they are no results, or are about different figures.
    """
    for one in (first, second):
        if isinstance(one, Inapplicable):
            raise UserError(
                f"{one.claim.name} is not applicable to {one.model} ({one.reason}): it has no "
                "figure to compare."
            )
        if not isinstance(one, Result):
            raise UserError(
                f"scrub.compare takes two results, not a {type(one).__name__}: "
                "scrub.compare(scrub.run(one), scrub.run(other))."
            )
    paired = _same_references(first, second)
    which = [figure_of(one) for one in (first, second)]
    if which[0] != which[1]:
        raise UserError(
            f"{first.claim.name} is about {_NAMED[which[0]]}, {second.claim.name} about "
            f"{_NAMED[which[1]]}: they cannot be compared. Give claims with beliefs of one kind."
        )
    if paired and _one_claim(first, second) and not math.isnan(first.figure.mean):
        return Comparison(first, second, Interval(0.0, 0.0, 0.0), paired)
    if first.kind == "effect":
        return Comparison(first, second, _effects_apart(first, second, paired=paired), paired)
    found = difference(first.scores, second.scores, paired=paired, seed=first.seed)
    return Comparison(first, second, found, paired)


def figure_of(result: Result) -> str:
    """What a result is about: "recovered", "effect", "share" or "attention"."""
    return result.belief.figure if result.belief else "recovered"


_NAMED = {
    "recovered": "loss recovered",
    "effect": "an effect",
    "share": "a share of references",
    "attention": "attention",
}


def _effects_apart(first: Result, second: Result, *, paired: bool) -> Interval:
    """The figure of the first minus the second's: a mean of paired differences, or Welch's."""

    def numbers(result: Result) -> PerReference:
        scores, start = result.scores, result.scores.before
        assert start is not None
        with np.errstate(invalid="ignore"):  # a metric may be infinite; the interval then says so
            return scores.scrubbed - start if figure_of(result) == "effect" else scores.scrubbed

    if paired:
        both = first.scores.defined & second.scores.defined
        return paired_mean((numbers(first) - numbers(second))[both])
    ours, theirs = (numbers(one)[one.scores.defined] for one in (first, second))
    mean = float(ours.mean() - theirs.mean())
    if not math.isfinite(mean) or min(len(ours), len(theirs)) < 2:
        return Interval(mean, -math.inf, math.inf, reason="it is not finite, or of one reference")
    variance = ours.var(ddof=1) / len(ours), theirs.var(ddof=1) / len(theirs)
    if sum(variance) == 0:
        return Interval(mean, mean, mean)
    from scipy import stats  # it takes a while, and no other command needs it

    found = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(CONFIDENCE)
    return Interval(mean, float(found.low), float(found.high))


def difference(first: Scores, second: Scores, *, paired: bool, seed: int) -> Interval:
    """Loss recovered by the first minus that by the second, with its interval.

    Where both have the same original and baseline in every reference, it is one ratio, with the
    interval of loss recovered. Otherwise (two models or metrics) it is a difference of two ratios,
    with a percentile bootstrap over references (Efron & Tibshirani 1993, §13.3), which are drawn
    together for both if they are paired.
    """
    if paired:
        both = first.defined & second.defined
        first, second = first.where(both), second.where(both)
    else:
        first, second = first.where(first.defined), second.where(second.defined)
    if paired and _same(first.original, second.original) and _same(first.baseline, second.baseline):
        return share(second.scrubbed - first.scrubbed, first)
    for scores in (first, second):
        alone = share(scores.baseline - scores.scrubbed, scores)
        if math.isnan(alone.mean):
            return Interval(math.nan, -math.inf, math.inf, reason=alone.reason)
        if not (math.isfinite(alone.low) and math.isfinite(alone.high)):
            mean = _recovered(first) - _recovered(second)
            return Interval(mean, -math.inf, math.inf, reason=alone.reason)
    saved = [scores.baseline - scores.scrubbed for scores in (first, second)]
    gaps = [scores.baseline - scores.original for scores in (first, second)]

    def of(samples: list[np.ndarray]) -> np.ndarray:
        ratios = [
            saved[i][drawn].mean(axis=-1) / gaps[i][drawn].mean(axis=-1)
            for i, drawn in enumerate(samples)
        ]
        return ratios[0] - ratios[1]

    def together(drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        return of([drawn, drawn])

    def apart(drawn: np.ndarray, others: np.ndarray, axis: int = -1) -> np.ndarray:
        return of([drawn, others])

    from scipy import stats  # it takes a while, and no other command needs it

    numbers_of_samples = [np.arange(len(one)) for one in saved]
    found = stats.bootstrap(
        numbers_of_samples[:1] if paired else numbers_of_samples,
        together if paired else apart,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        batch=max(1, min(250, 1_000_000 // max(map(len, saved)))),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(_recovered(first) - _recovered(second), float(found.low), float(found.high))


def _recovered(scores: Scores) -> float:
    gap = (scores.baseline - scores.original).mean()
    return float((scores.baseline - scores.scrubbed).mean() / gap)


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    scale = np.abs(first[np.isfinite(first)]).max(initial=0.0)
    return np.allclose(first, second, rtol=0, atol=ROUNDING * scale, equal_nan=True)


def _one_claim(first: Result, second: Result) -> bool:
    """Whether both are one claim on one model, and so the same numbers whatever is drawn."""
    ours, theirs = (
        (r.file, r.claim.name, r.model, r.weights_sha256, r.seed) for r in (first, second)
    )
    return ours == theirs and np.array_equal(first.scores.scrubbed, second.scores.scrubbed)


def _same_references(first: Result, second: Result) -> bool:
    """Whether both drew the same rows of the same data, if perhaps in other models' tokens."""
    ours, theirs = first.draws.references, second.draws.references
    return (
        first.data_name == second.data_name
        and len(ours.data) == len(theirs.data)
        and np.array_equal(ours.index, theirs.index)
    )
