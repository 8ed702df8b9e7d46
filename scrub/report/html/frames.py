"""Tables as HTML: frames of pandas, and the terminal's tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import field, frozen
from markupsafe import Markup
from rich.table import Table
from rich.text import Text

from scrub.report.html.rendering import fragment, render
from scrub.stats.rounding import number

if TYPE_CHECKING:
    import pandas as pd

MOST = 200
"""Rows that a table in a page has at most; a line below it says how many there are."""
LONG = 60
"""Characters from which on a cell has room for several words a line."""
STYLES = {"dim": "dim", "green": "good", "red": "bad"}
"""Classes for the terminal's styles."""


@frozen
class Cell:
    """A cell of a table. `kind`: its class, of `STYLES`; "" for none."""

    text: str
    kind: str = ""


@frozen
class Heading:
    """A column's name. `right`: aligned right, for numbers."""

    text: str
    right: bool = False


@frozen
class Grid:
    """A table: its columns, its rows, and how many more rows there are."""

    columns: tuple[Heading, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(converter=tuple)
    more: int = 0


def frame_html(frame: pd.DataFrame, most: int = MOST) -> str:
    """A frame as a fragment: numbers rounded as everywhere, what is undefined as a dash.

    Args:
        most: rows that are shown; of more it says how many.
    """
    return fragment(grid_html(grid_of_frame(frame, most)))


def grid_html(grid: Grid, *, sorts: bool = False) -> Markup:
    """A table without style of its own.

    Args:
        sorts: whether a click on a heading sorts it, in a page that has the script for it.
    """
    return render("table.html", grid=grid, sorts=sorts)


def table_html(table: Table) -> Markup:
    """A table of the terminal, with all of its columns."""
    return grid_html(grid_of_table(table))


def grid_of_frame(frame: pd.DataFrame, most: int = MOST) -> Grid:
    shown = frame.iloc[:most]
    columns = [shown.iloc[:, place] for place in range(shown.shape[1])]
    headings = [
        Heading(str(name), right=column.dtype.kind in "fiu")
        for name, column in zip(shown.columns, columns, strict=True)
    ]
    rows = zip(*([_of_frame(value) for value in column] for column in columns), strict=True)
    return Grid(tuple(headings), rows, more=len(frame) - len(shown))


def grid_of_table(table: Table) -> Grid:
    headings = [Heading(_plain(c.header), right=c.justify == "right") for c in table.columns]
    columns = [[_cell(cell) for cell in column.cells] for column in table.columns]
    return Grid(tuple(headings), zip(*columns, strict=True))


def grid_of_rows(columns: Sequence[str | Heading], rows: Sequence[Sequence[str | Cell]]) -> Grid:
    """A table from texts; a column whose name begins with ">" is one of numbers."""
    headings = [
        c if isinstance(c, Heading) else Heading(c.removeprefix(">"), right=c.startswith(">"))
        for c in columns
    ]
    cells = [tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in rows]
    return Grid(tuple(headings), cells)


def _of_frame(value: Any) -> Cell:
    said = _said(value)
    return Cell(said, "long" if len(said) > LONG else "")


def _said(value: Any) -> str:
    import pandas as pd

    if isinstance(value, float | np.floating):
        return "–" if math.isnan(value) else number(float(value))
    return "–" if value is None or value is pd.NA else str(value)


def _cell(cell: Any) -> Cell:
    style = str(cell.style) if isinstance(cell, Text) else ""
    return Cell(_plain(cell), STYLES.get(style, ""))


def _plain(cell: Any) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)
