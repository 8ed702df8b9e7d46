"""The metric per reference of one scrub: original, scrubbed and baseline, paired; and before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from scrub.printing import brief
from scrub.stats.effect import farthest_effects, paired_mean
from scrub.stats.intervals import (
    CONFIDENCE,
    Interval,
    PerReference,
    loss_recovered,
)

COLUMNS = ("original", "scrubbed", "baseline")
BEFORE = "before"


@frozen(eq=False, repr=False)
class Scores:
    """The metric per reference, three times: float64 [samples] each, paired.

    Attributes:
        before: on the root's other input, of a claim about an effect; None: not asked for.
    """

    original: PerReference
    scrubbed: PerReference
    baseline: PerReference
    before: PerReference | None = None

    @property
    def columns(self) -> dict[str, PerReference]:
        """The numbers by name: those of `COLUMNS`, and `BEFORE` where it is there."""
        found = {name: getattr(self, name) for name in COLUMNS}
        return found if self.before is None else found | {BEFORE: self.before}

    @property
    def defined(self) -> np.ndarray:
        """Where the metric is defined: not NaN whatever the model computes. Bool [samples]."""
        return ~np.logical_and.reduce([np.isnan(numbers) for numbers in self.columns.values()])

    def where(self, which: np.ndarray | slice) -> Scores:
        """The scores of some samples."""
        return Scores(**{name: numbers[which] for name, numbers in self.columns.items()})

    @property
    def means(self) -> dict[str, float]:
        """Means of all columns over the references on which the metric is defined."""
        here = self.where(self.defined).columns
        return {n: float(v.mean()) if len(v) else float("nan") for n, v in here.items()}

    def recovered(self, confidence: float = CONFIDENCE, looks: int = 1) -> Interval:
        """Loss recovered, on the references on which the metric is defined."""
        here = self.where(self.defined)
        return loss_recovered(
            here.original, here.scrubbed, here.baseline, confidence=confidence, looks=looks
        )

    def effect(self, confidence: float = CONFIDENCE, looks: int = 1) -> Interval:
        """Mean of scrubbed − before, on the references on which the metric is defined."""
        here = self.where(self.defined)
        assert here.before is not None, "it was not asked for"
        every = here.columns.values()
        finite = len(here.before) and all(np.isfinite(numbers).all() for numbers in every)
        with np.errstate(invalid="ignore"):  # a metric may be infinite; the interval then says so
            change = here.scrubbed - here.before
        unseen = farthest_effects(here.before, *every) if finite else None
        return paired_mean(change, confidence=confidence, looks=looks, unseen=unseen)

    def __repr__(self) -> str:
        return brief(self)


def joined(parts: Sequence[Scores]) -> Scores:
    """The scores of several runs of samples, one after the other."""
    names = parts[0].columns
    return Scores(**{n: np.concatenate([part.columns[n] for part in parts]) for n in names})
