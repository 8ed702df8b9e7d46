"""A path: one route of a child, followed from the parent's sites to where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Set

import torch
from attrs import evolve, frozen
from torch import Tensor

from scrub.hypothesis.sites import Route
from scrub.names import Cell


@frozen(eq=False)
class Path:
    """One route of a child, still open, as it stands in one component.

    Attributes:
        route: whose cells it looks for, and what it may pass through.
        values: what it carries, per cell, [samples, positions, …].
        positions: where they land in the parent's frame, [samples, positions].
        ports: the ports by which it may go on in this component; None: any.
        leaves: whether it may leave this component by its input streams; if not, it must end here.
    """

    route: Route
    values: Mapping[Cell, Tensor]
    positions: Tensor
    ports: frozenset[str] | None
    leaves: bool

    def entering(self, passes: bool) -> Path:
        """The path as it goes on in the next component: by all ports, and beyond it if it may."""
        return evolve(self, ports=None, leaves=passes)

    def leaves_by(self, port: str) -> bool:
        """Whether it goes on to what this port's input stream is the sum of."""
        return self.leaves and (self.ports is None or port in self.ports)

    def ends_at(self, cell: Cell, leads_to: Set[str]) -> bool:
        """Whether it ends at a site, or at a summand of it, that it has come to.

        A site depends on some ports of its component, `leads_to`; who claims it claims what comes
        by all of them.
        """
        return cell in self.values and (self.ports is None or leads_to <= self.ports)

    def landed_on(self, value: Tensor, cell: Cell) -> Tensor:
        """The value, with the child's in its place at the positions where it lands.

        Where two positions coincide in a row, the one that is named last holds.
        """
        brought = self.values[cell]
        if value.shape[1] == 1:
            return brought
        value, sample = value.clone(), torch.arange(len(value))
        for i, position in enumerate(self.positions.unbind(dim=1)):
            value[sample, position] = brought[:, i]
        return value
