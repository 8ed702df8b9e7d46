"""Circuits as sets: of sites at positions, and of edges by port and position.

"All positions" is a position of its own kind, as "any port" is a port: what both name is the
narrower of the two, and what is left of all when some are taken away cannot be said without data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import evolve

from scrub.errors import UserError
from scrub.hypothesis.edges import EMBEDDINGS, Edge, Placed, cells_once, edges_once
from scrub.hypothesis.positions import ALL, At, either, where
from scrub.names import LOGITS, Cell

Cells = tuple[Placed, ...]
Edges = tuple[Edge, ...]


def met(one: At, other: At) -> At:
    """Positions that both name; () if there are none."""
    if isinstance(one, str):
        return other
    if isinstance(other, str):
        return one
    return either([tuple(spec for spec in one if spec in other)])


def nodes_of(cells: Cells, edges: Edges) -> Cells:
    """The sites, and the ends of the edges that are none of them, with where they write.

    Embeddings are at all positions, wherever they are read. An end that leads nowhere is where its
    query or its MLP stands, or else at all positions. The logits are no node.
    """
    named = {placed.cell for placed in cells} | {Cell(LOGITS)}
    writes = [
        Placed(edge.writer, ALL if edge.writer.site in EMBEDDINGS else edge.at)
        for edge in edges
        if edge.writer not in named
    ]
    led_on = named | {placed.cell for placed in writes}
    dead_ends = [
        Placed(edge.reader, edge.at if _stands(edge) else ALL)
        for edge in edges
        if edge.reader not in led_on
    ]
    known = (placed for placed in cells if placed.cell != Cell(LOGITS))
    return cells_once([*known, *writes, *dead_ends])


def _stands(edge: Edge) -> bool:
    """Whether an edge's reader writes at the position at which it reads along it."""
    return edge.reader.head is None or edge.into == "q"


def common_cells(one: Cells, other: Cells) -> Cells:
    ats = _by_cell(other)
    found = [evolve(p, at=met(p.at, ats[p.cell])) for p in one if p.cell in ats]
    return cells_once(placed for placed in found if placed.at != ())


def cells_but(one: Cells, other: Cells) -> Cells:
    """Raises: UserError, if some of all positions are taken away."""
    ats = _by_cell(other)
    found = [evolve(p, at=_but(p.at, ats.get(p.cell, ()), str(p.cell))) for p in one]
    return cells_once(placed for placed in found if placed.at != ())


def common_edges(one: Edges, other: Edges) -> Edges:
    by_ends = _by_ends(other)
    found: list[Edge] = []
    for edge in one:
        for match in by_ends.get((edge.writer, edge.reader), ()):
            if edge.into is None or match.into is None or edge.into == match.into:
                into = match.into if edge.into is None else edge.into
                found.append(Edge(edge.writer, edge.reader, into, met(edge.at, match.at)))
    return edges_once(edge for edge in found if edge.at != ())


def edges_but(one: Edges, other: Edges) -> Edges:
    """Raises: UserError, if some of all positions, or a port of any, are taken away."""
    by_ends = _by_ends(other)
    found: list[Edge] = []
    for edge in one:
        at = edge.at
        for match in by_ends.get((edge.writer, edge.reader), ()):
            if match.into is None or match.into == edge.into:
                at = _but(at, match.at, f"{edge.writer} → {edge.reader}")
            elif edge.into is None and met(at, match.at) != ():
                raise UserError(
                    f"{edge.writer} → {edge.reader} is in the circuit by any port, and cannot be "
                    f'taken away by port "{match.into}" alone. Name the ports in the circuit: '
                    'edge(writer, reader, into=("q", "k", "v")).'
                )
        found.append(evolve(edge, at=at))
    return edges_once(edge for edge in found if edge.at != ())


def removed(cells: Cells, edges: Edges, gone: Iterable[Placed]) -> tuple[Cells, Edges]:
    """Cells and edges without some nodes, at the positions that these name.

    An edge goes with its writer where that writes, and with its reader where its query or its MLP
    stands; what a head's keys and values read goes with the whole head.

    Raises:
        UserError: a node is at all positions, and is taken away at some.
    """
    away = _by_cell(cells_once(gone))
    nodes = nodes_of(cells, edges)
    left: dict[Cell, At] = {p.cell: _but(p.at, away.get(p.cell, ()), str(p.cell)) for p in nodes}
    kept = [evolve(p, at=left[p.cell]) for p in cells if left.get(p.cell, p.at) != ()]
    return cells_once(kept), edges_once(
        edge for edge in (_edge_left(edge, left, away) for edge in edges) if edge.at != ()
    )


def _edge_left(edge: Edge, left: Mapping[Cell, At], away: Mapping[Cell, At]) -> Edge:
    if left.get(edge.reader) == ():
        return evolve(edge, at=())
    at = met(edge.at, left[edge.writer]) if edge.writer in away else edge.at
    if edge.reader in away and _stands(edge) and not isinstance(at, str):
        at = _but(at, away[edge.reader], "")
    return evolve(edge, at=at)


def _but(at: At, other: At, what: str) -> At:
    """Positions that are not among others."""
    if other == ():
        return at
    if isinstance(other, str):
        return ()
    if isinstance(at, str):
        raise UserError(
            f"{what} is in the circuit at all positions, and cannot be taken away{where(other)} "
            "alone: which positions are left depends on the data. Name its positions in the "
            "circuit, or take it away at all of them."
        )
    return tuple(spec for spec in at if spec not in other)


def _by_cell(cells: Cells) -> dict[Cell, At]:
    return {placed.cell: placed.at for placed in cells}


def _by_ends(edges: Edges) -> dict[tuple[Cell, Cell], list[Edge]]:
    found: dict[tuple[Cell, Cell], list[Edge]] = {}
    for edge in edges:
        found.setdefault((edge.writer, edge.reader), []).append(edge)
    return found


CellsOf = Callable[[Cells, Cells], Cells]
EdgesOf = Callable[[Edges, Edges], Edges]
