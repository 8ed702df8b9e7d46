"""Lower a tree to steps: follow the open paths of every node down the graph.

Positions are left open here ("all"); `scrub.engine.narrow` narrows them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TypeVar

from attrs import field, frozen

from scrub.engine.passing import Specs
from scrub.engine.routing import Walk
from scrub.engine.states import CellEdge, Routes, State, StreamEdge
from scrub.engine.steps import (
    Patch,
    Piece,
    Result,
    SiteRead,
    SiteStep,
    Source,
    Step,
    StreamRead,
    StreamStep,
    Variable,
)
from scrub.engine.walks import Walks
from scrub.hypothesis.sites import ALL, At
from scrub.hypothesis.tree import NamePath, Occurrence, Tree
from scrub.model.graph import Graph, Port
from scrub.names import Cell

K = TypeVar("K", bound=Hashable)

Change = tuple[str, At, Source, Source, tuple[Specs, ...], tuple[Specs, ...]]
"""What a patch of a stream says, but for the heads."""


def lower(tree: Tree, graph: Graph, walks: Walks | None = None) -> tuple[tuple[Step, ...], Result]:
    """The steps that compute a tree, in an order in which each reads only those before it, and
    where the root's value is found.

    Args:
        walks: of several trees, of which this is one; None: of this one alone.

    Law: one step per node, site and state: a value is computed once, by however many paths it is
    reached.
    """
    builder = Builder(graph, walks or Walks.below([tree], graph))
    builder.node(tree)
    (route,) = tree.routes
    cells = tuple((cell, builder.values[tree.path, cell]) for cell in route.cells)
    return tuple(builder.steps), Result(route.at, cells)


@frozen(eq=False)
class Builder:
    """Collects the steps of a tree: children before parents, and within a node in graph order."""

    graph: Graph
    walks: Walks
    steps: list[Step] = field(factory=list)
    values: dict[tuple[NamePath, Cell], Source] = field(factory=dict)
    """Where the value of each node's own cells is found."""

    def node(self, node: Occurrence) -> None:
        """Append the steps of an occurrence, those of all below it first."""
        for below in node.upwards():
            self._node(below)

    def _node(self, node: Occurrence) -> None:
        cells = [cell for route in node.routes for cell in route.cells]
        if node.is_leaf:
            own = Source(Variable(node.path, "own"))
            self.values.update({(node.path, cell): own for cell in cells})
        else:
            plain = Source(Variable(node.path, "other"))
            found = _Below(self, node, self.walks.walks[node.path], plain).expand(cells)
            self.values.update({(node.path, cell): source for cell, source in found.items()})


@frozen(eq=False)
class _Below:
    """The steps of one internal node: what its own cells read, all the way down."""

    builder: Builder
    node: Occurrence
    walk: Walk
    plain: Source
    cells: dict[str, dict[State, set[Cell]]] = field(factory=dict)
    """By site and state, the heads whose value scrubbing changes."""
    streams: dict[str, set[Routes]] = field(factory=dict)
    """By stream, the sets of routes that are open along it."""
    sites: dict[tuple[str, State], int] = field(factory=dict)
    """The step that computes a site in a state."""
    differences: dict[tuple[str, Routes], int] = field(factory=dict)
    """The step that computes how a stream with these routes differs from plain."""

    def expand(self, cells: list[Cell]) -> dict[Cell, Source]:
        """Make the steps for these cells of the node; say where each is found."""
        starts = {cell: self.builder.walks.start(self.node, cell) for cell in cells}
        for cell, state in starts.items():
            self._visit(cell, state)
        order = self.builder.graph.order  # of reading, whatever order we came by
        for name in sorted({*self.streams, *self.cells}, key=order.__getitem__):
            for routes in sorted(self.streams.get(name, ()), key=sorted):
                self._add_stream(name, routes)
            for state in sorted(self.cells.get(name, ()), key=sorted):
                self.sites[name, state] = len(self.builder.steps)
                self.builder.steps.append(self._site_step(name, state))
        return {cell: self._source(cell, state) for cell, state in starts.items()}

    def _visit(self, cell: Cell, state: State) -> None:
        """Note a cell in a state other than plain, and all such that it reads."""
        waiting = [(cell, state)]
        while waiting:
            cell, state = waiting.pop()
            if not state or cell in self.cells.setdefault(cell.site, {}).setdefault(state, set()):
                continue
            self.cells[cell.site][state].add(cell)
            for _, edge in self.walk.edges(cell, state):
                if isinstance(edge, CellEdge):
                    waiting.append((edge.cell, edge.state))
                else:
                    waiting += self._writing(edge.stream, edge.routes)

    def _writing(self, stream: str | None, routes: Routes) -> Iterator[tuple[Cell, State]]:
        """Note a stream and those that it continues; give what writes to those that are new."""
        while stream is not None and routes:
            known = self.streams.setdefault(stream, set())
            if routes in known:
                return
            known.add(routes)
            for writer in self.walk.writers(stream, routes):
                yield writer.cell, writer.state
                yield from ((writer.cell, part.state) for part in writer.parts)
            stream = self.builder.graph.streams[stream].base
            routes = routes if stream is None else self.walk.narrow(stream, routes)

    def _source(self, cell: Cell, state: State) -> Source:
        return Source(self.plain.frame, self.sites[cell.site, state]) if state else self.plain

    def _value(self, child: int, cell: Cell) -> Source:
        joined = self.builder.walks.joined[self.node.path]
        return self.builder.values[joined.children[child].path, cell]

    def _site_step(self, site: str, state: State) -> SiteStep:
        """One site, for the heads that share a state."""
        cells = sorted(self.cells[site][state])
        edges = zip(*(self.walk.edges(cell, state) for cell in cells), strict=True)
        reads = tuple(self._read(port[0][0], [edge for _, edge in port]) for port in edges)
        heads = tuple(cell.head for cell in cells)
        return SiteStep(self.node.path, site, heads, state, self.plain.frame, reads)

    def _read(self, port: Port, edges: list[CellEdge | StreamEdge]) -> SiteRead | StreamRead:
        """What one port reads, over the heads of a step."""
        pieces: list[tuple[Source, int | None]] = []
        patches: list[tuple[tuple[At, Source], int | None]] = []
        for edge in edges:
            if isinstance(edge, StreamEdge):  # the same for all heads of a state
                difference = self.differences.get((edge.stream, edge.routes))
                return StreamRead(port.name, edge.stream, difference)
            base = self._source(edge.cell, edge.state)
            for claim in edge.claims:
                value = self._value(claim.child, edge.cell)
                if claim.at == ALL:
                    base = value
                else:
                    patches.append(((claim.at, value), edge.cell.head))
            pieces.append((base, edge.cell.head))
        return SiteRead(
            port.name,
            port.source,
            port.everywhere,
            tuple(Piece(heads, source) for source, heads in _runs(pieces)),
            tuple(
                Patch(port.source, heads, at, source, self.plain)
                for (at, source), heads in _runs(patches)
            ),
        )

    def _changes(self, writer: CellEdge, base: Source) -> Iterator[Change]:
        """What a writer changes at positions at which other routes may pass."""
        name = writer.cell.site
        for part in writer.parts:
            region = part.region
            if not part.claims:
                source = self._source(writer.cell, part.state)
                if source != base:
                    yield name, region.at, source, base, region.within, region.without
            for claim in part.claims:
                value = self._value(claim.child, writer.cell)
                if claim.at != ALL or value != base:
                    within = tuple(s for s in (region.at, *region.within) if s != claim.at)
                    yield name, claim.at, value, base, within, region.without

    def _add_stream(self, stream: str, routes: Routes) -> None:
        """The step of a stream; none where it takes nothing new since the stream it continues."""
        values: list[tuple[Change, int | None]] = []
        for writer in self.walk.writers(stream, routes):
            name, head = writer.cell.site, writer.cell.head
            base = self._source(writer.cell, writer.state)
            if writer.state:
                values.append(((name, ALL, base, self.plain, (), ()), head))
            for claim in writer.claims:
                value = self._value(claim.child, writer.cell)
                values.append(((name, claim.at, value, base, (), ()), head))
                if claim.at == ALL:
                    base = value
            values += ((change, head) for change in self._changes(writer, base))
        continues = self.builder.graph.streams[stream].base
        below = None
        if continues is not None:
            below = self.differences.get((continues, self.walk.narrow(continues, routes)))
        if not values:
            if below is not None:
                self.differences[stream, routes] = below
            return
        patches = tuple(
            Patch(name, heads, at, value, base, within, without)
            for (name, at, value, base, within, without), heads in _runs(values)
        )
        self.differences[stream, routes] = len(self.builder.steps)
        self.builder.steps.append(
            StreamStep(self.node.path, stream, routes, self.plain.frame, below, patches)
        )


def _runs(pairs: list[tuple[K, int | None]]) -> list[tuple[K, tuple[int | None, ...]]]:
    """Heads that share a key, in order of first appearance."""
    runs: dict[K, list[int | None]] = {}
    for key, head in pairs:
        runs.setdefault(key, []).append(head)
    return [(key, tuple(heads)) for key, heads in runs.items()]
