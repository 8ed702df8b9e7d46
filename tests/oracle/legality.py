"""Where the routes of a child lead in a small transformer, by brute force over sites, rows and
positions.

It is used to make legal hypotheses, so it is conservative: what it accepts is legal, what it
refuses need not be illegal. A *mask* says for each row of the data and each position whether a path
comes by: a whole number that has a byte a row, and in it a bit a position.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush

import numpy as np
from attrs import evolve, field, frozen

from oracle.net import (
    Net,
    cells,
    component,
    inputs,
    is_stream,
    kind,
    net_of,
    ports_of,
)
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.positions import ALL, At
from scrub.hypothesis.sites import Route
from scrub.names import Cell
from support.tiny_models import WIDTH

Place = tuple[str | None, Cell, bool]
"""A site, the port by which the path left its first component (None: it is still there), and
whether it may leave the component that it is in.
"""

Mask = int
Masks = dict[Place, Mask]
assert WIDTH == 8, "a byte a row"


@functools.cache
def places(net: Net) -> tuple[Place, ...]:
    """Every place of a path, each before those that it may go on to."""
    vias = (None, "q", "k", "v", "mlp_in", "logits_in", "attn_out")
    return tuple(
        (via, cell, onward) for via in vias for cell in cells(net) for onward in (True, False)
    )


@functools.cache
def numbers(net: Net) -> dict[Place, int]:
    """The places in their order."""
    return {place: number for number, place in enumerate(places(net))}


@functools.cache
def sees(net: Net, at: tuple[int, ...]) -> np.ndarray:
    """Which query sees which source of these, bool [query, source]."""
    distance = np.arange(WIDTH)[:, None] - np.arange(WIDTH)
    chosen = np.isin(np.arange(WIDTH), at)
    if not net.shape.causal:
        return np.broadcast_to(chosen, distance.shape)
    return (distance >= 0) & (distance < net.window) & chosen


@functools.cache
def sources(net: Net, at: tuple[int, ...]) -> bytes:
    """Of each set of queries in a row, as a byte: which sources of these they see, as a byte."""
    return _joined(sees(net, at))


@functools.cache
def queries(net: Net, at: tuple[int, ...]) -> bytes:
    """Of each set of these sources in a row, as a byte: which queries see any, as a byte."""
    return _joined(sees(net, at).T)


def _joined(table: np.ndarray) -> bytes:
    chosen = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    return np.packbits(chosen.astype(bool) @ table, axis=1, bitorder="little").tobytes()


@frozen
class Geometry:
    """A model, and the positions of every row that a node may be computed on.

    Attributes:
        columns: position columns, int [rows].
        masks: those that were asked for before, by positions.
    """

    net: Net
    columns: Mapping[str, np.ndarray]
    masks: dict[At, Mask] = field(factory=dict)

    @functools.cached_property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))

    def mask(self, at: At) -> Mask:
        """These positions."""
        if at not in self.masks:
            mask = np.full((self.rows, WIDTH), at == ALL)
            for spec in () if at == ALL else at:
                where = self.columns[spec] if isinstance(spec, str) else spec
                mask[np.arange(self.rows), where] = True
            packed = np.packbits(mask, axis=1, bitorder="little")
            self.masks[at] = int.from_bytes(packed.tobytes(), "little")
        return self.masks[at]

    def by_row(self, mask: Mask) -> bytes:
        return mask.to_bytes(self.rows, "little")

    def holds(self, mask: Mask, at: At) -> bool:
        """Whether a mask has these positions in every row; any position where that is all."""
        return all(self.by_row(mask)) if at == ALL else not self.mask(at) & ~mask

    def read(self, mask: Mask, at: tuple[int, ...] | None) -> Mask:
        """The positions that are read from those of a mask."""
        if at is None:
            return mask
        return int.from_bytes(self.by_row(mask).translate(sources(self.net, at)), "little")

    def reading(self, mask: Mask, at: tuple[int, ...] | None) -> Mask:
        """The positions that read those of a mask."""
        if at is None:
            return mask
        return int.from_bytes(self.by_row(mask).translate(queries(self.net, at)), "little")


@frozen
class Trip:
    """A route on its way from one of the parent's sites.

    Attributes:
        start: that site.
        at: the positions at which the parent stands for it.
        steps: from a stream to what wrote it, for the streams that were come to.
    """

    geometry: Geometry
    start: Cell
    at: Mask
    route: Route
    claims: frozenset[Cell]
    steps: dict[Cell, list[tuple[Cell, bool, Mask]]] = field(factory=dict)

    def goes(self, place: Place) -> Iterator[tuple[Place, tuple[int, ...] | None, Mask]]:
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
            for writer, onward, at in self.written(cell, port):
                yield (via, writer, onward), None, at
            return
        for read, at in inputs(self.geometry.net, cell):
            if not at_home or self.enters(ports_of(read)):
                yield (via, read, onward), at, self.everywhere

    def written(self, stream: Cell, port: str) -> list[tuple[Cell, bool, Mask]]:
        """What wrote a stream, whether the path may leave that again, and where it may go there."""
        if stream not in self.steps:
            found = self.steps[stream] = []
            for writer, _ in inputs(self.geometry.net, stream):
                comes, passes = self.allowed(component(stream), port, component(writer))
                both = ((True, comes & passes), (False, comes & ~passes))
                found += [(writer, onward, at) for onward, at in both if at]
        return self.steps[stream]

    @functools.cached_property
    def everywhere(self) -> Mask:
        return self.geometry.mask(ALL)

    def allowed(self, reader: Cell, port: str, writer: Cell) -> tuple[Mask, Mask]:
        """Where the path may go from a reader to a writer, and where it may pass that."""
        through, circuit = self.route.through, self.route.through.circuit
        if circuit is not None and circuit.edges:
            mine = 0
            for edge in self.edges[writer, reader]:
                if edge.into in (None, port):
                    mine = mine | self.geometry.mask(edge.at)
            return mine, mine
        kinds = {"none": (), "mlps": ("mlp",), "anything": ("mlp", "z")}[through.kinds]
        passed = self.everywhere if kind(writer) in kinds else 0
        for at, barred in self.named.get(writer, ()):
            named = self.geometry.mask(at)
            if self.geometry.net.wide and by_number(at):
                named = 0 if barred else self.everywhere
            passed = passed & ~named if barred else passed | named
        return self.everywhere, passed

    @functools.cached_property
    def named(self) -> Mapping[Cell, list[tuple[At, bool]]]:
        """By component where the route may pass it, and then where it may not."""
        found: dict[Cell, list[tuple[At, bool]]] = defaultdict(list)
        passed, barred = self.route.through.passed, self.route.through.barred
        for one in (*passed, *barred):
            found[component(one.cell)].append((one.at, one in barred))
        return found

    @functools.cached_property
    def edges(self) -> Mapping[tuple[Cell, Cell], list[Edge]]:
        """The edges of the route's circuit by the components that they join."""
        found: dict[tuple[Cell, Cell], list[Edge]] = defaultdict(list)
        circuit = self.route.through.circuit
        for edge in () if circuit is None else circuit.edges:
            found[component(edge.writer), component(edge.reader)].append(edge)
        return found

    def enters(self, ports: set[str]) -> bool:
        return self.route.into is None or bool(self.route.into & ports)

    def claimed(self, place: Place) -> bool:
        via, cell, _ = place
        into = self.route.into
        whole = via is not None or into is None or ports_of(cell) <= into
        return cell in self.claims and (via, cell) != (None, self.start) and whole

    def reached(self) -> Masks:
        """Where the path comes by. It goes no further where it arrives."""
        mine, number = self.geometry.mask(self.route.at), numbers(self.geometry.net)
        masks: Masks = {(None, self.start, True): self.at}
        waiting = [number[None, self.start, True]]
        while waiting:  # each before those that it may go on to
            place = places(self.geometry.net)[heappop(waiting)]
            onward = masks[place] & ~mine if self.claimed(place) else masks[place]
            if not onward:
                continue
            for read, at, allowed in self.goes(place):
                come = self.geometry.read(onward, at) & allowed
                if not come:
                    continue
                if read not in masks:
                    heappush(waiting, number[read])
                masks[read] = masks[read] | come if read in masks else come
        return masks

    def arrivals(self, reached: Masks) -> Masks:
        mine = self.geometry.mask(self.route.at)
        return {place: mask & mine for place, mask in reached.items() if self.claimed(place)}

    def on_the_way(self, reached: Masks) -> Masks:
        """Where the path comes by and from where it still arrives."""
        arrives = self.arrivals(reached)
        number = numbers(self.geometry.net)
        for place in sorted(reached, key=number.__getitem__, reverse=True):
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

    arrivals: Mapping[tuple, Mask]
    ways: Mapping[tuple, Mask]
    passed: frozenset[Cell] = frozenset()


def trace(geometry: Geometry, parent: Iterable[Route], route: Route) -> Trace | None:
    """The trace of a route.

    None if something that it claims is reached in some row not at all, or if it names a port that
    the parent's sites do not have.
    """
    begin = starts(geometry, parent)
    if not (route.into or set()) <= set().union(*(ports_of(cell) for cell, _ in begin)):
        return None
    claims = frozenset(route.cells)
    trips = [Trip(geometry, start, at, route, claims) for start, at in begin]
    reached = [trip.reached() for trip in trips]
    found: dict[Cell, Mask] = defaultdict(int)
    for trip, masks in zip(trips, reached, strict=True):
        for (_, cell, _), mask in trip.arrivals(masks).items():
            found[cell] |= mask
    if not all(geometry.holds(found[cell], route.at) for cell in route.cells):
        return None
    ways = [trip.on_the_way(masks) for trip, masks in zip(trips, reached, strict=True)]
    first = (1 << WIDTH * -(-geometry.rows // 2)) - 1  # the other rows are those of another dataset
    passed = {
        component(cell)
        for masks in ways
        for (via, cell, onward), mask in masks.items()
        if via is not None and onward and is_stream(cell) and mask & first
    }
    if widens(geometry.net, route):
        wide = evolve(geometry, net=net_of(geometry.net.shape, geometry.net.splits, True))
        trips = [Trip(wide, start, at, route, claims) for start, at in begin]
        reached = [trip.reached() for trip in trips]
        ways = [trip.on_the_way(masks) for trip, masks in zip(trips, reached, strict=True)]
    arrivals = [trip.arrivals(masks) for trip, masks in zip(trips, reached, strict=True)]
    return Trace(by_site(trips, arrivals), by_site(trips, ways), frozenset(passed))


def by_site(trips: Iterable[Trip], of_each: Iterable[Masks]) -> dict[tuple, Mask]:
    """Masks by the parent's site, the port and the site, whether it may leave that or not."""
    found: dict[tuple, Mask] = defaultdict(int)
    for trip, masks in zip(trips, of_each, strict=True):
        for (via, cell, _), mask in masks.items():
            found[trip.start, via, cell] |= mask
    return dict(found)


def by_number(at: At) -> bool:
    return any(isinstance(spec, int) for spec in at)


def widens(net: Net, route: Route) -> bool:
    """Whether the route may go elsewhere in the wide net than in this one."""
    through = route.through
    numbered = any(by_number(one.at) for one in (*through.passed, *through.barred))
    return numbered or net.window < WIDTH or any(how == "sources" for _, (how, _) in net.splits)


def starts(geometry: Geometry, parent: Iterable[Route]) -> list[tuple[Cell, Mask]]:
    """The parent's sites, and the positions at which it stands for them by any of its routes."""
    masks: dict[Cell, Mask] = {}
    for route in parent:
        for cell in route.cells:
            masks[cell] = masks.get(cell, 0) | geometry.mask(route.at)
    return list(masks.items())


def overlap(one: Trace, other: Trace) -> bool:
    """Whether one's path reaches or runs through what the other claims, in some row."""

    def runs_into(a: Trace, b: Trace) -> bool:
        return any(a.ways[key] & b.arrivals[key] for key in a.ways.keys() & b.arrivals)

    return runs_into(one, other) or runs_into(other, one)


def reachable(geometry: Geometry, parent: Iterable[Route], route: Route) -> dict[Cell, Mask]:
    """The sites that a child with this route's ports and `through` could claim, and where."""
    found: dict[Cell, Mask] = {}
    for start, at in starts(geometry, parent):
        everything = frozenset(cells(geometry.net))
        trip = Trip(geometry, start, at, route, frozenset())
        masks = trip.reached()
        open_ended = Trip(geometry, start, at, route, everything)
        for place, mask in masks.items():
            if open_ended.claimed(place):
                found[place[1]] = found.get(place[1], 0) | mask
    return found
