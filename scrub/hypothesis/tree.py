"""The treeified hypothesis: one occurrence per node and parent, in an order that names decide."""

from __future__ import annotations

from attrs import frozen

from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Route

NamePath = tuple[str, ...]
"""The names from the root down to an occurrence: what its draws are keyed by."""


@frozen(eq=False)
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
