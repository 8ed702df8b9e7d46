"""Lower a tree to steps: follow the open paths of every node down the graph.

Positions are left open here ("all"); `scrub.plan` narrows them.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

from attrs import field, frozen

from scrub.model.graph import Graph, Port
from scrub.paths import PLAIN, CellEdge, Claimed, Routes, State, StreamEdge, Walk
from scrub.sites import ALL, At, Cell
from scrub.steps import (
    Patch,
    Piece,
    SiteRead,
    SiteStep,
    Source,
    Step,
    StreamRead,
    StreamStep,
    Variable,
)
from scrub.tree import NamePath, Occurrence

K = TypeVar("K", bound=Hashable)


@frozen(eq=False)
class Builder:
    """Collects the steps of a tree: children before parents, and within a node in graph order."""

    graph: Graph
    steps: list[Step] = field(factory=list)
    values: dict[tuple[NamePath, Cell], Source] = field(factory=dict)
    """Where the value of each node's own cells is found."""

    def node(self, node: Occurrence) -> None:
        for child in node.children:
            self.node(child)
        cells = [cell for route in node.routes for cell in route.cells]
        if node.is_leaf:
            own = Source(Variable(node.path, "own"))
            self.values.update({(node.path, cell): own for cell in cells})
        else:
            below = _Below(self, node, Walk(self.graph, node))
            starts = {cell: below.walk.start(cell) for cell in cells}
            found = below.expand(starts)
            self.values.update({(node.path, cell): found[cell, starts[cell]] for cell in cells})


@frozen(eq=False)
class _Below:
    """The steps of one internal node."""

    builder: Builder
    node: Occurrence
    walk: Walk

    @property
    def frame(self) -> Variable:
        return Variable(self.node.path, "other")

    def expand(self, starts: dict[Cell, State]) -> dict[tuple[Cell, State], Source]:
        """Make the steps for these cells; say where each cell in its state is found."""
        cells, streams = self._discover(starts)
        plain = {(cell, PLAIN): Source(self.frame) for cell in starts}
        plain |= {(cell, PLAIN): Source(self.frame) for cell, _ in cells}
        sites: dict[tuple[str, State], int] = {}
        differences: dict[tuple[str, Routes], int] = {}
        grouped: dict[tuple[str, State], list[Cell]] = {}
        for cell, state in cells:
            grouped.setdefault((cell.site, state), []).append(cell)
        order = self.builder.graph.order
        work = [(order[name], sorted(state), name, state) for name, state in grouped]
        work += [(order[name], sorted(routes), name, routes) for name, routes in streams]
        for _, _, name, state in sorted(work, key=lambda item: item[:2]):
            number = len(self.builder.steps)
            if name in self.builder.graph.streams:
                step = self._stream_step(name, state, sites, differences)
                if not step.patches and step.base is not None:  # nothing new since its base
                    differences[name, state] = step.base
                    continue
                self.builder.steps.append(step)
                differences[name, state] = number
            else:
                group = sorted(grouped[name, state])
                self.builder.steps.append(self._site_step(group, state, sites, differences))
                sites[name, state] = number
        found = {
            (cell, state): Source(self.frame, sites[cell.site, state]) for cell, state in cells
        }
        return plain | found

    def _discover(
        self, starts: dict[Cell, State]
    ) -> tuple[set[tuple[Cell, State]], set[tuple[str, Routes]]]:
        """All cells in states other than plain, and streams with open routes, below the starts."""
        cells: set[tuple[Cell, State]] = set()
        streams: set[tuple[str, Routes]] = set()
        waiting: list[tuple[Cell, State] | tuple[str, Routes]] = list(starts.items())
        while waiting:
            item = waiting.pop()
            name, opened = item
            if not opened or item in cells or item in streams:
                continue
            if isinstance(name, Cell):
                cells.add((name, opened))  # type: ignore[arg-type]  # a cell comes with its state
                for _, edge in self.walk.edges(name, opened):  # type: ignore[arg-type]
                    if isinstance(edge, CellEdge):
                        waiting.append((edge.cell, edge.state))
                    else:
                        waiting.append((edge.stream, edge.routes))
            else:
                streams.add((name, opened))  # type: ignore[arg-type]  # a stream with its routes
                for writer in self.walk.writers(name, opened):  # type: ignore[arg-type]
                    waiting.append((writer.cell, writer.state))
                base = self.builder.graph.streams[name].base
                if base is not None:
                    waiting.append((base, self.walk.narrow(base, opened)))  # type: ignore[arg-type]
        return cells, streams

    def _site_step(
        self,
        group: list[Cell],
        state: State,
        sites: dict[tuple[str, State], int],
        differences: dict[tuple[str, Routes], int],
    ) -> SiteStep:
        """One site for the heads that share a state. Each port's reads, over those heads."""
        ports = self.builder.graph.sites[group[0].site].ports
        by_port = [
            [self.walk.edges(cell, state)[i][1] for cell in group] for i in range(len(ports))
        ]
        reads = tuple(
            self._read(port, edges, sites, differences)
            for port, edges in zip(ports, by_port, strict=True)
        )
        heads = tuple(cell.head for cell in group)
        return SiteStep(self.node.path, group[0].site, heads, state, self.frame, reads)

    def _read(
        self,
        port: Port,
        edges: list[CellEdge | StreamEdge],
        sites: dict[tuple[str, State], int],
        differences: dict[tuple[str, Routes], int],
    ) -> SiteRead | StreamRead:
        first = edges[0]
        if isinstance(first, StreamEdge):  # all heads of a state read a stream with the same routes
            return StreamRead(
                port.name, first.stream, differences.get((first.stream, first.routes))
            )
        pieces: list[tuple[Source, int | None]] = []
        patches: list[tuple[Claimed, Source, int | None]] = []
        for edge in edges:
            assert isinstance(edge, CellEdge)
            base = Source(self.frame, sites.get((edge.cell.site, edge.state)))
            for claim in edge.claims:
                value = self._value(claim.child, edge.cell)
                if claim.at == ALL:
                    base = value
                else:
                    patches.append((claim, value, edge.cell.head))
            pieces.append((base, edge.cell.head))
        return SiteRead(
            port.name,
            port.source,
            port.everywhere,
            tuple(Piece(heads, source) for source, heads in _runs(pieces)),
            tuple(
                Patch(port.source, heads, at, source, Source(self.frame))
                for (at, source), heads in _runs([((c.at, s), h) for c, s, h in patches])
            ),
        )

    def _stream_step(
        self,
        stream: str,
        routes: Routes,
        sites: dict[tuple[str, State], int],
        differences: dict[tuple[str, Routes], int],
    ) -> StreamStep:
        plain = Source(self.frame)
        values: list[tuple[tuple[str, At, Source, Source], int | None]] = []
        for writer in self.walk.writers(stream, routes):
            name, head = writer.cell.site, writer.cell.head
            base = plain
            if writer.state:
                base = Source(self.frame, sites[name, writer.state])
                values.append(((name, ALL, base, plain), head))
            for claim in writer.claims:
                value = self._value(claim.child, writer.cell)
                values.append(((name, claim.at, value, base), head))
        continues = self.builder.graph.streams[stream].base
        below = None
        if continues is not None:
            below = differences.get((continues, self.walk.narrow(continues, routes)))
        patches = tuple(Patch(site, heads, *rest) for (site, *rest), heads in _runs(values))
        return StreamStep(self.node.path, stream, routes, self.frame, below, patches)

    def _value(self, child: int, cell: Cell) -> Source:
        return self.builder.values[self.node.children[child].path, cell]


def _runs(pairs: list[tuple[K, int | None]]) -> list[tuple[K, tuple[int | None, ...]]]:
    """Heads that share a key, in order of first appearance."""
    runs: dict[K, list[int | None]] = {}
    for key, head in pairs:
        runs.setdefault(key, []).append(head)
    return [(key, tuple(heads)) for key, heads in runs.items()]
