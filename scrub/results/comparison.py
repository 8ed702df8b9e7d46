"""Two scrubs compared on common random numbers.

References are drawn alike wherever the data has as many rows, and donors wherever nodes have the
same names, so that what both scrubs share cancels in the difference.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

from scrub.errors import UserError
from scrub.results.result import Result
from scrub.stats.intervals import CONFIDENCE, Interval
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
        difference: loss recovered by the first minus that by the second.
        paired: whether the two have the same references.
    """

    first: Result
    second: Result
    difference: Interval
    paired: bool

    @property
    def words(self) -> str:
        """Which of them recovers more, as far as the interval tells."""
        if self.difference.low > 0:
            return "the first recovers more"
        if self.difference.high < 0:
            return "the second recovers more"
        return "not told apart"

    @property
    def frame(self) -> pd.DataFrame:
        """One row a side, and one for the difference: loss recovered with its interval."""
        import pandas as pd

        sides = {
            "first": self.first.recovered,
            "second": self.second.recovered,
            "first − second": self.difference,
        }
        claims = [self.first.claim.name, self.second.claim.name, ""]
        models = [self.first.model, self.second.model, ""]
        return pd.DataFrame(
            {
                "claim": claims,
                "model": models,
                "recovered": [found.mean for found in sides.values()],
                "low": [found.low for found in sides.values()],
                "high": [found.high for found in sides.values()],
            },
            index=list(sides),
        )

    def __repr__(self) -> str:
        found = self.difference
        return f"Comparison({interval(found)}: {self.words})"

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()  # type: ignore[operator]  # untyped in pandas


def compare(first: Result, second: Result) -> Comparison:
    """Compare two results of one seed. Law: a result differs from itself by exactly 0.

        scrub.compare(scrub.run(by_value), scrub.run(by_position))

    Raises:
        UserError: they are no results.
    """
    for one in (first, second):
        if not isinstance(one, Result):
            raise UserError(
                f"scrub.compare takes two results, not a {type(one).__name__}: "
                "scrub.compare(scrub.run(one), scrub.run(other))."
            )
    paired = _same_references(first, second)
    if paired and _one_claim(first, second) and not math.isnan(first.recovered.mean):
        return Comparison(first, second, Interval(0.0, 0.0, 0.0), paired)
    found = difference(first.scores, second.scores, paired=paired, seed=first.seed)
    return Comparison(first, second, found, paired)


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
