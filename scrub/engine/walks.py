"""The walks below the nodes of several trees: one for all that have one path of names.

Which routes are open where is asked route by route, so that a walk that knows more routes than a
tree has says the same of those that it has. What it found out about the graph is then known for
all trees.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, field, frozen

from scrub.engine.routing import RouteId, State, Walk
from scrub.hypothesis.sites import Route
from scrub.hypothesis.tree import NamePath, Occurrence, Tree
from scrub.model.graph import Graph
from scrub.names import Cell

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
    _starts: dict[tuple[NamePath, Cell], State] = field(factory=dict, init=False)

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

    def start(self, node: Occurrence, cell: Cell) -> State:
        """The state of one of a node's own sites: its children's routes, by the ports they enter.

        Routes are numbered as those of the joined node.
        """
        if (node.path, cell) not in self._starts:
            self._starts[node.path, cell] = self.walks[node.path].start(cell)
        own = self._routes(node)
        return frozenset(way for way in self._starts[node.path, cell] if way.route in own)

    def _routes(self, node: Occurrence) -> set[RouteId]:
        numbers = self.numbers[node.path]
        return {
            (numbers[child.path, child.routes], number)
            for child in node.children
            for number in range(len(child.routes))
        }
