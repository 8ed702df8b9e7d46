"""Check the paths of a hypothesis: each leads to what it claims, and no two overlap."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from scrub.checks.narrowing import LISTED, narrowing
from scrub.checks.reachability import (
    Crossed,
    Explored,
    Overlap,
    Shared,
    explore,
)
from scrub.data.dataset import Dataset
from scrub.engine.gates import RouteId
from scrub.errors import Problems, did_you_mean
from scrub.hypothesis.circuit import Placed
from scrub.hypothesis.sites import (
    ALL,
    Route,
    Through,
    none,
)
from scrub.hypothesis.tree import Occurrence
from scrub.model.graph import Graph
from scrub.names import Cell

PAIRS = 12
"""Overlaps of a node's children that are told two by two; of more, children are told in groups."""
NAMED = 3
"""Siblings that a sentence names, at most."""
APART = "Give them different sites, positions or ports (into=)."


def check_paths(
    node: Occurrence, graph: Graph, frames: Sequence[Dataset], problems: Problems
) -> None:
    """Every site and position that a child claims is reached, and no two children overlap.

    Args:
        frames: datasets on whose rows the node may be computed.
    """
    if node.is_leaf:
        return
    explored = explore(node, graph, *frames)
    ports = {
        p
        for r in node.routes
        for c in r.cells
        for p in graph.outer_ports[graph.sites[c.site].group]
    }
    for child, below in enumerate(node.children):
        for number, route in enumerate(below.routes):
            unknown = sorted((route.into or frozenset()) - ports)
            for port in unknown:
                problems.add(
                    f'"{node.node.name}" has no port "{port}".',
                    did_you_mean(port, sorted(ports)),
                    node=below.node.name,
                )
            if unknown:
                continue
            reached = explored.reached.get((child, number), {})
            for cell in route.cells:
                if cell not in reached:
                    problems.add(
                        *_no_path(node, below, number, cell, graph, frames),
                        node=below.node.name,
                    )
            if route.through.circuit is not None:
                _unused(node, below, number, explored, graph, problems)
            lost = [
                spec
                for spec in route.at
                if reached and not any(spec in r for r in reached.values())
            ]
            for spec in lost if route.at != ALL else []:
                problems.add(
                    f'No path leads from "{node.node.name}" to position "{spec}" in any row.',
                    "A path stays at its position unless it enters a head by k or v; "
                    "causal heads read earlier positions only.",
                    node=below.node.name,
                )
    _overlaps(explored, node, graph, problems)


def _unused(
    node: Occurrence,
    child: Occurrence,
    number: int,
    explored: Explored,
    graph: Graph,
    problems: Problems,
) -> None:
    """A circuit of sites of which no path between two nodes passes any."""
    (child_number,) = (n for n, other in enumerate(node.children) if other is child)
    circuit = child.routes[number].through.circuit
    assert circuit is not None
    reached = explored.reached.get((child_number, number))
    named = {graph.component(placed.cell) for placed in circuit.cells}
    if reached and named and not named & explored.passed[child_number, number]:
        problems.add(
            f'No path from "{node.node.name}" passes anything of {circuit}.',
            "Name what lies between a node and its parent; a path that passes nothing is "
            "through=none.",
            node=child.node.name,
        )


def _overlaps(explored: Explored, node: Occurrence, graph: Graph, problems: Problems) -> None:
    """Children that overlap, two by two where they are few."""
    pairs = explored.pairs(PAIRS)
    if pairs is None:
        shared = [overlap for overlap in explored.overlaps if isinstance(overlap, Shared)]
        crossed = [overlap for overlap in explored.overlaps if isinstance(overlap, Crossed)]
        _many_share(shared, node, problems)
        _many_cross(crossed, node, graph, problems)
        return
    for pair, cells in pairs.items():
        problems.add(*_overlap(pair, cells, node, graph), node=_name(node, pair.second))


def _name(node: Occurrence, route: RouteId) -> str:
    return node.children[route[0]].node.name


def _route(node: Occurrence, route: RouteId) -> Route:
    return node.children[route[0]].routes[route[1]]


def _overlap(
    overlap: Overlap, cells: list[Cell], node: Occurrence, graph: Graph
) -> tuple[str, str]:
    """In words, with the narrowing that would make it legal."""
    first, at = _name(node, overlap.first), _route(node, overlap.first).at
    where = "" if at == ALL else f" at {', '.join(map(str, at))}"
    if not overlap.through:
        return f'It and "{first}" both claim {_listed(cells)}{where}, by the same port.', APART
    what = f'Its path runs through {_listed(cells)}{where}, which "{first}" claims.'
    through = _route(node, overlap.second).through
    return what, narrowing(through, [Placed(c, at) for c in cells], f'"{first}"', graph)


def _many_share(shared: list[Shared], node: Occurrence, problems: Problems) -> None:
    """A sentence for all children that claim the same cells together."""
    cells: dict[tuple[int, ...], dict[Cell, None]] = {}
    for overlap in shared:
        children = tuple(dict.fromkeys(child for (child, _), _ in overlap.by))
        cells.setdefault(children, {})[overlap.cell] = None
    for children, claimed in cells.items():
        first, *others = (node.children[child].node.name for child in children)
        problems.add(
            f"It and {_quoted(others)} claim {_listed(list(claimed))} at positions that meet, by "
            "the same port.",
            APART,
            node=first,
        )


def _many_cross(crossed: list[Crossed], node: Occurrence, graph: Graph, problems: Problems) -> None:
    """A sentence for all children whose paths run alike through the same cells."""
    claimed: dict[Cell, dict[int, None]] = {}
    through: dict[RouteId, dict[Cell, None]] = {}
    for overlap in crossed:
        owners = dict.fromkeys(child for child, _ in overlap.by)
        claimed.setdefault(overlap.cell, {}).update(owners)
        for route in overlap.paths:
            if len(owners) > 1 or route[0] not in owners:
                through.setdefault(route, {})[overlap.cell] = None
    alike: dict[tuple[Through, tuple[Cell, ...]], dict[int, None]] = {}
    for route, cells in sorted(through.items()):
        alike.setdefault((_route(node, route).through, tuple(cells)), {})[route[0]] = None
    for (passed, cells), children in alike.items():
        first, *others = (node.children[child].node.name for child in children)
        owners = dict.fromkeys(child for cell in cells for child in claimed[cell])
        alone = not others  # what a child claims itself does not hinder it
        names = [node.children[o].node.name for o in owners if not (alone and o in children)]
        paths = f"Its path and those of {_quoted(others)} run" if others else "Its path runs"
        claim = "claims" if len(names) == 1 else "claim"
        problems.add(
            f"{paths} through {_listed(cells)}, which {_quoted(names)} {claim}.",
            narrowing(passed, [Placed(cell) for cell in cells], _quoted(names[:1]), graph),
            node=first,
        )


def _quoted(names: Sequence[str]) -> str:
    """Siblings by name, where they are few."""
    few = [f'"{name}"' for name in names[:NAMED]]
    if len(names) > NAMED:
        return f"{len(names):,} siblings ({', '.join(few)}, …)"
    return few[0] if len(few) == 1 else f"{', '.join(few[:-1])} and {few[-1]}"


def _listed(cells: Sequence[Cell]) -> str:
    more = f" and {len(cells) - LISTED:,} more" if len(cells) > LISTED else ""
    return ", ".join(map(str, cells[:LISTED])) + more


def _no_path(
    node: Occurrence,
    child: Occurrence,
    number: int,
    cell: Cell,
    graph: Graph,
    frames: Sequence[Dataset],
) -> tuple[str, str]:
    """Why a cell is not reached, and the nearest thing that would be."""
    route = child.routes[number]
    by = f" by {' or '.join(sorted(route.into))}" if route.into else ""
    kind = "direct path" if route.through == none else f"path through {route.through}"
    what = f'No {kind} leads from "{node.node.name}"{by} to {cell}.'

    def works(**change: object) -> bool:
        tried = evolve(route, **change)
        lone = evolve(node, children=(evolve(child, routes=(tried,), children=()),))
        return bool(explore(lone, graph, *frames).reached.get((0, 0)))

    circuit = route.through.circuit
    if circuit is not None and circuit.edges:
        own = {graph.component(c) for r in node.routes for c in r.cells}
        readers = list(dict.fromkeys(edge.reader for edge in circuit.edges))
        if not own & {graph.component(reader) for reader in readers}:
            return what, f"The circuit has edges into {_listed(readers)} only."
    if works(cells=(cell,), through=Through("anything")):
        return what, "There is one with through=anything."
    if works(cells=(cell,), into=None):
        return what, "There is one without into=."
    if works(cells=(cell,), at=ALL):
        return what, "There is one to other positions: see at=."
    near = next((other for other in _nearby(cell, graph) if works(cells=(other,))), None)
    if near is not None:
        return what, f"The nearest that it leads to is {near}."
    return what, f'A child\'s sites must lie upstream of its parent "{node.node.name}".'


def _nearby(cell: Cell, graph: Graph) -> list[Cell]:
    """The same part of other layers, nearest first; for other graphs, all their sites."""
    here = graph.sites[cell.site]
    if here.layer is None:
        return [Cell(name) for name, site in reversed(graph.sites.items()) if site.heads is None]
    same = [
        (abs(site.layer - here.layer), name)
        for name, site in graph.sites.items()
        if site.layer is not None and name == cell.name.in_layer(site.layer)
    ]
    return [Cell(name, cell.head) for _, name in sorted(same)]
