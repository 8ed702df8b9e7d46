"""Lower trees that differ in one head alone once.

The heads of a layer are alike: what reads one of them reads the others in the same way. So the
steps of a leaf that is a head, whose path goes directly to a node that is no head of its layer, are
those of the next head with another number.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from attrs import evolve

from scrub.engine.lower import lower
from scrub.engine.steps import Patch, Result, SiteStep, Step
from scrub.engine.walks import Walks
from scrub.hypothesis.sites import none
from scrub.hypothesis.tree import Tree
from scrub.model.graph import Graph
from scrub.names import Cell

Lowered = tuple[tuple[Step, ...], Result]


def lower_family(trees: Sequence[Tree], graph: Graph, walks: Walks) -> Iterator[Lowered]:
    """The steps and the result of each of several trees with one root.

    Law: but for the routes by which steps say how they came about, `lower` gives the same.
    """
    known: dict[Hashable, tuple[Cell, Lowered]] = {}
    whole = all(site.summand_of is None for site in graph.sites.values())
    for tree in trees:
        cell = _lone_head(tree, graph) if whole else None
        if cell is None:
            yield lower(tree, graph, walks)
            continue
        ((child,), (route,)) = tree.children, tree.children[0].routes
        alike = (child.path, cell.site, evolve(route, cells=()))
        if alike not in known:
            known[alike] = (cell, lower(tree, graph, walks))
        first, (steps, result) = known[alike]
        yield tuple(_of(cell, first, step) for step in steps), result


def _lone_head(tree: Tree, graph: Graph) -> Cell | None:
    """The head that is all that a tree has below its root, where heads of its layer are alike."""
    routes = [route for child in tree.children for route in child.routes]
    if len(tree.children) != 1 or len(routes) != 1 or tree.children[0].children:
        return None
    (route,) = routes
    (cell, *others) = route.cells
    if others or cell.head is None or cell.part is not None or route.through != none:
        return None
    groups = {graph.sites[root.site].group for own in tree.routes for root in own.cells}
    return None if graph.sites[cell.site].group in groups else cell


def _of(cell: Cell, first: Cell, step: Step) -> Step:
    """A step of the tree of `first`, as it is in that of another head of the same site."""
    if cell == first:
        return step
    if isinstance(step, SiteStep):
        assert not any(getattr(read, "patches", ()) for read in step.reads), "paths are direct"
        return step
    return evolve(step, patches=tuple(_patch(cell, first, patch) for patch in step.patches))


def _patch(cell: Cell, first: Cell, patch: Patch) -> Patch:
    assert (patch.site, patch.heads) == (first.site, (first.head,)), "nothing else is changed"
    return evolve(patch, heads=(cell.head,))
