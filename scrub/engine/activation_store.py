"""Where plain values are stored: one table per dataset and width, a slot per row and value."""

from __future__ import annotations

from collections.abc import Container, Hashable

import numpy as np
import torch
from attrs import define, field, frozen
from jaxtyping import Bool, Int
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
    """Values of one site or stream, for some rows of a dataset.

    Attributes:
        values: [slots, positions, heads, …], of which the first are filled.
        slots: slot of each row of the dataset, −1 where it has none; int32 [rows].
    """

    values: Tensor
    slots: np.ndarray
    filled: int = 0

    def clear(self) -> None:
        """Take all slots back; the memory stays."""
        self.slots.fill(-1)
        self.filled = 0

    def at(self, rows: Int[np.ndarray, " n"]) -> Int[Tensor, " n"]:
        """The slots of these rows, which have some."""
        slots = self.slots[rows]
        assert (slots >= 0).all(), "a plain value is read that was not computed"
        return torch.from_numpy(slots.astype(np.int64))


@define(eq=False)
class ActivationTable:
    """Plain values of some rows of one dataset, padded to one width.

    Attributes:
        size: how many rows the dataset has.
        buffers: a buffer a site or stream, each with rows of its own.
    """

    size: int
    buffers: dict[Site | Stream, Buffer] = field(factory=dict)

    def clear(self) -> None:
        """Take all slots back; the memory stays."""
        for buffer in self.buffers.values():
            buffer.clear()

    def has(self, value: Site | Stream, rows: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        """Which of these rows have this value."""
        here = self.buffers.get(value)
        return np.zeros(len(rows), dtype=bool) if here is None else here.slots[rows] >= 0

    def filled(self, value: Site | Stream) -> int:
        """How many rows have this value."""
        return self.buffers[value].filled if value in self.buffers else 0

    def append(
        self, value: Site | Stream, rows: Int[np.ndarray, " n"], new: Tensor, room: int
    ) -> None:
        """Store a value of rows that lack it.

        Args:
            rows: distinct rows of the dataset.
            room: how many slots will be filled, these and others, before the memory is asked for
                more.
        """
        buffer = self.buffers.get(value)
        if buffer is None or len(buffer.values) < room:
            grown = torch.empty(room, *new.shape[1:], dtype=new.dtype)
            if buffer is None:
                slots = np.full(self.size, -1, dtype=np.int32)
                buffer = self.buffers[value] = Buffer(grown, slots)
            else:
                grown[: buffer.filled] = buffer.values[: buffer.filled]
                buffer.values = grown
        end = buffer.filled + len(rows)
        buffer.values[buffer.filled : end] = new
        buffer.slots[rows] = np.arange(buffer.filled, end)
        buffer.filled = end


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
            self.tables[key, width] = ActivationTable(len(data))
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
