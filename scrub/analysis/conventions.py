"""Conventions: the same claim under the neighbouring choices that a file makes without saying so.

Circuit scores hang on how the rest of the model is treated: whether MLPs run free, where other
inputs come from, whether single positions or whole sequences are meant (Miller, Chughtai & Saunders
2024, "Transformer Circuit Faithfulness Metrics are not Robust"; the IOI circuit falls from 1.02 to
0.05 when MLPs are resampled too). A verdict that changes under one of them rests on that choice.

A convention under which index lands on index, where it does not in the claim, is compared only
where the rows are alike (see `scrub.analysis.comparability`): else values land where they do not
belong, and a low score says that and nothing of the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, frozen

from scrub.analysis.comparability import columns_used, misaligned
from scrub.analysis.legality import problems
from scrub.data.dataset import Dataset
from scrub.draw import Draws
from scrub.errors import UserError
from scrub.hypothesis.belief import Verdict
from scrub.hypothesis.circuit import Placed
from scrub.hypothesis.correspondence import InterpNode
from scrub.hypothesis.sites import ALL, Route, Through
from scrub.hypothesis.tree import Occurrence, Tree
from scrub.model.graph import Graph
from scrub.names import Cell
from scrub.samplers import Exact, Sampler, Uncond
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval

CONVENTIONS = 6
"""How many conventions there are, the claim's own included."""


IN_WORDS = {
    "paths pass through MLPs": "paths through MLPs too",
    "paths pass through no MLP": "no path through MLPs",
    "other inputs: the node's own": "each node's own input in place of other inputs",
    "other inputs: any": "any other inputs",
    "nodes at all positions": "nodes at all positions",
    "each position on its own draw": "each position on its own draw",
}
"""What a claim is scrubbed *with* under each convention."""
USUAL = frozenset(IN_WORDS)
"""The conventions that raise a doubt where the verdict turns: docs/diagnostics.md says which do not
and why.
"""


@frozen(eq=False)
class Variant:
    """A claim's tree under another convention.

    Attributes:
        name: the convention, in words.
        tree: None where it would be illegal or cannot be compared; `problem` then says why.
    """

    name: str
    tree: Tree | None
    problem: str = ""


@frozen
class Convention:
    """What a claim recovers under another convention.

    Attributes:
        recovered: None where the tree would be illegal or cannot be compared; `problem` then
            says why.
        verdict: of the file's belief; None where it has none, or nothing was recovered.
        turns: whether that is another verdict than the claim's.
        doubt: whether a reader of the score must be told: it turns the verdict of a supported
            claim, and does not turn nearly every one.
        bounds: of the belief.
    """

    name: str
    recovered: Interval | None
    verdict: Verdict | None
    turns: bool
    problem: str = ""
    doubt: bool = False
    bounds: tuple[float | None, ...] = ()


def convention_doubts(found: Sequence[Convention] | None) -> tuple[str, ...]:
    """What a reader of the score must be told of the conventions that it rests on.

    One sentence for each that turns the verdict, without the claim's name and without a full stop.
    """
    return tuple(
        f"its verdict would be {one.verdict} ({interval(one.recovered, one.bounds)}) "
        f"with {IN_WORDS[one.name]}"
        for one in found or ()
        if one.doubt and one.recovered is not None
    )


def conventions(
    tree: Tree, graph: Graph, data: Dataset, drawn: Callable[[Tree], Draws]
) -> tuple[Variant, ...]:
    """The neighbouring conventions that are not the claim's own. Nodes keep names and draws.

    Args:
        drawn: the draws of a tree with which it is scrubbed.
    """
    mlps = tuple(
        Cell(name) for name, site in graph.sites.items() if (site.kind, site.part) == ("mlp", "mlp")
    )
    changed: dict[str, Tree] = {}
    if mlps:
        changed["paths pass through MLPs"] = _paths(tree, lambda t: _free(t, mlps))
        changed["paths pass through no MLP"] = _paths(tree, lambda t: _held(t, mlps))
    changed["other inputs: the node's own"] = _others(tree, Exact())
    changed["other inputs: any"] = _others(tree, Uncond())
    changed["nodes at all positions"] = _whole(tree)
    changed["each position on its own draw"] = _apart(tree)
    found: list[Variant] = []
    for name, variant in changed.items():
        if _said(variant) == _said(tree):
            continue
        wrong = problems(variant, graph, data)
        if wrong:
            why = f'illegal: node "{wrong[0].node}": {wrong[0].what}'
        else:
            why = _not_comparable(variant, tree, drawn)
        found.append(Variant(name, None if why else variant, why))
    return tuple(found)


def _not_comparable(variant: Tree, tree: Tree, drawn: Callable[[Tree], Draws]) -> str:
    """Where index lands on index between rows that differ, and does not in the claim; "" if not.

    Or why the variant cannot be drawn.
    """
    columns = columns_used(tree)
    try:
        found = misaligned(variant, drawn(variant), columns)
    except UserError as error:
        return f"it cannot be drawn: {error.problems[0].what}"
    if not found:
        return ""
    mine = misaligned(tree, drawn(tree), columns)
    new = [why for place, why in found.items() if place not in mine]
    return f"not comparable: rows differ and index is put on index ({new[0]})" if new else ""


def _said(tree: Tree) -> object:
    """All that a tree says."""
    return [
        (n.path, n.node.sampler, None if n.is_leaf else n.node.other, n.routes) for n in tree.walk()
    ]


def _paths(tree: Tree, through: Callable[[Through], Through]) -> Tree:
    """The tree with other sites passed through on the way from each parent to its child."""

    def child(node: Occurrence) -> Occurrence:
        routes = tuple(evolve(route, through=through(route.through)) for route in node.routes)
        return _paths(evolve(node, routes=routes), through)

    return evolve(tree, children=tuple(map(child, tree.children)))


def _free(through: Through, mlps: tuple[Cell, ...]) -> Through:
    """The same, and through MLPs; what keeps to edges stays as it is."""
    if through.circuit is not None:
        cells = through.circuit.cells
        more = () if through.circuit.edges else tuple(map(Placed, mlps))
        return evolve(through, circuit=evolve(through.circuit, cells=cells + more))
    kinds = "mlps" if through.kinds == "none" else through.kinds
    never = tuple(cell for cell in through.never if cell not in mlps)
    return evolve(through, kinds=kinds, never=never, never_at=_but(through.never_at, mlps))


def _held(through: Through, mlps: tuple[Cell, ...]) -> Through:
    """The same, but through no MLP; what keeps to edges stays as it is."""
    if through.circuit is not None:
        circuit = evolve(through.circuit, cells=_but(through.circuit.cells, mlps))
        return evolve(through, circuit=circuit if circuit.cells or circuit.edges else None)
    also = tuple(cell for cell in through.also if cell not in mlps)
    also_at = _but(through.also_at, mlps)
    if through.kinds != "anything":
        return evolve(through, kinds="none", also=also, also_at=also_at)
    more = tuple(cell for cell in mlps if cell not in through.never)
    return evolve(through, also=also, also_at=also_at, never=through.never + more)


def _but(placed: tuple[Placed, ...], mlps: tuple[Cell, ...]) -> tuple[Placed, ...]:
    return tuple(one for one in placed if one.cell not in mlps)


def _others(tree: Tree, other: Sampler) -> Tree:
    """The tree with another sampler of other inputs, everywhere."""
    children = tuple(_others(child, other) for child in tree.children)
    return evolve(tree, node=evolve(tree.node, other=other), children=children)


def _whole(tree: Tree) -> Tree:
    """The tree in which every node but the root stands for its sites at all positions."""

    def child(node: Occurrence) -> Occurrence:
        routes = dict.fromkeys(evolve(route, at=ALL) for route in node.routes)
        return _whole(evolve(node, routes=tuple(routes)))

    return evolve(tree, children=tuple(map(child, tree.children)))


def _apart(tree: Tree) -> Tree:
    """The tree in which a leaf that names several positions draws anew for each; Exact does not."""
    children: list[Occurrence] = []
    for child in tree.children:
        named = {spec: None for r in child.routes if r.at != ALL for spec in r.at}
        if not child.is_leaf or len(named) < 2 or child.node.sampler == Exact():
            children.append(_apart(child))
            continue
        for spec in named:
            node: InterpNode = evolve(child.node, name=f"{child.node.name} at {spec}")
            routes = tuple(
                _at(route, spec) for route in child.routes if route.at != ALL and spec in route.at
            )
            children.append(Occurrence((*tree.path, node.name), node, routes, ()))
        left = tuple(route for route in child.routes if route.at == ALL)
        if left:
            children.append(evolve(child, routes=left))
    return evolve(tree, children=tuple(children))


def _at(route: Route, spec: str | int) -> Route:
    return evolve(route, at=(spec,))
