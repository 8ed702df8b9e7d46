"""What plain values cost: the operations that compute them, and the bytes that keep them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from scrub.data.dataset import Rows
from scrub.engine.cost import plain_flops, value_bytes
from scrub.engine.sharing import united
from scrub.engine.wanted import (
    Pass,
    Wanted,
    forward_passes,
    masks_of,
    of_one_dataset,
)
from scrub.model.graph import Graph


@frozen
class PlainCost:
    """What it takes to fill an empty cache.

    Attributes:
        flops: operations.
        bytes: of the values that are kept.
    """

    flops: int
    bytes: int


def plain_cost(graph: Graph, wanted: Sequence[Wanted], width: int, at_once: int) -> PlainCost:
    """What the plain values that are wanted of inputs take, where none are known.

    Args:
        at_once: rows in one forward pass.
    """
    flops = 0
    for same in of_one_dataset(wanted):
        rows = united([rows for rows, _ in same])
        passes = forward_passes(graph, masks_of(same, rows), {}, at_once)
        flops += passes_flops(graph, passes, width)
    return PlainCost(flops, kept_bytes(sized(graph, wanted, width)))


def passes_flops(graph: Graph, passes: Iterable[Pass], width: int) -> int:
    """Operations of these forward passes."""
    rows: dict[tuple[frozenset[str], frozenset[str]], int] = {}
    for one in passes:
        key = one.names, one.known
        rows[key] = rows.get(key, 0) + len(one.at)
    return sum(
        count * plain_flops(graph, names, width, known) for (names, known), count in rows.items()
    )


Sized = tuple[Rows, dict[str, int]]
"""Rows, with the bytes per row of each value that is kept of them."""


def sized(graph: Graph, wanted: Iterable[Wanted], width: int) -> list[Sized]:
    """What is kept of rows, with its bytes."""
    return [
        (rows, {name: value_bytes(graph, [name], width) for name in names})
        for rows, names in wanted
    ]


def kept_bytes(kept: Sequence[Sized]) -> int:
    """Bytes of all of it."""
    return sum(len(rows) * sum(sizes.values()) for rows, sizes in kept)
