"""Circuits on behaviours as heatmaps: what each keeps alone, and what is lost without it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from scrub.stats.rounding import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scrub.circuits.shared import SharedCircuits
    from scrub.stats.intervals import Interval

ACROSS = 12.0
"""Characters of the title that fit into an inch."""


def heatmaps(shared: SharedCircuits) -> Figure:
    """By each behaviour's first metric; in brackets is a number whose interval holds zero.

    The scale is the same in both and ends at 0 and 1, whatever the numbers.
    """
    from matplotlib.figure import Figure

    rows = [one.name for one in shared.circuits]
    columns = [one.name for one in shared.behaviours]
    width = max(8.0, 3.0 + 1.6 * len(columns) + 0.14 * max(map(len, rows)))
    figure = Figure(figsize=(width, 1.6 + 0.45 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    found = [[shared.of(row, column) for column in columns] for row in rows]
    _heatmap(left, [[one.alone for one in of] for of in found], rows, columns)
    _heatmap(right, [[one.ablated.lost for one in of] for of in found], rows, columns)
    left.set(title="kept by the circuit alone", xlabel="behaviour", ylabel="circuit")
    right.set(title="lost without it", xlabel="behaviour")
    title = f"{shared.model}: circuits on behaviours. In brackets: not told from zero."
    figure.suptitle(textwrap.fill(title, int(ACROSS * width)), x=0.01, ha="left", fontsize="medium")
    return figure


def _heatmap(axes: Axes, found: list[list[Interval]], rows: list[str], columns: list[str]) -> None:
    import seaborn as sns

    values = np.array([[one.mean for one in of] for of in found])
    written = np.array([[_cell(one) for one in of] for of in found], dtype=object)
    sns.heatmap(
        values, vmin=0, vmax=1, cmap="crest", mask=np.isnan(values), ax=axes, cbar=False,
        xticklabels=columns, yticklabels=rows, linewidths=0.5, linecolor="white",
        annot=written, fmt="",
    )  # fmt: skip
    axes.tick_params(axis="y", rotation=0)


def _cell(found: Interval) -> str:
    if np.isnan(found.mean):
        return ""
    shown = number(found.mean, 2)
    return shown if found.low > 0 or found.high < 0 else f"({shown})"
