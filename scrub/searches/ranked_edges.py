"""Circuits of ranked edges: which come first, and which circuits of how many there are.

Pure functions of edges and a score of each.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np
from attrs import field, frozen
from jaxtyping import Float

from scrub.data.dataset import Dataset
from scrub.hypothesis.circuit import Circuit, Edge
from scrub.hypothesis.positions import ALL, At, Spec
from scrub.hypothesis.sites import Sites
from scrub.model.graph import Graph
from scrub.model.registry import Model
from scrub.names import Cell
from scrub.searches.pruned_parts import EVERYWHERE, ends

RATIO = 1.5
"""Of a size on the grid to the one below it."""
Place = tuple[Cell, Spec]
"""A component at a column, or at all positions."""
Scores = Float[np.ndarray, " edges"]


def top_order(scores: Scores) -> list[int]:
    """Numbers by the size of their score, the largest first; of equal ones the earlier."""
    return np.argsort(-np.abs(scores), kind="stable").tolist()


@frozen(eq=False)
class Places:
    """Where readers and writers stand, so that one edge may go on from another.

    Edges at all positions go on from each other at their component. Of edges at single columns one
    into a query, an MLP or the output goes on from the component at that column alone; one into a
    key or value from wherever the head stands and sees the column.

    Attributes:
        columns: those that edges are at; () where they are at all positions.
        seen: for each column those at which something may stand that sees it.
    """

    columns: tuple[Spec, ...] = ()
    seen: Mapping[Spec, tuple[Spec, ...]] = field(factory=dict)

    @staticmethod
    def of(columns: Sequence[Spec], data: Dataset, *, causal: bool) -> Places:
        """Columns see each other if they do in some row."""
        index = {one: data.position(one) for one in columns}
        seen = {
            one: tuple(by for by in columns if not causal or (index[one] <= index[by]).any())
            for one in columns
        }
        return Places(tuple(columns), seen)

    def written(self, edge: Edge) -> list[Place]:
        """Where the writer stands."""
        return [(edge.writer, spec) for spec in self._specs(edge.at)]

    def read(self, edge: Edge) -> list[Place]:
        """Where the reader may stand."""
        specs = self._specs(edge.at)
        if edge.into in EVERYWHERE and self.columns:
            specs = tuple(dict.fromkeys(by for one in specs for by in self.seen[one]))
        return [(edge.reader, spec) for spec in specs]

    def at(self, cells: Iterable[Cell], at: At) -> list[Place]:
        """Components at some positions, as far as they are columns."""
        specs = self.columns if at == ALL else tuple(one for one in self.columns if one in at)
        return [(cell, spec) for cell in sorted(cells) for spec in specs or self._specs(ALL)]

    def _specs(self, at: At) -> tuple[Spec, ...]:
        return (ALL,) if isinstance(at, str) else at


def greedy_order(
    edges: Sequence[Edge], scores: Scores, last: Collection[Place], places: Places
) -> list[int]:
    """Numbers of edges in the order in which they are taken from the output backwards.

    Taken is always the edge with the largest score, in size, of those whose reader is there: what
    is read last is, and so is the writer of an edge that was taken (Hanna et al. 2024; hannamw/
    EAP-IG, `apply_greedy`). Every beginning of the order leads to the output; what has no way from
    the embeddings is left to whoever takes it.

    Law: with scores that fall from the output backwards it is the order by score. Edges into what
    never comes to be there are in no beginning, and left out.
    """
    into: dict[Place, list[int]] = {}
    for number, edge in enumerate(edges):
        for place in places.read(edge):
            into.setdefault(place, []).append(number)
    there, taken = set[Place](), dict[int, None]()
    waiting: list[tuple[float, int]] = []

    def comes(several: Iterable[Place]) -> None:
        for place in several:
            if place not in there:
                there.add(place)
                for number in into.get(place, ()):
                    heapq.heappush(waiting, (-abs(float(scores[number])), number))

    comes(last)
    while waiting:
        _, number = heapq.heappop(waiting)
        if number not in taken:
            taken[number] = None
            comes(places.written(edges[number]))
    return list(taken)


def on_paths(
    edges: Sequence[Edge], last: Collection[Place], places: Places, graph: Graph
) -> tuple[Edge, ...]:
    """The edges that lie on a path from the embeddings to what is read last."""
    starts = {name for name, site in graph.sites.items() if site.kind == "embedding"}
    steps = [(places.written(edge), places.read(edge)) for edge in edges]
    ahead = _reached(
        steps, {place for froms, _ in steps for place in froms if place[0].site in starts}
    )
    back = _reached([(tos, froms) for froms, tos in steps], set(last))
    pairs = zip(edges, steps, strict=True)
    return tuple(
        edge
        for edge, (froms, tos) in pairs
        if not ahead.isdisjoint(froms) and not back.isdisjoint(tos)
    )


def by_size(
    edges: Sequence[Edge], scores: Scores, root: Sites, model: Model, *, greedy: bool = True
) -> Callable[[int], Circuit]:
    """The circuit of the first so many edges, as far as they lie on a path.

    Law: a larger circuit holds a smaller one.

    Args:
        edges: at all positions.
    """
    places, graph = Places(), model.graph
    last = places.at(ends(root, graph), ALL)
    order = greedy_order(edges, scores, last, places) if greedy else top_order(scores)

    def circuit(size: int) -> Circuit:
        chosen = on_paths([edges[number] for number in order[:size]], last, places, graph)
        return Circuit(edges=chosen)

    return circuit


def _reached(steps: Iterable[tuple[list[Place], list[Place]]], starts: set[Place]) -> set[Place]:
    below: dict[Place, list[Place]] = {}
    for froms, tos in steps:
        for place in froms:
            below.setdefault(place, []).extend(tos)
    found, waiting = set(starts), list(starts)
    while waiting:
        for place in below.get(waiting.pop(), ()):
            if place not in found:
                found.add(place)
                waiting.append(place)
    return found


def sizes(count: int, ratio: float = RATIO) -> list[int]:
    """A grid of sizes from 1 to a count, each about so many times the one before."""
    found, size = [], 1
    while size < count:
        found.append(size)
        size = max(size + 1, math.ceil(size * ratio))
    return [*found, count] if count else []
