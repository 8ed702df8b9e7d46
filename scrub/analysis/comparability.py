"""Where a tree maps index to index between rows that are not alike.

At a position column a value is taken at the column's place in its own row and lands at that
column's place in its parent's row. At all positions, at a number, and along source positions, index
lands on index: the token after the second name on whatever stands there in the other row, or on a
pad. A claim may mean that. A variant of a claim that brings it in puts values where nothing in the
claim says that they belong, so that what it recovers cannot be compared.

Decided by the rows that are drawn and not by the dataset: those are the rows that are scrubbed, and
donors that agree on the template are alike in data that mixes lengths.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.hypothesis.sites import ALL, Route, Spec
from scrub.hypothesis.splits import SourcePositions
from scrub.hypothesis.tree import NamePath, Tree
from scrub.names import Cell

SOURCES = "sources"
"""Stands for source positions where other keys have a position."""
BY_SOURCE = ("pattern", "scores", "mask")
"""Sites that are indexed by source position."""

Mapped = tuple[NamePath, tuple[Cell, ...], frozenset[str] | None, Spec]
"""A place where index lands on index: the parent, the sites, the ports, and which index."""


Columns = frozenset[str]
"""Position columns that may change places."""


def misaligned(tree: Tree, draws: Draws, used: tuple[Columns, ...]) -> dict[Mapped, str]:
    """Every place where index lands on index between rows that are not alike, and how they differ.

    Rows are alike if they are as long and have the columns at the same places, but for those that
    may change places. At a number it is enough that both have a token there.

    Args:
        used: position columns that tell where things stand (see `columns_used`).
    """
    found: dict[Mapped, str] = {}
    for parent, child in _edges(tree):
        above, below = (draws.nodes[node.path].frame for node in (parent, child))
        for route in child.routes:
            for spec in _by_index(route):
                told = (
                    _on_padding(above, below, spec)
                    if isinstance(spec, int)
                    else _unlike(above, below, used)
                )
                if told:
                    key = (parent.path, route.cells, route.into, spec)
                    found[key] = f'node "{child.node.name}": {told}'
    return found


def columns_used(tree: Tree) -> tuple[Columns, ...]:
    """The position columns that a tree's paths name.

    A head reads its keys and values as a set: those that one node gives it, both at several
    columns, may change places together, as the two names do where either may come first.
    """
    found: list[Columns] = []
    for route in (route for node in tree.walk() for route in node.routes):
        names = frozenset(spec for spec in _specs(route) if isinstance(spec, str))
        found += [names] if _keys_and_values(route) else [frozenset({n}) for n in sorted(names)]
    return tuple(dict.fromkeys(found))


def _keys_and_values(route: Route) -> bool:
    """Whether the route enters every head that it enters by its keys and its values."""
    if route.into is not None:
        return {"k", "v"} <= route.into and "q" not in route.into
    read = {"k": set[Cell](), "v": set[Cell]()}
    for cell in route.cells:
        part = cell.name.part
        if part not in ("k_in", "v_in"):
            return False
        read[part[0]].add(Cell(cell.name.beside("z"), cell.head))
    return read["k"] == read["v"]


def _specs(route: Route) -> tuple[Spec, ...]:
    return () if route.at == ALL else route.at


def _edges(tree: Tree) -> Iterator[tuple[Tree, Tree]]:
    for child in tree.children:
        yield tree, child
        yield from _edges(child)


def _by_index(route: Route) -> list[Spec]:
    found: list[Spec] = [spec for spec in _specs(route) if isinstance(spec, int)]
    if route.at == ALL:
        found.append(ALL)
    parts = {cell.name.part for cell in route.cells}
    if isinstance(route.split, SourcePositions) or not parts.isdisjoint(BY_SOURCE):
        found.append(SOURCES)
    return found


def _unlike(above: Rows, below: Rows, used: tuple[Columns, ...]) -> str:
    """How the first rows that are not alike differ; "" if all are alike."""
    theirs, mine = (rows.data.lengths[rows.index] for rows in (above, below))
    differ = np.flatnonzero(theirs != mine)
    if len(differ):
        n = differ[0]
        rows = above.index[n], below.index[n]
        return f"{theirs[n]} tokens in row {rows[0]}, {mine[n]} tokens in row {rows[1]}"
    for columns in used:
        names = sorted(columns)
        if not all(name in rows.data.positions for rows in (above, below) for name in names):
            continue
        theirs, mine = (
            np.sort([rows.data.positions[name][rows.index] for name in names], axis=0)
            for rows in (above, below)
        )
        differ = np.flatnonzero((theirs != mine).any(axis=0))
        if len(differ):
            n = differ[0]
            first, second = (", ".join(map(str, places[:, n])) for places in (theirs, mine))
            said = " and ".join(names)
            return f"{said} at {first} in row {above.index[n]}, at {second} in row {below.index[n]}"
    return ""


def _on_padding(above: Rows, below: Rows, index: int) -> str:
    """The first row that has padding where the one above has a token; "" if there is none."""
    theirs, mine = (rows.data.lengths[rows.index] for rows in (above, below))
    over = np.flatnonzero((mine <= index) & (theirs > index))
    if not len(over):
        return ""
    return f"index {index} of row {below.index[over[0]]} is padding"
