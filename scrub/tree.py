"""The treeified hypothesis: one occurrence per node and parent, in an order that names decide."""

from __future__ import annotations

from attrs import frozen

from scrub.hypothesis import Correspondence, InterpNode
from scrub.sites import Route

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
        return [self, *(below for child in self.children for below in child.walk())]


Tree = Occurrence


def treeify(correspondence: Correspondence) -> Tree:
    """Expand a correspondence with exactly one root into a tree.

    Law: the order in which nodes were written changes nothing; siblings are ordered by name.
    """
    nodes = list(correspondence.sites)
    (root,) = (node for node in nodes if not node.parents)

    def expand(node: InterpNode, above: NamePath) -> Occurrence:
        path = (*above, node.name)
        below = sorted((n for n in nodes if node in n.parents), key=lambda n: n.name)
        routes = correspondence.sites[node].routes
        return Occurrence(path, node, routes, tuple(expand(child, path) for child in below))

    return expand(root, ())
