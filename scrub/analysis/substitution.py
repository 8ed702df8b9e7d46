"""Other components of the same types and layers in the place of those that a tree names.

A tree *names* the heads that its nodes stand for and those that its paths are said to pass
(`including`): it says of these that they matter. A head that a path is not to pass (`excluding`)
and that no node stands for is said not to matter there. It stays excluded, and takes nobody's
place: the tree would then speak of one head where it speaks of two. Where a head that a node stands
for is excluded as well, so that paths do not overlap, the exclusion goes with it.

What is put in the place of what is named is none of it, and each comes once. What has no like in
its layer stays as it is: MLPs, embeddings, and the root, which the metric reads. Without heads
(graphs of plain functions), a site stands for those at the same depth that have the same ports.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from attrs import evolve, frozen

from scrub.analysis.legality import problems
from scrub.analysis.likeness import Likeness
from scrub.data.dataset import Dataset
from scrub.hypothesis.circuit import Circuit, Placed
from scrub.hypothesis.sites import Route, Through
from scrub.hypothesis.tree import Tree
from scrub.model.graph import Component, Graph
from scrub.names import Cell

ATTEMPTS = 20
"""Choices tried for each null that is asked for, before there are taken to be no more."""
FEW = 400
"""Up to so many choices all are made, in a random order. Of more, some are drawn."""

Instead = Mapping[Component, Component]
"""Which component takes the place of which."""


@frozen(eq=False)
class Pool:
    """The components that may stand in for those of one layer and type.

    Attributes:
        named: those that the tree names.
        others: those that may stand in for them, none of which it names.
        layer: of heads their layer's number, or their group where the graph has no layers; "" for
            sites without heads.
    """

    named: tuple[Component, ...]
    others: tuple[Component, ...]
    layer: str = ""

    @property
    def enough(self) -> bool:
        """Whether there is another component for each that is named."""
        return len(self.others) >= len(self.named)


def pools(tree: Tree, graph: Graph) -> tuple[Pool, ...]:
    """What may stand in for the components that a tree names; () where nothing has a like."""
    fixed = {graph.component(cell) for route in tree.routes for cell in route.cells}
    fixed |= {  # a split need not fit another site; it fits all heads of its own
        graph.component(cell)
        for node in tree.walk()
        for route in node.routes
        for cell in route.cells
        if cell.part is not None and cell.head is None
    }
    routes = [route for node in tree.walk()[1:] for route in node.routes]
    passed = [placed.cell for route in routes for placed in route.through.passed]
    claimed = [cell for route in routes for cell in route.cells]
    named = {graph.component(cell) for cell in (*claimed, *passed)} - fixed
    barred = {graph.component(p.cell) for route in routes for p in route.through.barred}
    likeness = Likeness(graph)
    layers: dict[object, list[Component]] = {}
    for component in sorted(named, key=str):
        layers.setdefault(likeness.kind(component), []).append(component)
    found: list[Pool] = []
    for mine in layers.values():
        every = likeness.alike(mine[0])
        if len(every) > 1:
            others = tuple(c for c in every if c not in fixed | named | barred)
            found.append(Pool(tuple(mine), others, _layer(mine[0], graph)))
    return tuple(found)


def _layer(component: Component, graph: Graph) -> str:
    group, head = component
    if head is None:
        return ""
    layer = next(site.layer for site in graph.sites.values() if site.group == group)
    return group if layer is None else str(layer)


def nulls(
    tree: Tree, graph: Graph, data: Dataset, most: int, rng: np.random.Generator
) -> Iterator[Tree]:
    """Legal trees with other components in the place of all that are named, no two alike.

    Where there are `FEW` choices each is made, in a random order.

    Law: asking for more leaves the first ones as they were.

    Args:
        most: how many, if there are as many.
    """
    there = pools(tree, graph)
    if not there or not all(pool.enough for pool in there):
        return
    seen: set[object] = set()
    for instead in itertools.islice(_choices(tree, graph, there, rng), max(ATTEMPTS * most, FEW)):
        if len(seen) == most:
            return
        null = substituted(tree, instead, graph)
        claimed = _claimed(null)
        if claimed not in seen and not problems(null, graph, data):
            seen.add(claimed)
            yield null


def _choices(
    tree: Tree, graph: Graph, there: Sequence[Pool], rng: np.random.Generator
) -> Iterator[Instead]:
    """All choices, each once, where they are few; else some, without end."""
    roles = [_roles(tree, graph, pool) for pool in there]
    if math.prod(_count(pool, of) for pool, of in zip(there, roles, strict=True)) > FEW:
        while True:
            yield _merged(_drawn(pool, rng) for pool in there)
    each = [list(_assignments(of, pool.others)) for pool, of in zip(there, roles, strict=True)]
    every = list(itertools.product(*each))
    for number in rng.permutation(len(every)):
        yield _merged(every[number])


def _merged(parts: Iterator[Instead] | Sequence[Instead]) -> Instead:
    return {mine: other for part in parts for mine, other in part.items()}


def _drawn(pool: Pool, rng: np.random.Generator) -> Instead:
    chosen = rng.permutation(len(pool.others))[: len(pool.named)]
    return {mine: pool.others[i] for mine, i in zip(pool.named, chosen, strict=True)}


def _roles(tree: Tree, graph: Graph, pool: Pool) -> list[list[Component]]:
    """The named ones in groups of which any two may change places: the tree claims the same."""
    claimed = _claimed(tree)
    found: list[list[Component]] = []
    for one in pool.named:
        for role in found:
            if _claimed(substituted(tree, {one: role[0], role[0]: one}, graph)) == claimed:
                role.append(one)
                break
        else:
            found.append([one])
    return found


def _count(pool: Pool, roles: Sequence[Sequence[Component]]) -> int:
    """How many choices there are."""
    ordered = math.perm(len(pool.others), len(pool.named))
    return ordered // math.prod(math.factorial(len(role)) for role in roles)


def _assignments(
    roles: Sequence[Sequence[Component]], others: tuple[Component, ...]
) -> Iterator[Instead]:
    """Every choice of others for each role, all different."""
    if not roles:
        yield {}
        return
    first, *rest = roles
    for chosen in itertools.combinations(others, len(first)):
        left = tuple(other for other in others if other not in chosen)
        for more in _assignments(rest, left):
            yield dict(zip(first, chosen, strict=True)) | dict(more)


def substituted(tree: Tree, instead: Instead, graph: Graph) -> Tree:
    """The tree with some components in the place of others, wherever it names them."""

    def cell(old: Cell) -> Cell:
        component = graph.component(old)
        if component not in instead:
            return old
        other, number = instead[component]
        return evolve(old, site=old.site if other == component[0] else other, head=number)

    def placed(which: tuple[Placed, ...]) -> tuple[Placed, ...]:
        return tuple(evolve(one, cell=cell(one.cell)) for one in which)

    def circuit(old: Circuit) -> Circuit:
        edges = (evolve(e, writer=cell(e.writer), reader=cell(e.reader)) for e in old.edges)
        return Circuit(placed(old.cells), tuple(edges))

    def through(old: Through) -> Through:
        return evolve(
            old,
            also=tuple(map(cell, old.also)),
            never=tuple(map(cell, old.never)),
            also_at=placed(old.also_at),
            never_at=placed(old.never_at),
            circuit=None if old.circuit is None else circuit(old.circuit),
        )

    def route(old: Route) -> Route:
        return evolve(old, cells=tuple(map(cell, old.cells)), through=through(old.through))

    return evolve(
        tree,
        routes=tuple(map(route, tree.routes)),
        children=tuple(substituted(child, instead, graph) for child in tree.children),
    )


def _claimed(tree: Tree) -> object:
    """What a tree claims, whatever order it writes it in."""

    def route(one: Route) -> object:
        through = one.through
        return (
            frozenset(one.cells),
            one.at,
            one.into,
            (through.kinds, frozenset(through.also), frozenset(through.never)),
            (frozenset(through.also_at), frozenset(through.never_at), through.circuit),
        )

    return tuple((node.path, frozenset(map(route, node.routes))) for node in tree.walk())
