"""The treeified hypothesis: one occurrence per node and parent, in an order that names decide."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Route
from scrub.printing import html_of, in_brief

NamePath = tuple[str, ...]
"""The names from the root down to an occurrence: what its draws are keyed by."""


@frozen(eq=False, repr=False)
class Occurrence:
    """A node at one place of the tree."""

    path: NamePath
    node: InterpNode
    routes: tuple[Route, ...]
    children: tuple[Occurrence, ...]

    @property
    def is_leaf(self) -> bool:
        return not self.children

    def walk(self) -> list[Occurrence]:
        """This occurrence and all below it, parents before children."""
        found: list[Occurrence] = []
        waiting: list[Occurrence] = [self]
        while waiting:
            found.append(waiting.pop())
            waiting.extend(reversed(found[-1].children))
        return found

    def upwards(self) -> list[Occurrence]:
        """This occurrence and all below it, children before parents, siblings in their order."""
        found: list[Occurrence] = []
        waiting: list[Occurrence] = [self]
        while waiting:
            found.append(waiting.pop())
            waiting.extend(found[-1].children)
        return found[::-1]

    def __repr__(self) -> str:
        return in_brief("Tree", " / ".join(self.path), f"{len(self.walk())} nodes")

    def _repr_html_(self) -> str:
        return html_of(self)


Tree = Occurrence


def treeify(correspondence: Correspondence) -> Tree:
    """Expand a correspondence with exactly one root into a tree.

    Law: the order in which nodes were written changes nothing; siblings are ordered by name.
    """
    nodes = list(correspondence.sites)
    (root,) = (node for node in nodes if not node.parents)
    below: dict[InterpNode, list[InterpNode]] = {node: [] for node in nodes}
    for node in sorted(nodes, key=lambda node: node.name):
        for parent in dict.fromkeys(node.parents):
            if parent in below:
                below[parent].append(node)
    places: list[tuple[InterpNode, NamePath]] = [(root, (root.name,))]
    first: list[int] = []
    for node, path in places:  # grows meanwhile: the children of each place, in a row
        first.append(len(places))
        places += [(child, (*path, child.name)) for child in below[node]]
    made: dict[int, Occurrence] = {}
    for number in reversed(range(len(places))):
        node, path = places[number]
        children = tuple(made.pop(first[number] + n) for n in range(len(below[node])))
        made[number] = Occurrence(path, node, correspondence.sites[node].routes, children)
    return made[0]


def united(trees: Sequence[Tree]) -> Tree:
    """A tree of all nodes that stand in some trees with one root, so that they are drawn at once.

    What a node stands for in one of them is lost. Nodes with one path of names must have the same
    samplers.

    Law: drawn on the same data with the same seed, each node draws what it draws in its own tree.
    """
    nodes: dict[NamePath, Occurrence] = {}
    below: dict[NamePath, set[NamePath]] = {}
    for tree in trees:
        for node in tree.walk():
            if nodes.setdefault(node.path, node).is_leaf:
                nodes[node.path] = node
            below.setdefault(node.path, set()).update(child.path for child in node.children)
    made: dict[NamePath, Occurrence] = {}
    for path in sorted(nodes, key=len, reverse=True):
        children = tuple(made.pop(child) for child in sorted(below[path]))
        made[path] = evolve(nodes[path], children=children)
    (root,) = made.values()
    return root
