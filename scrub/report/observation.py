"""An observation on the terminal: its tables, and what their figures rest on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from scrub.observations.observation import Observation
from scrub.report.columns import Column, table
from scrub.report.console import titled
from scrub.stats.rounding import number

if TYPE_CHECKING:
    import pandas as pd

TOLD = ("layer", "head", "neuron")
"""Columns that the component's name says already."""
SHARES = frozenset({"copying", "negative", "share", "of_all", "first", "top_share", "explained"})
"""Columns that are shown in percent."""
TEXTS = frozenset({"reads", "writes"})
"""Columns whose texts are wrapped."""
DROPPED = ("moved_sd", "n", "low", "high", "kind", "top_share", "share", "sd")
"""Columns that are left out first where the terminal is narrow, in this order."""


def show_observation(observation: Observation, console: Console, top: int) -> None:
    """Print the largest rows of each table, and the foot lines."""
    console.print(titled(observation.title, ""))
    console.print(Text(observation.about))
    left_out: dict[str, None] = {}
    shown = observation.top(top)
    for whole, part in zip(observation.tables, shown.tables, strict=True):
        columns = columns_of(part)
        printed = table(columns, console.width)
        kept = {str(column.header) for column in printed.columns}
        left_out |= dict.fromkeys(c.name for c in columns if c.name not in kept)
        console.print()
        console.print(printed, highlight=False)
        if len(part) < len(whole):
            named = " or ".join(name.replace("_", " ") for name in observation.by if name in part)
            order = f", the largest by {named}" if named else ""
            console.print(Text(f"{len(part):,} of {len(whole):,} rows{order}"))
    console.print()
    if left_out:
        names = ", ".join(left_out)
        console.print(Text(f"left out for want of width: {names}; .frame (--csv) has all"))
    for note in observation.notes:
        console.print(Text(note))


def columns_of(frame: pd.DataFrame) -> list[Column]:
    """The columns of a table; a column of texts that are all empty is none."""
    said = TOLD if "component" in frame else ()
    names = [name for name in frame if name not in said and not _empty(frame[name])]
    several = [name for name in names if name not in DROPPED]
    columns = []
    for name in names:
        cells = [_cell(value, str(name) in SHARES) for value in frame[name]]
        in_turn = several.index(name) if name in several else 0
        drop = DROPPED.index(str(name)) + 1 if name in DROPPED else 0
        if not drop and in_turn > 2 and name not in TEXTS:
            drop = len(DROPPED) + 1 + len(several) - in_turn
        right = frame[name].dtype.kind in "fiu"
        fold = name in TEXTS
        shown = Column(str(name).replace("_", " "), cells, right=right, drop=drop, fold=fold)
        columns.append(shown)
    return columns


def _empty(column: Any) -> bool:
    return column.dtype.kind not in "fiub" and all(value == "" for value in column)


def _cell(value: Any, share: bool) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "–"
        return f"{number(100 * value, 1)}%" if share else number(value)
    return str(value)
