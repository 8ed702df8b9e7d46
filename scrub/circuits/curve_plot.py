"""Curves as a picture: performance against the number of heads kept, a line for each order."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from scrub.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scrub.circuits.scores import CircuitScores

ACROSS = 80
"""Characters of the title in a line."""


def curve_figure(scores: CircuitScores) -> Figure:
    """What is recovered by size, on rows by which heads were not chosen, with its intervals.

    Raises:
        UserError: there is no curve.
    """
    if scores.curve is None:
        why = scores.not_halved or 'Leave the curve in: only=(…, "curve") (--only curve).'
        raise UserError(f"There is no curve to draw. {why}")
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    found = scores.curve
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for number, (order, points) in enumerate(zip(found.orders, found.points, strict=True)):
        sizes = [point.size for point in points]
        ends = [(point.recovered.low, point.recovered.high) for point in points]
        means = [point.recovered.mean for point in points]
        first = number == 0
        (line,) = axes.plot(
            sizes, means, marker="o" if first else None, linewidth=2 if first else 1,
            alpha=1 if first else 0.6, label=str(order),
        )  # fmt: skip
        if first:
            lows, highs = zip(*ends, strict=True)
            axes.fill_between(sizes, lows, highs, color=line.get_color(), alpha=0.2, linewidth=0)
    for level in found.levels:
        axes.axhline(level.share, color="grey", linewidth=0.6, linestyle=":")
    axes.invert_xaxis()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=f"{scores.removed} kept", ylabel=f"recovered of {scores.metrics[0]}")
    if len(found.orders) > 1:
        axes.legend(title="removed first", fontsize="small")
    name = scores.circuit.name or "the circuit"
    title = (
        f"{name} on {scores.behaviour}, {scores.model}: {scores.removed} removed on one half of "
        "the rows, performance on the other; shaded: intervals that hold together"
    )
    axes.set_title(textwrap.fill(title, ACROSS), loc="left", fontsize="medium", parse_math=False)
    return figure
