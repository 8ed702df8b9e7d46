"""The tree of a claim as nested lists that fold, with what each node drew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen
from markupsafe import Markup

from scrub.analysis.support import Support
from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.tree import NamePath, Occurrence, Tree
from scrub.report.html.rendering import fragment, render
from scrub.results.result import NodeResult
from scrub.samplers import describe_sampler
from scrub.stats.rounding import interval

UNFOLDED = 60
"""A tree of more nodes is folded below the root's children."""


@frozen
class NodeShown:
    """What a page says of a node.

    Attributes:
        draws: which inputs, and by what sampler: ("own", "Agree(io_is_first)").
        figures: what it drew and what that comes to, each a clause.
        idle: whether any input in its place does as well.
        unfolded: whether what is below it is shown at first.
    """

    name: str
    sites: str
    draws: tuple[tuple[str, str], ...]
    figures: tuple[str, ...]
    idle: bool
    unfolded: bool
    children: tuple[NodeShown, ...]


def tree_html(tree: Tree, nodes: Sequence[NodeResult] = ()) -> str:
    """The tree of a claim as a fragment.

    Args:
        nodes: of its result, where it was run.
    """
    return fragment(tree_part(tree, nodes))


def tree_part(
    tree: Tree, nodes: Sequence[NodeResult] = (), support: Support | None = None
) -> Markup:
    """The tree without style of its own.

    Args:
        support: what the claim comes to without the features that its nodes state.
    """
    found = {node.path: node for node in nodes}
    unfolded = len(tree.walk()) <= UNFOLDED
    return render("tree.html", root=_shown(tree, found, support or Support(), unfolded))


def _shown(
    node: Occurrence, nodes: Mapping[NamePath, NodeResult], support: Support, unfolded: bool
) -> NodeShown:
    loosened = {one.name: one for one in support.loosened}
    alone = loosened.get(" / ".join(node.path), loosened.get(node.node.name))
    own = ("own", describe_sampler(node.node.sampler))
    other = () if node.is_leaf else (("other", describe_sampler(node.node.other)),)
    figures = _figures(nodes[node.path]) if node.path in nodes else []
    if alone is not None and alone.recovered is not None:
        figures.append(f"with any input in its place {interval(alone.recovered)}")
    return NodeShown(
        name=node.node.name,
        sites=" | ".join(describe_route(route) for route in node.routes),
        draws=(own, *other),
        figures=tuple(figures),
        idle=alone is not None and alone.idle,
        unfolded=unfolded or len(node.path) < 2,
        children=tuple(_shown(child, nodes, support, unfolded) for child in node.children),
    )


def _figures(node: NodeResult) -> list[str]:
    found = [f"swapped in {node.donors_changed:.0%}", _distinct(node)]
    if node.alone is not None:
        found.append(f"scrubbed alone {interval(node.alone)}")
    if node.pads_read:
        found.append(f"read padding {node.pads_read:,} times")
    return found


def _distinct(node: NodeResult) -> str:
    own = f"{node.donors_distinct:,.0f} distinct inputs"
    return f"{own}, {node.other_distinct:,.0f} others" if node.other else own
