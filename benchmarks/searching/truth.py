"""What is true of a model whose circuit is known: its heads and edges, and all that there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import frozen

from scrub import names
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.sites import Head
from scrub.names import Cell

EMBEDDING, OUTPUT = Cell(names.EMBED), Cell(names.LOGITS)
PORTS = ("q", "k", "v")


@frozen
class Truth:
    """A circuit, among everything that a search could take for it.

    What is neither true nor false by the design (edges from position embeddings, which no
    corruption here changes; in a trained model also embeddings and MLPs) is in no set.

    Attributes:
        heads, edges: that the behaviour hangs on; edges by port, at all positions.
        every_head, every_edge: what is counted; all else that is found counts for nothing.
    """

    heads: frozenset[Head]
    edges: frozenset[Edge]
    every_head: frozenset[Head]
    every_edge: frozenset[Edge]


@frozen(eq=False)
class Known:
    """A behaviour of a model whose circuit is known.

    Attributes:
        group: what the results are reported under.
        make: gives the behaviour; models are made when they are searched.
    """

    name: str
    group: str
    make: Callable[[], tuple[Behaviour, Truth]]


def head(which: Head) -> Cell:
    """The cell of a head."""
    return Cell(names.attention_site(which[0], "z"), which[1])


def mlp(layer: int) -> Cell:
    """The cell of an MLP."""
    return Cell(names.mlp(layer))


def as_head(cell: Cell) -> Head | None:
    """The head that a cell is; None of another component."""
    layer = cell.name.layer
    return None if cell.head is None or layer is None else (layer, cell.head)


def heads_of(edges: Iterable[Edge]) -> frozenset[Head]:
    """The heads from which edges lead."""
    writers = (as_head(edge.writer) for edge in edges)
    return frozenset(one for one in writers if one is not None)


def counted_edges(edges: Iterable[Edge], writers: Callable[[Cell], bool]) -> frozenset[Edge]:
    """Those between such writers, and from them to the logits."""
    return frozenset(
        edge
        for edge in edges
        if writers(edge.writer) and (edge.reader == OUTPUT or writers(edge.reader))
    )


def is_head(cell: Cell) -> bool:
    return as_head(cell) is not None


def carries(cell: Cell) -> bool:
    """Whether what a component writes may differ in the corrupted row: not for positions."""
    return cell.site != names.POS_EMBED


Algorithm = tuple[tuple[str, str, tuple[str | None, ...]], ...]
"""Links: the role that writes, the role that reads (or "logits"), and by which ports."""


def edges_of_roles(algorithm: Algorithm, roles: Mapping[str, Any]) -> frozenset[Edge]:
    """The edges from each head of a role to each of another."""
    return frozenset(
        Edge(head(one), to, port)
        for writer, reader, ports in algorithm
        for one in roles[writer]
        for to in ([OUTPUT] if reader == "logits" else map(head, roles[reader]))
        for port in ports
    )
