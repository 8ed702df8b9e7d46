"""Where the routes of a child lead in a small transformer, by brute force over sites, rows and
positions.

It is used to make legal hypotheses, so it is conservative: what it accepts is legal, what it
refuses need not be illegal. A *mask* says for each row of the data and each position whether a path
comes by: bool [rows, width].
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from attrs import evolve, frozen

from oracle.net import (
    Net,
    cells,
    component,
    inputs,
    is_stream,
    kind,
    ports_of,
)
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.sites import ALL, Route
from scrub.names import Cell
from support.tiny_models import WIDTH

Place = tuple[str | None, Cell, bool]
"""A site, the port by which the path left its first component (None: it is still there), and
whether it may leave the component that it is in.
"""

Masks = dict[Place, np.ndarray]


@functools.cache
def places(net: Net) -> tuple[Place, ...]:
    """Every place of a path, each before those that it may go on to."""
    vias = (None, "q", "k", "v", "mlp_in", "logits_in", "attn_out")
    return tuple(
        (via, cell, onward) for via in vias for cell in cells(net) for onward in (True, False)
    )


@functools.cache
def sees(net: Net, at: tuple[int, ...]) -> np.ndarray:
    """Which query sees which source of these, bool [query, source]."""
    distance = np.arange(WIDTH)[:, None] - np.arange(WIDTH)
    chosen = np.isin(np.arange(WIDTH), at)
    if not net.shape.causal:
        return np.broadcast_to(chosen, distance.shape)
    return (distance >= 0) & (distance < net.window) & chosen


@frozen
class Geometry:
    """A model, and the positions of every row that a node may be computed on.

    Attributes:
        columns: position columns, int [rows].
    """

    net: Net
    columns: Mapping[str, np.ndarray]

    def mask(self, route: Route) -> np.ndarray:
        """The positions that a route claims."""
        rows = len(next(iter(self.columns.values())))
        mask = np.full((rows, WIDTH), route.at == ALL)
        for spec in () if route.at == ALL else route.at:
            mask[np.arange(rows), self.columns[spec] if isinstance(spec, str) else spec] = True
        return mask

    def read(self, mask: np.ndarray, at: tuple[int, ...] | None) -> np.ndarray:
        """The positions that are read from those of a mask."""
        return mask if at is None else mask @ sees(self.net, at)

    def reading(self, mask: np.ndarray, at: tuple[int, ...] | None) -> np.ndarray:
        """The positions that read those of a mask."""
        return mask if at is None else mask @ sees(self.net, at).T


@frozen
class Trip:
    """A route on its way from one of the parent's sites.

    Attributes:
        start: that site.
        at: the positions at which the parent stands for it.
    """

    geometry: Geometry
    start: Cell
    at: np.ndarray
    route: Route
    claims: frozenset[Cell]

    def goes(self, place: Place) -> Iterator[tuple[Place, tuple[int, ...] | None, np.ndarray]]:
        """The places that the path may go on to, at which positions up to its own, and which of
        them it may go to.
        """
        via, cell, onward = place
        at_home = via is None
        leaves = is_stream(cell) and not self.geometry.net.parts(cell)
        if leaves:
            (port,) = ports_of(cell)
            if at_home and not self.enters({port}):
                return
            if not at_home and not onward:
                return
            via = port if at_home else via
            for writer, at in inputs(self.geometry.net, cell):
                comes, passes = self.allowed(component(cell), port, component(writer))
                yield (via, writer, True), at, comes & passes
                yield (via, writer, False), at, comes & ~passes
            return
        for read, at in inputs(self.geometry.net, cell):
            if not at_home or self.enters(ports_of(read)):
                yield (via, read, onward), at, self.everywhere

    @functools.cached_property
    def everywhere(self) -> np.ndarray:
        return self.geometry.mask(Route((), ALL))

    def allowed(self, reader: Cell, port: str, writer: Cell) -> tuple[np.ndarray, np.ndarray]:
        """Where the path may go from a reader to a writer, and where it may pass that."""
        through, circuit = self.route.through, self.route.through.circuit
        if circuit is not None and circuit.edges:
            mine = self.nowhere
            for edge in self.edges[writer, reader]:
                if edge.into in (None, port):
                    mine = mine | self.geometry.mask(Route((), edge.at))
            return mine, mine
        kinds = {"none": (), "mlps": ("mlp",), "anything": ("mlp", "z")}[through.kinds]
        passed = self.everywhere if kind(writer) in kinds else self.nowhere
        for one in (*through.passed, *through.barred):
            if component(one.cell) == writer:
                named = self.geometry.mask(Route((), one.at))
                if self.geometry.net.wide and any(isinstance(spec, int) for spec in one.at):
                    named = self.nowhere if one in through.barred else self.everywhere
                passed = passed & ~named if one in through.barred else passed | named
        return self.everywhere, passed

    @functools.cached_property
    def edges(self) -> Mapping[tuple[Cell, Cell], list[Edge]]:
        """The edges of the route's circuit by the components that they join."""
        found: dict[tuple[Cell, Cell], list[Edge]] = defaultdict(list)
        circuit = self.route.through.circuit
        for edge in () if circuit is None else circuit.edges:
            found[component(edge.writer), component(edge.reader)].append(edge)
        return found

    @functools.cached_property
    def nowhere(self) -> np.ndarray:
        return ~self.everywhere

    def enters(self, ports: set[str]) -> bool:
        return self.route.into is None or bool(self.route.into & ports)

    def claimed(self, place: Place) -> bool:
        via, cell, _ = place
        into = self.route.into
        whole = via is not None or into is None or ports_of(cell) <= into
        return cell in self.claims and (via, cell) != (None, self.start) and whole

    def reached(self) -> Masks:
        """Where the path comes by. It goes no further where it arrives."""
        mine = self.geometry.mask(self.route)
        masks: Masks = {(None, self.start, True): self.at}
        for place in places(self.geometry.net):
            if place not in masks:
                continue
            onward = masks[place] & ~mine if self.claimed(place) else masks[place]
            if not onward.any():
                continue
            for read, at, allowed in self.goes(place):
                come = self.geometry.read(onward, at) & allowed
                if not come.any():
                    continue
                masks[read] = masks[read] | come if read in masks else come
        return masks

    def arrivals(self, reached: Masks) -> Masks:
        mine = self.geometry.mask(self.route)
        return {place: mask & mine for place, mask in reached.items() if self.claimed(place)}

    def on_the_way(self, reached: Masks) -> Masks:
        """Where the path comes by and from where it still arrives."""
        arrives = self.arrivals(reached)
        for place in reversed(places(self.geometry.net)):
            if place not in reached:
                continue
            for read, at, allowed in self.goes(place):
                if read in arrives:
                    back = self.geometry.reading(arrives[read] & allowed, at) & reached[place]
                    arrives[place] = arrives[place] | back if place in arrives else back
        return arrives


@frozen
class Trace:
    """All that matters of one route below one parent: where it arrives, and on which way.

    Keys are (the parent's site, port by which it left that site's component, site).

    Attributes:
        passed: the components that it passes on its way.
    """

    arrivals: Mapping[tuple, np.ndarray]
    ways: Mapping[tuple, np.ndarray]
    passed: frozenset[Cell] = frozenset()


def trace(geometry: Geometry, parent: Iterable[Route], route: Route) -> Trace | None:
    """The trace of a route.

    None if something that it claims is reached in some row not at all, or if it names a port that
    the parent's sites do not have.
    """
    own = [cell for cell, _ in starts(geometry, parent)]
    if not (route.into or set()) <= set().union(*map(ports_of, own)):
        return None
    found = defaultdict(lambda: np.zeros_like(geometry.mask(route)))
    passed: set[Cell] = set()
    for start, at in starts(geometry, parent):
        trip = Trip(geometry, start, at, route, frozenset(route.cells))
        reached = trip.reached()
        for place, mask in trip.arrivals(reached).items():
            found[place[1]] |= mask
        passed |= {
            component(cell)
            for (via, cell, onward), mask in trip.on_the_way(reached).items()
            # The second half of the rows are those of another dataset.
            if via is not None and onward and is_stream(cell) and mask[: -(-len(mask) // 2)].any()
        }
    for cell in route.cells:
        every = found[cell] | ~geometry.mask(route)
        enough = found[cell].any(axis=1) if route.at == ALL else every.all(axis=1)
        if not enough.all():
            return None
    wide = evolve(geometry, net=evolve(geometry.net, wide=True))
    arrivals: dict[tuple, np.ndarray] = {}
    ways: dict[tuple, np.ndarray] = {}
    for start, at in starts(geometry, parent):
        trip = Trip(wide, start, at, route, frozenset(route.cells))
        reached = trip.reached()
        for masks, found in ((arrivals, trip.arrivals(reached)), (ways, trip.on_the_way(reached))):
            for (via, cell, _), mask in found.items():
                key = (start, via, cell)
                masks[key] = masks[key] | mask if key in masks else mask
    return Trace(arrivals, ways, frozenset(passed))


def starts(geometry: Geometry, parent: Iterable[Route]) -> list[tuple[Cell, np.ndarray]]:
    """The parent's sites, and the positions at which it stands for them by any of its routes."""
    masks: dict[Cell, np.ndarray] = {}
    for route in parent:
        for cell in route.cells:
            masks[cell] = masks.get(cell, False) | geometry.mask(route)
    return list(masks.items())


def overlap(one: Trace, other: Trace) -> bool:
    """Whether one's path reaches or runs through what the other claims, in some row."""

    def runs_into(a: Trace, b: Trace) -> bool:
        return any((a.ways[key] & b.arrivals[key]).any() for key in a.ways.keys() & b.arrivals)

    return runs_into(one, other) or runs_into(other, one)


def reachable(geometry: Geometry, parent: Iterable[Route], route: Route) -> dict[Cell, np.ndarray]:
    """The sites that a child with this route's ports and `through` could claim, and where."""
    found: dict[Cell, np.ndarray] = {}
    for start, at in starts(geometry, parent):
        everything = frozenset(cells(geometry.net))
        trip = Trip(geometry, start, at, route, frozenset())
        masks = trip.reached()
        open_ended = Trip(geometry, start, at, route, everything)
        for place, mask in masks.items():
            if open_ended.claimed(place):
                found[place[1]] = found.get(place[1], np.zeros_like(mask)) | mask
    return found
