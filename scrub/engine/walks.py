"""The walks below the nodes of several trees: one for all that have one path of names.

Which routes are open where is asked route by route, so that a walk that knows more routes than a
tree has says the same of those that it has. What it found out about the graph is then known for
all trees.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, field, frozen

from scrub.engine.routing import RouteId, Routes, Walk
from scrub.hypothesis.sites import Route
from scrub.hypothesis.tree import NamePath, Occurrence, Tree
from scrub.model.graph import Graph

Child = tuple[NamePath, tuple[Route, ...]]
"""What a walk sees of a child: its path of names, and its routes."""


@frozen(eq=False)
class Walks:
    """The walks of some trees on one graph.

    Attributes:
        joined: by path of names, a node with the distinct children of all nodes of that path.
        numbers: by path of names, the number of each of these children.
        walks: by path of names, the walk below that node.
    """

    joined: dict[NamePath, Occurrence] = field(factory=dict)
    numbers: dict[NamePath, dict[Child, int]] = field(factory=dict)
    walks: dict[NamePath, Walk] = field(factory=dict)

    @staticmethod
    def below(trees: Sequence[Tree], graph: Graph) -> Walks:
        """The walks below all nodes of these trees."""
        found = Walks()
        children: dict[NamePath, dict[Child, Occurrence]] = {}
        for tree in trees:
            for node in tree.walk():
                distinct = {(child.path, child.routes): child for child in node.children}
                children.setdefault(node.path, {}).update(distinct)
                found.joined.setdefault(node.path, node)
        for path, distinct in children.items():
            # By name, as siblings stand in each tree, whatever order the trees come in.
            ordered = sorted(distinct, key=lambda child: child[0])
            joined = evolve(found.joined[path], children=tuple(distinct[key] for key in ordered))
            found.joined[path] = joined
            found.numbers[path] = {child: number for number, child in enumerate(ordered)}
            found.walks[path] = Walk(graph, joined)
        return found

    def of(self, node: Occurrence) -> tuple[Occurrence, Walk, Routes]:
        """The joined node that stands for a node, the walk below it, and the node's own routes."""
        numbers = self.numbers[node.path]
        own: set[RouteId] = {
            (numbers[child.path, child.routes], number)
            for child in node.children
            for number in range(len(child.routes))
        }
        return self.joined[node.path], self.walks[node.path], frozenset(own)
