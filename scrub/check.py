"""Check a hypothesis against model and data before anything runs: every problem, in sentences."""

from __future__ import annotations

from attrs import evolve

from scrub.data import Dataset
from scrub.draw import BASELINE, draw
from scrub.errors import Problem, Problems, UserError, did_you_mean
from scrub.hypothesis import Correspondence, InterpNode
from scrub.metrics import Metric
from scrub.model.graph import Graph
from scrub.reach import Overlap, explore
from scrub.samplers import Fixed
from scrub.sites import ALL, Cell, Route, Spec, Through
from scrub.tree import Occurrence, treeify

TRIAL = 64
"""Samples of the trial draw, which finds samplers that fail or return no rows."""


def check(
    correspondence: Correspondence, graph: Graph, data: Dataset, metric: Metric
) -> tuple[Problem, ...]:
    """Every problem of a hypothesis; () if it is legal.

    Later questions are asked only where the earlier ones have sensible answers: tree, sites and
    positions, then paths.
    """
    problems = Problems()
    _tree(correspondence, problems)
    if problems.found:
        return tuple(problems.found)
    tree = treeify(correspondence)
    for node, sites in correspondence.sites.items():
        for route in sites.routes:
            _cells(node, route, graph, problems)
    _data(data, graph, problems)
    for dataset in _datasets(correspondence, data):
        for node, sites in correspondence.sites.items():
            for route in sites.routes:
                _positions(node, route, dataset, graph, problems)
    _root(tree, metric, data, problems)
    _samplers(tree, data, problems)
    if not problems.found:
        for node in tree.walk():
            _paths(node, graph, data, problems)
    return tuple(problems.found)


def _tree(correspondence: Correspondence, problems: Problems) -> None:
    nodes = list(correspondence.sites)
    roots = [node.name for node in nodes if not node.parents]
    if len(roots) != 1:
        named = " and ".join(f'"{name}"' for name in roots) or "none"
        problems.add(
            f"A hypothesis has one root; this one has {len(roots)}: {named}.",
            "Make the others children of the root: root.child(name, sampler).",
        )
    names: dict[tuple[InterpNode | None, str], InterpNode] = {}
    for node in nodes:
        if not node.name or node.name == BASELINE:
            problems.add(
                f'A node cannot be called "{node.name}".',
                "That name is reserved for the baseline's draws." if node.name else "Name it.",
                node=node.name,
            )
        for parent in node.parents or (None,):
            if parent is not None and parent not in correspondence.sites:
                problems.add(
                    f'Its parent "{parent.name}" stands for nothing.',
                    "Give the parent sites in the same correspondence.",
                    node=node.name,
                )
            if names.setdefault((parent, node.name), node) is not node and parent is not None:
                problems.add(
                    f'"{parent.name}" has two children of this name.',
                    "Siblings need different names: draws are keyed by them.",
                    node=node.name,
                )


def _cells(node: InterpNode, route: Route, graph: Graph, problems: Problems) -> None:
    for cell in (*route.cells, *route.through.also, *route.through.never):
        if cell.site not in graph.sites:
            problems.add(*_no_site(cell, graph), node=node.name)
            continue
        heads = graph.sites[cell.site].heads
        if (heads is None) != (cell.head is None):
            problems.add(
                f"{cell.site} {'has no heads' if heads is None else 'has heads; name one'}.",
                node=node.name,
            )
        elif heads is not None and cell.head is not None and not 0 <= cell.head < heads:
            problems.add(*_no_site(cell, graph), node=node.name)


def _no_site(cell: Cell, graph: Graph) -> tuple[str, str]:
    """What is wrong with a cell that the graph does not have, and the nearest that it has."""
    layers = sorted({int(n.split(".")[1]) for n in graph.sites if n.startswith("blocks.")})
    parts = cell.site.split(".")
    if layers and parts[0] == "blocks" and len(parts) > 2 and parts[1].lstrip("-").isdigit():
        layer = min(max(int(parts[1]), layers[0]), layers[-1])
        near = ".".join(["blocks", str(layer), *parts[2:]])
        if near in graph.sites:
            heads = graph.sites[near].heads
            head = None if heads is None or cell.head is None else min(max(cell.head, 0), heads - 1)
            has = f"layers 0 to {layers[-1]}"
            has += f" with heads 0 to {heads - 1} each" if heads else ""
            return (
                f"There is no {cell}: the model has {has}.",
                f"The nearest is {Cell(near, head)}.",
            )
    return f'The model has no site "{cell.site}".', did_you_mean(cell.site, graph.sites)


def _data(data: Dataset, graph: Graph, problems: Problems) -> None:
    if graph.width is not None and data.width > graph.width:
        problems.add(
            f'Dataset "{data.name}" has rows of {data.width} tokens; the model takes at most '
            f"{graph.width}.",
            "Use shorter prompts, or a model with a longer context.",
        )


def _datasets(correspondence: Correspondence, data: Dataset) -> list[Dataset]:
    """The data, and the datasets that samplers bring."""
    samplers = [s for node in correspondence.sites for s in (node.sampler, node.other)]
    brought = [s.source for s in samplers if isinstance(s, Fixed) and isinstance(s.source, Dataset)]
    return [data, *brought]


def _positions(
    node: InterpNode, route: Route, data: Dataset, graph: Graph, problems: Problems
) -> None:
    if route.at == ALL:
        return
    for cell in route.cells:
        if cell.site in graph.sites and not graph.sites[cell.site].positions:
            problems.add(f"{cell} has no positions.", "Leave out at=.", node=node.name)
            return
    for spec in route.at:
        if isinstance(spec, int) and not 0 <= spec < data.width:
            problems.add(
                f'Position {spec} is outside dataset "{data.name}": its rows have positions 0 to '
                f"{data.width - 1}.",
                f"The nearest is {min(max(spec, 0), data.width - 1)}.",
                node=node.name,
            )
        elif isinstance(spec, str) and spec not in data.positions:
            problems.add(
                f'Dataset "{data.name}" has no position column "{spec}".',
                did_you_mean(spec, data.positions),
                node=node.name,
            )
    _coinciding(
        node, [s for s in route.at if isinstance(s, int) or s in data.positions], data, problems
    )


def _coinciding(node: InterpNode, specs: list[Spec], data: Dataset, problems: Problems) -> None:
    for number, first in enumerate(specs):
        for second in specs[number + 1 :]:
            rows = (data.position(first) == data.position(second)).nonzero()[0]
            if len(rows):
                listed = ", ".join(map(str, rows[:3])) + (" …" if len(rows) > 3 else "")
                problems.add(
                    f'"{first}" and "{second}" are the same position in {len(rows)} rows of dataset '
                    f'"{data.name}" (row {listed}), so it is not said which value stands there.',
                    "Leave one of them out, or take those rows out of the data.",
                    node=node.name,
                )


def _root(tree: Occurrence, metric: Metric, data: Dataset, problems: Problems) -> None:
    route = tree.routes[0]
    kinds = {cell.site.rpartition(".")[2] for cell in route.cells}
    if len(tree.routes) > 1 or len(kinds) > 1:
        problems.add(
            "The root stands for several kinds of sites; a metric reads one value.",
            "Give the root sites of one kind, such as heads.",
            node=tree.node.name,
        )
    if route.into is not None or route.through != Through("none"):
        problems.add(
            "The root has no parent, so into= and through= say nothing.",
            "Leave them out.",
            node=tree.node.name,
        )
    for label in metric.labels:
        if label not in data.labels:
            problems.add(
                f'Metric "{metric.name}": dataset "{data.name}" has no label "{label}".',
                did_you_mean(label, data.labels),
            )
    if metric.labels and (route.cells[0].site != "logits" or route.at == ALL or len(route.at) > 1):
        problems.add(
            f'Metric "{metric.name}" reads logits at one position, and the root stands for '
            f"{route.cells[0]} at {route.at if route.at == ALL else ', '.join(map(str, route.at))}.",
            'Use output(at="end"), or a metric of your own.',
            node=tree.node.name,
        )


def _samplers(tree: Occurrence, data: Dataset, problems: Problems) -> None:
    """A trial draw, node by node, so that every sampler that fails is named."""
    try:
        draw(tree, data, samples=min(TRIAL, 4 * len(data)), seed=0)
    except UserError as error:
        for problem in error.problems:
            problems.add(problem.what, problem.fix, node=problem.node)


def _paths(node: Occurrence, graph: Graph, data: Dataset, problems: Problems) -> None:
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
        problems.add(*_overlap(overlap, node), node=node.children[overlap.second].node.name)


def _overlap(overlap: Overlap, node: Occurrence) -> tuple[str, str]:
    """In words, with the narrowing that would make it legal."""
    first = node.children[overlap.first].node.name
    cells = ", ".join(map(str, overlap.cells))
    if not overlap.through:
        where = "" if overlap.at == ALL else f" at {', '.join(map(str, overlap.at))}"
        return (
            f'It and "{first}" both claim {cells}{where}, by the same port.',
            "Give them different sites, positions or ports (into=).",
        )
    route = node.children[overlap.second].routes[overlap.route]
    narrowed = evolve(route.through, never=())
    excluded = [*route.through.never, *overlap.cells]
    return (
        f'Its path runs through {cells}, which "{first}" claims.',
        f"Write through={narrowed}.excluding({', '.join(_spelled(c) for c in excluded)}).",
    )


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
    what = f'No path ({route.through}) leads from "{node.node.name}"{by} to {cell}.'

    def works(**change: object) -> bool:
        tried = evolve(route, **change)
        lone = evolve(node, children=(evolve(child, routes=(tried,), children=()),))
        return bool(explore(lone, graph, data).reached.get((0, 0)))

    if works(cells=(cell,), through=Through("anything")):
        return what, "through=anything has one."
    if works(cells=(cell,), into=None):
        return what, "Without into= there is one."
    if works(cells=(cell,), at=ALL):
        return what, "At other positions there is one: see at=."
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
