"""Tables that fit their terminal by leaving columns out; only what says so is cut short."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, field, frozen
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from scrub.printing import printable

GAP = 2
"""Blank cells between two columns."""


@frozen(eq=False)
class Column:
    """A column of a table.

    Attributes:
        cells: texts of one or more lines; a `Text` keeps its style.
        right: aligned right, for numbers.
        drop: in which turn it is left out where the terminal is too narrow; 0: never.
        fold: whether its texts may be wrapped.
        least: cells down to which its texts may be cut short; 0: they are whole.
    """

    name: str
    cells: tuple[Text, ...] = field(converter=lambda cells: tuple(map(as_text, cells)))
    right: bool = False
    drop: int = 0
    fold: bool = False
    least: int = 0

    @property
    def width(self) -> int:
        """Cells of the terminal that it takes where nothing is wrapped."""
        texts = (self.name, *(cell.plain for cell in self.cells))
        lines = [line for text in texts for line in text.splitlines()]
        return max(map(cell_len, lines), default=0)

    @property
    def needed(self) -> int:
        """Cells that it takes at least where nothing is wrapped."""
        head = max(map(cell_len, self.name.splitlines()), default=0)
        return min(self.width, max(self.least, head)) if self.least else self.width

    def within(self, room: int) -> Column:
        """The same, cut short to so many cells, if it may be."""
        if not self.least or self.width <= room:
            return evolve(self, least=0)
        cells = [cell.copy() for cell in self.cells]
        for cell in cells:
            cell.truncate(room, overflow="ellipsis")
        return evolve(self, cells=cells, least=0)


def as_text(cell: str | Text) -> Text:
    """A cell as text. Brackets in it, as in "[red]", are no markup."""
    return cell if isinstance(cell, Text) else Text(printable(cell))


def table(columns: Sequence[Column], width: int) -> Table:
    """A table of the columns that fit into `width` cells, in their order.

    Law: a column with drop=0 is always there, and its texts are whole, if wrapped, where its
    least=0.
    """
    left = list(columns)
    for column in sorted((c for c in columns if c.drop), key=lambda c: c.drop):
        if _needed(left) <= width:
            break
        left.remove(column)
    for number, column in enumerate(left):
        left[number] = column.within(column.needed + max(0, width - _needed(left)))
    shown = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for column in left:
        shown.add_column(
            Text(column.name),
            justify="right" if column.right else "left",
            no_wrap=not column.fold,
            overflow="fold",
            min_width=None if column.fold else column.width,
        )
    for row in zip(*(column.cells for column in left), strict=True):
        shown.add_row(*row)
    return shown


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.needed + GAP for column in columns) - GAP
