"""At which positions a path may go on to a writer, and pass it.

A path passes a site at positions of the row that its node is computed on. What a writer is at a
position is therefore what it is with those paths that may be there, and with no others.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from attrs import frozen
from jaxtyping import Bool
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.hypothesis.positions import ALL, At
from scrub.hypothesis.sites import Through
from scrub.names import Cell
from scrub.reference.path import Path

Mask = Bool[Tensor, "samples width"]


@frozen(eq=False)
class Step:
    """The step from a port that reads to a site that was written.

    Attributes:
        component_of: which component a site belongs to.
        port: the port of the reader.
        rows: the inputs of the frame.
    """

    component_of: Callable[[Cell], Hashable]
    reader: Cell
    port: str
    writer: Cell
    rows: Rows
    width: int

    def marked(self, at: At) -> Mask:
        """Where these positions are in each row."""
        mask = torch.full((len(self.rows), self.width), at == ALL)
        for spec in () if isinstance(at, str) else at:
            mask[torch.arange(len(mask)), self.rows.data.position(spec)[self.rows.index]] = True
        return mask

    def along_edges(self, through: Through) -> Mask:
        """Where an edge of a circuit makes this step."""
        assert through.circuit is not None
        mask = self.marked(())
        writer, reader = self.component_of(self.writer), self.component_of(self.reader)
        for edge in through.circuit.edges:
            if edge.into not in (None, self.port) or self.component_of(edge.writer) != writer:
                continue
            if self.component_of(edge.reader) == reader:
                mask |= self.marked(edge.at)
        return mask

    def passing(self, through: Through, whole: bool) -> Mask:
        """Where a path may pass the writer.

        Args:
            whole: whether it may, but for what is named at single positions.
        """
        mask = self.marked(ALL if whole else ())
        writer = self.component_of(self.writer)
        if writer in map(self.component_of, through.never):
            return mask
        named = (*through.also_at, *(through.circuit.cells if through.circuit else ()))
        for placed in named:
            if self.component_of(placed.cell) == writer:
                mask |= self.marked(placed.at)
        for placed in through.never_at:
            if self.component_of(placed.cell) == writer:
                mask &= ~self.marked(placed.at)
        return mask


def by_edges(through: Through) -> bool:
    return through.circuit is not None and len(through.circuit.edges) > 0


def written(
    step: Step,
    paths: list[Path],
    allows: Callable[[Through], bool],
    read: Callable[[list[Path]], Tensor],
) -> Tensor:
    """A writer as these paths find it, [samples, width, …].

    At each position it is read with those paths that may enter it there; those pass it that may.

    Args:
        allows: whether a path may pass the writer, but for what is named at single positions.
        read: the writer with paths that have entered it.
    """
    if not any(path.route.through.circuit or path.route.through.positions for path in paths):
        return read([path.entering(allows(path.route.through)) for path in paths])
    enters, passes = [], []
    for path in paths:
        through = path.route.through
        edges = by_edges(through)
        enters.append(step.along_edges(through) if edges else step.marked(ALL))
        passes.append(enters[-1] if edges else step.passing(through, allows(through)))
    levels = torch.stack(enters).int() + torch.stack(passes).int()
    value: Tensor | None = None
    for level in sorted(set(zip(*levels.flatten(1).tolist(), strict=True))):
        entering = [p.entering(at == 2) for p, at in zip(paths, level, strict=True) if at]
        found = read(entering)
        here = (levels == torch.tensor(level)[:, None, None]).all(dim=0)
        if value is None or found.shape[1] == 1:
            value = found
        here = here.reshape(*here.shape, *[1] * (found.dim() - 2))
        value = torch.where(here[:, : found.shape[1]], found, value)
    assert value is not None
    return value
