"""Circuits as values: which sites, or which edges between sites, a path may pass, and where.

A circuit says nothing of a model or of data: that they have what it names is checked when a path is
told to keep to it (`through=circuit`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from attrs import field, frozen

from scrub.errors import UserError
from scrub.hypothesis.arguments import several
from scrub.hypothesis.positions import ALL, At, Spec, as_positions, either, where
from scrub.names import LOGITS, Cell
from scrub.printing import printed

SHOWN = 6
"""Sites or edges that a circuit lists in a sentence, at most."""


@frozen(cache_hash=True)
class Placed:
    """A site at some positions, or at all."""

    cell: Cell
    at: At = ALL

    def __str__(self) -> str:
        return f"{self.cell}{where(self.at)}"


@frozen(cache_hash=True)
class Edge:
    """What one site writes to the residual stream and another reads from it, at some positions.

    Attributes:
        writer: what is written: a head, an MLP, an embedding.
        reader: what reads it: a head, an MLP, the logits.
        into: the port by which it is read; None: any.
        at: where it is written and read, which is one position of the stream. A head looks with
            its query where it stands and reads keys and values elsewhere: into k and v the
            positions are those that it looks at.
    """

    writer: Cell
    reader: Cell
    into: str | None = None
    at: At = ALL

    def __str__(self) -> str:
        into = "" if self.into is None else f" into {self.into}"
        return f"{self.writer} → {self.reader}{into}{where(self.at)}"


def _cells_once(given: Iterable[Placed]) -> tuple[Placed, ...]:
    ats: dict[Cell, list[At]] = {}
    for placed in given:
        ats.setdefault(placed.cell, []).append(placed.at)
    return tuple(Placed(cell, either(ats[cell])) for cell in sorted(ats, key=_order))


def _edges_once(given: Iterable[Edge]) -> tuple[Edge, ...]:
    ats: dict[tuple[Cell, Cell, str | None], list[At]] = {}
    for edge in given:
        ats.setdefault((edge.writer, edge.reader, edge.into), []).append(edge.at)
    keys = sorted(ats, key=lambda key: (_order(key[1]), key[2] or "", _order(key[0])))
    return tuple(Edge(*key, either(ats[key])) for key in keys)


def _order(cell: Cell) -> tuple[Any, ...]:
    """Embeddings first and logits last, as a model computes them."""
    outside = math.inf if cell.site == LOGITS else -1
    layer = outside if cell.name.layer is None else cell.name.layer
    return layer, cell.site, cell.head is not None, cell.head or 0


@frozen(cache_hash=True)
class Circuit:
    """Sites, or edges between sites, at positions: what a path may pass, given as `through=`.

    `Circuit.of(heads([(9, 9)], at="end"), mlp(0))` is a circuit of sites: a path that keeps to it
    may pass these, at these positions, by all their ports.
    `Circuit.of_edges(edge(heads([(5, 5)]), heads([(9, 9)]), into="q", at="end"), …)` is a circuit
    of edges: a path goes from a reader to a writer by no other way, neither on its way nor to
    where it ends.

    Law: the order in which things are named, and how often, makes no difference.

    Attributes:
        cells: of a circuit of sites, each with its positions.
        edges: of a circuit of edges.
    """

    cells: tuple[Placed, ...] = field(default=(), converter=_cells_once)
    edges: tuple[Edge, ...] = field(default=(), converter=_edges_once)

    @classmethod
    def of(cls, *sites: Routed) -> Circuit:
        """The circuit of these sites, at the positions that they name.

        Raises:
            UserError: there are none; or what is given are no sites, or paths to sites.
        """
        if not sites:
            raise UserError(
                "Circuit.of() names no site. Give some: Circuit.of(heads(…), mlp(…)); where a path "
                "may pass nothing, write through=none."
            )
        placed = (cell for group in sites for cell in placed_cells(group, "Circuit.of(…)"))
        return cls(cells=tuple(placed))

    @classmethod
    def of_edges(cls, *edges: tuple[Edge, ...]) -> Circuit:
        """The circuit of these edges, each made by `edge(…)`.

        Raises:
            UserError: there are none, or what is given are no edges.
        """
        if not edges:
            raise UserError(
                "Circuit.of_edges() names no edge. Give some: "
                "Circuit.of_edges(edge(mlp(0), heads([(1, 0)])), …)."
            )
        found: list[Edge] = []
        for given in edges:
            if not isinstance(given, tuple) or not all(isinstance(one, Edge) for one in given):
                raise UserError(
                    f"Circuit.of_edges(…) takes edges, and was given a {type(given).__name__}. "
                    "Write edge(writer, reader)."
                )
            found += given
        return cls(edges=tuple(found))

    def __str__(self) -> str:
        every = [str(one) for one in (*self.cells, *self.edges)]
        more = [f"{len(every) - SHOWN + 1:,} more"] if len(every) > SHOWN else []
        return f"Circuit({', '.join(every[: SHOWN - len(more)] + more)})"


class Routed(Protocol):
    """Sites, with the paths to them."""

    @property
    def routes(self) -> tuple[Any, ...]: ...


def edge(
    writer: Routed,
    reader: Routed,
    into: str | Sequence[str] | None = None,
    at: Spec | Sequence[Spec] = ALL,
) -> tuple[Edge, ...]:
    """The edges from each of some sites to each of others.

    Args:
        writer: heads(…), mlp(…), embeddings(…), or a site that is written to the stream.
        reader: heads(…), mlp(…), output(), or a site that reads it.
        into: the ports of the reader, of a head "q", "k", "v" or several; default any.
        at: the positions at which it is written and read; default all.

    Raises:
        UserError: what is given are no sites; or they name positions or a path themselves.
    """
    ports: tuple[str | None, ...] = (None,)
    if into is not None:
        ports = several(into)
        for port in ports:
            if not isinstance(port, str):
                raise UserError(
                    f"edge: into={printed(into)}: {printed(port)} is no port. Give the name of "
                    'one, such as "q", or several.'
                )
        if not ports:
            raise UserError(
                "edge: into= names no port. Give one or several, or leave it out for any."
            )
    positions = as_positions(at)
    ends: list[list[Cell]] = []
    for sites in (writer, reader):
        placed = placed_cells(sites, "edge(…)")
        if any(one.at != ALL for one in placed):
            raise UserError(
                "edge(…): an edge has its positions by itself. Write edge(writer, reader, at=…)."
            )
        ends.append([one.cell for one in placed])
    return tuple(
        Edge(start, end, port, positions) for start in ends[0] for end in ends[1] for port in ports
    )


def placed_cells(sites: Any, taker: str) -> list[Placed]:
    """Sites that a user gave to a circuit, with their positions.

    Raises:
        UserError: what is given are no sites, or paths to sites, or summands.
    """
    routes = getattr(sites, "routes", None)
    if not isinstance(routes, tuple):
        raise UserError(
            f"{taker} takes sites, and was given a {type(sites).__name__}. "
            "Give sites: heads(…), mlp(…), embeddings(…), output(…)."
        )
    for route in routes:
        if route.into is not None or str(route.through) != "none" or route.split is not None:
            raise UserError(
                f"{taker} takes sites, and neither paths to them nor summands. "
                "Leave out into=, through= and summand(…)."
            )
    return [Placed(cell, route.at) for route in routes for cell in route.cells]
