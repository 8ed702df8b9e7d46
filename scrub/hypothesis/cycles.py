"""Cycles among edges: no model has one."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from scrub.hypothesis.edges import Edge, order
from scrub.names import Cell


def cycle_among(edges: Iterable[Edge]) -> tuple[Cell, ...]:
    """A cycle, from its earliest site along edges to that again; () if there is none."""
    read: dict[Cell, dict[Cell, None]] = {}
    for edge in edges:
        read.setdefault(edge.reader, {})[edge.writer] = None
    try:
        TopologicalSorter(read).prepare()
    except CycleError as error:
        *cells, _ = error.args[1]  # from a writer to its reader, the first at the end again
        first = cells.index(min(cells, key=order))
        return (*cells[first:], *cells[: first + 1])
    return ()


def cycle_in_words(cells: Iterable[Cell]) -> str:
    return f"its edges run in a circle: {' → '.join(map(str, cells))}."
