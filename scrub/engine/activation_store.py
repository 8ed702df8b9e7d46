"""Where plain values are stored: one table per dataset and width, a slot per row."""

from __future__ import annotations

from collections.abc import Container, Hashable

import numpy as np
import torch
from attrs import define, field, frozen
from torch import Tensor

from scrub.data.dataset import Dataset
from scrub.data.virtual import Averages
from scrub.model.graph import Site, Stream

Identity = Hashable
"""What tells a dataset from others."""


def identity_of(data: Dataset) -> Identity:
    """Two datasets with one identity have the same plain values, row by row.

    Means over the same rows are made anew by each node that asks for them.
    """
    if isinstance(data.given, Averages):
        return "mean", id(data.given.source), data.given.features
    return id(data)


@define(eq=False)
class Buffer:
    """Values of one site or stream: [slots, positions, heads, …], of which the first are filled."""

    values: Tensor
    filled: int = 0


@define(eq=False)
class ActivationTable:
    """Plain values of some rows of one dataset, padded to one width."""

    rows: np.ndarray
    """The row in each slot, int64 [slots]."""
    slots: Tensor
    """Slot of each row of the dataset, −1 where it has none; int64 [rows]."""
    buffers: dict[Site | Stream, Buffer] = field(factory=dict)

    def add(self, rows: np.ndarray) -> None:
        """Give a slot to each of these rows that has none."""
        missing = rows[(self.slots[torch.tensor(rows)] < 0).numpy()]
        used = len(self.rows)
        self.slots[torch.tensor(missing)] = torch.arange(used, used + len(missing))
        self.rows = np.concatenate([self.rows, missing])

    def clear(self) -> None:
        """Take all slots back; the memory stays."""
        self.rows = self.rows[:0]
        self.slots.fill_(-1)
        for buffer in self.buffers.values():
            buffer.filled = 0

    def filled(self, value: Site | Stream) -> int:
        """How many slots, from the first on, have this value."""
        return self.buffers[value].filled if value in self.buffers else 0

    def append(self, value: Site | Stream, first: int, new: Tensor) -> None:
        """Fill the slots from `first` on, which are the next ones."""
        assert first == self.filled(value)
        buffer = self.buffers.get(value)
        if buffer is None or len(buffer.values) < len(self.rows):
            grown = torch.empty(len(self.rows), *new.shape[1:], dtype=new.dtype)
            if buffer is not None:
                grown[:first] = buffer.values[:first]
            self.buffers[value] = buffer = Buffer(grown)
        buffer.values[first : first + len(new)] = new
        buffer.filled = first + len(new)


@frozen(eq=False)
class ActivationStore:
    """The tables of a model, by dataset and width, on the host whatever device computes."""

    tables: dict[tuple[Identity, int], ActivationTable] = field(factory=dict)
    datasets: dict[Identity, Dataset] = field(factory=dict)
    """Keeps the datasets alive, so that an identity stays theirs."""

    def table(self, data: Dataset, width: int) -> ActivationTable:
        """The table of a dataset, made empty where there is none."""
        key = identity_of(data)
        self.datasets.setdefault(key, data)
        if (key, width) not in self.tables:
            unknown = torch.full((len(data),), -1, dtype=torch.int64)
            self.tables[key, width] = ActivationTable(np.empty(0, dtype=np.int64), unknown)
        return self.tables[key, width]

    def held(self) -> int:
        """Bytes of all stored values."""
        buffers = (buffer for table in self.tables.values() for buffer in table.buffers.values())
        return sum(buffer.values.nbytes for buffer in buffers)

    def clear(self) -> None:
        """Evict all values."""
        self.tables.clear()

    def evict_all_but(
        self, datasets: Container[Identity], values: Container[Site | Stream]
    ) -> None:
        """Evict all values but these, of the datasets with these identities."""
        for key in [key for key in self.tables if key[0] not in datasets]:
            del self.tables[key]
        for table in self.tables.values():
            for value in [value for value in table.buffers if value not in values]:
                del table.buffers[value]

    def reuse_memory(self) -> None:
        """Evict all values, but write the next ones into the same memory.

        To ask the system for large blocks anew, chunk after chunk, took longer than to compute
        what goes into them. Means stay: each is made of many rows, and they are few.
        """
        for (key, _), table in self.tables.items():
            if not isinstance(self.datasets[key].given, Averages):
                table.clear()

    def evict_generated(self) -> None:
        """Evict the values of generated inputs: no other claim has the same ones."""
        made = {
            key
            for key, data in self.datasets.items()
            if data.generated_from is not None and not isinstance(data.given, Averages)
        }
        for key in [key for key in self.tables if key[0] in made]:
            del self.tables[key]
        for key in made:
            del self.datasets[key]
