"""The nodes of a hypothesis from its root down: no node is its own ancestor, nor are they too many.

A node is treeified, once for each parent and each of that one's places: their number may double
with every generation, and is counted before anything is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from scrub.errors import Problem, UserError, shortened
from scrub.hypothesis.correspondence import Correspondence, InterpNode

DEEPEST = 200
"""Nodes from the root down, one below the other: layers of models are half as many at most."""
MOST = 100_000
"""Places of nodes in a tree. Ten thousand are checked in seconds; nobody reads what these did."""


def parents_first(nodes: Iterable[InterpNode]) -> list[InterpNode]:
    """Nodes and all their ancestors, each after its parents.

    Raises:
        UserError: a node is its own ancestor.
    """
    above: dict[InterpNode, list[InterpNode]] = {}
    waiting = [node for node in nodes if isinstance(node, InterpNode)]
    while waiting:
        node = waiting.pop()
        if node not in above:
            above[node] = [parent for parent in node.parents if isinstance(parent, InterpNode)]
            waiting += above[node]
    try:
        return list(TopologicalSorter(above).static_order())
    except CycleError as error:
        *circle, _ = error.args[1]
        first = min(range(len(circle)), key=lambda number: str(circle[number].name))
        circle = [*circle[first:], *circle[:first], circle[first]]
        names = " → ".join(f'"{node.name}"' for node in circle)
        raise UserError(
            Problem(
                f"It is its own ancestor: {shortened(names)}, each a parent of the next.",
                "Leave out one of these parents: what is computed is a tree.",
                node=circle[0].name,
            )
        ) from None


def refuse_too_many(correspondence: Correspondence, order: Iterable[InterpNode]) -> None:
    """Refuse a hypothesis whose tree is deeper, or has more places, than anybody could mean.

    Args:
        order: its nodes, parents first.
    """
    places = Counter[InterpNode]()
    depth: dict[InterpNode, int] = {}
    for node in order:
        if node in correspondence.sites:
            parents = [p for p in node.parents if isinstance(p, InterpNode)]
            places[node] = sum(places[p] for p in parents) if node.parents else 1
            depth[node] = 1 + max((depth.get(p, 0) for p in parents), default=0)
    if max(depth.values(), default=0) > DEEPEST:
        node = next(node for node, level in depth.items() if level > DEEPEST)
        raise UserError(
            Problem(
                f"It stands below {DEEPEST} others, each a child of the one before; the deepest "
                f"node below {max(depth.values()) - 1:,}.",
                f"Give fewer generations of nodes; at most {DEEPEST} are taken.",
                node=node.name,
            )
        )
    if (total := places.total()) > MOST:
        node = max(places, key=lambda node: (places[node], str(node.name)))
        raise UserError(
            Problem(
                f"Its {len(places):,} nodes stand at {total:,} places of the tree, this one at "
                f"{places[node]:,}: once for each parent at each of its places.",
                f"Give fewer nodes several parents; at most {MOST:,} places are taken.",
                node=node.name,
            )
        )
