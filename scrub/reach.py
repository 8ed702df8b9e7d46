"""Which cells and positions the children of a node reach, and where two children overlap."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field, frozen

from scrub.data import Dataset
from scrub.model.graph import Graph
from scrub.paths import CellEdge, RouteId, Routes, State, StreamEdge, Walk
from scrub.sites import ALL, At, Cell, Spec
from scrub.tree import Occurrence


@frozen
class Reach:
    """Positions at which a value is read: these, or (`before`) all that they attend to."""

    at: At
    before: bool = False

    def includes(self, spec: Spec, data: Dataset, *, causal: bool) -> bool:
        """Whether a named position is among them, in some row."""
        if self.at == ALL or spec in self.at or (self.before and not causal):
            return True
        mine = data.position(spec)
        theirs = [data.position(other) for other in self.at]
        return any(bool((mine <= t).any() if self.before else (mine == t).any()) for t in theirs)


@frozen
class Overlap:
    """Two siblings that claim one thing, or one whose path runs through what the other claims.

    Attributes:
        first: the child that claims the cells.
        second: the child that claims them too, or runs through them by its `route`.
    """

    first: int
    second: int
    route: int
    through: bool
    at: At
    cells: tuple[Cell, ...]


@frozen(eq=False)
class Explored:
    """What the walk below a node came upon."""

    reached: dict[RouteId, dict[Cell, set[Spec | None]]] = field(factory=dict)
    """Per route the cells that it ends at, with the positions of theirs that it reaches."""
    found: dict[tuple[int, int, int, bool, At], list[Cell]] = field(factory=dict)

    @property
    def overlaps(self) -> list[Overlap]:
        return [Overlap(*key, tuple(cells)) for key, cells in self.found.items()]


def explore(node: Occurrence, graph: Graph, data: Dataset) -> Explored:
    """Walk all open paths below a node, positions included."""
    walk = Walk(graph, node)
    explored = Explored()
    seen: set[tuple[object, ...]] = set()
    waiting: list[tuple[Cell, State, Reach]] = [
        (cell, walk.start(cell), Reach(route.at)) for route in node.routes for cell in route.cells
    ]
    while waiting:
        cell, state, reach = waiting.pop()
        if not state or (cell, state, reach) in seen:
            continue
        seen.add((cell, state, reach))
        for edge, here, routes in _edges(walk, cell, state, reach):
            _note(explored, walk, edge, here, routes, data)
            waiting.append((edge.cell, edge.open, here))
    return explored


def _edges(
    walk: Walk, cell: Cell, state: State, reach: Reach
) -> Iterator[tuple[CellEdge, Reach, Routes]]:
    """The cells that a cell reads, at which positions, and the routes that come along."""
    for port, edge in walk.edges(cell, state):
        here = Reach(reach.at, reach.before or port.everywhere)
        if isinstance(edge, StreamEdge):
            stream: str | None = edge.stream
            while stream is not None:
                for writer in walk.writers(stream, edge.routes):
                    yield writer, here, edge.routes
                stream = walk.graph.streams[stream].base
        else:
            yield edge, here, frozenset(o.route for o in state if o.port in port.leads)


def _note(
    explored: Explored, walk: Walk, edge: CellEdge, reach: Reach, routes: Routes, data: Dataset
) -> None:
    claimed = {claim.child for claim in edge.claims}
    fitting = {
        route: [
            s
            for s in _specs(walk.routes[route].at)
            if s is None or reach.includes(s, data, causal=walk.graph.causal)
        ]
        for route in routes
        if route[0] in claimed and edge.cell in walk.routes[route].cells
    }
    for route, specs in fitting.items():
        if specs:
            explored.reached.setdefault(route, {}).setdefault(edge.cell, set()).update(specs)
    ends = {route: specs for route, specs in fitting.items() if specs}
    for first, specs in ends.items():
        for second, others in ends.items():
            if first[0] < second[0] and _meet(specs, others, data):
                _overlapping(explored, walk, first, second, edge.cell, through=False)
        claimed_here = reach if specs == [None] else Reach(tuple(s for s in specs if s is not None))
        for second in {opened.route for opened in edge.open if opened.route[0] != first[0]}:
            state = frozenset(opened for opened in edge.open if opened.route == second)
            if _goes_on(walk, edge.cell, state, claimed_here, data):
                _overlapping(explored, walk, first, second, edge.cell, through=True)


def _goes_on(walk: Walk, cell: Cell, state: State, reach: Reach, data: Dataset) -> bool:
    """Whether the routes of a state come from a cell, at these positions, to what they claim."""
    seen: set[tuple[Cell, State, Reach]] = set()
    waiting = [(cell, state, reach)]
    while waiting:
        item = waiting.pop()
        if item in seen:
            continue
        seen.add(item)
        for edge, here, routes in _edges(walk, *item):
            for route in routes:
                claimed = any(claim.child == route[0] for claim in edge.claims)
                if claimed and _fits(walk.routes[route].at, here, data, causal=walk.graph.causal):
                    return True
            waiting.append((edge.cell, edge.open, here))
    return False


def _fits(at: At, reach: Reach, data: Dataset, *, causal: bool) -> bool:
    return at == ALL or any(reach.includes(spec, data, causal=causal) for spec in at)


def _overlapping(
    explored: Explored, walk: Walk, first: RouteId, second: RouteId, cell: Cell, *, through: bool
) -> None:
    at = walk.routes[first].at
    cells = explored.found.setdefault((first[0], second[0], second[1], through, at), [])
    if cell not in cells:
        cells.append(cell)


def _specs(at: At) -> list[Spec | None]:
    """Positions by name; [None] for all of them."""
    return [None] if at == ALL else [*at]


def _meet(first: list[Spec | None], second: list[Spec | None], data: Dataset) -> bool:
    """Whether two lists of positions have one in common, in some row."""
    return any(
        a is None or b is None or a == b or bool((data.position(a) == data.position(b)).any())
        for a in first
        for b in second
    )
