"""Which routes are open where: the walk from a node's sites down the model's edges.

A value inside a node is told by its site and by the set of the children's routes that may still be
entered from it. That set is its *state*; where it is empty, the value is the plain model's. `Walk`
says, for a site in a state, what each of its ports reads: children's values, and sites or streams
in smaller states. Planner and checker both go by it.
"""

from __future__ import annotations

from functools import cached_property

from attrs import field, frozen

from scrub.model.graph import Graph, Port
from scrub.sites import ALL, At, Cell, Route
from scrub.tree import Occurrence

RouteId = tuple[int, int]
"""Number of the child among its siblings, and of the route among the child's."""


@frozen(order=True)
class Open:
    """A route that may be followed through a port of the component at hand.

    `onward` says whether it may leave the component by that port, or only end inside.
    """

    route: RouteId
    port: str
    onward: bool


State = frozenset[Open]
Routes = frozenset[RouteId]
PLAIN: State = frozenset()


@frozen(order=True)
class Claimed:
    """A child's value stands here, at these positions of the parent's frame."""

    child: int
    at: At


@frozen
class CellEdge:
    """What a port takes of a cell of its own component, or a stream of one of its writers.

    Attributes:
        open: the state of the cell, as if nothing were claimed.
        claims: the children whose values stand here instead, at some positions or all.
    """

    cell: Cell
    open: State
    claims: tuple[Claimed, ...]

    @property
    def state(self) -> State:
        """The state of what is left to compute: plain where a child's value stands everywhere."""
        return PLAIN if any(claim.at == ALL for claim in self.claims) else self.open


@frozen
class StreamEdge:
    """What a port reads of a stream: the stream with these routes open."""

    stream: str
    routes: Routes


@frozen(eq=False)
class Walk:
    """The walk below one occurrence of a node.

    Law: states hold only routes that still lead to something their child claims, so that two
    values with the same site, state and donors are one value.
    """

    graph: Graph
    node: Occurrence
    _found: dict[tuple[object, ...], bool] = field(factory=dict, init=False)
    _writers: dict[tuple[str, Routes], list[CellEdge]] = field(factory=dict, init=False)
    _entered: dict[tuple[Cell, Routes], State] = field(factory=dict, init=False)

    @cached_property
    def routes(self) -> dict[RouteId, Route]:
        return {
            (child, number): route
            for child, below in enumerate(self.node.children)
            for number, route in enumerate(below.routes)
        }

    def start(self, cell: Cell) -> State:
        """The state of one of the node's own sites: every child's route, by the ports it enters."""
        ports = self.graph.outer_ports[self.graph.sites[cell.site].group]
        return self._pruned(
            cell,
            {
                Open(route, port, True)
                for route in self.routes
                for port in ports
                if self._admits(route, port)
            },
        )

    def edges(self, cell: Cell, state: State) -> list[tuple[Port, CellEdge | StreamEdge]]:
        """What each port of a cell in a state reads."""
        return [(port, self._edge(cell, state, port)) for port in self.graph.sites[cell.site].ports]

    def writers(self, stream: str, routes: Routes) -> list[CellEdge]:
        """The writers of one stream (not of those that it continues) that differ from plain."""
        if (stream, routes) not in self._writers:
            cells = (
                cell
                for name in self.graph.streams[stream].writers
                for cell in self.graph.sites[name].cells()
            )
            edges = [CellEdge(c, self.enter(c, routes), self._claims(c, routes)) for c in cells]
            self._writers[stream, routes] = [edge for edge in edges if edge.claims or edge.open]
        return self._writers[stream, routes]

    def enter(self, cell: Cell, routes: Routes) -> State:
        """The state in which routes that come along a stream find a writer."""
        if (cell, routes) not in self._entered:
            ports = self.graph.outer_ports[self.graph.sites[cell.site].group]
            opens = {
                Open(route, port, self._passes(route, cell))
                for route in routes
                if self._may_enter(route, cell)
                for port in ports
            }
            self._entered[cell, routes] = self._pruned(cell, opens)
        return self._entered[cell, routes]

    def _may_enter(self, route: RouteId, cell: Cell) -> bool:
        """Whether a route passes a component or ends in it: a quick way to leave most of them."""
        return self.graph.sites[cell.site].group in self._groups[route] or self._passes(route, cell)

    def _passes(self, route: RouteId, cell: Cell) -> bool:
        return self.graph.passes(self.routes[route].through, cell)

    @cached_property
    def _groups(self) -> dict[RouteId, frozenset[str]]:
        """The components that each route ends in."""
        return {
            route: frozenset(self.graph.sites[cell.site].group for cell in ends.cells)
            for route, ends in self.routes.items()
        }

    def narrow(self, stream: str, routes: Routes) -> Routes:
        """The routes that still lead somewhere along a stream."""
        return frozenset(route for route in routes if self._leads_on(route, stream))

    def _admits(self, route: RouteId, port: str) -> bool:
        into = self.routes[route].into
        return into is None or port in into

    def _edge(self, cell: Cell, state: State, port: Port) -> CellEdge | StreamEdge:
        if port.source in self.graph.streams:
            onward = frozenset(o.route for o in state if o.onward and o.port == port.name)
            return StreamEdge(port.source, self.narrow(port.source, onward))
        below = Cell(port.source, cell.head)
        inside = frozenset(o for o in state if o.port in port.leads)
        entered = frozenset(
            route
            for route in {o.route for o in inside}
            if port.leads <= {o.port for o in inside if o.route == route}
        )
        return CellEdge(below, self._pruned(below, inside), self._claims(below, entered))

    def _claims(self, cell: Cell, routes: Routes) -> tuple[Claimed, ...]:
        """The children whose route ends at this cell, one entry a child."""
        positions: dict[int, list[At]] = {}
        for child, number in sorted(routes):
            route = self.routes[child, number]
            if cell in route.cells:
                positions.setdefault(child, []).append(route.at)
        return tuple(Claimed(child, _union(ats)) for child, ats in positions.items())

    def _pruned(self, cell: Cell, opens: set[Open] | State) -> State:
        ports: dict[RouteId, set[str]] = {}
        for way in opens:
            ports.setdefault(way.route, set()).add(way.port)
        return frozenset(o for o in opens if self._useful(o, frozenset(ports[o.route]), cell))

    def _useful(self, way: Open, entered: frozenset[str], cell: Cell) -> bool:
        """Whether a route that is open at a cell leads by its port to anything it claims.

        `entered` are all the ports by which the route is open there.
        """
        key = (way, entered, cell)
        if key not in self._found:
            self._found[key] = any(
                self._reaches(way, entered, cell, port)
                for port in self.graph.sites[cell.site].ports
                if way.port in port.leads
            )
        return self._found[key]

    def _reaches(self, way: Open, entered: frozenset[str], cell: Cell, port: Port) -> bool:
        if port.source in self.graph.streams:
            return way.onward and self._leads_on(way.route, port.source)
        below = Cell(port.source, cell.head)
        ends = port.leads <= entered and below in self.routes[way.route].cells
        return ends or self._useful(way, entered & port.leads, below)

    def _leads_on(self, route: RouteId, stream: str) -> bool:
        """Whether anything that the route claims writes to the stream, or feeds what does."""
        key = (route, stream)
        if key not in self._found:
            base = self.graph.streams[stream].base
            self._found[key] = (base is not None and self._leads_on(route, base)) or any(
                cell in self.routes[route].cells
                or (self._may_enter(route, cell) and bool(self.enter(cell, frozenset({route}))))
                for name in self.graph.streams[stream].writers
                for cell in self.graph.sites[name].cells()
            )
        return self._found[key]


def _union(ats: list[At]) -> At:
    if ALL in ats:
        return ALL
    specs: dict[str | int, None] = {}
    for at in ats:
        assert at != ALL
        specs |= dict.fromkeys(at)  # type: ignore[arg-type]  # At is a tuple here
    return tuple(specs)
