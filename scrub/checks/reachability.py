"""Which cells and positions the children of a node reach, and where children overlap.

Children that claim the same along the same path are walked as one, and what several claim in one
place is noted as one: a node's thousand children have half a million pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Iterator, Mapping

import numpy as np
from attrs import evolve, field, frozen

from scrub.data.dataset import Dataset
from scrub.engine.gates import RouteId
from scrub.engine.passing import Region
from scrub.engine.routing import Walk
from scrub.engine.states import CellEdge, Part, State
from scrub.hypothesis.sites import (
    ALL,
    At,
    Route,
    Spec,
)
from scrub.hypothesis.tree import Occurrence
from scrub.model.graph import Component, Graph
from scrub.names import Cell


@frozen(cache_hash=True)
class Reach:
    """Positions at which a value is read: these, or (`before`) all that they attend to.

    Attributes:
        without: positions at which it is not read, where these are all.
    """

    at: At
    before: bool = False
    without: frozenset[Spec] = frozenset()


Claims = tuple[tuple[RouteId, tuple[Spec | None, ...]], ...]
"""Routes that claim a cell, each with the positions at which it is read; None: all of them."""


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
    meetings: Meetings

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
        for (first, specs), (second, others) in itertools.combinations(overlap.by, 2):
            if first[0] != second[0] and self.meetings.any_meet(specs, others):
                yield Overlap(first, second, through=False)


@frozen(eq=False)
class Meetings:
    """Which named positions are, or come before, which others in some row of the data.

    Attributes:
        compared: pairs of positions that were looked up, each once.
    """

    data: Dataset
    causal: bool
    compared: dict[tuple[Spec, Spec, bool], bool] = field(factory=dict)
    _fitting: dict[tuple[At, Reach], tuple[Spec | None, ...]] = field(factory=dict)
    _groups: dict[frozenset[Spec], dict[Spec, Spec]] = field(factory=dict)
    _inside: dict[tuple[Region, Reach], tuple[Spec, ...]] = field(factory=dict)

    def fitting(self, at: At, reach: Reach) -> tuple[Spec | None, ...]:
        """The positions of a claim at which a value is read; None stands for all of them."""
        key = (at, reach)
        if key not in self._fitting:
            specs = [None] if at == ALL else at
            self._fitting[key] = tuple(s for s in specs if s is None or self._includes(reach, s))
        return self._fitting[key]

    def _beyond(self, spec: Spec, others: frozenset[Spec]) -> bool:
        """Whether a position is none of some others, in some row."""
        if spec in others:
            return False
        here = self.data.position(spec)
        return bool(np.logical_and.reduce([self.data.position(o) != here for o in others]).any())

    def outside(self, parts: tuple[Part, ...], reach: Reach) -> Reach | None:
        """What is left of a reach but for the parts of a writer; None where nothing is."""
        whole = [p.region for p in parts if not p.region.within and not p.region.without]
        taken = frozenset(spec for region in whole for spec in region.at)
        if not taken or reach.before:
            return reach
        if reach.at == ALL:
            return evolve(reach, without=reach.without | taken)
        left = tuple(spec for spec in reach.at if self._beyond(spec, taken))
        return evolve(reach, at=left) if left else None

    def inside(self, region: Region, reach: Reach) -> tuple[Spec, ...]:
        """The named positions of a region at which a value is read, in some row."""
        key = (region, reach)
        if key not in self._inside:
            self._inside[key] = tuple(
                spec
                for spec in region.at
                if self._includes(reach, spec) and self._is_in(spec, region)
            )
        return self._inside[key]

    def _is_in(self, spec: Spec, region: Region) -> bool:
        """Whether a named position is in a region, in some row."""
        here = self.data.position(spec)
        found = np.ones(len(here), dtype=bool)
        for among, specs in ((True, region.within), (False, region.without)):
            for each in specs:
                same = [self.data.position(other) == here for other in each]
                found &= np.logical_or.reduce(same) == among
        return bool(found.any())

    def _includes(self, reach: Reach, spec: Spec) -> bool:
        """Whether a named position is among those of a reach, in some row."""
        if reach.without and not self._beyond(spec, reach.without):
            return False
        if reach.at == ALL or spec in reach.at or (reach.before and not self.causal):
            return True
        return any(self.meet(spec, other, before=reach.before) for other in reach.at)

    def meet(self, one: Spec, other: Spec, *, before: bool = False) -> bool:
        """Whether a position is another in some row, or (`before`) comes before it."""
        key = (one, other, before)
        if key not in self.compared:
            mine, theirs = self.data.position(one), self.data.position(other)
            found = np.less_equal(mine, theirs) if before else np.equal(mine, theirs)
            self.compared[key] = bool(found.any())
        return self.compared[key]

    def any_meet(self, one: tuple[Spec | None, ...], other: tuple[Spec | None, ...]) -> bool:
        """Whether two lists of positions have one in common, in some row."""
        return any(
            a is None or b is None or a == b or self.meet(a, b)
            for a, b in itertools.product(one, other)
        )

    def together(self, claims: Mapping[RouteId, tuple[Spec | None, ...]]) -> list[list[RouteId]]:
        """Routes that claim one cell, in groups: each meets another of its group somewhere."""
        if any(None in specs for specs in claims.values()):
            return [list(claims)]
        named = frozenset(spec for specs in claims.values() for spec in specs if spec is not None)
        group = dict(self._met(named))  # of a position: another of its group, or itself

        def first(spec: Spec) -> Spec:
            while group[spec] != spec:
                group[spec] = group[group[spec]]
                spec = group[spec]
            return spec

        for specs in claims.values():
            for spec in specs[1:]:  # a route with several positions meets what meets any of them
                assert spec is not None
                assert specs[0] is not None
                group[first(spec)] = first(specs[0])
        groups: dict[Spec, list[RouteId]] = {}
        for route, specs in claims.items():
            assert specs[0] is not None
            groups.setdefault(first(specs[0]), []).append(route)
        return list(groups.values())

    def _met(self, named: frozenset[Spec]) -> dict[Spec, Spec]:
        """Per position one that it meets in some row, in a chain that ends at one that is its own.

        All rows are sorted by position at once, so that those that meet are neighbours.
        """
        if named not in self._groups:
            specs = sorted(named, key=str)
            at = np.stack([self.data.position(spec) for spec in specs])
            order = np.lexsort(
                (
                    np.repeat(np.arange(len(specs)), at.shape[1]),
                    at.ravel(),
                    np.tile(np.arange(at.shape[1]), len(specs)),
                )
            )
            which, row = np.divmod(order, at.shape[1])
            same = (row[1:] == row[:-1]) & (at.ravel()[order][1:] == at.ravel()[order][:-1])
            pairs = np.unique(np.stack([which[:-1][same], which[1:][same]]), axis=1)
            group = {spec: spec for spec in specs}
            for one, other in pairs.T.tolist():
                a, b = specs[one], specs[other]
                while group[a] != a:
                    a = group[a]
                while group[b] != b:
                    b = group[b]
                group[b] = a
            self._groups[named] = group
        return self._groups[named]


def explore(node: Occurrence, graph: Graph, data: Dataset) -> Explored:
    """Walk all open paths below a node, positions included."""
    alike: dict[Route, list[RouteId]] = {}
    for child, below in enumerate(node.children):
        for number, route in enumerate(below.routes):
            alike.setdefault(route, []).append((child, number))
    # One child for each route: what a path finds depends on nothing else.
    lone = tuple(evolve(node.children[r[0][0]], routes=(route,)) for route, r in alike.items())
    walk = Walk(graph, evolve(node, children=lone))
    return _Explorer(walk, Meetings(data, graph.causal), tuple(alike.values())).explored()


Place = tuple[Cell, State, Reach]
Edge = tuple[CellEdge, Reach]


@frozen(eq=False)
class _Explorer:
    """The walk of one node's routes, each a child by itself.

    Attributes:
        routes: per child of the walk the routes that it stands for.
    """

    walk: Walk
    meetings: Meetings
    routes: tuple[list[RouteId], ...]
    _edges: dict[Place, list[Edge]] = field(factory=dict, init=False)
    _below: dict[Place, frozenset[int]] = field(factory=dict, init=False)

    def explored(self) -> Explored:
        reached: list[dict[Cell, set[Spec | None]]] = [{} for _ in self.routes]
        overlaps: dict[Shared | Crossed, None] = {}
        starts = [
            (cell, self.walk.start(cell), Reach(route.at))
            for route in self.walk.node.routes
            for cell in route.cells
        ]
        kept = {n for n, _ in enumerate(self.routes) if self.walk.routes[n, 0].through.circuit}
        passed: dict[int, set[Component]] = {lone: set() for lone in kept}
        for place in self._all_below(starts):
            if kept and place not in starts:
                for lone in {way.route[0] for way in place[1] if way.onward} & kept:
                    passed[lone].add(self.walk.graph.component(place[0]))
            for edge, here in self.edges(place):
                ends = self._ends(edge, here)
                for lone, specs in ends.items():
                    reached[lone].setdefault(edge.cell, set()).update(specs)
                overlaps |= dict.fromkeys(self._overlaps(edge, ends, here))
        each = {
            route: found
            for routes, found in zip(self.routes, reached, strict=True)
            for route in routes
        }
        circuits = {route: passed[lone] for lone in kept for route in self.routes[lone]}
        return Explored(each, circuits, tuple(overlaps), self.meetings)

    def _all_below(self, starts: Iterable[Place], known: Container[Place] = ()) -> list[Place]:
        """These places and all that their paths come to, each once, up to those that are known."""
        seen: dict[Place, None] = {}
        waiting = list(starts)
        while waiting:
            place = waiting.pop()
            if place[1] and place not in seen and place not in known:
                seen[place] = None
                waiting += [(edge.cell, edge.open, here) for edge, here in self.edges(place)]
        return list(seen)

    def edges(self, place: Place) -> list[Edge]:
        """The cells that a cell reads, and at which positions."""
        if place not in self._edges:
            self._edges[place] = self._found(*place)
        return self._edges[place]

    def _found(self, cell: Cell, state: State, reach: Reach) -> list[Edge]:
        found: list[Edge] = []
        for port, edge in self.walk.edges(cell, state):
            here = Reach(reach.at, before=True) if port.everywhere else reach
            if isinstance(edge, CellEdge):
                if edge.open or edge.claims:
                    found.append((edge, here))
                continue
            stream: str | None = edge.stream if edge.routes else None
            while stream is not None:
                for writer in self.walk.writers(stream, edge.routes):
                    left = self.meetings.outside(writer.parts, here) if writer.parts else here
                    if left is not None and (writer.open or writer.claims):
                        found.append((writer, left))
                    found += self._parts(writer, here)
                stream = self.walk.graph.streams[stream].base
        return found

    def _parts(self, writer: CellEdge, reach: Reach) -> Iterator[Edge]:
        """A writer where other routes may pass it, if that is among the positions of a reach."""
        for part in writer.parts:
            specs = self.meetings.inside(part.region, reach)
            if specs and (part.open or part.claims):
                yield CellEdge(writer.cell, part.open, part.claims), Reach(specs)

    def _ends(self, edge: CellEdge, reach: Reach) -> dict[int, tuple[Spec | None, ...]]:
        """The children that claim a cell where it is read, each with the positions."""
        fitting = {claim.child: self.meetings.fitting(claim.at, reach) for claim in edge.claims}
        return {child: specs for child, specs in fitting.items() if specs}

    def _overlaps(
        self, edge: CellEdge, ends: Mapping[int, tuple[Spec | None, ...]], reach: Reach
    ) -> Iterator[Shared | Crossed]:
        claims = {route: specs for c, specs in ends.items() for route in self.routes[c]}
        if len({child for child, _ in claims}) > 1:
            for group in self.meetings.together(claims):
                if len({child for child, _ in group}) > 1:
                    yield Shared(edge.cell, tuple((r, claims[r]) for r in sorted(group)))
        landing: dict[Reach, list[int]] = {}
        for child, specs in ends.items():
            there = reach if specs == (None,) else Reach(tuple(s for s in specs if s is not None))
            landing.setdefault(there, []).append(child)
        for there, children in landing.items():
            by = sorted(route for child in children for route in self.routes[child])
            on = self._leads_to((edge.cell, edge.open, there))
            paths = sorted(route for child in on for route in self.routes[child])
            owners = {child for child, _ in by}
            if paths and (len(owners) > 1 or any(child not in owners for child, _ in paths)):
                yield Crossed(edge.cell, tuple(by), tuple(paths))

    def _leads_to(self, start: Place) -> frozenset[int]:
        """The children whose routes come from a place to what they claim.

        What stands first in the graph is looked at first: all that a place reads is known then.
        """
        order = self.walk.graph.order
        if start not in self._below:
            unknown = self._all_below([start], known=self._below)
            for place in sorted(unknown, key=lambda place: order[place[0].site]):
                found: set[int] = set()
                for edge, here in self.edges(place):
                    found.update(self._ends(edge, here))
                    found |= self._below.get((edge.cell, edge.open, here), frozenset())
                self._below[place] = frozenset(found)
        return self._below.get(start, frozenset())
