"""The edges of circuits: from which port a route goes on to which writers, and at which positions.

What a port may read of a circuit is a *gate*, told by a name that says all of it, so that ports
that may read the same share what they read.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from attrs import field, frozen

from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.positions import At, either
from scrub.hypothesis.sites import Route, Through
from scrub.model.graph import Component, Graph

RouteId = tuple[int, int]
"""Number of the child among its siblings, and of the route among the child's."""
Edges = dict[tuple[Component, str], dict[Component, At]]
"""By reader and port: the writers that it may read, and where."""
NO_GATE = ""
"""Stands for the gate of a route that keeps to no edges, and of a port that no edge leads from."""


def edges_of(circuit: Circuit, graph: Graph) -> Edges:
    """The edges of a circuit, by reader and port."""
    found: dict[tuple[Component, str], dict[Component, list[At]]] = {}
    for edge in circuit.edges:
        reader = graph.component(edge.reader)
        ports = graph.read_by[reader[0]] if edge.into is None else (edge.into,)
        for port in ports:
            into = found.setdefault((reader, port), {})
            into.setdefault(graph.component(edge.writer), []).append(edge.at)
    return {
        into: {writer: either(ats) for writer, ats in writers.items()}
        for into, writers in found.items()
    }


@frozen(eq=False)
class Gates:
    """The gates of the routes of one node's children."""

    graph: Graph
    routes: Mapping[RouteId, Route]
    _known: dict[str, dict[Component, At]] = field(factory=dict, init=False)
    _narrowed: dict[tuple[str, str], str] = field(factory=dict, init=False)

    @cached_property
    def edged(self) -> dict[RouteId, Edges]:
        """The routes that keep to edges, and these."""
        known: dict[Through, Edges] = {}
        found: dict[RouteId, Edges] = {}
        for route, ends in self.routes.items():
            circuit = ends.through.circuit
            if circuit is not None and circuit.edges:
                if ends.through not in known:
                    known[ends.through] = edges_of(circuit, self.graph)
                found[route] = known[ends.through]
        return found

    def admits(self, gate: str, writer: Component) -> At | None:
        """The positions at which a writer is read; None where it is not."""
        return self._known[gate].get(writer)

    def of(self, route: RouteId, reader: Component, port: str) -> str:
        """The gate of a component's port, to those writers that lead on to the route's end."""
        written: set[Component] = set()
        for stream in self.graph.read_by[reader[0]].get(port, ()):
            written |= self.graph.written[stream]
        led = self.edged[route].get((reader, port), {})
        leading = self._leading[route]
        return self._named({w: at for w, at in led.items() if w in leading and w in written})

    def along(self, stream: str, gate: str) -> str:
        """A gate to those writers alone that write to a stream, or to one that it continues."""
        if (stream, gate) not in self._narrowed:
            written = self.graph.written[stream]
            known = self._known[gate]
            kept: dict[Component, At] = {w: at for w, at in known.items() if w in written}
            self._narrowed[stream, gate] = self._named(kept)
        return self._narrowed[stream, gate]

    def _named(self, writers: Mapping[Component, At]) -> str:
        if not writers:
            return NO_GATE
        place = self._place
        order = sorted(writers, key=lambda writer: place[writer])
        name = "; ".join(f"{group} {head} {writers[group, head]!r}" for group, head in order)
        self._known.setdefault(name, {writer: writers[writer] for writer in order})
        return name

    @cached_property
    def _place(self) -> dict[Component, int]:
        """Every component that writes to a stream, in the order of the graph."""
        cells = [cell for stream in self.graph.streams for cell in self.graph.writing[stream]]
        cells.sort(key=lambda cell: self.graph.order[cell.site])
        writers = dict.fromkeys(map(self.graph.component, cells))
        return {writer: number for number, writer in enumerate(writers)}

    @cached_property
    def _leading(self) -> dict[RouteId, set[Component]]:
        """Of each route that keeps to edges, the writers by which it still leads to its end."""
        found: dict[RouteId, set[Component]] = {}
        for route, edges in self.edged.items():
            ends = set(map(self.graph.component, self.routes[route].cells))
            led_to = {writer for writers in edges.values() for writer in writers}
            leading = found.setdefault(route, set())
            for writer in (writer for writer in self._place if writer in led_to):
                ports = self.graph.outer_ports[writer[0]]
                onward = (edges.get((writer, port), {}).keys() & leading for port in ports)
                if writer in ends or any(onward):
                    leading.add(writer)
        return found
