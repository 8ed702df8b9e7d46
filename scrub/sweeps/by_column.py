"""The effects of a sweep by the values of a column, and which values differ, tested.

References are drawn uniformly, so those that have a value are drawn uniformly from the rows that
have it, and those of two values are independent. Each value is held against all others together
(of two values the first against the second); the intervals of all these differences, of every
sender and metric, hold together (Bonferroni), and so do those of the effects by value among
themselves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from attrs import evolve, frozen
from jaxtyping import Float

from scrub.data.dataset import Dataset, Rows
from scrub.data.partition import by_kind, check_parts, parts_by
from scrub.errors import UserError
from scrub.printing import free_name
from scrub.stats.effect import paired_mean
from scrub.stats.intervals import CONFIDENCE, Interval
from scrub.stats.two_groups import apart

if TYPE_CHECKING:
    import pandas as pd

    from scrub.sweeps.sweep import Sweep

Table = tuple[tuple[tuple[Interval, ...], ...], ...]
"""[metric][sender][value]"""
ONE_VALUE = "all references have one value of the column"
MEASURED = (
    "effect", "low", "high", "n", "difference", "difference_low", "difference_high", "differs",
)  # fmt: skip
MOST = 30
"""Values of a column: of more, an effect each says nothing."""


@frozen(eq=False)
class ByColumn:
    """Effects by the values of a column.

    Attributes:
        column: what it is called.
        values: in order; of the references that were drawn.
        references: how many have each value.
        effects: [metric][sender][value], in the order of the sweep's metrics and senders.
        differences: [metric][sender][value]: the value's effect minus that of all others; of two
            values the first's alone.
        totals: [metric][value], of original − corrupted; of 95% each.
        tested: differences whose intervals hold together.
    """

    column: str
    values: tuple[object, ...]
    references: tuple[int, ...]
    effects: Table
    differences: Table
    totals: tuple[tuple[Interval, ...], ...]
    tested: int

    def only(self, senders: list[int]) -> ByColumn:
        """Of these senders alone; the intervals stay corrected for all."""

        def kept(table: Table) -> Table:
            return tuple(tuple(of[number] for number in senders) for of in table)

        return evolve(self, effects=kept(self.effects), differences=kept(self.differences))

    def frame_of(self, sweep: Sweep) -> pd.DataFrame:
        """One row a sender, metric and value.

        Columns: sender, layer, head, at, metric, the column, effect, low, high, n (references with
        that value), difference (from the effect with the other values), difference_low,
        difference_high, differs (whether that is told from zero).
        """
        import pandas as pd

        rows = [
            self._row(sweep, metric, sender, value)
            for metric in range(len(sweep.metrics))
            for sender in sweep.order(metric)
            for value in range(len(self.values))
        ]
        return pd.DataFrame(rows).astype({"layer": "Int64", "head": "Int64"})

    def _row(self, sweep: Sweep, metric: int, number: int, value: int) -> dict[str, object]:
        sender, effect = sweep.senders[number], self.effects[metric][number][value]
        difference = self.difference(metric, number, value)
        row: dict[str, object] = {
            "sender": sender.name,
            "layer": sender.layer,
            "head": sender.head,
            "at": sender.at,
            "metric": sweep.metrics[metric].name,
        }
        row[free_name(self.column, [*row, *MEASURED])] = self.values[value]
        measured = (
            effect.mean, effect.low, effect.high, self.references[value],
            difference.mean, difference.low, difference.high, told(difference),
        )  # fmt: skip
        return row | dict(zip(MEASURED, measured, strict=True))

    def difference(self, metric: int, sender: int, value: int) -> Interval:
        """A value's effect minus that of all others; undefined where no other was drawn."""
        found = self.differences[metric][sender]
        if value < len(found):
            return found[value]
        if not found:
            return Interval(math.nan, -math.inf, math.inf, reason=ONE_VALUE)
        (one,) = found
        return Interval(-one.mean, -one.high, -one.low, one.confidence, one.reason)


def told(found: Interval) -> bool:
    """Whether a figure is told from zero."""
    return found.low > 0 or found.high < 0


def check_column(column: object, data: Dataset) -> None:
    """Refuse a column that the data does not have, or by which nothing can be told.

    Raises:
        UserError: it says why.
    """
    if not isinstance(column, str):
        raise UserError(f"by={column!r}. Give the name of a column of the data.")
    check_parts(data, column)
    _, values = parts_by(data.feature(column))
    if len(values) < 2:
        raise UserError(
            f'by="{column}" (--by): all rows have the value {values[0]}. Give a column in which '
            "they differ."
        )
    if len(values) > MOST:
        raise UserError(
            f'by="{column}" (--by): the column has {len(values):,} values, and effects are told '
            f"apart for {MOST} at most. Give another column."
        )


def by_column(
    column: str,
    references: Rows,
    effects: Float[np.ndarray, "metrics senders samples"],
    totals: Float[np.ndarray, "metrics samples"],
    tried: int,
) -> ByColumn:
    """Effects by the values of a column.

    Args:
        tried: effects of the sweep: senders times metrics, those that were ranked and left out too.
    """
    numbered, found = parts_by(references.feature(column))
    order = sorted(range(len(found)), key=lambda number: by_kind(found[number]))
    groups = [numbered == number for number in order]
    contrasts = groups[:1] if len(groups) == 2 else groups
    if len(groups) < 2:
        contrasts = []
    tested = tried * len(contrasts)
    effect_level, level = (1 - (1 - CONFIDENCE) / max(1, n) for n in (tried * len(groups), tested))

    def differences(one: np.ndarray) -> tuple[Interval, ...]:
        return tuple(
            apart(paired_mean(one[g], confidence=level), paired_mean(one[~g], confidence=level))
            for g in contrasts
        )

    return ByColumn(
        column,
        tuple(found[number] for number in order),
        tuple(int(group.sum()) for group in groups),
        tuple(
            tuple(tuple(paired_mean(o[g], confidence=effect_level) for g in groups) for o in of)
            for of in effects
        ),
        tuple(tuple(map(differences, of)) for of in effects),
        tuple(tuple(paired_mean(total[group]) for group in groups) for total in totals),
        tested,
    )
