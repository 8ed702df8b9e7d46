"""What circuits have in common, as a figure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from scrub.stats.rounding import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    from scrub.circuits.overlap import Overlap

FEW = 3
"""Circuits of which all combinations are shown."""
BLUE, GREY, FAINT = "#3b6ea5", "#444444", "#d9d9d9"
ACROSS = 11.0
"""Characters of a title that fit into an inch."""


def overlap_figure(found: Overlap) -> Figure:
    """Two or three circuits: how many nodes are in exactly these; more: Jaccard of each pair.

    Law: the bars of combinations add up to the nodes that are in any circuit.
    """
    from matplotlib.figure import Figure

    few = len(found.circuits) <= FEW
    side = 1.6 + 0.7 * len(found.circuits)
    figure = Figure(figsize=(6.0, 3.6) if few else (side + 1.8, side + 0.6), layout="constrained")
    if few:
        bars, dots = figure.subplots(2, 1, height_ratios=(3, 1.2), sharex=True)
        _combinations(found, bars, dots)
    else:
        axes = figure.subplots()
        figure.colorbar(_matrix(found, axes), ax=axes, label="Jaccard of nodes")
        beside = " Below: the mean of random circuits." if found.draws else ""
        title = textwrap.fill(f"Nodes in common.{beside}", int(ACROSS * side))
        axes.set_title(title, loc="left", fontsize="small", parse_math=False)
    return figure


def _combinations(found: Overlap, bars: Axes, dots: Axes) -> None:
    """Bars of the nodes in exactly some circuits, over dots that say in which."""
    exactly = found.exactly()
    order = sorted(exactly, key=lambda some: (-len(some), some))
    heights = [exactly[some] for some in order]
    drawn = bars.bar(range(len(order)), heights, color=BLUE, width=0.6)
    bars.bar_label(drawn, fontsize=8)
    bars.set_ylabel("nodes in exactly these")
    bars.spines[["top", "right"]].set_visible(False)
    rows = range(len(found.names))
    for column, some in enumerate(order):
        colours = [GREY if row in some else FAINT for row in rows]
        dots.scatter([column] * len(found.names), rows, color=colours, s=60)
        dots.plot([column] * 2, [min(some), max(some)], color=GREY)
    sizes = {n: sum(exactly[some] for some in order if n in some) for n in rows}
    dots.set_yticks(list(rows), [f"{name}: {sizes[n]}" for n, name in enumerate(found.names)])
    dots.set_ylim(len(found.names) - 0.5, -0.5)
    dots.set_xticks([])
    dots.spines[:].set_visible(False)
    pairs = (one for one in found.common if one.of == "nodes")
    said = "; ".join(
        f"{one.first}, {one.second}: Jaccard {number(one.jaccard)}{_random(one.jaccard_random)}"
        for one in pairs
    )
    bars.set_title(
        textwrap.fill(f"Nodes in common. {said}", int(ACROSS * 6)),
        loc="left", fontsize="small", parse_math=False,
    )  # fmt: skip


def _random(figures: tuple[float, float, float]) -> str:
    mean, low, high = figures
    if np.isnan(mean):
        return ""
    return f" (random {number(mean)}, 95% in [{number(low)}, {number(high)}])"


def _matrix(found: Overlap, axes: Axes) -> AxesImage:
    """Jaccard of each pair, and what random circuits have below it."""
    count = len(found.names)
    values, words = np.eye(count), np.full((count, count), "", dtype=object)
    place = {name: number_ for number_, name in enumerate(found.names)}
    for one in found.common:
        if one.of == "nodes":
            rows, columns = place[one.first], place[one.second]
            mean = one.jaccard_random[0]
            beside = "" if np.isnan(mean) else f"\n({number(mean, 2)})"
            for cell in ((rows, columns), (columns, rows)):
                values[cell], words[cell] = one.jaccard, f"{number(one.jaccard, 2)}{beside}"
    image = axes.imshow(values, vmin=0, vmax=1, cmap="Blues")
    for cell in np.ndindex(count, count):
        dark = values[cell] > 0.6
        axes.text(
            cell[1], cell[0], str(words[cell]), ha="center", va="center", fontsize=7,
            color="white" if dark else "black",
        )  # fmt: skip
    axes.set_xticks(range(count), found.names, rotation=45, ha="right")
    axes.set_yticks(range(count), found.names)
    return image
