"""Where the routes of a child lead in a small GPT-2, by brute force over sites, rows and positions.

It is used to make legal hypotheses, so it is conservative: what it accepts is legal, what it
refuses need not be illegal. A *mask* says for each row of the data and each position whether a path
comes by: bool [rows, width].
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from attrs import frozen

from scrub.sites import ALL, Cell, Route
from tiny_models import Shape

Place = tuple[str | None, Cell]
"""A site, and the port by which the path left its first component (None: it is still there)."""

Masks = dict[Place, np.ndarray]

HEAD_PORTS = {
    "q_in": {"q"}, "k_in": {"k"}, "v_in": {"v"}, "q": {"q"}, "k": {"k"}, "v": {"v"},
    "mask": {"mask"}, "scores": {"q", "k"}, "pattern": {"q", "k", "mask"},
    "z": {"q", "k", "v", "mask"},
}  # fmt: skip


def kind(cell: Cell) -> str:
    return cell.site.split(".")[-1]


def ports_of(cell: Cell) -> set[str]:
    """The ports by which a path can have come to this site of a component."""
    if cell.head is not None:
        return HEAD_PORTS[kind(cell)]
    if kind(cell) in ("embed", "pos_embed"):
        return set()
    return {kind(cell).removesuffix("_in") + "_in"}


def component(cell: Cell) -> Cell:
    """The site by which a component is called: a head's z, an MLP's output, …"""
    if cell.head is not None:
        return Cell(cell.site.rpartition(".")[0] + ".z", cell.head)
    return Cell(cell.site.removesuffix("_in"))


def is_stream(cell: Cell) -> bool:
    return kind(cell).endswith("_in")


@frozen
class Geometry:
    """A model's shape, and the positions of every row that a node may be computed on.

    Attributes:
        columns: position columns, int [rows].
        width: number of positions.
    """

    shape: Shape
    columns: Mapping[str, np.ndarray]
    width: int

    def mask(self, route: Route) -> np.ndarray:
        """The positions that a route claims."""
        rows = len(next(iter(self.columns.values())))
        mask = np.full((rows, self.width), route.at == ALL)
        for spec in () if route.at == ALL else route.at:
            mask[np.arange(rows), self.columns[spec] if isinstance(spec, str) else spec] = True
        return mask


def layer_cells(shape: Shape, layer: int) -> tuple[Cell, ...]:
    """The sites of a layer's heads, readers before what they read."""
    order = ("z", "pattern", "scores", "mask", "q", "k", "v", "q_in", "k_in", "v_in")
    heads = range(shape.heads)
    return tuple(Cell(f"blocks.{layer}.attn.{part}", head) for head in heads for part in order)


@functools.cache
def cells(shape: Shape) -> tuple[Cell, ...]:
    """Every site, readers before what they read."""
    every = [Cell("logits"), Cell("logits_in")]
    for layer in reversed(range(shape.layers)):
        every += [Cell(f"blocks.{layer}.mlp"), Cell(f"blocks.{layer}.mlp_in")]
        every += layer_cells(shape, layer)
    return (*every, Cell("embed"), Cell("pos_embed"))


@functools.cache
def inputs(shape: Shape, cell: Cell) -> tuple[tuple[Cell, bool], ...]:
    """What a site reads, and whether it reads it at all earlier positions or at its own."""
    if is_stream(cell):
        behind = cells(shape)[cells(shape).index(component(cell)) + 1 :]
        own_layer = cell.site.rpartition(".")[0] if cell.head is not None else None
        writers = [c for c in behind if kind(c) in ("z", "mlp", "embed", "pos_embed")]
        return tuple((c, False) for c in writers if not own_layer or own_layer not in c.site)
    within = {
        "z": [("pattern", False), ("v", True)],
        "pattern": [("scores", False), ("mask", False)],
        "scores": [("q", False), ("k", True)],
        "q": [("q_in", False)],
        "k": [("k_in", False)],
        "v": [("v_in", False)],
        "mlp": [("mlp_in", False)],
        "logits": [("logits_in", False)],
    }
    stem = cell.site.removesuffix(kind(cell))
    reads = within.get(kind(cell), [])
    return tuple((Cell(stem + name, cell.head), earlier) for name, earlier in reads)


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

    def goes(self, place: Place) -> Iterator[tuple[Place, bool]]:
        """The places that the path may go on to, and whether it gets to all earlier positions."""
        via, cell = place
        at_home = via is None
        if is_stream(cell):
            (port,) = ports_of(cell)
            if at_home and not self.enters({port}):
                return
            if not at_home and not passes(self.route, component(cell)):
                return
            via = port if at_home else via
        for read, earlier in inputs(self.geometry.shape, cell):
            if not at_home or is_stream(cell) or self.enters(ports_of(read)):
                yield (via, read), earlier

    def enters(self, ports: set[str]) -> bool:
        return self.route.into is None or bool(self.route.into & ports)

    def claimed(self, place: Place) -> bool:
        via, cell = place
        into = self.route.into
        whole = via is not None or into is None or ports_of(cell) <= into
        return cell in self.claims and place != (None, self.start) and whole

    def reached(self) -> Masks:
        """Where the path comes by. It goes no further where it arrives."""
        mine = self.geometry.mask(self.route)
        masks: Masks = {(None, self.start): self.at}
        for place in self.places():
            if place not in masks:
                continue
            onward = masks[place] & ~mine if self.claimed(place) else masks[place]
            if not onward.any():
                continue
            for read, earlier in self.goes(place):
                come = np.logical_or.accumulate(onward[:, ::-1], axis=1)[:, ::-1]
                come = come if earlier else onward
                masks[read] = masks[read] | come if read in masks else come
        return masks

    def places(self) -> list[Place]:
        vias = (None, "q", "k", "v", "mlp_in", "logits_in")
        return [(via, cell) for via in vias for cell in cells(self.geometry.shape)]

    def arrivals(self, reached: Masks) -> Masks:
        mine = self.geometry.mask(self.route)
        return {place: mask & mine for place, mask in reached.items() if self.claimed(place)}

    def on_the_way(self, reached: Masks) -> Masks:
        """Where the path comes by and from where it still arrives."""
        arrives = self.arrivals(reached)
        for place in reversed(self.places()):
            if place not in reached:
                continue
            for read, earlier in self.goes(place):
                if read in arrives:
                    back = np.logical_or.accumulate(arrives[read], axis=1)
                    back = (back if earlier else arrives[read]) & reached[place]
                    arrives[place] = arrives[place] | back if place in arrives else back
        return arrives


def passes(route: Route, site: Cell) -> bool:
    """Whether a route may pass through a component."""
    through = route.through
    kinds = {"none": (), "mlps": ("mlp",), "anything": ("mlp", "z")}[through.kinds]
    also = site in map(component, through.also)
    return (kind(site) in kinds or also) and site not in map(component, through.never)


@frozen
class Trace:
    """All that matters of one route below one parent: where it arrives, and on which way.

    Keys are (the parent's site, port by which it left that site's component, site).
    """

    arrivals: Mapping[tuple, np.ndarray]
    ways: Mapping[tuple, np.ndarray]


def trace(geometry: Geometry, parent: Iterable[Route], route: Route) -> Trace | None:
    """The trace of a route; None if something that it claims is reached in some row not at all."""
    arrivals, ways = {}, {}
    found = defaultdict(lambda: np.zeros_like(geometry.mask(route)))
    for start, at in starts(geometry, parent):
        trip = Trip(geometry, start, at, route, frozenset(route.cells))
        reached = trip.reached()
        for place, mask in trip.arrivals(reached).items():
            arrivals[start, *place] = mask
            found[place[1]] |= mask
        ways |= {(start, *place): mask for place, mask in trip.on_the_way(reached).items()}
    for cell in route.cells:
        every = found[cell] | ~geometry.mask(route)
        enough = found[cell].any(axis=1) if route.at == ALL else every.all(axis=1)
        if not enough.all():
            return None
    return Trace(arrivals, ways)


def starts(geometry: Geometry, parent: Iterable[Route]) -> list[tuple[Cell, np.ndarray]]:
    return [(cell, geometry.mask(route)) for route in parent for cell in route.cells]


def overlap(one: Trace, other: Trace) -> bool:
    """Whether one's path reaches or runs through what the other claims, in some row."""

    def runs_into(a: Trace, b: Trace) -> bool:
        return any((a.ways[key] & b.arrivals[key]).any() for key in a.ways.keys() & b.arrivals)

    return runs_into(one, other) or runs_into(other, one)


def reachable(geometry: Geometry, parent: Iterable[Route], route: Route) -> dict[Cell, np.ndarray]:
    """The sites that a child with this route's ports and `through` could claim, and where."""
    found: dict[Cell, np.ndarray] = {}
    for start, at in starts(geometry, parent):
        everything = frozenset(cells(geometry.shape))
        trip = Trip(geometry, start, at, route, frozenset())
        masks = trip.reached()
        open_ended = Trip(geometry, start, at, route, everything)
        for place, mask in masks.items():
            if open_ended.claimed(place):
                found[place[1]] = found.get(place[1], np.zeros_like(mask)) | mask
    return found
