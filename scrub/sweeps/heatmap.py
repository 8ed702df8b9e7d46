"""A sweep as a heatmap: layer by head, or component by position; uncertain cells are dimmed."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scrub.stats.rounding import number
from scrub.sweeps.by_column import ByColumn, told
from scrub.sweeps.senders import Sender

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scrub.sweeps.sweep import Sweep

ACROSS = 11.5
"""Characters of the title that fit into an inch."""
WRITTEN = 150
"""Cells up to which the numbers stand in them."""
DIMMED = 0.25
"""How much of its colour a cell keeps whose interval holds zero."""


def save_heatmap(sweep: Sweep, file: Path) -> None:
    """Write the picture: the same bytes for the same numbers. Raises an OSError if that fails."""
    save_figure(heatmap(sweep), file)


def save_figure(figure: Figure, file: Path) -> None:
    """Write a figure: the same bytes for the same figure. Raises an OSError if that fails."""
    import matplotlib

    drawn = io.BytesIO()
    kind = file.suffix.removeprefix(".").lower()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scrub"}):
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(drawn, format=kind, metadata=dates.get(kind))
    file.write_bytes(drawn.getvalue())


def heatmap(sweep: Sweep, metric: int = 0) -> Figure:
    """The effects on one metric, blue below zero and red above, on a scale centred on zero.

    Of a sweep by a column one row a sender, one column a value. Law: a cell is dimmed if and only
    if its interval holds zero; by a column, if that of its difference from the other values does.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    rows, columns, values, certain = _numbers(sweep, metric)
    most = np.nanmax(np.abs(values), initial=0.0) or 1.0
    width = max(6.0, 2.4 + 0.62 * len(columns))
    figure = Figure(figsize=(width, 1.6 + 0.34 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    written = np.vectorize(_cell, otypes=[object])(values)
    sns.heatmap(
        values, vmin=-most, vmax=most, center=0, cmap="vlag", mask=np.isnan(values), ax=axes,
        xticklabels=columns, yticklabels=rows, linewidths=0.5, linecolor="white",
        annot=written if values.size <= WRITTEN else False, fmt="", annot_kws={"fontsize": 7},
        cbar_kws={"label": f"effect on {sweep.metrics[metric].name}"},
    )  # fmt: skip
    filled = axes.collections[0]
    figure.canvas.draw_idle()
    filled.update_scalarmappable()
    colours = np.array(filled.get_facecolor())
    shown = colours.reshape(-1, 4)
    shown[~certain.ravel() & ~np.isnan(values).ravel(), 3] = DIMMED
    shown[np.isnan(values).ravel(), 3] = 0
    texts = iter(axes.texts)
    for place in np.argwhere(~np.isnan(values)) if axes.texts else ():
        next(texts).set_alpha(1.0 if certain[tuple(place)] else 0.4)
    filled.set_array(None)
    filled.set_facecolor(shown)  # type: ignore[arg-type]  # an array of colours
    title = textwrap.fill(_title(sweep, metric), int(ACROSS * (width - 1)))
    axes.set_title(title, loc="left", fontsize="medium", parse_math=False)
    across, down = axes_names(sweep)
    axes.set(xlabel=across, ylabel=down)
    axes.tick_params(axis="y", rotation=0)
    return figure


def _numbers(sweep: Sweep, metric: int) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    """Names of the rows and columns, the effects, and which of them are not dimmed."""
    if sweep.by is not None:
        return _by_value(sweep, sweep.by, metric)
    rows, columns, grid = cells(sweep, metric)
    values = np.full(grid.shape, np.nan)
    certain = np.zeros(grid.shape, dtype=bool)
    for place, sender in np.ndenumerate(grid):
        if sender >= 0:
            effect = sweep.effects[metric][sender]
            values[place], certain[place] = effect.mean, told(effect)
    return rows, columns, values, certain


def _by_value(
    sweep: Sweep, by: ByColumn, metric: int
) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    """The same of a sweep by a column, the largest effect first."""
    order = sweep.order(metric)
    several = len({sender.at for sender in sweep.senders}) > 1
    names = [f"{s.name} at {s.at}" if several else s.name for s in sweep.senders]
    places = [[(sender, value) for value in range(len(by.values))] for sender in order]
    values = [[by.effects[metric][s][v].mean for s, v in row] for row in places]
    certain = [[told(by.difference(metric, s, v)) for s, v in row] for row in places]
    rows = [names[sender] for sender in order]
    return rows, list(map(str, by.values)), np.array(values), np.array(certain)


def _cell(value: float) -> str:
    return "" if np.isnan(value) else number(value, 2)


def _title(sweep: Sweep, metric: int) -> str:
    about = "first-order " if not sweep.exact else ""
    dimmed = "not told from zero" if sweep.by is None else "not told from the other values"
    return (
        f"{sweep.behaviour} → {sweep.receiver}: {about}effect on {sweep.metrics[metric].name}, "
        f"{sweep.direction}. Positive: more of it. Dimmed: {dimmed}."
    )


def axes_names(sweep: Sweep) -> tuple[str, str]:
    """What stands along the columns, and along the rows."""
    if sweep.by is not None:
        return sweep.by.column, "sender"
    if _by_head(sweep.senders):
        return "head", "layer"
    return "position", "sender"


def cells(sweep: Sweep, metric: int = 0) -> tuple[list[str], list[str], np.ndarray]:
    """Names of the rows and columns, and which sender stands in each cell (−1: none)."""
    senders = sweep.senders
    if _by_head(senders):
        return _grid(senders, lambda s: str(s.layer), lambda s: str(s.head))
    return _grid(senders, lambda s: s.name, lambda s: s.at)


def _by_head(senders: tuple[Sender, ...]) -> bool:
    """Whether all are heads, at the same positions: then layer and head tell them apart."""
    alike = len({sender.at for sender in senders}) == 1
    return alike and all(sender.kind == "heads" for sender in senders)


def _grid(
    senders: tuple[Sender, ...], row: Callable[[Sender], str], column: Callable[[Sender], str]
) -> tuple[list[str], list[str], np.ndarray]:
    rows = _in_order(list(dict.fromkeys(map(row, senders))))
    columns = _in_order(list(dict.fromkeys(map(column, senders))))
    grid = np.full((len(rows), len(columns)), -1)
    for number_, sender in enumerate(senders):
        grid[rows.index(row(sender)), columns.index(column(sender))] = number_
    return rows, columns, grid


def _in_order(names: list[str]) -> list[str]:
    """Numbers by size; other names as they come."""
    return sorted(names, key=int) if all(name.isdigit() for name in names) else names
