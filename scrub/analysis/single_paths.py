"""A leaf's paths one by one: one site, at one position, by one port of its parent."""

from __future__ import annotations

from attrs import evolve

from scrub.analysis.legality import problems
from scrub.data.dataset import Dataset
from scrub.hypothesis.sites import ALL, Route
from scrub.hypothesis.tree import NamePath, Occurrence, Tree
from scrub.model.graph import Graph
from scrub.samplers import Exact


def parts(tree: Tree, path: NamePath, graph: Graph, data: Dataset) -> tuple[Route, ...]:
    """The paths of a leaf below the root, each as a route that a node of its own may claim.

    () if the node has children, is the root, or has but one path; or if its paths run through each
    other, so that none can be swapped without the others. A position "all" stays whole.
    """
    node = find(tree, path)
    if not node.is_leaf or len(path) == 1:
        return ()
    for by_port in (True, False):
        pieces = _pieces(tree, node, graph, data, by_port=by_port)
        if len(pieces) < 2:
            continue
        if all(
            not problems(
                divided(tree, path, (piece,), tuple(p for p in pieces if p is not piece)),
                graph,
                data,
                below=path[:-1],
            )
            for piece in pieces
        ):
            return pieces
    return ()


def divided(
    tree: Tree, path: NamePath, swapped: tuple[Route, ...], exact: tuple[Route, ...]
) -> Tree:
    """The tree in which a leaf stands for some of its paths only, the others being exact.

    The leaf keeps its name, and so its draws. The other paths belong to a sibling that takes them
    from the parent's own input.
    """
    if tree.path != path[:-1]:
        below = tuple(
            divided(c, path, swapped, exact) if path[: len(c.path)] == c.path else c
            for c in tree.children
        )
        return evolve(tree, children=below)
    names = {child.node.name for child in tree.children}
    name = f"{path[-1]}, exact"
    while name in names:
        name += "'"
    children: list[Occurrence] = []
    for child in tree.children:
        if child.path != path:
            children.append(child)
            continue
        children.append(evolve(child, routes=swapped))
        rest = evolve(child.node, name=name, sampler=Exact())
        children.append(Occurrence((*tree.path, name), rest, exact, ()))
    return evolve(tree, children=tuple(children))


def find(tree: Tree, path: NamePath) -> Occurrence:
    """The occurrence at a path."""
    (found,) = (node for node in tree.walk() if node.path == path)
    return found


def _pieces(
    tree: Tree, leaf: Occurrence, graph: Graph, data: Dataset, *, by_port: bool
) -> tuple[Route, ...]:
    """Every piece of a leaf's routes that some path leads to; () if some part has none."""
    parent = find(tree, leaf.path[:-1])
    ports = sorted(
        {
            port
            for route in parent.routes
            for cell in route.cells
            for port in graph.outer_ports[graph.sites[cell.site].group]
        }
    )
    found: list[Route] = []
    for route in leaf.routes:
        for cell in route.cells:
            for at in [ALL] if route.at == ALL else [(spec,) for spec in route.at]:
                whole = evolve(route, cells=(cell,), at=at)
                entered = [p for p in ports if route.into is None or p in route.into]
                tried = [evolve(whole, into=port) for port in entered] if by_port else [whole]
                led = [piece for piece in tried if _leads(tree, parent, leaf, piece, graph, data)]
                if not led:
                    return ()
                found += led if len(led) > 1 else [whole]
    return tuple(found)


def _leads(
    tree: Tree, parent: Occurrence, leaf: Occurrence, piece: Route, graph: Graph, data: Dataset
) -> bool:
    """Whether a route leads from the parent to what it claims, if no other node claims anything."""
    lone = evolve(parent, children=(evolve(leaf, routes=(piece,)),))
    return not problems(lone, graph, data, below=parent.path)
