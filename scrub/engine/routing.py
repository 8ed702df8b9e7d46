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

from scrub.engine.gates import NO_GATE, Gates, RouteId
from scrub.engine.passing import Passage, Specs, passage, regions
from scrub.engine.states import (
    PLAIN,
    CellEdge,
    Claimed,
    Lane,
    Open,
    Part,
    Routes,
    State,
    StreamEdge,
    by_port,
)
from scrub.hypothesis.sites import ALL, At, Route, Through
from scrub.hypothesis.tree import Occurrence
from scrub.model.graph import Component, Graph, Port
from scrub.names import Cell

Edges = list[tuple[Port, CellEdge | StreamEdge]]
"""What each port of a cell reads."""


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
    _entered: dict[tuple[Cell, frozenset[RouteId], frozenset[RouteId]], State] = field(
        factory=dict, init=False
    )
    _entering: dict[Component, Routes] = field(factory=dict, init=False)
    _enterable: dict[str, dict[Lane, list[int]]] = field(factory=dict, init=False)
    _passing: dict[Component, dict[Through, Passage]] = field(factory=dict, init=False)
    _leading: dict[str, frozenset[RouteId]] = field(factory=dict, init=False)
    _lanes: dict[str, Routes] = field(factory=dict, init=False)
    _before: dict[Cell, Container[RouteId]] = field(factory=dict, init=False)
    _by_port: dict[State, dict[str, list[Open]]] = field(factory=dict, init=False)
    _edges: dict[tuple[Cell, State], Edges] = field(factory=dict, init=False)

    @cached_property
    def routes(self) -> dict[RouteId, Route]:
        return {
            (child, number): route
            for child, below in enumerate(self.node.children)
            for number, route in enumerate(below.routes)
        }

    @cached_property
    def _gates(self) -> Gates:
        return Gates(self.graph, self.routes)

    @cached_property
    def _edged(self) -> frozenset[RouteId]:
        """The routes that keep to edges."""
        return frozenset(self._gates.edged)

    def start(self, cell: Cell) -> State:
        """The state of one of the node's own sites: every child's route, by the ports it enters."""
        every = frozenset(self.routes)
        opens = self._opens(cell, every, every)
        return self._pruned(cell, {o for o in opens if self._admits(o.route, o.port)})

    def edges(self, cell: Cell, state: State) -> Edges:
        """What each port of a cell in a state reads."""
        if (cell, state) not in self._edges:
            self._by_port[state] = self._by_port.get(state) or by_port(state)
            ways, ports = self._by_port[state], self.graph.sites[cell.site].ports
            self._edges[cell, state] = [(port, self._edge(cell, ways, port)) for port in ports]
        return self._edges[cell, state]

    def writers(self, stream: str, routes: Routes) -> list[CellEdge]:
        """The writers of one stream (not of those that it continues) that differ from plain."""
        if (stream, routes) not in self._writers:
            gated = [lane for lane in sorted(routes) if lane[2]] if self._edged else []
            cells = self.graph.writing[stream] if gated else self._entered_along(stream, routes)
            found = (self._writer(cell, routes, gated) for cell in cells)
            self._writers[stream, routes] = [edge for edge in found if edge is not None]
        return self._writers[stream, routes]

    def _entered_along(self, stream: str, routes: Routes) -> list[Cell]:
        """The writers of a stream that some of these routes enter, which keep to no edges."""
        cells = self.graph.writing[stream]
        if stream not in self._enterable:
            by_lane = self._enterable.setdefault(stream, {})
            for number, cell in enumerate(cells):
                for lane in self.entering(cell):
                    by_lane.setdefault(lane, []).append(number)
        known = self._enterable[stream]
        return [cells[n] for n in sorted({n for lane in routes for n in known.get(lane, ())})]

    def _writer(self, cell: Cell, routes: Routes, gated: list[Lane]) -> CellEdge | None:
        """A writer as routes find it that come along a stream; None where it is plain."""
        component = self.graph.component(cell)
        comes = {lane[:2]: Passage() for lane in routes & self.entering(cell)}
        passes = {route: self._may_pass(route, cell) for route in comes}
        for lane in gated:
            at = self._gates.admits(lane[2], component)
            if at is not None:
                comes[lane[:2]] = passes[lane[:2]] = Passage(at)
        if not comes:
            return None
        if all(p.everywhere or p.nowhere for p in (*comes.values(), *passes.values())):
            passing = frozenset(route for route in passes if passes[route].everywhere)
            state = self._entered_by(cell, frozenset(comes), passing)
            claims = self._claims(cell, frozenset(comes))
            return CellEdge(cell, state, claims) if claims or state else None
        return self._divided(cell, comes, passes)

    def _divided(
        self, cell: Cell, comes: dict[RouteId, Passage], passes: dict[RouteId, Passage]
    ) -> CellEdge | None:
        """A writer that routes enter or pass at some positions only."""
        claiming = sorted(self._claiming.get(cell, frozenset()) & set(comes))
        named = [self.routes[route].at for route in claiming]
        sets = [one for route in sorted(comes) for one in (*comes[route].sets, *passes[route].sets)]
        sets += [at for at in named if not isinstance(at, str)]

        def found(within: frozenset[Specs]) -> tuple[State, tuple[Claimed, ...]]:
            here = frozenset(route for route in comes if comes[route].holds(within))
            passing = frozenset(route for route in here if passes[route].holds(within))
            stands: dict[int, At] = {}
            for route in (r for r in claiming if r in here):
                at = self.routes[route].at
                if at == ALL or (at in within and route[0] not in stands):
                    stands[route[0]] = at
            claims = tuple(Claimed(child, at) for child, at in stands.items())
            return self._entered_by(cell, here, passing), claims

        base = found(frozenset())
        parts = [Part(region, *found(within)) for region, within in regions(sets)]
        parts = [part for part in parts if (part.open, part.claims) != base]
        return CellEdge(cell, *base, tuple(parts)) if parts or any(base) else None

    def _entered_by(
        self, cell: Cell, here: frozenset[RouteId], passing: frozenset[RouteId]
    ) -> State:
        """The state of a cell that some routes have entered, of which some may pass it."""
        key = (cell, here, passing)
        if key not in self._entered:
            self._entered[key] = self._pruned(cell, self._opens(cell, here, passing))
        return self._entered[key]

    def _opens(
        self, cell: Cell, here: frozenset[RouteId], passing: frozenset[RouteId]
    ) -> set[Open]:
        """The ways of these routes out of a component, or to where they end in it."""
        component = self.graph.component(cell)
        ending = self._ending.get(component, frozenset())
        free = here - self._edged if self._edged else here
        opens: set[Open] = set()
        for port in self.graph.outer_ports[component[0]]:
            for route in free & self._leave_by(cell, port):
                opens.add(Open(route, port, route in passing))
            for route in here & self._edged:
                gate = self._gates.of(route, component, port) if route in passing else NO_GATE
                if gate or route in ending:
                    opens.add(Open(route, port, bool(gate), gate))
        return opens

    def entering(self, cell: Cell) -> Routes:
        """The routes that pass a component somewhere or end in it; but those of edges."""
        component = self.graph.component(cell)
        if component not in self._entering:
            passing = (
                routes
                for through, routes in self._by_through.items()
                if not self._may_pass(routes[0], cell).nowhere
            )
            ending = self._ending.get(component, frozenset()) - self._edged
            every = ending.union(*passing)
            self._entering[component] = frozenset((*route, NO_GATE) for route in every)
        return self._entering[component]

    def _leave_by(self, cell: Cell, port: str) -> frozenset[RouteId]:
        """The routes that a component's port may be of use to: a quick way to leave most out."""
        component = self.graph.component(cell)
        streams = self.graph.read_by[component[0]].get(port, ())
        return self._ending.get(component, frozenset()).union(*map(self.leading, streams))

    def _may_pass(self, route: RouteId, cell: Cell) -> Passage:
        """Where a route passes a component: asked once for all that pass through the same."""
        known = self._passing.setdefault(self.graph.component(cell), {})
        through = self.routes[route].through
        if through not in known:
            known[through] = self._passes(route, cell)
        return known[through]

    def _passes(self, route: RouteId, cell: Cell) -> Passage:
        return passage(self.routes[route].through, cell, self.graph)

    @cached_property
    def _ending(self) -> dict[Component, frozenset[RouteId]]:
        """The routes that end in each component."""
        ending: dict[Component, set[RouteId]] = {}
        for route, ends in self.routes.items():
            for cell in ends.cells:
                ending.setdefault(self.graph.component(cell), set()).add(route)
        return {component: frozenset(routes) for component, routes in ending.items()}

    @cached_property
    def _claiming(self) -> dict[Cell, frozenset[RouteId]]:
        """The routes that claim each cell."""
        claiming: dict[Cell, set[RouteId]] = {}
        for route, ends in self.routes.items():
            for cell in ends.cells:
                claiming.setdefault(cell, set()).add(route)
        return {cell: frozenset(routes) for cell, routes in claiming.items()}

    @cached_property
    def _claimed_in(self) -> dict[Component, list[Cell]]:
        """The cells of each component that a route claims."""
        found: dict[Component, list[Cell]] = {}
        for cell in self._claiming:
            found.setdefault(self.graph.component(cell), []).append(cell)
        return found

    @cached_property
    def _by_through(self) -> dict[Through, list[RouteId]]:
        """The routes by what they may pass through, but those that keep to edges."""
        found: dict[Through, list[RouteId]] = {}
        for route, ends in self.routes.items():
            if route not in self._edged:
                found.setdefault(ends.through, []).append(route)
        return found

    def narrow(self, stream: str, routes: Routes) -> Routes:
        """The routes that still lead somewhere along a stream."""
        if not routes:
            return routes
        leading = self._leading_lanes(stream)
        if not self._edged:
            return routes if routes <= leading else routes & leading
        free = routes & leading
        gated = [(*lane[:2], self._gates.along(stream, lane[2])) for lane in routes if lane[2]]
        return free.union(lane for lane in gated if lane[2])

    def _admits(self, route: RouteId, port: str) -> bool:
        into = self.routes[route].into
        return into is None or port in into

    def _edge(
        self, cell: Cell, ways: Mapping[str, list[Open]], port: Port
    ) -> CellEdge | StreamEdge:
        """What a port reads in a state, whose ways are given by their ports."""
        if port.source in self.graph.streams:
            onward = frozenset((*o.route, o.gate) for o in ways.get(port.name, ()) if o.onward)
            return StreamEdge(port.source, self.narrow(port.source, onward))
        below = Cell(port.source, cell.head)
        inside = frozenset(o for lead in port.leads for o in ways.get(lead, ()))
        if not inside:
            return CellEdge(below, PLAIN, ())
        times = Counter(o.route for o in inside)  # a route is open once by a port
        entered = frozenset(route for route, ports in times.items() if ports == len(port.leads))
        return CellEdge(below, self._pruned(below, inside), self._claims(below, entered))

    def _claims(self, cell: Cell, routes: frozenset[RouteId]) -> tuple[Claimed, ...]:
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
            and any(self._goes_along(stream, way) for stream in streams.get(way.port, ()))
        }
        ending = self._ending.get(self.graph.component(cell), frozenset())
        ports: dict[RouteId, set[str]] = {}
        for way in opens:
            if way.route in ending:
                ports.setdefault(way.route, set()).add(way.port)
        return frozenset(useful).union(
            way
            for way in opens
            if way.route in ports and self._useful(way, frozenset(ports[way.route]), cell)
        )

    def _goes_along(self, stream: str, way: Open) -> bool:
        if way.gate:
            return bool(self._gates.along(stream, way.gate))
        return way.route in self.leading(stream)

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
            order = self.graph.order
            self._before[cell] = {
                route
                for claimed in self._claimed_in.get(self.graph.component(cell), ())
                if order[claimed.site] < order[cell.site]
                for route in self._claiming[claimed]
            }
        return self._before[cell]

    def _reaches(self, way: Open, entered: frozenset[str], cell: Cell, port: Port) -> bool:
        if port.source in self.graph.streams:
            return False
        below = Cell(port.source, cell.head)
        claiming = self._claiming.get(below, frozenset())
        ends = port.leads <= entered and way.route in claiming
        return ends or self._useful(way, entered & port.leads, below)

    def _leading_lanes(self, stream: str) -> Routes:
        if stream not in self._lanes:
            self._lanes[stream] = frozenset((*route, NO_GATE) for route in self.leading(stream))
        return self._lanes[stream]

    def leading(self, stream: str) -> frozenset[RouteId]:
        """The routes that claim what writes to a stream, or what feeds what they may pass there;
        but those that keep to edges.

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

    def _leads(self, stream: str) -> frozenset[RouteId]:
        base = self.graph.streams[stream].base
        found = set() if base is None else set(self._leading[base])
        for cell in self.graph.writing[stream]:
            left = frozenset(lane[:2] for lane in self.entering(cell)) - found
            if left:
                found |= left & self._claiming.get(cell, frozenset())
                here = frozenset(left - found)
                passing = frozenset(r for r in here if not self._may_pass(r, cell).nowhere)
                found |= {way.route for way in self._entered_by(cell, here, passing)}
        return frozenset(found)


def _union(ats: list[At]) -> At:
    if ALL in ats:
        return ALL
    specs: dict[str | int, None] = {}
    for at in ats:
        assert at != ALL
        specs |= dict.fromkeys(at)  # type: ignore[arg-type]  # At is a tuple here
    return tuple(specs)
