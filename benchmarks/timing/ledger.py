"""The values that hypotheses need, each once, and what they cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

from scrub.data.dataset import Dataset, Rows
from scrub.names import Cell
from scrub.reference.components import kind_of
from timing.setting import Shape
from timing.sources import flops, from_the_top, reads

ODD = 0x5851F42D4C957F2D
"""Keeps the two fingerprints of a pair apart."""


@frozen
class Least:
    """The least operations of some work.

    Attributes:
        fill: of plain values, each once per row, at the positions on which a root depends.
        values: of values that scrubbing changes, without what writes heads' outputs.
        writes: of the outputs of heads whose value is another than its reader's plain one, where
            no plain head's output is kept: of each head as new and old, each once, or as their
            differences, whichever are fewer.
        kept: the same if all plain heads' outputs were kept (d_model numbers a head and
            position, 12 times what their z takes in GPT-2 small).
    """

    fill: int
    values: int
    writes: int
    kept: int

    @property
    def scrubbing(self) -> int:
        return self.values + self.writes

    @property
    def total(self) -> int:
        return self.fill + self.scrubbing


@frozen(eq=False)
class Ledger:
    """Counts values, over any number of hypotheses.

    Attributes:
        columns: of the logits that the metric reads.
    """

    shape: Shape
    columns: int
    _values: dict[Cell, list[np.ndarray]] = field(factory=dict)
    """Fingerprint and index of each position at which a changed value is asked for."""
    _writes: dict[Cell, list[np.ndarray]] = field(factory=dict)
    _needs: dict[int, dict[Cell | str, Tensor]] = field(factory=dict)
    _data: dict[int, Dataset] = field(factory=dict)

    def need(self, name: Cell | str, rows: Rows, asked: Tensor) -> None:
        """A plain site, or stream, is read on these rows at these positions, [rows, width]."""
        self._data[id(rows.data)] = rows.data
        table = self._needs.setdefault(id(rows.data), {})
        if name not in table:
            table[name] = torch.zeros(len(rows.data), asked.shape[1], dtype=torch.bool)
        samples, index = asked.nonzero(as_tuple=True)
        table[name][torch.tensor(rows.index)[samples], index] = True

    def enter(self, cell: Cell, keys: Tensor, asked: Tensor) -> None:
        """A changed site is read at these positions, [samples, width]."""
        if kind_of(cell) != "result" and flops(kind_of(cell), self.shape, self.columns)(0):
            index = asked.nonzero()[:, 1]
            self._values.setdefault(cell, []).append(_distinct(keys[asked], index))

    def write(self, head: Cell, new: Tensor, old: Tensor, kept: Tensor) -> None:
        """A head's output is written in the place of another's: fingerprints, [some] each.

        Args:
            kept: whether the new one is the plain output of a row, which could have been kept.
        """
        pair = new * ODD + old
        self._writes.setdefault(head, []).append(_distinct(pair, new, old, kept.to(torch.int64)))

    def least(self) -> Least:
        """What all that was entered costs."""
        values = 0
        for cell, parts in self._values.items():
            cost = flops(kind_of(cell), self.shape, self.columns)
            _, index = _distinct(*np.concatenate(parts, axis=1))
            values += sum(cost(i) * int(n) for i, n in enumerate(np.bincount(index)))
        written = changed = 0
        for parts in self._writes.values():
            _, new, old, kept = _distinct(*np.concatenate(parts, axis=1))
            written += min(len(np.unique(np.concatenate([new, old]))), len(new))
            changed += len(np.unique(new[kept == 0]))
        one = flops("result", self.shape, self.columns)(0)
        fill = sum(filled(dict(table), self.shape, self.columns) for table in self._needs.values())
        return Least(fill, values, one * written, one * changed)


def filled(
    needs: dict[Cell | str, Tensor],
    shape: Shape,
    columns: int,
    times: Callable[[Cell], int] = lambda cell: 1,
) -> int:
    """Operations of all plain values that some are computed from, in one data set.

    Args:
        needs: where they are read, bool [rows, width]; those of what they read are added.
        columns: of the logits.
        times: how often a site's products count.
    """
    total = 0
    for name in from_the_top(shape):
        asked = needs.get(name)
        if asked is None:
            continue
        if isinstance(name, Cell):
            cost = flops(kind_of(name), shape, columns)
            total += times(name) * sum(cost(i) * int(n) for i, n in enumerate(asked.sum(0)))
        for other, before in reads(name, shape):
            more = up_to(asked) if before else asked
            needs[other] = needs[other] | more if other in needs else more
    return total


def _distinct(keys: Tensor | np.ndarray, *beside: Tensor | np.ndarray) -> np.ndarray:
    """The distinct keys, and of each what stands beside it somewhere: int64 [1 + beside, keys]."""
    first = np.unique(np.asarray(keys), return_index=True)[1]
    return np.stack([np.asarray(part)[first] for part in (keys, *beside)])


def up_to(asked: Tensor) -> Tensor:
    """All positions at and before those that are asked for, [rows, width]."""
    return asked.flip(1).cummax(1).values.flip(1)
