"""Check a hypothesis against model and data before anything runs: every problem, in sentences."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from scrub.checks.circuits import check_passed
from scrub.checks.metrics import check_effect, check_metric
from scrub.checks.paths import check_paths
from scrub.checks.samplers import check_pools, framed, input_problems, try_samplers
from scrub.checks.virtual import check_virtual, frame_problems
from scrub.data.dataset import Dataset, Rows
from scrub.draw import BASELINE, Draws
from scrub.engine.specialise import specialise
from scrub.errors import Problem, Problems, did_you_mean
from scrub.hypothesis.belief import Belief
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    ALL,
    Route,
    Sites,
    Spec,
    Through,
)
from scrub.hypothesis.splits import (
    REST,
    Coordinates,
    Projection,
    SourcePositions,
    Split,
)
from scrub.hypothesis.tree import Occurrence, treeify
from scrub.metrics import Metric
from scrub.model.graph import Graph
from scrub.names import EMBED, POS_EMBED, Cell
from scrub.printing import name_problem, printable
from scrub.samplers import source_of
from scrub.samplers.declarations import no_sampler, wrongly_declared


def check(
    correspondence: Correspondence,
    graph: Graph,
    data: Dataset,
    *metrics: Metric,
    belief: Belief | None = None,
) -> tuple[Problem, ...]:
    """Every problem of a hypothesis; () if it is legal.

    Later questions are asked only where the earlier ones have sensible answers: types, tree, sites
    and positions, then paths.
    """
    problems = Problems()
    for question in (_types, _tree):
        question(correspondence, problems)
        if problems.found:
            return tuple(problems.found)
    tree = treeify(correspondence)
    for node, sites in correspondence.sites.items():
        for route in sites.routes:
            check_cells(node, route, graph, problems)
            check_passed(node, route, graph, problems)
    _splits(correspondence, graph, problems)
    check_pools(correspondence.sites, problems)
    known = _datasets(correspondence, data)
    for dataset in known:
        problems.extend(input_problems(dataset, graph))
    for dataset in known:
        for node, sites in correspondence.sites.items():
            for route in sites.routes:
                check_positions(node, route, dataset, graph, problems)
    _sources(correspondence, known, problems)
    nowhere = {problem.node for problem in problems.found}
    _root(tree, problems)
    check_effect(belief, tree, problems)
    for metric in metrics:
        check_metric(metric, tree, data, graph, problems)
    check_virtual(tree, graph, known, problems)
    for trial in try_samplers(tree, data, problems):
        if trial.drawn is not None and not any(trial.drawn.data is table for table in known):
            _brought(trial.node, trial.which, trial.drawn, graph, problems)
    if not nowhere:
        tree, graph = specialise(tree, graph)
    for node, frames in framed(tree, data):
        below = tuple(child for child in node.children if child.node.name not in nowhere)
        if node.node.name not in nowhere:
            check_paths(evolve(node, children=below), graph, frames, problems)
    return tuple(problems.found)


def _types(correspondence: Correspondence, problems: Problems) -> None:
    """What a slip of the pen puts in the wrong place."""
    for node, sites in correspondence.sites.items():
        if not isinstance(node, InterpNode):
            problems.add(
                f"A correspondence maps nodes to sites; {node!r} is a {type(node).__name__}.",
                "Write {node: sites}, with node = InterpNode(…) or parent.child(…).",
            )
            continue
        if node.name != "" and (problem := name_problem(node.name)):
            problems.add(f"A node's name: {problem}", node=printable(str(node.name)))
        for parent in node.parents:
            if not isinstance(parent, InterpNode):
                problems.add(f"Its parent {parent!r} is not an InterpNode.", node=node.name)
        if not isinstance(sites, Sites):
            problems.add(
                f"It stands for a {type(sites).__name__}.",
                "Give sites: heads(…), mlp(…), embeddings(…), input_stream(…), output(…).",
                node=node.name,
            )
        for sampler, which in ((node.sampler, ""), (node.other, " of other inputs")):
            if said := no_sampler(sampler):
                problems.add(
                    f"Its sampler{which} is {said}.",
                    "Give a sampler, such as Exact(), Uncond() or Agree(feature).",
                    node=node.name,
                )
                continue
            for what in wrongly_declared(sampler):
                problems.add(what, node=node.name)


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


def check_cells(node: InterpNode, route: Route, graph: Graph, problems: Problems) -> None:
    """Refuse sites that the model does not have, where a route ends and on its way."""
    passed = (placed.cell for placed in (*route.through.passed, *route.through.barred))
    for cell in (*route.cells, *passed):
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
    layers = sorted({site.layer for site in graph.sites.values() if site.layer is not None})
    name = cell.name
    if cell.site == POS_EMBED and EMBED in graph.sites:
        return (
            "The model has no learned position embedding, which embeddings() stands for as well.",
            "Claim token_embedding().",
        )
    if layers and name.of_mlp and not graph.mlps:
        return f"There is no {cell}: the model has no MLPs.", "Claim heads, or the embeddings."
    if layers and name.layer is not None:
        near = name.in_layer(min(max(name.layer, layers[0]), layers[-1]))
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


def _splits(correspondence: Correspondence, graph: Graph, problems: Problems) -> None:
    """A site is split in one way, and only where it can be."""
    known: dict[str, tuple[Split, str]] = {}
    for node, sites in correspondence.sites.items():
        for route in sites.routes:
            split = route.split
            for cell in route.cells if split is not None else ():
                assert split is not None
                first, by = known.setdefault(cell.site, (split, node.name))
                if first != split:
                    problems.add(
                        f'{cell.site} is split by {split}, and by {first} for "{by}".',
                        "A site has one split: name all its summands in one.",
                        node=node.name,
                    )
                if isinstance(split, SourcePositions) and not cell.name.is_z:
                    problems.add(
                        f"{cell.site} has no source positions.",
                        "Split a head's z: heads(…) as it is.",
                        node=node.name,
                    )
                problems.extend(_too_large(node, cell, split, graph))


def _too_large(node: InterpNode, cell: Cell, split: Split, graph: Graph) -> list[Problem]:
    """Directions and neurons that do not fit the site's last axis."""
    if cell.site not in graph.sites:
        return []
    size = graph.sites[cell.site].size(graph.width or 1)
    if isinstance(split, Projection):
        wrong = [(name, len(basis)) for name, basis in split.bases.items() if len(basis) != size]
        sentence = 'direction "{}" has {} entries'
    elif isinstance(split, Coordinates):
        wrong = [(name, max(n)) for name, n in split.sets.items() if n and max(n) >= size]
        sentence = '"{}" names number {}'
    else:
        return []
    return [
        Problem(
            f"{split}: {sentence.format(name, number)}; {cell.site} has {size} (from 0).",
            node=node.name,
        )
        for name, number in wrong
    ]


def _sources(correspondence: Correspondence, known: list[Dataset], problems: Problems) -> None:
    """Source positions that no row of the data has: values are as wide as the widest dataset."""
    widest = max(known, key=lambda dataset: dataset.width)
    for node, sites in correspondence.sites.items():
        for route in sites.routes:
            if not isinstance(route.split, SourcePositions):
                continue
            for part in dict.fromkeys(c.part for c in route.cells):
                if part is not None and part != REST and int(part) >= widest.width:
                    problems.add(
                        f'Source position {part} is outside dataset "{widest.name}": its rows '
                        f"have positions 0 to {widest.width - 1}.",
                        f"The nearest is {widest.width - 1}.",
                        node=node.name,
                    )


def _datasets(correspondence: Correspondence, data: Dataset) -> list[Dataset]:
    """The data, and the datasets that samplers bring."""
    samplers = [s for node in correspondence.sites for s in (node.sampler, node.other)]
    brought = [table for table in map(source_of, samplers) if table is not None]
    distinct = {id(table): table for table in brought}
    return [data, *(table for table in distinct.values() if table is not data)]


def check_drawn(tree: Occurrence, draws: Draws, graph: Graph) -> None:
    """Refuse generated inputs that cannot be read; the trial draw has seen only some of them.

    Raises:
        UserError: with every problem.
    """
    problems = Problems()
    for node in tree.walk():
        drawn = draws.nodes[node.path]
        for which, rows in (("own", drawn.own), ("other", drawn.other)):
            if rows is not None and rows.data.generated_from is not None:
                _brought(node, which, rows, graph, problems)
    problems.refuse()


def _brought(node: Occurrence, which: str, drawn: Rows, graph: Graph, problems: Problems) -> None:
    """Inputs that a sampler made, or brought from elsewhere: can they be read where they must be?

    They need the positions of the node that drew them; and its children's, which land in its other
    input.
    """
    data = drawn.data
    if data.given is not None:
        problems.extend(frame_problems(node, which, data, drawn.index))
        return
    problems.extend(input_problems(data, graph, node.node.name))
    for reader in (node, *(node.children if which == "other" else ())):
        for route in reader.routes:
            specs = [s for s in route.at if isinstance(s, str)] if route.at != ALL else []
            for spec in specs:
                if spec not in data.positions:
                    problems.add(str(data.lacks("position column", spec)), node=reader.node.name)
            _coinciding(reader.node, [s for s in specs if s in data.positions], data, problems)
            passed = dict.fromkeys(s for at in route.through.positions for s in at)
            for spec in passed if reader is not node else ():
                if isinstance(spec, str) and spec not in (*data.positions, *specs):
                    problems.add(str(data.lacks("position column", spec)), node=reader.node.name)


def check_positions(
    node: InterpNode, route: Route, data: Dataset, graph: Graph, problems: Problems
) -> None:
    """Refuse positions that a dataset does not have, or of what has none."""
    claimed = () if route.at == ALL else route.at
    passed = dict.fromkeys(spec for at in route.through.positions for spec in at)
    _specs(node, [spec for spec in passed if spec not in claimed], data, problems)
    if route.at == ALL:
        return
    for cell in route.cells:
        if cell.site in graph.sites and not graph.sites[cell.site].positions:
            problems.add(f"{cell} has no positions.", "Leave out at=.", node=node.name)
            return
    _specs(node, route.at, data, problems)
    _coinciding(
        node, [s for s in route.at if isinstance(s, int) or s in data.positions], data, problems
    )


def _specs(node: InterpNode, specs: Iterable[Spec], data: Dataset, problems: Problems) -> None:
    """Positions that the dataset does not have."""
    for spec in specs:
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


def _coinciding(node: InterpNode, specs: list[Spec], data: Dataset, problems: Problems) -> None:
    for number, first in enumerate(specs):
        for second in specs[number + 1 :]:
            rows = (data.position(first) == data.position(second)).nonzero()[0]
            if len(rows):
                listed = ", ".join(map(str, rows[:3])) + (" …" if len(rows) > 3 else "")
                problems.add(
                    f'"{first}" and "{second}" are the same position in {len(rows)} rows of '
                    f'dataset "{data.name}" (row {listed}): which value stands there is not said.',
                    "Leave one of them out, or take those rows out of the data.",
                    node=node.name,
                )


def _root(tree: Occurrence, problems: Problems) -> None:
    route = tree.routes[0]
    kinds = {cell.name.part for cell in route.cells}
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
