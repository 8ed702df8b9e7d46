"""The recursion over the tree of nodes, and positions in their frames."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from attrs import frozen
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import ALL, Route
from scrub.names import Cell
from scrub.reference.path import Path


class Model(Protocol):
    """A model, as far as the tree needs to know it."""

    def plain(self, rows: Rows, width: int) -> Any:
        """The plain model on these rows, padded to `width`: a frame to evaluate a node in."""
        ...

    def scrubbed(self, cell: Cell, frame: Any, paths: list[Path]) -> Tensor:
        """A site at which these paths start, at all positions, [samples, width or 1, …].

        Law: without a path it is plain. Axis 1 has length 1 for a site without positions.
        """
        ...


def root_value(correspondence: Correspondence, draws: Draws, model: Model) -> Tensor:
    """The root's value, [samples, positions, cells, …].

    Positions are in the order of the root's `at` (all: 0 to the largest width of the datasets that
    were drawn from), cells in the order of its route.

    Args:
        correspondence: a legal one, whose root has one route with cells of one kind.
        draws: of the treeified correspondence.
        model: what it is about.
    """
    (root,) = (node for node in correspondence.sites if not node.parents)
    (route,) = correspondence.sites[root].routes
    tree = Tree(correspondence, draws, model, widest(draws))
    with torch.no_grad():
        (values,) = tree.values(root, (root.name,))
    return torch.stack([values[cell] for cell in route.cells], dim=2)


def widest(draws: Draws) -> int:
    """The largest width of the datasets that were drawn from."""
    drawn = [rows for node in draws.nodes.values() for rows in (node.own, node.other)]
    every = [draws.references, draws.baseline, *drawn]
    return max(rows.data.width for rows in every if rows is not None)


@frozen(eq=False)
class Tree:
    """All that the recursion does not change."""

    correspondence: Correspondence
    draws: Draws
    model: Model
    width: int

    def values(self, node: InterpNode, names: tuple[str, ...]) -> list[dict[Cell, Tensor]]:
        """What a node stands for: per route, per cell, [samples, the route's positions, …].

        Law: a leaf is plain on its own inputs; an internal node is recomputed from its children's
        values, and from its other inputs where no child's path ends.

        Args:
            node: any node.
            names: the names from the root down to this occurrence of the node.
        """
        rows = self.draws.nodes[names].frame
        frame = self.model.plain(rows, self.width)
        paths = []
        for child in (n for n in self.correspondence.sites if node in n.parents):
            values = self.values(child, (*names, child.name))
            for route, brought in zip(self.correspondence.sites[child].routes, values, strict=True):
                landing = positions(route, rows, self.width)
                paths.append(Path(route, brought, landing, route.into, leaves=True))
        return [
            {
                cell: taken(
                    self.model.scrubbed(cell, frame, paths), positions(route, rows, self.width)
                )
                for cell in route.cells
            }
            for route in self.correspondence.sites[node].routes
        ]


def positions(route: Route, rows: Rows, width: int) -> Tensor:
    """The index of each of a route's positions in a frame, [samples, positions]."""
    if route.at == ALL:
        return torch.arange(width).expand(len(rows), -1)
    index = [rows.data.position(spec)[rows.index] for spec in route.at]
    return torch.stack([torch.tensor(i) for i in index], dim=1)


def taken(value: Tensor, positions: Tensor) -> Tensor:
    """A value at some positions of each sample, [samples, positions, …].

    A site without positions is taken whole, [samples, 1, …].
    """
    if value.shape[1] == 1:
        return value
    return value[torch.arange(len(value))[:, None], positions]
