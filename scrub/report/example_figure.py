"""A figure of one sample of a claim: its images, where heads look in them, and what is answered."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from scrub.data.dataset import Rows
from scrub.data.image_layout import ImageLayout
from scrub.observations.example import Answers, Example, Look, Looking, Swapped
from scrub.observations.heads import head_name
from scrub.report.images import images_of_row, runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 2.3
"""Inches of a panel."""
LEAST = 3
"""Panels across, at least: a head is looked at in up to so many runs."""
SHOWN = 5
"""Swapped inputs whose images are drawn, at most."""
WRITTEN = 0.05
"""Attention from which on it is written in its patch."""
FADED = 0.85
"""How far a patch that gets no attention fades into white."""


def example_figure(example: Example, layout: ImageLayout, title: str) -> Figure:
    """The figure: images above, one line a head below them, answers at the bottom."""
    from matplotlib.figure import Figure

    shown = example.swapped[:SHOWN]
    across = max(LEAST, 1 + len(shown))
    lines = 1 + len(example.looking) + (example.answers is not None)
    size = (SIDE * across, (SIDE + 0.55) * lines + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(lines, across)
    left_out = _left_out(len(example.swapped) - len(shown), example.left_out)
    said = textwrap.fill(f"{title}{left_out}", int(11 * size[0]))
    figure.suptitle(said, x=0.01, ha="left", fontsize="medium", parse_math=False)
    inputs = (Swapped("reference", example.reference), *shown)
    for column, one in enumerate(inputs):
        _image(figure.add_subplot(grid[0, column]), one.rows, one.title)
    for line, looking in enumerate(example.looking, start=1):
        peak = _peak(looking, layout)
        for column, look in enumerate(looking.looks):
            axes = figure.add_subplot(grid[line, column])
            _attention(axes, look, layout, peak)
            axes.set_title(_said(look, layout), fontsize="small", parse_math=False)
            if column == 0:
                axes.set_ylabel(_called(looking), parse_math=False)
    if example.answers is not None:
        _answers(figure.add_subplot(grid[lines - 1, :]), example.answers)
    return figure


def _left_out(inputs: int, heads: int) -> str:
    said = [f"{inputs} more inputs"] * (inputs > 0) + [f"{heads} more heads"] * (heads > 0)
    return f" Not drawn: {', '.join(said)}." if said else ""


def _called(looking: Looking) -> str:
    role = f"\n{looking.role}" if looking.role else ""
    return f"{head_name(looking.head)} from {looking.at}{role}"


def _image(axes: Any, rows: Rows, title: str) -> None:
    """The first image of a row."""
    _no_ticks(axes)
    axes.set_title(textwrap.fill(title, 30), fontsize="small", parse_math=False)
    pixels = images_of_row(rows.data, int(rows.index[0]))
    if pixels:
        axes.imshow(pixels[0], interpolation="nearest")


def _no_ticks(axes: Any) -> None:
    axes.set_xticks([])
    axes.set_yticks([])


def over_grid(look: Look, layout: ImageLayout) -> np.ndarray | None:
    """Attention to each patch of a row's first image, [grid, grid]; None: it has none."""
    (row,) = look.rows.index
    found = runs(look.rows.data, int(row), layout)
    if not found:
        return None
    first = found[0].start + layout.special
    return look.attention[first : first + layout.grid**2].reshape(layout.grid, layout.grid)


def _peak(looking: Looking, layout: ImageLayout) -> float:
    """The most attention that a patch gets in any run, so that runs can be compared."""
    grids = [over_grid(look, layout) for look in looking.looks]
    return max((float(grid.max()) for grid in grids if grid is not None), default=0.0) or 1.0


def _attention(axes: Any, look: Look, layout: ImageLayout, peak: float) -> None:
    """The image, each patch the more faded the less attention it gets."""
    _no_ticks(axes)
    attention = over_grid(look, layout)
    pixels = images_of_row(look.rows.data, int(look.rows.index[0]))
    if attention is None or not pixels:
        return
    axes.imshow(pixels[0], interpolation="nearest")
    veil = np.ones((*attention.shape, 4))
    veil[..., 3] = FADED * (1 - attention / peak)
    height, width = pixels[0].shape[:2]
    axes.imshow(veil, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="nearest")
    for row, column in np.argwhere(attention >= WRITTEN):
        x, y = (column + 0.5) * layout.patch - 0.5, (row + 0.5) * layout.patch - 0.5
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6}
        text = f"{100 * attention[row, column]:.0f}"
        axes.text(x, y, text, ha="center", va="center", fontsize=6, bbox=box)


def _said(look: Look, layout: ImageLayout) -> str:
    attention = over_grid(look, layout)
    if attention is None:
        return look.title
    row, column = np.unravel_index(attention.argmax(), attention.shape)
    return f"{look.title}\n{attention.sum():.0%} on the image, most at {row},{column}"


def _answers(axes: Any, answers: Answers) -> None:
    """Bars: one group a label, one bar a run."""
    count = len(answers.runs)
    places = np.arange(len(answers.labels))
    width = 0.8 / max(count, 1)
    for number, (run, shares) in enumerate(answers.runs.items()):
        bars = axes.bar(places + (number - (count - 1) / 2) * width, shares, width, label=run)
        axes.bar_label(bars, [f"{share:.2f}" for share in shares], fontsize=7)
    axes.set_xticks(places, answers.labels)
    axes.set(ylim=(0, 1.3), yticks=(0, 0.5, 1), ylabel="probability")
    axes.legend(fontsize="small", ncols=count, loc="upper right")
