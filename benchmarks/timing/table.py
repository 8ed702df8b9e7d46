"""The figures of a comparison, and how they are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import field, frozen
from rich.console import Console
from rich.table import Table


@frozen
class Other:
    """Another way to do the same work.

    Attributes:
        seconds: median, or scaled up from part of the work as `note` says.
        off: largest difference of its numbers from ours, relative to the largest number.
    """

    way: str
    seconds: float
    off: float
    note: str = ""


@frozen
class Row:
    """One piece of work.

    Attributes:
        seconds: that the engine takes for all of it.
        flops: that it executes, as torch counts them; NaN where they were not counted.
        least: that the values take which the work depends on, each computed once.
        note: how the figures were taken, where not the whole work was timed.
    """

    work: str
    paths: str
    seconds: float
    flops: float
    least: float
    others: tuple[Other, ...] = field(default=(), converter=tuple)
    note: str = ""


HEADINGS = (
    "work", "paths", "ours s", "bound s", "ours/bound", "FLOPs", "FLOPs/least", "other way",
    "other s", "ratio", "off by", "scaled",
)  # fmt: skip


def cells(row: Row, rate: float) -> list[list[str]]:
    """The row as text, one line for every other way."""
    bound = row.least / rate
    executed = [f"{row.flops:.3g}", f"{row.flops / row.least:.2f}"]
    mine = [
        row.work, row.paths, number(row.seconds), number(bound), number(row.seconds / bound),
        *(["", ""] if math.isnan(row.flops) else executed),
    ]  # fmt: skip
    if not row.others:
        return [[*mine, "", "", "", "", row.note]]
    lines = []
    for other in row.others:
        note = "; ".join(filter(None, (row.note, other.note and f"other {other.note}")))
        ratio = f"{number(other.seconds / row.seconds)}x"
        lines.append([*mine, other.way, number(other.seconds), ratio, f"{other.off:.0e}", note])
        mine = [""] * len(mine)
    return lines


def number(value: float) -> str:
    """Three significant digits, or whole if larger."""
    if math.isnan(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def show(rows: Sequence[Row], rate: float, machine: str) -> None:
    """Print the table."""
    table = Table(*HEADINGS, title=machine)
    for row in rows:
        for line in cells(row, rate):
            table.add_row(*line)
    Console(width=220).print(table)


def markdown(rows: Sequence[Row], rate: float) -> str:
    """The table as Markdown."""
    lines = [HEADINGS, ["---"] * len(HEADINGS)]
    lines += [line for row in rows for line in cells(row, rate)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
