"""What pruning takes out of a circuit: nodes, positions of nodes, ports, and edges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
from attrs import evolve, frozen

from scrub.circuits.edges import KINDS, all_edges
from scrub.circuits.kept import Kept, keeping
from scrub.data.dataset import Dataset
from scrub.hypothesis.circuit import Circuit, Edge, Placed
from scrub.hypothesis.positions import ALL, At, Spec, where
from scrub.hypothesis.sites import Sites
from scrub.model.graph import Graph
from scrub.model.registry import Model
from scrub.names import Cell
from scrub.searches.greedy import Part

EVERYWHERE = ("k", "v")
"""Ports of a head by which it reads other positions than its own."""


def ends(root: Sites, graph: Graph) -> frozenset[Cell]:
    """What reads a circuit at last: the logits, or the heads or MLPs that the metric reads."""
    read = {graph.component(cell) for route in root.routes for cell in route.cells}
    readers = {one.reader for one in all_edges(graph)}
    return frozenset(reader for reader in readers if graph.component(reader) in read)


def whole(root: Sites, graph: Graph) -> tuple[Edge, ...]:
    """All edges of a model that a path from the embeddings to the root can take."""
    return on_paths(all_edges(graph), ends(root, graph), graph)


def nodes(edges: Sequence[Edge], graph: Graph, kind: str) -> tuple[Cell, ...]:
    """The writers of one kind ("heads", "mlps"), in the model's order."""
    writers = {one.writer for one in edges}
    mine = (cell for cell in writers if graph.sites[cell.site].kind == KINDS[kind])
    return tuple(sorted(mine, key=lambda cell: (graph.order[cell.site], cell.head or 0)))


@frozen(eq=False)
class Anatomy:
    """What a path from a behaviour's root to the embeddings can take in a model.

    Attributes:
        edges: all of them.
        last: what reads the circuit at last: the logits, or what the metric reads.
    """

    model: Model
    edges: tuple[Edge, ...]
    last: frozenset[Cell]

    @staticmethod
    def of(root: Sites, model: Model) -> Anatomy:
        graph = model.graph
        return Anatomy(model, whole(root, graph), ends(root, graph))

    def nodes(self, kind: str) -> tuple[Cell, ...]:
        """The heads or the MLPs that write to some path, in the model's order."""
        return nodes(self.edges, self.model.graph, kind)

    def alive(self, circuit: Circuit) -> tuple[Edge, ...]:
        """The edges of a circuit of edges that lie on paths, those of what is free among them."""
        edges = circuit.on(self.model).edges if circuit.edges else ()
        if circuit.free and not circuit.edges:
            mlps = frozenset(self.nodes("mlps"))
            named = Circuit(cells=(*circuit.cells, *map(Placed, mlps)))
            between = with_edges(named, self, None).edges
            edges = tuple(one for one in between if one.writer in mlps or one.reader in mlps)
        return on_paths(edges, self.last, self.model.graph)


def node_part(cell: Cell, stage: str) -> Part:
    """A node with all that it writes."""

    def without(circuit: Circuit) -> Circuit:
        left = tuple(one for one in circuit.cells if one.cell != cell)
        return circuit if len(left) == len(circuit.cells) else evolve(circuit, cells=left)

    return Part(str(cell), stage, without)


def position_parts(placed: Placed, columns: Sequence[Spec]) -> list[Part]:
    """What a node writes beside the columns, and what it writes at each of them."""
    cell = placed.cell
    found = []
    if placed.at == ALL and columns:

        def at_columns(at: At) -> At:
            return tuple(columns) if at == ALL else at

        found.append(_placing(cell, f"{cell} at other positions", at_columns))
    for column in columns if placed.at == ALL else placed.at:
        found.append(_placing(cell, f"{cell}{where((column,))}", _but(column)))
    return found


def _but(column: Spec) -> Callable[[At], At]:
    def but(at: At) -> At:
        return at if at == ALL else tuple(one for one in at if one != column)

    return but


def _placing(cell: Cell, name: str, changed: Callable[[At], At]) -> Part:
    """The part of a node at some of its positions. A node that is nowhere is no node."""

    def without(circuit: Circuit) -> Circuit:
        cells = [
            evolve(one, at=changed(one.at)) if one.cell == cell else one for one in circuit.cells
        ]
        left = tuple(one for one in cells if one.at)
        return circuit if left == circuit.cells else evolve(circuit, cells=left)

    return Part(name, "positions", without)


def with_edges(circuit: Circuit, anatomy: Anatomy, data: Dataset | None) -> Circuit:
    """A circuit of nodes as one of all edges among them, and from the embeddings.

    Law: alone it does what the circuit of nodes does.

    An edge is where its writer is in the circuit; into what reads where it stands, it is left out
    where the reader is at none of these positions in any row of the data.
    """
    ats: dict[Cell, At] = {one.cell: one.at for one in circuit.cells}
    sites, found = anatomy.model.graph.sites, []
    for edge in anatomy.edges:
        embedded = sites[edge.writer.site].kind == "embedding"
        written = ALL if embedded else ats.get(edge.writer, ())
        read = ALL if edge.reader in anatomy.last else ats.get(edge.reader, ())
        at = written if read and edge.into in EVERYWHERE else meeting(written, read, data)
        if at and read:
            found.append(evolve(edge, at=at))
    return evolve(circuit, edges=tuple(found))


def meeting(written: At, read: At, data: Dataset | None) -> At:
    """Positions of the first that are one of the second in some row."""
    if written == ALL or read == ALL or data is None:
        return read if written == ALL else written
    return tuple(one for one in written if any(_meet(one, other, data) for other in read))


def _meet(one: Spec, other: Spec, data: Dataset) -> bool:
    if one == other:
        return True
    indices = [
        data.position(spec) if isinstance(spec, str) else np.asarray(spec) for spec in (one, other)
    ]
    return bool(np.any(indices[0] == indices[1]))


def kept_of(circuit: Circuit, anatomy: Anatomy) -> Kept:
    """How a circuit of edges is measured: by those that a path takes; without any as nothing."""
    alive = anatomy.alive(circuit)
    if alive == circuit.edges and not circuit.cells:
        return keeping(circuit, anatomy.model) if alive else None
    return keeping(Circuit(edges=alive), anatomy.model) if alive else None


def port_parts(circuit: Circuit) -> list[Part]:
    """Of each head each port with all that it reads, of what has several ports."""
    ports: dict[Cell, dict[str, None]] = {}
    for edge in circuit.edges:
        if edge.into is not None:
            ports.setdefault(edge.reader, {})[edge.into] = None
    return [
        edges_part(
            f"all into {port} of {reader}",
            "ports",
            [one for one in circuit.edges if (one.reader, one.into) == (reader, port)],
        )
        for reader, several in ports.items()
        for port in several
    ]


def edge_parts(circuit: Circuit) -> list[Part]:
    """Each edge by itself, in the order of the circuit."""
    return [edges_part(edge_name(one), "edges", [one]) for one in circuit.edges]


def edge_name(edge: Edge) -> str:
    """ "head 2.1 → head 3.0 into q": an edge at whatever positions."""
    return str(evolve(edge, at=ALL))


def edges_part(name: str, stage: str, edges: Sequence[Edge]) -> Part:
    gone = {(one.writer, one.reader, one.into) for one in edges}

    def without(circuit: Circuit) -> Circuit:
        left = tuple(one for one in circuit.edges if (one.writer, one.reader, one.into) not in gone)
        return circuit if len(left) == len(circuit.edges) else evolve(circuit, edges=left)

    return Part(name, stage, without)


def on_paths(edges: Sequence[Edge], last: Collection[Cell], graph: Graph) -> tuple[Edge, ...]:
    """The edges that lie on a path from the embeddings to one of the last readers.

    Law: the others change nothing: a path that is measured begins at the embeddings.
    """
    starts = {name for name, site in graph.sites.items() if site.kind == "embedding"}
    steps = {(one.writer, one.reader) for one in edges}
    ahead = _reached(steps, {writer for writer, _ in steps if writer.site in starts})
    turned = {(reader, writer) for writer, reader in steps}
    back = _reached(turned, {reader for _, reader in steps if reader in last})
    return tuple(one for one in edges if one.writer in ahead and one.reader in back)


def _reached(steps: Collection[tuple[Cell, Cell]], starts: set[Cell]) -> set[Cell]:
    below: dict[Cell, list[Cell]] = {}
    for start, end in steps:
        below.setdefault(start, []).append(end)
    found, waiting = set(starts), list(starts)
    while waiting:
        for cell in below.get(waiting.pop(), ()):
            if cell not in found:
                found.add(cell)
                waiting.append(cell)
    return found


def trimmed(circuit: Circuit, anatomy: Anatomy) -> Circuit:
    """A circuit of edges without those that no path takes, and without nodes that none passes."""
    alive = anatomy.alive(circuit)
    there = {cell for one in alive for cell in (one.writer, one.reader)}
    keys = {(one.writer, one.reader, one.into) for one in alive}
    return evolve(
        circuit,
        cells=tuple(one for one in circuit.cells if one.cell in there),
        edges=tuple(one for one in circuit.edges if (one.writer, one.reader, one.into) in keys),
    )
