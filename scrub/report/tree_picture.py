"""The tree of a claim as a picture: what `scrub plan` prints, and writes as SVG."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.tree import Occurrence, Tree
from scrub.printing import printable
from scrub.results.atomic_write import write_whole
from scrub.samplers import describe_sampler

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 3
"""Nodes alike that are worth one box for all of them."""

SIZE, LINE, PAD, GAP, ACROSS, WIDEST = 9.0, 12.0, 5.0, 7.0, 26.0, 38
"""Points: of the type, from line to line, inside a box, between boxes below and beside each other;
and characters, after which a line is broken."""


@frozen
class Box:
    """A node as it is shown, or several leaves that differ in nothing but their position.

    Attributes:
        title: the node's name.
        sites: what it stands for, in words.
        swaps: its samplers, a line each.
    """

    title: str
    sites: str
    swaps: tuple[str, ...]
    children: tuple[Box, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All that a box says, broken into lines; the first is the title."""
        return (self.title, *textwrap.wrap(self.sites, WIDEST), *self.swaps)


def boxes(tree: Tree) -> Box:
    """The tree as boxes. Leaves alike at several indices are one box, with i for the index."""
    return evolve(_box(tree), children=tuple(_siblings(tree.children)))


def _box(node: Occurrence) -> Box:
    own = describe_sampler(node.node.sampler)
    other = () if node.is_leaf else (f"other inputs {describe_sampler(node.node.other)}",)
    return Box(node.node.name, " | ".join(map(describe_route, node.routes)), (own, *other))


def _siblings(nodes: Sequence[Occurrence]) -> Iterator[Box]:
    alike: dict[Box, list[int]] = {}
    for node in nodes:
        if (index := _index(node)) is not None:
            alike.setdefault(_with_i(node, index), []).append(index)
    shown: set[Box] = set()
    for node in nodes:
        index = _index(node)
        box = None if index is None else _with_i(node, index)
        if box is None or len(alike[box]) < FEWEST:
            yield boxes(node)
        elif box not in shown:
            shown.add(box)
            found = alike[box]
            yield evolve(box, title=f"{box.title} ({len(found)} nodes: i = {_ranges(found)})")


def _index(node: Occurrence) -> int | None:
    """The one index at which a leaf stands."""
    if not node.is_leaf or len(node.routes) != 1:
        return None
    match node.routes[0].at:
        case (int() as index,):
            return index
    return None


def _with_i(leaf: Occurrence, index: int) -> Box:
    """A leaf's box with i in the place of its index."""

    def general(text: str) -> str:
        return re.sub(rf"(?<!\d){index}(?!\d)", "i", text)

    (route,) = leaf.routes
    swaps = (general(describe_sampler(leaf.node.sampler)),)
    return Box(general(leaf.node.name), describe_route(evolve(route, at=("i",))), swaps)


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers in order, with runs as ranges: "0…3, 7"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}…{r[-1]}" for r in runs)


def save_svg(tree: Tree, heading: str, file: Path) -> None:
    """Write the tree as a picture. Raises an OSError where that fails."""
    write_whole(file, svg(tree, heading))


@frozen
class _Placed:
    """A box in the picture. Points from the left and from the top, of its left edge's middle."""

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
    """The tree from left to right, under a heading, in a figure that it fills."""
    from matplotlib.figure import Figure

    root = boxes(tree)
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
    """Of every depth: where its boxes begin, relative to the root's, and how wide they are."""
    found: list[tuple[float, float]] = []
    level, x = (root,), 0.0
    while level:
        width = max(_text_width(line) for box in level for line in box.lines) + 2 * PAD
        found.append((x, width))
        x += width + ACROSS
        level = tuple(child for box in level for child in box.children)
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
    """Of a box with all that stands beside it to the right."""
    return max(_own_height(box), _children_height(box))


def _own_height(box: Box) -> float:
    return len(box.lines) * LINE + 2 * PAD


def _children_height(box: Box) -> float:
    return sum(_height(child) + GAP for child in box.children) - GAP if box.children else 0.0


def _text_width(line: str) -> float:
    """Of a line in bold type, the wider one."""
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
