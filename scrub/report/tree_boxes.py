"""The tree of a claim as boxes of text, which is what its pictures show."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from attrs import evolve, frozen

from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.tree import Occurrence, Tree
from scrub.samplers import describe_sampler

FEWEST = 3
"""So many leaves that differ only in their index share one box."""
WIDEST = 38
"""Characters after which a line is broken."""


@frozen
class Box:
    """The text of a node, or of several leaves that differ only in their position.

    Attributes:
        title: the node's name.
        sites: what it stands for, in words.
        swaps: its samplers, a line each.
        edge: what stands at the edge to its parent, a line each.
    """

    title: str
    sites: str
    swaps: tuple[str, ...]
    children: tuple[Box, ...] = ()
    edge: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """Its text, broken into lines; the first is the title."""
        return (self.title, *textwrap.wrap(self.sites, WIDEST), *self.swaps)


def boxes(tree: Tree) -> Box:
    """The tree as boxes. Leaves that differ only in their index share a box: i is the index."""
    return evolve(_box(tree), children=tuple(_siblings(tree.children)))


def _box(node: Occurrence) -> Box:
    own = describe_sampler(node.node.sampler)
    other = () if node.is_leaf else (f"other inputs {describe_sampler(node.node.other)}",)
    return Box(node.node.name, " | ".join(map(describe_route, node.routes)), (own, *other))


def _siblings(nodes: Sequence[Occurrence]) -> Iterator[Box]:
    indices: dict[Box, list[int]] = {}
    for node in nodes:
        if (index := _index(node)) is not None:
            indices.setdefault(_with_i(node, index), []).append(index)
    shown: set[Box] = set()
    for node in nodes:
        index = _index(node)
        box = None if index is None else _with_i(node, index)
        if box is None or len(indices[box]) < FEWEST:
            yield boxes(node)
        elif box not in shown:
            shown.add(box)
            found = indices[box]
            yield evolve(box, title=f"{box.title} ({len(found)} nodes: i = {_ranges(found)})")


def _index(node: Occurrence) -> int | None:
    """The index of a leaf that stands at a single one."""
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
