"""Which routes are open where: the walk from a node's sites down the model's edges.

A value inside a node is told by its site and by the set of the children's routes that may still be
entered from it. That set is its *state*; where it is empty, the value is the plain model's. `Walk`
says, for a site in a state, what each of its ports reads: children's values, and sites or streams
in smaller states. Planner and checker both go by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from functools import cached_property

from attrs import field, frozen

from scrub.hypothesis.sites import (
    ALL,
    At,
    Route,
    Through,
)
from scrub.hypothesis.tree import Occurrence
from scrub.model.graph import Component, Graph, Port
from scrub.names import Cell

RouteId = tuple[int, int]
"""Number of the child among its siblings, and of the route among the child's."""


@frozen(order=True, cache_hash=True)
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
    _entering: dict[Component, Routes] = field(factory=dict, init=False)
    _passing: dict[Component, dict[Through, bool]] = field(factory=dict, init=False)
    _leading: dict[str, Routes] = field(factory=dict, init=False)
    _before: dict[Cell, Container[RouteId]] = field(factory=dict, init=False)
    _by_port: dict[State, dict[str, list[Open]]] = field(factory=dict, init=False)

    @cached_property
    def routes(self) -> dict[RouteId, Route]:
        return {
            (child, number): route
            for child, below in enumerate(self.node.children)
            for number, route in enumerate(below.routes)
        }

    def start(self, cell: Cell) -> State:
        """The state of one of the node's own sites: every child's route, by the ports it enters."""
        return self._pruned(
            cell,
            {
                Open(route, port, True)
                for port in self.graph.outer_ports[self.graph.sites[cell.site].group]
                for route in self._leave_by(cell, port)
                if self._admits(route, port)
            },
        )

    def edges(self, cell: Cell, state: State) -> list[tuple[Port, CellEdge | StreamEdge]]:
        """What each port of a cell in a state reads."""
        if state not in self._by_port:
            by_port = self._by_port.setdefault(state, {})
            for way in state:
                by_port.setdefault(way.port, []).append(way)
        ways = self._by_port[state]
        return [(port, self._edge(cell, ways, port)) for port in self.graph.sites[cell.site].ports]

    def writers(self, stream: str, routes: Routes) -> list[CellEdge]:
        """The writers of one stream (not of those that it continues) that differ from plain."""
        if (stream, routes) not in self._writers:
            cells = self.graph.writing[stream] if routes else ()
            entered = (cell for cell in cells if not routes.isdisjoint(self.entering(cell)))
            edges = [CellEdge(c, self.enter(c, routes), self._claims(c, routes)) for c in entered]
            self._writers[stream, routes] = [edge for edge in edges if edge.claims or edge.open]
        return self._writers[stream, routes]

    def enter(self, cell: Cell, routes: Routes) -> State:
        """The state in which routes that come along a stream find a writer."""
        if (cell, routes) not in self._entered:
            here = routes & self.entering(cell)
            passing = {route for route in here if self._may_pass(route, cell)}
            opens = {
                Open(route, port, route in passing)
                for port in self.graph.outer_ports[self.graph.sites[cell.site].group]
                for route in here & self._leave_by(cell, port)
            }
            self._entered[cell, routes] = self._pruned(cell, opens)
        return self._entered[cell, routes]

    def entering(self, cell: Cell) -> Routes:
        """The routes that pass a component or end in it."""
        component = self.graph.component(cell)
        if component not in self._entering:
            passing = (
                routes
                for through, routes in self._by_through.items()
                if self._may_pass(routes[0], cell)
            )
            ending = self._ending.get(component[0], ())
            self._entering[component] = frozenset(ending).union(*passing)
        return self._entering[component]

    def _leave_by(self, cell: Cell, port: str) -> Routes:
        """The routes that a component's port may be of use to: a quick way to leave most out."""
        group = self.graph.sites[cell.site].group
        streams = self.graph.read_by[group].get(port, ())
        return self._ending.get(group, frozenset()).union(*map(self.leading, streams))

    def _may_pass(self, route: RouteId, cell: Cell) -> bool:
        """Whether a route passes a component: asked once for all that pass through the same."""
        known = self._passing.setdefault(self.graph.component(cell), {})
        through = self.routes[route].through
        if through not in known:
            known[through] = self._passes(route, cell)
        return known[through]

    def _passes(self, route: RouteId, cell: Cell) -> bool:
        return self.graph.passes(self.routes[route].through, cell)

    @cached_property
    def _ending(self) -> dict[str, Routes]:
        """The routes that end in each group of sites."""
        ending: dict[str, set[RouteId]] = {}
        for route, ends in self.routes.items():
            for cell in ends.cells:
                ending.setdefault(self.graph.sites[cell.site].group, set()).add(route)
        return {group: frozenset(routes) for group, routes in ending.items()}

    @cached_property
    def _claiming(self) -> dict[Cell, Routes]:
        """The routes that claim each cell."""
        claiming: dict[Cell, set[RouteId]] = {}
        for route, ends in self.routes.items():
            for cell in ends.cells:
                claiming.setdefault(cell, set()).add(route)
        return {cell: frozenset(routes) for cell, routes in claiming.items()}

    @cached_property
    def _by_through(self) -> dict[Through, list[RouteId]]:
        """The routes by what they may pass through."""
        found: dict[Through, list[RouteId]] = {}
        for route, ends in self.routes.items():
            found.setdefault(ends.through, []).append(route)
        return found

    def narrow(self, stream: str, routes: Routes) -> Routes:
        """The routes that still lead somewhere along a stream."""
        return routes & self.leading(stream) if routes else routes

    def _admits(self, route: RouteId, port: str) -> bool:
        into = self.routes[route].into
        return into is None or port in into

    def _edge(
        self, cell: Cell, ways: Mapping[str, list[Open]], port: Port
    ) -> CellEdge | StreamEdge:
        """What a port reads in a state, whose ways are given by their ports."""
        if port.source in self.graph.streams:
            onward = frozenset(o.route for o in ways.get(port.name, ()) if o.onward)
            return StreamEdge(port.source, self.narrow(port.source, onward))
        below = Cell(port.source, cell.head)
        inside = frozenset(o for lead in port.leads for o in ways.get(lead, ()))
        times = Counter(o.route for o in inside)  # a route is open once by a port
        entered = frozenset(route for route, ports in times.items() if ports == len(port.leads))
        return CellEdge(below, self._pruned(below, inside), self._claims(below, entered))

    def _claims(self, cell: Cell, routes: Routes) -> tuple[Claimed, ...]:
        """The children whose route ends at this cell, one entry a child."""
        positions: dict[int, list[At]] = {}
        for child, number in sorted(routes & self._claiming.get(cell, frozenset())):
            positions.setdefault(child, []).append(self.routes[child, number].at)
        return tuple(Claimed(child, _union(ats)) for child, ats in positions.items())

    def _pruned(self, cell: Cell, opens: set[Open] | State) -> State:
        """The ways that lead to anything that their routes claim, in other components or here."""
        streams = self.graph.streams_below[cell.site]
        useful = {
            way
            for way in opens
            if way.onward
            and any(way.route in self.leading(stream) for stream in streams.get(way.port, ()))
        }
        ending = self._ending.get(self.graph.sites[cell.site].group, frozenset())
        ports: dict[RouteId, set[str]] = {}
        for way in opens:
            if way.route in ending:
                ports.setdefault(way.route, set()).add(way.port)
        return frozenset(useful).union(
            way
            for way in opens
            if way.route in ports and self._useful(way, frozenset(ports[way.route]), cell)
        )

    def _useful(self, way: Open, entered: frozenset[str], cell: Cell) -> bool:
        """Whether a route that is open at a cell leads by its port to a cell of the component.

        `entered` are all the ports by which the route is open there.
        """
        if way.route not in self._ending_before(cell):
            return False
        key = (way, entered, cell)
        if key not in self._found:
            self._found[key] = any(
                self._reaches(way, entered, cell, port)
                for port in self.graph.led_by[cell.site].get(way.port, ())
            )
        return self._found[key]

    def _ending_before(self, cell: Cell) -> Container[RouteId]:
        """The routes that claim a cell of this one's component which stands before it."""
        if cell not in self._before:
            component, order = self.graph.component(cell), self.graph.order
            self._before[cell] = {
                route
                for claimed, routes in self._claiming.items()
                if order[claimed.site] < order[cell.site]
                and self.graph.component(claimed) == component
                for route in routes
            }
        return self._before[cell]

    def _reaches(self, way: Open, entered: frozenset[str], cell: Cell, port: Port) -> bool:
        if port.source in self.graph.streams:
            return False
        below = Cell(port.source, cell.head)
        claiming = self._claiming.get(below, frozenset())
        ends = port.leads <= entered and way.route in claiming
        return ends or self._useful(way, entered & port.leads, below)

    def leading(self, stream: str) -> Routes:
        """The routes that claim what writes to a stream, or what feeds what they may pass there.

        Of the streams that this depends on those come first that stand first: models are deep.
        """
        waiting = [stream]
        while waiting:
            name = waiting[-1]
            known = name in self._leading
            unknown = [] if known else [s for s in self._depends_on(name) if s not in self._leading]
            waiting += unknown
            if not unknown:
                waiting.pop()
                if not known:
                    self._leading[name] = self._leads(name)
        return self._leading[stream]

    def _depends_on(self, stream: str) -> Iterator[str]:
        """The streams that decide which routes lead on along this one."""
        base = self.graph.streams[stream].base
        if base is not None:
            yield base
        for cell in self.graph.writing[stream]:
            if self.entering(cell):
                for streams in self.graph.read_by[self.graph.sites[cell.site].group].values():
                    yield from streams

    def _leads(self, stream: str) -> Routes:
        base = self.graph.streams[stream].base
        found = set() if base is None else set(self._leading[base])
        for cell in self.graph.writing[stream]:
            left = self.entering(cell) - found
            if left:
                found |= left & self._claiming.get(cell, frozenset())
                found |= {way.route for way in self.enter(cell, frozenset(left - found))}
        return frozenset(found)


def _union(ats: list[At]) -> At:
    if ALL in ats:
        return ALL
    specs: dict[str | int, None] = {}
    for at in ats:
        assert at != ALL
        specs |= dict.fromkeys(at)  # type: ignore[arg-type]  # At is a tuple here
    return tuple(specs)
