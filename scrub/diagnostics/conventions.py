"""Conventions: the same claim under the neighbouring choices that a file makes without saying so.

Circuit scores hang on how the rest of the model is treated: whether MLPs run free, where other
inputs come from, whether single positions or whole sequences are meant (Miller, Chughtai & Saunders
2024, "Transformer Circuit Faithfulness Metrics are not Robust"; the IOI circuit falls from 1.02 to
0.05 when MLPs are resampled too). A verdict that changes under one of them rests on that choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from attrs import evolve, frozen

from scrub.data import Dataset
from scrub.diagnostics.legal import problems
from scrub.hypothesis import InterpNode, Verdict
from scrub.model.graph import Graph
from scrub.samplers import Exact, Sampler, Uncond
from scrub.sites import ALL, Cell, Route, Through
from scrub.statistics import Interval
from scrub.tree import Occurrence, Tree

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


@frozen(eq=False)
class Variant:
    """A claim's tree under another convention.

    Attributes:
        name: the convention, in words.
        tree: None where it would be illegal; `problem` then says why.
    """

    name: str
    tree: Tree | None
    problem: str = ""


@frozen
class Convention:
    """What a claim recovers under another convention.

    Attributes:
        recovered: None where the tree would be illegal; `problem` then says why.
        verdict: of the file's belief; None where it has none, or nothing was recovered.
        turns: whether that is another verdict than the claim's.
        usual: whether a claim is doubted where it turns. It is not where most true claims turn.
    """

    name: str
    recovered: Interval | None
    verdict: Verdict | None
    turns: bool
    problem: str = ""
    usual: bool = True


def convention_doubts(found: Sequence[Convention] | None) -> tuple[str, ...]:
    """What a reader of the score must be told of the conventions that it rests on.

    One sentence for each that turns the verdict, without the claim's name and without a full stop.
    """
    return tuple(
        f"its verdict would be {one.verdict} ({_figures(one.recovered)}) with {IN_WORDS[one.name]}"
        for one in found or ()
        if one.turns and one.usual and one.recovered is not None
    )


def _figures(found: Interval) -> str:
    """ "0.412 [0.380, 0.450]"; never -0.000."""
    mean, low, high = (f"{round(x, 3) + 0.0:.3f}" for x in (found.mean, found.low, found.high))
    if math.isnan(found.mean):
        return "undefined"
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return f"{mean} [unbounded]"
    return f"{mean} [{low}, {high}]"


def conventions(tree: Tree, graph: Graph, data: Dataset) -> tuple[Variant, ...]:
    """The neighbouring conventions that are not the claim's own. Nodes keep names and draws."""
    mlps = tuple(
        Cell(name) for name, site in graph.sites.items() if site.kind == "mlp" and _is_output(name)
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
            found.append(Variant(name, None, f'node "{wrong[0].node}": {wrong[0].what}'))
        else:
            found.append(Variant(name, variant))
    return tuple(found)


def _said(tree: Tree) -> object:
    """All that a tree says."""
    return [
        (n.path, n.node.sampler, None if n.is_leaf else n.node.other, n.routes) for n in tree.walk()
    ]


def _is_output(name: str) -> bool:
    return name.endswith(".mlp")


def _paths(tree: Tree, through: Callable[[Through], Through]) -> Tree:
    """The tree with other sites passed through on the way from each parent to its child."""

    def child(node: Occurrence) -> Occurrence:
        routes = tuple(evolve(route, through=through(route.through)) for route in node.routes)
        return _paths(evolve(node, routes=routes), through)

    return evolve(tree, children=tuple(map(child, tree.children)))


def _free(through: Through, mlps: tuple[Cell, ...]) -> Through:
    kinds = "mlps" if through.kinds == "none" else through.kinds
    never = tuple(cell for cell in through.never if cell not in mlps)
    return evolve(through, kinds=kinds, never=never)


def _held(through: Through, mlps: tuple[Cell, ...]) -> Through:
    also = tuple(cell for cell in through.also if cell not in mlps)
    if through.kinds != "anything":
        return evolve(through, kinds="none", also=also)
    more = tuple(cell for cell in mlps if cell not in through.never)
    return evolve(through, also=also, never=through.never + more)


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
    """The tree in which a leaf that names several positions draws anew for each."""
    children: list[Occurrence] = []
    for child in tree.children:
        named = {spec: None for r in child.routes if r.at != ALL for spec in r.at}
        if not child.is_leaf or len(named) < 2:
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
