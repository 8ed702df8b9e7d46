"""The nodes of a hypothesis from its root down: no node is its own ancestor, nor are they too many.

A node is treeified, once for each parent and each of that one's places: their number may double
with every generation, and is counted before anything is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from scrub.errors import Problem, UserError, shortened
from scrub.hypothesis import Correspondence, InterpNode

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
    """Refuse a hypothesis whose tree has more places than anybody could mean.

    Args:
        order: its nodes, parents first.
    """
    places = Counter[InterpNode]()
    for node in order:
        if node in correspondence.sites:
            above = (places[p] for p in node.parents if isinstance(p, InterpNode))
            places[node] = sum(above) if node.parents else 1
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
