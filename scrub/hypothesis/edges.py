"""Sites at positions, and edges between sites: what circuits are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from attrs import evolve, frozen

from scrub.errors import UserError
from scrub.hypothesis.arguments import several
from scrub.hypothesis.positions import ALL, At, Spec, as_positions, either, where
from scrub.names import EMBED, LOGITS, POS_EMBED, PROJECTOR, TEXT_EMBED, Cell
from scrub.printing import printed

EMBEDDINGS = frozenset({EMBED, POS_EMBED, TEXT_EMBED, PROJECTOR})
"""Sites at which every path ends."""


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


def cells_once(given: Iterable[Placed]) -> tuple[Placed, ...]:
    """Each site once, at all positions that it is named with, in the order of a model."""
    ats: dict[Cell, list[At]] = {}
    for placed in given:
        ats.setdefault(placed.cell, []).append(placed.at)
    return tuple(Placed(cell, either(ats[cell])) for cell in sorted(ats, key=order))


def edges_once(given: Iterable[Edge]) -> tuple[Edge, ...]:
    """Each edge once, at all positions that it is named with; an edge into any port holds others'.

    In the order of a model: by reader, port and writer.
    """
    edges: dict[tuple[Cell, Cell, str | None], Edge] = {}
    for edge in given:
        key = edge.writer, edge.reader, edge.into
        at = either((edge.at, edges[key].at if key in edges else ()))
        edges[key] = edge if at == edge.at else evolve(edge, at=at)
    cells = sorted({cell for writer, reader, _ in edges for cell in (writer, reader)}, key=order)
    place = {cell: number for number, cell in enumerate(cells)}
    keys = sorted(edges, key=lambda key: (place[key[1]], key[2] or "", place[key[0]]))
    any_port: dict[tuple[Cell, Cell], At] = {
        (writer, reader): edges[writer, reader, into].at
        for writer, reader, into in keys
        if into is None
    }
    rest = (_rest(edges[key], any_port) for key in keys)
    return tuple(edge for edge in rest if edge.at != ())


def _rest(edge: Edge, any_port: Mapping[tuple[Cell, Cell], At]) -> Edge:
    """Of an edge into one port what the edge into any port does not say already."""
    covered = any_port.get((edge.writer, edge.reader), ()) if edge.into is not None else ()
    if covered == ALL:
        return evolve(edge, at=())
    if isinstance(edge.at, str) or not covered:
        return edge
    return evolve(edge, at=tuple(spec for spec in edge.at if spec not in covered))


def order(cell: Cell) -> tuple[Any, ...]:
    """Embeddings first and logits last, as a model computes them."""
    outside = math.inf if cell.site == LOGITS else -1
    layer = outside if cell.name.layer is None else cell.name.layer
    return layer, cell.site, cell.head is not None, cell.head or 0


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
