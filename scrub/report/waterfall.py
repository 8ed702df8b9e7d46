"""What a claim's swaps lose, one after the other, as a picture."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scrub.analysis.blame import Blame
from scrub.analysis.describe_swap import swap_in_words
from scrub.hypothesis.tree import Tree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 90
"""Characters of the heading that fit into one line."""
LOSES, WINS, WHOLE = "#c44e52", "#55a868", "#4c72b0"
"""seaborn's red, green and blue."""


def save_waterfall(tree: Tree, found: Blame, heading: str, file: Path) -> None:
    """Write the picture: the same bytes for the same numbers. Raises an OSError if that fails."""
    import matplotlib

    drawn = io.BytesIO()
    kind = file.suffix.removeprefix(".").lower()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scrub"}):
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        waterfall(tree, found, heading).savefig(drawn, format=kind, metadata=dates.get(kind))
    file.write_bytes(drawn.getvalue())


def waterfall(tree: Tree, found: Blame, heading: str) -> Figure:
    """From the model's recovered 1 down to the claim's, a bar a swap in order from the root.

    Whiskers are the intervals of each bar's own length, and of what the claim recovers.
    """
    from matplotlib.figure import Figure

    steps = [loss.step for loss in found.swaps]
    left = 1 - np.cumsum([0.0, *(step.mean for step in steps)])
    names = [
        "the model",
        *(": ".join(swap_in_words(tree, loss.swap)) for loss in found.swaps),
        "the claim",
    ]
    figure = Figure(figsize=(8, 1.2 + 0.35 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(0, 1, color=WHOLE)
    for number, step in enumerate(steps):
        colour = LOSES if step.mean > 0 else WINS
        axes.barh(number + 1, -step.mean, left=left[number], color=colour)
        _whisker(axes, number + 1, left[number] - step.high, left[number] - step.low)
        axes.plot([left[number]] * 2, [number - 0.4, number + 1.4], color="0.6", linewidth=0.8)
    axes.barh(len(names) - 1, left[-1], color=WHOLE)
    _whisker(axes, len(names) - 1, 1 - found.total.high, 1 - found.total.low)
    axes.axvline(0, color="0.3", linewidth=0.8)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("recovered")
    heading = textwrap.fill(heading, ACROSS)  # matplotlib's own wrapping reads $…$ as mathematics
    axes.set_title(heading, loc="left", fontsize="medium", parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _whisker(axes: object, y: float, low: float, high: float) -> None:
    if np.isfinite([low, high]).all():
        axes.plot([low, high], [y, y], color="0.1", linewidth=1.2)  # type: ignore[attr-defined]
