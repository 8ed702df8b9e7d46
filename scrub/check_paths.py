"""Check the paths of a hypothesis: each leads to what it claims, and no two overlap."""

from __future__ import annotations

from attrs import evolve

from scrub.data import Dataset
from scrub.errors import Problems, did_you_mean
from scrub.model.graph import Graph
from scrub.reach import Overlap, explore
from scrub.sites import ALL, Cell, Through, none
from scrub.tree import Occurrence


def check_paths(node: Occurrence, graph: Graph, data: Dataset, problems: Problems) -> None:
    """Every site and position that a child claims is reached, and no two children overlap."""
    if node.is_leaf:
        return
    explored = explore(node, graph, data)
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
                        *_no_path(node, below, number, cell, graph, data), node=below.node.name
                    )
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
    for overlap in explored.overlaps:
        problems.add(*_overlap(overlap, node, graph), node=node.children[overlap.second].node.name)


def _overlap(overlap: Overlap, node: Occurrence, graph: Graph) -> tuple[str, str]:
    """In words, with the narrowing that would make it legal."""
    first = node.children[overlap.first].node.name
    cells = ", ".join(map(str, overlap.cells))
    if not overlap.through:
        where = "" if overlap.at == ALL else f" at {', '.join(map(str, overlap.at))}"
        return (
            f'It and "{first}" both claim {cells}{where}, by the same port.',
            "Give them different sites, positions or ports (into=).",
        )
    what = f'Its path runs through {cells}, which "{first}" claims.'
    route = node.children[overlap.second].routes[overlap.route]
    if not all(graph.passes(route.through, cell) for cell in overlap.cells):
        return what, f'Make it a child of "{first}", or let it enter by another port (into=).'
    narrowed = evolve(route.through, never=())
    excluded = [*route.through.never, *overlap.cells]
    return what, f"Write through={narrowed}.excluding({', '.join(map(_spelled, excluded))})."


def _spelled(cell: Cell) -> str:
    """The cell as a user writes it."""
    parts = cell.site.split(".")
    if parts[0] == "blocks" and cell.head is not None:
        return f"heads([({parts[1]}, {cell.head})])"
    if parts[0] == "blocks" and parts[-1] == "mlp":
        return f"mlp({parts[1]})"
    return f'site("{cell.site}")'


def _no_path(
    node: Occurrence, child: Occurrence, number: int, cell: Cell, graph: Graph, data: Dataset
) -> tuple[str, str]:
    """Why a cell is not reached, and the nearest thing that would be."""
    route = child.routes[number]
    by = f" by {' or '.join(sorted(route.into))}" if route.into else ""
    kind = "direct path" if route.through == none else f"path through {route.through}"
    what = f'No {kind} leads from "{node.node.name}"{by} to {cell}.'

    def works(**change: object) -> bool:
        tried = evolve(route, **change)
        lone = evolve(node, children=(evolve(child, routes=(tried,), children=()),))
        return bool(explore(lone, graph, data).reached.get((0, 0)))

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
    parts = cell.site.split(".")
    if parts[0] != "blocks":
        return [Cell(name) for name, site in reversed(graph.sites.items()) if site.heads is None]
    layer = int(parts[1])
    same = [
        (abs(int(name.split(".")[1]) - layer), name)
        for name in graph.sites
        if name.startswith("blocks.") and name.split(".")[2:] == parts[2:]
    ]
    return [Cell(name, cell.head) for _, name in sorted(same)]
