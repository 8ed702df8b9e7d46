"""Parts of a model ranked by first-order effects, with the exact effects of some of them beside."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen
from jaxtyping import Float

from scrub.stats.effect import paired_mean
from scrub.stats.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd


@frozen(eq=False)
class Ranking:
    """First-order effects: what taking a part out does to the metric, about, in its units.

    Attributes:
        kind: "first order" or "integrated gradients".
        parts: as reports call them.
        effects: of each on each reference.
        exact: of some the exact effect, a mean over references.
        kept: those that are in the circuit.
    """

    kind: str
    parts: tuple[str, ...]
    effects: Float[np.ndarray, "parts samples"]
    exact: Mapping[str, float]
    kept: Collection[str]

    @property
    def means(self) -> Float[np.ndarray, " parts"]:
        return self.effects.mean(1)

    def interval(self, number: int) -> Interval:
        """The first-order effect of a part. It is no interval of the exact effect."""
        return paired_mean(self.effects[number])

    @property
    def frame(self) -> pd.DataFrame:
        """One row a part, the largest first.

        Columns: part, first_order, low, high, exact (NaN where it was not measured), kept.
        """
        import pandas as pd

        kept = frozenset(self.kept)
        rows = []
        for number in np.argsort(-np.abs(self.means), kind="stable").tolist():
            name, found = self.parts[number], self.interval(number)
            exact = self.exact.get(name, math.nan)
            rows.append([name, found.mean, found.low, found.high, exact, name in kept])
        return pd.DataFrame(rows, columns=["part", "first_order", "low", "high", "exact", "kept"])


@frozen(eq=False)
class Beside:
    """First-order effects beside exact ones.

    Attributes:
        names: of the parts that were taken out, one at a time.
        first_order, exact: what that does to the metric, in its units, a mean over references.
        total: what taking out everything does.
    """

    names: tuple[str, ...]
    first_order: Float[np.ndarray, " parts"]
    exact: Float[np.ndarray, " parts"]
    total: float

    @property
    def correlation(self) -> float:
        """Spearman's, of their sizes, by which parts are ranked; NaN where one side is constant."""
        ours, theirs = np.abs(self.first_order), np.abs(self.exact)
        if len(ours) < 2 or np.ptp(ours) == 0 or np.ptp(theirs) == 0:
            return math.nan
        return float(np.corrcoef(_ranks(ours), _ranks(theirs))[0, 1])

    @property
    def pairs(self) -> Iterator[tuple[str, float]]:
        """Each part with its exact effect."""
        return zip(self.names, self.exact.tolist(), strict=True)

    @property
    def furthest(self) -> int:
        """Where the two differ most."""
        return int(np.abs(self.first_order - self.exact).argmax())

    def missed(self, share: float, part: float) -> list[int]:
        """Those whose exact effect is at least a share of the total, and of which first order shows
        less than a part, or the other sign; the largest first.
        """
        signed, size = self.first_order * np.sign(self.exact), np.abs(self.exact)
        found = np.flatnonzero((size >= share * abs(self.total)) & (signed < part * size))
        return sorted(found.tolist(), key=lambda number: -size[number])


def beside(
    names: Sequence[str],
    first_order: Float[np.ndarray, " parts"],
    exact: Float[np.ndarray, "parts samples"],
    original: Float[np.ndarray, " samples"],
    nothing: Float[np.ndarray, " samples"],
) -> Beside:
    """First-order effects beside what was measured without each part."""
    change = (exact - original).mean(1) if len(names) else np.zeros(0)
    return Beside(tuple(names), first_order, change, float((nothing - original).mean()))


def _ranks(values: Float[np.ndarray, " parts"]) -> Float[np.ndarray, " parts"]:
    """Ranks from 1; of equal numbers the mean rank. As scipy.stats, which takes 2 s to load."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
