"""The metric per reference of one scrub: original, scrubbed and baseline, paired."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from scrub.stats.intervals import (
    CONFIDENCE,
    Interval,
    PerReference,
    loss_recovered,
)


@frozen(eq=False)
class Scores:
    """The metric per reference, three times: float64 [samples] each, paired."""

    original: PerReference
    scrubbed: PerReference
    baseline: PerReference

    @property
    def defined(self) -> np.ndarray:
        """Where the metric is defined: not NaN whatever the model computes. Bool [samples]."""
        return ~(np.isnan(self.original) & np.isnan(self.scrubbed) & np.isnan(self.baseline))

    def where(self, which: np.ndarray | slice) -> Scores:
        """The scores of some samples."""
        return Scores(self.original[which], self.scrubbed[which], self.baseline[which])

    @property
    def means(self) -> dict[str, float]:
        """Means of the three over the references on which the metric is defined."""
        here = self.where(self.defined)
        named = {"original": here.original, "scrubbed": here.scrubbed, "baseline": here.baseline}
        return {n: float(v.mean()) if len(v) else float("nan") for n, v in named.items()}

    def recovered(self, confidence: float = CONFIDENCE, looks: int = 1) -> Interval:
        """Loss recovered, on the references on which the metric is defined."""
        here = self.where(self.defined)
        return loss_recovered(
            here.original, here.scrubbed, here.baseline, confidence=confidence, looks=looks
        )


def joined(parts: Sequence[Scores]) -> Scores:
    """The scores of several runs of samples, one after the other."""
    return Scores(*(np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS))


COLUMNS = ("original", "scrubbed", "baseline")
