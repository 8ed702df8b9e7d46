"""The tree of a claim as an SVG picture (`scrub plan --svg`)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from scrub.hypothesis.tree import Tree
from scrub.printing import printable
from scrub.report.tree_boxes import Box, boxes
from scrub.results.atomic_write import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE, LINE, PAD, GAP, ACROSS = 9.0, 12.0, 5.0, 7.0, 26.0
"""Points: size of the type, distance of lines, margin inside a box, gap between boxes of one depth,
and gap between depths."""


def save_svg(tree: Tree, heading: str, file: Path) -> None:
    """Write the tree as a picture. Raises an OSError where that fails."""
    write_whole(file, svg(tree, heading))


@frozen
class _Placed:
    """A box in the picture. `x`, `y`: the middle of its left edge, in points from the top left."""

    box: Box
    x: float
    y: float
    width: float
    children: tuple[_Placed, ...]

    def walk(self) -> Iterator[_Placed]:
        yield self
        for child in self.children:
            yield from child.walk()


def svg(tree: Tree, heading: str) -> str:
    """The tree under a heading: SVG, the same text for the same tree."""
    import matplotlib

    drawn = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scrub"}):
        draw(tree, heading).savefig(drawn, format="svg", metadata={"Date": None})
    return printable(drawn.getvalue())


def draw(tree: Tree, heading: str) -> Figure:
    """The tree of a claim from left to right, under a heading."""
    return draw_boxes(boxes(tree), heading)


def draw_boxes(root: Box, heading: str) -> Figure:
    """A tree of boxes from left to right, under a heading, in a figure that it fills."""
    from matplotlib.figure import Figure

    below = 3 * LINE
    placed = _place(root, _columns(root), PAD, below)
    width = max(max(p.x + p.width for p in placed.walk()), _text_width(heading)) + PAD
    height = below + _height(root) + PAD
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    axes.text(PAD, 1.5 * LINE, heading, fontsize=SIZE, va="center", parse_math=False)
    for node in placed.walk():
        _draw(axes, node)
    return figure


def _columns(root: Box) -> tuple[tuple[float, float], ...]:
    """For each depth, in points: its boxes' left edge relative to the root's, and their width."""
    found: list[tuple[float, float]] = []
    level, x = (root,), 0.0
    while level:
        width = max(_text_width(line) for box in level for line in box.lines) + 2 * PAD
        found.append((x, width))
        level = tuple(child for box in level for child in box.children)
        said = [_text_width(line) for box in level for line in box.edge]
        x += width + ACROSS + max(said, default=0.0)
    return tuple(found)


def _place(box: Box, columns: tuple[tuple[float, float], ...], left: float, top: float) -> _Placed:
    """Place a box and all below it, in the first column and those after it."""
    height = _height(box)
    children: list[_Placed] = []
    child_top = top + (height - _children_height(box)) / 2
    for child in box.children:
        children.append(_place(child, columns[1:], left, child_top))
        child_top += _height(child) + GAP
    x, width = columns[0]
    return _Placed(box, left + x, top + height / 2, width, tuple(children))


def _height(box: Box) -> float:
    """Height of a box with all of its descendants. Points."""
    return max(_own_height(box), _children_height(box))


def _own_height(box: Box) -> float:
    return max(len(box.lines), 2 * len(box.edge)) * LINE + 2 * PAD


def _children_height(box: Box) -> float:
    return sum(_height(child) + GAP for child in box.children) - GAP if box.children else 0.0


def _text_width(line: str) -> float:
    """Width of a line in bold type, which is wider than plain type. Points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    plain = line.replace("$", "S")  # as wide; two of them would enclose mathematics
    return (
        TextPath((0, 0), plain, size=SIZE, prop=FontProperties(weight="bold")).get_extents().width
    )


def _draw(axes: Axes, node: _Placed) -> None:
    from matplotlib.patches import FancyBboxPatch

    top = node.y - _own_height(node.box) / 2
    right = node.x + node.width
    for child in node.children:
        bend = right + ACROSS / 2
        axes.plot(
            [right, bend, bend, child.x],
            [node.y, node.y, child.y, child.y],
            color="0.5",
            linewidth=0.8,
        )
        for number, line in enumerate(child.box.edge):
            axes.text(
                bend + 2,
                child.y + (number - len(child.box.edge) + 0.5) * LINE,
                line,
                fontsize=SIZE,
                va="center",
                parse_math=False,
            )
    axes.add_patch(
        FancyBboxPatch(
            (node.x, top),
            node.width,
            _own_height(node.box),
            boxstyle="round,pad=0,rounding_size=3",
            facecolor="white" if node.children else "#eef3fa",
            edgecolor="0.4",
            linewidth=0.8,
            zorder=2,
        )
    )
    for number, line in enumerate(node.box.lines):
        axes.text(
            node.x + PAD,
            top + PAD + (number + 0.5) * LINE,
            line,
            fontsize=SIZE,
            va="center",
            weight="normal" if number else "bold",
            parse_math=False,
        )
