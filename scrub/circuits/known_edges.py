"""The edges of a circuit in a model: those that it names, or all that lie between its sites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from attrs import frozen

from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.positions import ALL, At
from scrub.model.graph import Component, Graph
from scrub.names import Cell

ROOT_CELL = Cell("")
"""Stands for the sites of the root, whatever they are."""


@frozen
class Read:
    """What one component reads of another.

    Attributes:
        writer: what the component writes by.
        reader: what it writes by in turn; `ROOT_CELL`: the root.
        port: by which it is read; None: the reader has but one.
        at: where it is written.
        directly: whether it is an edge; else it comes by MLPs alone, which run freely.
    """

    writer: Cell
    reader: Cell
    port: str | None
    at: At
    directly: bool = True


@frozen(eq=False)
class Components:
    """The components of a model, each by the site that it writes to the stream.

    Attributes:
        root: the sites whose value a metric reads.
    """

    graph: Graph
    root: tuple[Cell, ...]

    @cached_property
    def written_by(self) -> dict[Component, Cell]:
        """In the order of the model."""
        order = self.graph.order
        cells = {cell for cells in self.graph.writing.values() for cell in cells}
        ordered = sorted(cells, key=lambda cell: (order[cell.site], cell.head or 0))
        return {self.graph.component(cell): cell for cell in ordered}

    @cached_property
    def of_root(self) -> frozenset[Component]:
        return frozenset(map(self.graph.component, self.root))

    @cached_property
    def embeddings(self) -> tuple[Cell, ...]:
        """What the model reads of the input."""
        return tuple(c for c in self.written_by.values() if self.kind(c) == "embedding")

    def kind(self, cell: Cell) -> str:
        return self.graph.sites[cell.site].kind

    def ports(self, reader: Cell) -> tuple[str, ...]:
        """The ports by which it reads streams, in the model's order."""
        cells = self.root if reader == ROOT_CELL else (reader,)
        return tuple(dict.fromkeys(port for cell in cells for port in self.ports_of(cell)))

    def ports_of(self, cell: Cell) -> tuple[str, ...]:
        """The ports by which a site reads streams: of a head q, k, v."""
        return tuple(sorted(self.graph.streams_below[cell.site], key=by_port))

    def written_into(self, reader: Cell, port: str) -> frozenset[Component]:
        """The components that a port of a reader reads directly."""
        cells = self.root if reader == ROOT_CELL else (reader,)
        streams = (s for c in cells for s in self.graph.streams_below[c.site].get(port, ()))
        return frozenset().union(*(self.graph.written[stream] for stream in streams))

    def come_before(self, writer: Cell, reader: Cell) -> bool:
        cells = self.root if reader == ROOT_CELL else (reader,)
        order = self.graph.order
        return all(order[writer.site] < order[cell.site] for cell in cells)

    def writer_of(self, cell: Cell) -> Cell:
        """What a circuit's site writes to the stream, whichever part of its component it names."""
        return self.written_by.get(self.graph.component(cell), cell)

    def reader_of(self, cell: Cell) -> Cell:
        if self.graph.component(cell) in self.of_root:
            return ROOT_CELL
        return self.writer_of(cell)


def by_port(port: str | None) -> tuple[int, str]:
    """Queries before keys before values."""
    return "qkv".find(port or " "), port or ""


def known_edges(circuit: Circuit, components: Components) -> tuple[Read, ...]:
    """The edges of a circuit into its sites and into the root, each once.

    Of a circuit without edges: from each site to each that comes after it, at the positions at
    which it writes; whether a path leads there is not asked yet. MLPs that run freely are no part
    of this. Where they run beside known edges, the embeddings reach every port by them.
    """
    free = "mlps" in circuit.free
    given = _given if circuit.edges else _between
    ats: dict[tuple[Cell, Cell, str | None], At] = {}
    for read in given(circuit, components):
        if not (free and "mlp" in (_kind(read.writer, components), _kind(read.reader, components))):
            key = (read.writer, read.reader, read.port)
            ats[key] = _either(ats.get(key, ()), read.at)
    found = [Read(*key, at) for key, at in ats.items()]
    if free and circuit.edges:
        found += _by_mlps(found, circuit, components)
    return tuple(found)


def _by_mlps(direct: Sequence[Read], circuit: Circuit, components: Components) -> Iterator[Read]:
    """What comes from the embeddings by no edge of a circuit, but by MLPs."""
    known = {(r.reader, r.port) for r in direct if _kind(r.writer, components) == "embedding"}
    nodes = (components.reader_of(placed.cell) for placed in circuit.nodes)
    for reader in dict.fromkeys((ROOT_CELL, *nodes)):
        if _kind(reader, components) in ("embedding", "mlp"):
            continue
        ports = components.ports(reader)
        for port in ports:
            if (reader, _said(port, ports)) not in known:
                for writer in components.embeddings:
                    yield Read(writer, reader, _said(port, ports), ALL, directly=False)


def _kind(cell: Cell, components: Components) -> str:
    return "root" if cell == ROOT_CELL else components.kind(cell)


def _either(one: At, other: At) -> At:
    if isinstance(one, str) or isinstance(other, str):
        return ALL
    return tuple(dict.fromkeys((*one, *other)))


def _given(circuit: Circuit, components: Components) -> Iterator[Read]:
    graph = components.graph
    for edge in circuit.edges:
        writer, reader = components.writer_of(edge.writer), components.reader_of(edge.reader)
        ports = components.ports(reader)
        for port in ports if edge.into is None else (edge.into,):
            if graph.component(writer) in components.written_into(reader, port):
                yield Read(writer, reader, _said(port, ports), edge.at)


def _between(circuit: Circuit, components: Components) -> Iterator[Read]:
    placed: dict[Cell, At] = {}
    for one in circuit.cells:
        cell = components.writer_of(one.cell)
        if components.kind(cell) != "embedding":
            placed[cell] = one.at if cell not in placed else _either(placed[cell], one.at)
    writers: dict[Cell, At] = dict.fromkeys(components.embeddings, ALL)
    writers |= placed
    inside = [cell for cell in placed if components.graph.component(cell) not in components.of_root]
    for reader in (ROOT_CELL, *inside):
        ports = components.ports(reader)
        for port in ports:
            for writer, at in writers.items():
                if components.come_before(writer, reader):
                    yield Read(writer, reader, _said(port, ports), at)


def _said(port: str, ports: Sequence[str]) -> str | None:
    return port if len(ports) > 1 else None
