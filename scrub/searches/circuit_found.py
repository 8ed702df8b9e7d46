"""What a search for a circuit has found: the circuit, and every decision that led to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import field, frozen

from scrub.hypothesis.circuit import Circuit

if TYPE_CHECKING:
    import pandas as pd

    from scrub.searches.ranking import Ranking

Says = Callable[[str], None]
"""Is given each line of the log as soon as it is known."""


@frozen
class Tried:
    """A part of the model that was tried, and what was decided.

    Attributes:
        stage: of what kind it is: "heads", "mlps", "positions", "ports", "edges".
        sweep: in which sweep it was tried, counted from 1.
        part: as reports call it: "head 1.2", "MLP 0", "head 3.0 at io", "head 3.0 into q",
            "head 2.1 → head 3.0 into q".
        before, after: the metric's mean over references with and without it.
        cost: what its removal costs, in the unit of the threshold (see the method's settings),
            positive where it makes matters worse.
        removed: whether it was taken out.
    """

    stage: str
    sweep: int
    part: str
    before: float
    after: float
    cost: float
    removed: bool


@frozen(eq=False)
class CircuitFound:
    """A circuit that a search has found.

    Laws: it is a function of settings and measurements; `log` is what was said while it was found.

    Attributes:
        circuit: what was found; without nodes and edges where nothing was kept.
        method: by which method: "pruning", "acdc", "attribution".
        settings: of that method, frozen.
        log: all lines that were said.
        tried: all decisions in the order in which they were made; where parts were ranked, none.
        importance: of each part that was tried, as `Tried` calls it, a number by which they are
            ranked: the larger the more it matters. Parts that fell with others have none: they
            are below all. Compared with a truth it gives an area under the ROC curve.
        curve: circuits from the largest to the smallest that the search went through, each a part
            of the one before; the last one is what is left at its end. Their scores are plotted.
        frequency: of each part, in which share of several orders of removal it stayed; empty where
            there was one order.
        approximate: whether anything but exact measurements decided.
        ranking: what is approximate, with what is known of it exactly; None where nothing is.
        everything: whether nothing at all was taken out.
    """

    circuit: Circuit
    method: str
    settings: Any
    log: tuple[str, ...]
    tried: tuple[Tried, ...] = ()
    importance: Mapping[str, float] = field(factory=dict)
    curve: tuple[Circuit, ...] = ()
    frequency: Mapping[str, float] = field(factory=dict)
    approximate: bool = False
    ranking: Ranking | None = None
    everything: bool = False

    @property
    def nothing(self) -> bool:
        """Whether nothing at all was kept."""
        return not self.circuit.cells and not self.circuit.edges

    @property
    def frame(self) -> pd.DataFrame:
        """One row a decision. Columns: stage, sweep, part, before, after, cost, removed.

        Of what is approximate one row a part: see `Ranking.frame`.
        """
        if self.ranking is not None:
            return self.ranking.frame
        import pandas as pd

        columns = ["stage", "sweep", "part", "before", "after", "cost", "removed"]
        rows = [[getattr(one, column) for column in columns] for one in self.tried]
        return pd.DataFrame(rows, columns=columns)


def importance_of(tried: Iterable[Tried]) -> dict[str, float]:
    """Parts ranked by what their removal cost, when it was last tried: ranks from 0.

    Whatever stayed is above whatever was removed. In which order parts were removed says nothing of
    them where the order is that of the model.
    """
    last = {one.part: one for one in tried}
    ordered = sorted(last.values(), key=lambda one: (not one.removed, one.cost))
    return {one.part: float(rank) for rank, one in enumerate(ordered)}


def thinned(circuits: Sequence[Circuit], most: int) -> tuple[Circuit, ...]:
    """At most so many of them, evenly, always with the first and the last."""
    if len(circuits) <= most:
        return tuple(circuits)
    chosen = np.unique(np.linspace(0, len(circuits) - 1, most).round().astype(int))
    return tuple(circuits[number] for number in chosen)
