"""Which cells and positions the children of a node reach, and where children overlap.

Children that claim the same along the same path are walked as one, and what several claim in one
place is noted as one: a node's thousand children have half a million pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from attrs import evolve, field, frozen

from scrub.checks.layouts import Layouts, Mask, layouts
from scrub.data.dataset import Dataset
from scrub.engine.gates import RouteId
from scrub.engine.routing import Walk
from scrub.engine.states import CellEdge, State
from scrub.hypothesis.sites import ALL, Route, Spec
from scrub.hypothesis.tree import Occurrence
from scrub.model.graph import Component, Graph
from scrub.names import Cell

Claims = tuple[tuple[RouteId, Mask], ...]
"""Routes that claim a cell, each with the positions at which it is read."""


@frozen
class Shared:
    """Children that claim one cell by the same port, each at a position that another claims too."""

    cell: Cell
    by: Claims


@frozen
class Crossed:
    """Children whose paths run through a cell, at positions at which others claim it.

    Attributes:
        by: the routes that claim it.
        paths: the routes that run through it, on to what they claim themselves.
    """

    cell: Cell
    by: tuple[RouteId, ...]
    paths: tuple[RouteId, ...]


@frozen
class Overlap:
    """Two siblings that claim one thing, or one whose path runs through what the other claims.

    Attributes:
        first: the route that claims the cells.
        second: the route that claims them too, or runs through them.
    """

    first: RouteId
    second: RouteId
    through: bool


@frozen(eq=False)
class Explored:
    """What the walk below a node came upon.

    Attributes:
        reached: per route the cells that it ends at, with the positions of theirs that it reaches.
        passed: per route that keeps to a circuit the components that it passes.
    """

    reached: Mapping[RouteId, Mapping[Cell, set[Spec | None]]]
    passed: Mapping[RouteId, set[Component]]
    overlaps: tuple[Shared | Crossed, ...]

    def pairs(self, most: int) -> dict[Overlap, list[Cell]] | None:
        """Overlaps two by two, with the cells of each; None where they are more than `most`."""
        found: dict[Overlap, list[Cell]] = {}
        for overlap in self.overlaps:
            for pair in self._pairs(overlap):
                cells = found.setdefault(pair, [])
                if len(found) > most:
                    return None
                if overlap.cell not in cells:
                    cells.append(overlap.cell)
        return found

    def _pairs(self, overlap: Shared | Crossed) -> Iterator[Overlap]:
        if isinstance(overlap, Crossed):
            for first, second in itertools.product(overlap.by, overlap.paths):
                if first[0] != second[0]:
                    yield Overlap(first, second, through=True)
            return
        for (first, mine), (second, others) in itertools.combinations(overlap.by, 2):
            if first[0] != second[0] and mine & others:
                yield Overlap(first, second, through=False)


def explore(node: Occurrence, graph: Graph, *tables: Dataset) -> Explored:
    """Walk all open paths below a node, positions included.

    Law: children overlap if and only if they do in some row, by paths that the model makes if every
    position attends to all before it.

    Args:
        tables: datasets on whose rows the node may be computed.
    """
    alike: dict[Route, list[RouteId]] = {}
    for child, below in enumerate(node.children):
        for number, route in enumerate(below.routes):
            alike.setdefault(route, []).append((child, number))
    # One child for each route: what a path finds depends on nothing else.
    lone = tuple(evolve(node.children[r[0][0]], routes=(route,)) for route, r in alike.items())
    walk = Walk(graph, evolve(node, children=lone))
    found = layouts(_named((*node.routes, *alike)), tables, causal=graph.causal)
    return _Explorer(walk, found, tuple(alike.values())).explored()


def _named(routes: Iterable[Route]) -> Iterator[Spec]:
    """The positions that routes name, where they end and on their way."""
    ways = dict.fromkeys(route.through for route in routes)
    ats = dict.fromkeys(route.at for route in routes)
    for at in (*ats, *(at for way in ways for at in way.positions)):
        if not isinstance(at, str):
            yield from at


Place = tuple[Cell, State]


@frozen(eq=False)
class Read:
    """What a cell takes of another in some state.

    Attributes:
        everywhere: whether at all positions that it attends to, not only at its own.
        where: the positions at which the other cell is in that state.
    """

    edge: CellEdge
    everywhere: bool
    where: Mask

    @property
    def below(self) -> Place:
        return self.edge.cell, self.edge.open


@frozen(eq=False)
class _Explorer:
    """The walk of one node's routes, each a child by itself.

    Attributes:
        routes: per child of the walk the routes that it stands for.
    """

    walk: Walk
    layouts: Layouts
    routes: tuple[list[RouteId], ...]
    _reads: dict[Place, list[Read]] = field(factory=dict, init=False)
    _below: dict[Place, dict[int, Mask]] = field(factory=dict, init=False)

    def explored(self) -> Explored:
        reached: list[dict[Cell, Mask]] = [{} for _ in self.routes]
        overlaps: dict[Shared | Crossed, None] = {}
        siblings = len({child for routes in self.routes for child, _ in routes}) > 1
        starts: dict[Place, Mask] = {}
        for route in self.walk.node.routes:
            for cell in route.cells:
                start = (cell, self.walk.start(cell))
                starts[start] = starts.get(start, 0) | self.layouts.at(route.at)
        places = self._all_below(starts)
        come = self._come(starts, places)
        for place in places:
            for read, here in self._read(place, starts.get(place, 0) | come.get(place, 0)):
                ends = self._ends(read.edge, here)
                for lone, mask in ends.items():
                    cells = reached[lone]
                    cells[read.edge.cell] = cells.get(read.edge.cell, 0) | mask
                if siblings:
                    overlaps |= dict.fromkeys(self._overlaps(read.edge, ends))
        each = {
            route: {cell: self._specs(lone, mask) for cell, mask in cells.items()}
            for lone, cells in enumerate(reached)
            for route in self.routes[lone]
        }
        return Explored(each, self._passed(come), tuple(overlaps))

    def _passed(self, come: Mapping[Place, Mask]) -> dict[RouteId, set[Component]]:
        """Per route that keeps to a circuit the components that it passes."""
        kept = {n for n, _ in enumerate(self.routes) if self.walk.routes[n, 0].through.circuit}
        passed: dict[int, set[Component]] = {lone: set() for lone in kept}
        for (cell, state), mask in come.items() if kept else ():
            if mask:
                for lone in {way.route[0] for way in state if way.onward} & kept:
                    passed[lone].add(self.walk.graph.component(cell))
        return {route: passed[lone] for lone in kept for route in self.routes[lone]}

    def _specs(self, lone: int, mask: Mask) -> set[Spec | None]:
        """The positions of a child's that are among these; None stands for all."""
        at = self.walk.routes[lone, 0].at
        if at == ALL:
            return {None}
        return {spec for spec in at if self.layouts.at((spec,)) & mask}

    def _all_below(self, starts: Iterable[Place], known: Container[Place] = ()) -> list[Place]:
        """These places and all that their paths come to, each once, up to those that are known."""
        seen: dict[Place, None] = {}
        waiting = list(starts)
        while waiting:
            place = waiting.pop()
            if place[1] and place not in seen and place not in known:
                seen[place] = None
                waiting += [read.below for read in self.reads(place)]
        return list(seen)

    def _come(self, starts: Mapping[Place, Mask], places: Sequence[Place]) -> dict[Place, Mask]:
        """Where paths come to each place: what stands last in the graph reads first."""
        order = self.walk.graph.order
        come: dict[Place, Mask] = {}
        for place in sorted(places, key=lambda place: -order[place[0].site]):
            for read, here in self._read(place, starts.get(place, 0) | come.get(place, 0)):
                come[read.below] = come.get(read.below, 0) | here
        return come

    def _read(self, place: Place, at: Mask) -> Iterator[tuple[Read, Mask]]:
        """What a place reads from these positions, and where."""
        if at:
            seen = self.layouts.seen_from(at)
            for read in self.reads(place):
                here = (seen if read.everywhere else at) & read.where
                if here:
                    yield read, here

    def reads(self, place: Place) -> list[Read]:
        """The cells that a cell reads."""
        if place not in self._reads:
            self._reads[place] = self._found(*place)
        return self._reads[place]

    def _found(self, cell: Cell, state: State) -> list[Read]:
        found: list[Read] = []
        for port, edge in self.walk.edges(cell, state):
            if isinstance(edge, CellEdge):
                if edge.open or edge.claims:
                    found.append(Read(edge, port.everywhere, self.layouts.every))
                continue
            stream: str | None = edge.stream if edge.routes else None
            while stream is not None:
                for writer in self.walk.writers(stream, edge.routes):
                    found += self._divided(writer, port.everywhere)
                stream = self.walk.graph.streams[stream].base
        return found

    def _divided(self, writer: CellEdge, everywhere: bool) -> Iterator[Read]:
        """A writer where nothing is said of its positions, and in each of its parts."""
        masks = [self.layouts.region(part.region) for part in writer.parts]
        left = self.layouts.every
        for mask in masks:
            left &= ~mask
        if left and (writer.open or writer.claims):
            yield Read(writer, everywhere, left)
        for part, mask in zip(writer.parts, masks, strict=True):
            if mask and (part.open or part.claims):
                yield Read(CellEdge(writer.cell, part.open, part.claims), everywhere, mask)

    def _ends(self, edge: CellEdge, here: Mask) -> dict[int, Mask]:
        """The children that claim a cell where it is read, each with the positions."""
        found = {claim.child: self.layouts.at(claim.at) & here for claim in edge.claims}
        return {child: mask for child, mask in found.items() if mask}

    def _overlaps(self, edge: CellEdge, ends: Mapping[int, Mask]) -> Iterator[Shared | Crossed]:
        for lones in together(ends):
            group = {route: ends[lone] for lone in lones for route in self.routes[lone]}
            if len({child for child, _ in group}) > 1:
                yield Shared(edge.cell, tuple(sorted(group.items())))
        landing: dict[Mask, list[int]] = {}
        for lone, mask in ends.items():
            landing.setdefault(mask, []).append(lone)
        leading = self._leading((edge.cell, edge.open)) if ends else {}
        for mask, lones in landing.items() if leading else ():
            on = [lone for lone, from_here in leading.items() if from_here & mask]
            by = sorted(route for lone in lones for route in self.routes[lone])
            paths = sorted(route for lone in on for route in self.routes[lone])
            owners = {child for child, _ in by}
            if paths and (len(owners) > 1 or any(child not in owners for child, _ in paths)):
                yield Crossed(edge.cell, tuple(by), tuple(paths))

    def _leading(self, start: Place) -> Mapping[int, Mask]:
        """The children whose routes come from a place to what they claim, and from which positions.

        What stands first in the graph is looked at first: all that a place reads is known then.
        """
        order = self.walk.graph.order
        if start not in self._below:
            unknown = self._all_below([start], known=self._below)
            for place in sorted(unknown, key=lambda place: order[place[0].site]):
                self._below[place] = self._leads(place)
        return self._below.get(start, {})

    def _leads(self, place: Place) -> dict[int, Mask]:
        found: dict[int, Mask] = {}
        seen: dict[int, Mask] = {}
        for read in self.reads(place):
            into = seen if read.everywhere else found
            for lone, mask in self._ends(read.edge, read.where).items():
                into[lone] = into.get(lone, 0) | mask
            for lone, mask in self._below.get(read.below, {}).items():
                into[lone] = into.get(lone, 0) | mask & read.where
        for lone, mask in seen.items():
            found[lone] = found.get(lone, 0) | self.layouts.seeing(mask)
        return found


def together(ends: Mapping[int, Mask]) -> list[list[int]]:
    """Children that claim one cell, in groups: each meets another of its group somewhere."""
    once = twice = 0
    for mask in ends.values():
        twice |= once & mask
        once |= mask
    groups: list[tuple[Mask, list[int]]] = []
    for child, mask in ends.items():
        met = [group for group in groups if group[0] & mask] if mask & twice else []
        if not met:
            groups.append((mask, [child]))
            continue
        whole = mask
        for other, _ in met:
            whole |= other
        groups[groups.index(met[0])] = (whole, [*itertools.chain(*(g for _, g in met)), child])
        groups = [group for group in groups if group not in met[1:]]
    return [group for _, group in groups]
