"""What was seen: a frame, what its figures rest on, and how it is drawn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve, field, frozen

from scrub.errors import UserError
from scrub.observations.picture import Picture
from scrub.printing import html_of, one_line
from scrub.runner.options import is_whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from scrub.observations.attention_view import Patterns, View

LOW, HIGH = 10, 90
"""Percentiles that say how far rows are apart."""
SPREAD = "sd: standard deviation over rows; low, high: their 10th and 90th percentile"


@frozen(eq=False, repr=False)
class Observation:
    """Something seen in a model. In a notebook it shows itself as a table.

    Attributes:
        title: what was looked at.
        about: in what model, and on which data.
        notes: what the figures rest on, a line each.
        tables: what a terminal shows: the frame, or what sums it up.
        by: columns: rows that are largest in one of them, whatever the sign, come first in a
            table; one that has none of them is shown whole, in its order.
        picture: what `plot` draws.
        patterns: what `view` shows; None of all but `scrub.observe.patterns`.
    """

    title: str
    about: str
    _frame: pd.DataFrame = field(alias="frame")
    notes: tuple[str, ...]
    picture: Picture
    by: tuple[str, ...] = ()
    _tables: tuple[pd.DataFrame, ...] = field(default=(), alias="tables")
    patterns: Patterns | None = None

    @property
    def frame(self) -> pd.DataFrame:
        """Everything that was seen."""
        return self._frame.copy()

    @property
    def tables(self) -> tuple[pd.DataFrame, ...]:
        return self._tables or (self._frame,)

    def top(self, n: int = 20) -> Observation:
        """The same with the n rows that are largest in one of the columns `by`, in that order.

        Raises:
            UserError: n is no whole number from 1.
        """
        if not is_whole(n) or n < 1:
            raise UserError(f"top({n!r}): give a whole number, 1 or more.")
        first, *others = (largest(table, self.by, n) for table in self.tables)
        if self._tables:
            return evolve(self, tables=(first, *others))
        return evolve(self, frame=first)

    def plot(self) -> Figure:
        """The frame as a picture."""
        from scrub.observations.picture import draw

        return draw(self._frame, self.picture, f"{self.title}. {self.about}")

    def view(self) -> View | Figure:
        """Attention patterns to be looked at one by one, by CircuitsVis; without it as `plot`.

        CircuitsVis comes with `pip install 'scrub[views]'`. A notebook shows what it gives without
        a network.

        Raises:
            UserError: no patterns were seen.
        """
        if self.patterns is None:
            raise UserError(
                f"{self.title} has no patterns to view, and .plot() draws it. Whole patterns are "
                "what scrub.observe.patterns(behaviour, row=0) sees."
            )
        return self.patterns.view() or self.plot()

    def __repr__(self) -> str:
        return one_line(f"Observation({self.title}, {self.about}; {len(self._frame):,} rows)")

    def _repr_html_(self) -> str:
        return html_of(self)


def largest(table: pd.DataFrame, by: Sequence[str], n: int) -> pd.DataFrame:
    """The n rows largest in one of these columns, whatever the sign; all where it has none.

    What is undefined comes last.
    """
    columns = [name for name in by if name in table]
    if not columns:
        return table
    size = table.loc[:, columns].abs().max(axis=1).fillna(-1.0).to_numpy()
    return table.iloc[np.argsort(-size, kind="stable")[:n]]


def spread(values: np.ndarray, name: str) -> dict[str, Any]:
    """A figure's mean over rows and how far rows are apart, as columns of a frame.

    Args:
        values: one number a row; NaN where it is undefined, which is left out.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return dict.fromkeys((name, "sd", "low", "high"), np.nan) | {"n": 0}
    low, high = np.percentile(known, (LOW, HIGH))
    deviation = known.std(ddof=1) if len(known) > 1 else np.nan
    return {name: known.mean(), "sd": deviation, "low": low, "high": high, "n": len(known)}


def mean(values: np.ndarray) -> float:
    """The mean of what is defined; NaN where nothing is."""
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        return float(np.nanmean(values))


def frame_of(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A frame of rows, whose numbers of layers and heads may be missing."""
    import pandas as pd

    found = pd.DataFrame(rows)
    whole = {name: "Int64" for name in ("layer", "head", "neuron") if name in found}
    return found.astype(whole)
