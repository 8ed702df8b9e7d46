"""Draw the picture in docs/architecture.md: the packages, storey by storey, and the straight line.

    python benchmarks/draw_architecture.py

Storeys are read from the import contract in pyproject.toml, which the tests hold, and what a
package is for from its docstring.
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

from attrs import frozen

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "figures" / "architecture.svg"
LINE = {
    "hypothesis": "1 collect",
    "checks": "2 check",
    "engine": "3 plan · 5 execute",
    "draw": "4 draw",
    "metrics": "6 measure",
    "stats": "7 judge",
    "report": "8 report",
    "runner": "pipeline.py: 1 to 8 in order",
}
"""Which step of a run each package does; the order is that of `scrub/runner/pipeline.py`."""
ORDINARY, ON_THE_LINE = "#eeeeee", "#cfe3f5"
WIDTH, HEIGHT, GAP = 11.0, 0.78, 0.14


@frozen
class Box:
    """One package or module of scrub."""

    name: str
    purpose: str
    step: str


def storeys() -> list[list[Box]]:
    """The boxes of each storey, the top one first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract, *_ = settings["tool"]["importlinter"]["contracts"]
    return [[_box(name.strip()) for name in layer.split("|")] for layer in contract["layers"]]


def _box(name: str) -> Box:
    package = ROOT / "scrub" / name / "__init__.py"
    file = package if package.is_file() else ROOT / "scrub" / f"{name}.py"
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return Box(name, text.splitlines()[0].rstrip("."), LINE.get(name, ""))


def draw(axes: Any, levels: list[list[Box]]) -> None:
    """One row of boxes a storey."""
    from matplotlib.patches import FancyBboxPatch

    for number, boxes in enumerate(reversed(levels)):
        bottom, width = number * (HEIGHT + GAP), WIDTH / len(boxes)
        for place, box in enumerate(boxes):
            left, inner = place * width, width - (GAP if len(boxes) > 1 else 0)
            colour = ON_THE_LINE if box.step else ORDINARY
            axes.add_patch(
                FancyBboxPatch(
                    (left, bottom), inner, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08",
                    facecolor=colour, edgecolor="#777777", linewidth=0.8,
                )
            )  # fmt: skip
            axes.text(left + 0.15, bottom + 0.53, box.name, fontsize=10, weight="bold", va="center")
            axes.text(
                left + inner - 0.15, bottom + 0.53, box.step, fontsize=9, ha="right", va="center"
            )  # fmt: skip
            axes.text(left + 0.15, bottom + 0.22, box.purpose, fontsize=7.5, va="center")
    axes.set(xlim=(-0.1, WIDTH + 0.1), ylim=(-0.1, len(levels) * (HEIGHT + GAP)))
    axes.set_axis_off()


def main() -> None:
    """Write the picture."""
    import matplotlib
    from matplotlib.figure import Figure

    levels = storeys()
    figure = Figure(figsize=(11, 0.62 * len(levels)), layout="constrained")
    draw(figure.subplots(), levels)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scrub"}):
        figure.savefig(FILE, metadata={"Date": None})


if __name__ == "__main__":
    main()
