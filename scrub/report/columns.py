"""Tables that fit their terminal by leaving columns out; no text is cut short."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen
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
    """

    name: str
    cells: tuple[Text, ...] = field(converter=lambda cells: tuple(map(as_text, cells)))
    right: bool = False
    drop: int = 0
    fold: bool = False

    @property
    def width(self) -> int:
        """Cells of the terminal that it takes where nothing is wrapped."""
        texts = (self.name, *(cell.plain for cell in self.cells))
        lines = [line for text in texts for line in text.splitlines()]
        return max(map(cell_len, lines), default=0)


def as_text(cell: str | Text) -> Text:
    """A cell as text. Brackets in it, as in "[red]", are no markup."""
    return cell if isinstance(cell, Text) else Text(printable(cell))


def table(columns: Sequence[Column], width: int) -> Table:
    """A table of the columns that fit into `width` cells, in their order.

    Law: a column with drop=0 is always there, and its texts are whole, if wrapped.
    """
    left = list(columns)
    for column in sorted((c for c in columns if c.drop), key=lambda c: c.drop):
        if sum(c.width + GAP for c in left) - GAP <= width:
            break
        left.remove(column)
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
