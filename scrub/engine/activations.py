"""Plain activations: what the model computes on a row by itself, once per row and kept.

Every node, sample, claim and seed of a session shares one cache. A site that is not worth keeping
(logits) is recomputed from what it reads, only where it is asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable, Mapping

import numpy as np
import torch
from attrs import define, field, frozen
from torch import Tensor

from scrub.data.dataset import Dataset, Rows, padded_tokens
from scrub.model.forward import all_positions, head_indices, needed, reads
from scrub.model.graph import Graph, Site, Stream, Where

ROWS_AT_ONCE = 64
"""Rows in one forward pass: large enough to fill a matrix product, small enough to fit anywhere."""


@define(eq=False)
class Kept:
    """Values of one site or stream: [slots, positions, heads, …], of which the first are filled."""

    values: Tensor
    filled: int = 0


@define(eq=False)
class Table:
    """Which rows of a dataset have a slot, and what is kept of them."""

    rows: np.ndarray
    """The row in each slot, int64 [slots]."""
    slots: Tensor
    """Slot of each row of the dataset, −1 where it has none; int64 [rows]."""
    kept: dict[Site | Stream, Kept] = field(factory=dict)

    def add(self, rows: np.ndarray) -> None:
        """Give a slot to each of these rows that has none."""
        missing = rows[(self.slots[torch.tensor(rows)] < 0).numpy()]
        used = len(self.rows)
        self.slots[torch.tensor(missing)] = torch.arange(used, used + len(missing))
        self.rows = np.concatenate([self.rows, missing])

    def clear(self) -> None:
        """Take all slots back."""
        self.rows = self.rows[:0]
        self.slots.fill_(-1)
        for here in self.kept.values():
            here.filled = 0

    def filled(self, value: Site | Stream) -> int:
        """How many slots have this value."""
        return self.kept[value].filled if value in self.kept else 0

    def put(self, value: Site | Stream, first: int, new: Tensor) -> None:
        """Fill the slots from `first` on, which are the next ones."""
        assert first == self.filled(value)
        here = self.kept.get(value)
        if here is None or len(here.values) < len(self.rows):
            grown = torch.empty(len(self.rows), *new.shape[1:], dtype=new.dtype)
            if here is not None:
                grown[:first] = here.values[:first]
            self.kept[value] = here = Kept(grown)
        here.values[first : first + len(new)] = new
        here.filled = first + len(new)


@frozen(eq=False)
class ActivationStore:
    """The tables of a model, by dataset and width, on the host whatever device computes."""

    tables: dict[tuple[int, int], Table] = field(factory=dict)
    datasets: dict[int, Dataset] = field(factory=dict)
    """Keeps the datasets alive, so that an identity stays theirs."""

    def table(self, data: Dataset, width: int) -> Table:
        self.datasets[id(data)] = data
        if (id(data), width) not in self.tables:
            unknown = torch.full((len(data),), -1, dtype=torch.int64)
            self.tables[id(data), width] = Table(np.empty(0, dtype=np.int64), unknown)
        return self.tables[id(data), width]

    def held(self) -> int:
        """Bytes of all values that are kept."""
        kept = (here for table in self.tables.values() for here in table.kept.values())
        return sum(here.values.nbytes for here in kept)

    def clear(self) -> None:
        """Forget all values."""
        self.tables.clear()

    def evict_all_but(self, datasets: Container[int], values: Container[Site | Stream]) -> None:
        """Forget all values but these, of the datasets with these identities."""
        for key in [key for key in self.tables if key[0] not in datasets]:
            del self.tables[key]
        for table in self.tables.values():
            for value in [value for value in table.kept if value not in values]:
                del table.kept[value]

    def reuse_memory(self) -> None:
        """Forget all values, but write the next ones into the same memory.

        To ask the system for large blocks anew, chunk after chunk, took longer than to compute
        what goes into them.
        """
        for table in self.tables.values():
            table.clear()

    def evict_generated(self) -> None:
        """Forget the values of generated inputs: no other claim has the same ones."""
        made = {key for key, data in self.datasets.items() if data.generated_from is not None}
        for key in [key for key in self.tables if key[0] in made]:
            del self.tables[key]
        for key in made:
            del self.datasets[key]


@frozen(eq=False)
class ActivationCache:
    """Plain values of a graph, by row.

    A graph that was specialised to a hypothesis shares the store of the one that it comes from:
    what is the same site or stream in both has the same plain value.

    Law: what is cached changes no value, only the work.
    """

    graph: Graph
    store: ActivationStore = field(factory=ActivationStore)

    def fill(
        self, rows: Rows, width: int, names: Iterable[str], at_once: int = ROWS_AT_ONCE
    ) -> None:
        """Compute and keep these stored sites and streams where these rows lack them.

        What is kept already is not computed again: new sites of old rows start from it. The
        forward pass takes `at_once` rows.
        """
        table = self.store.table(rows.data, width)
        table.add(np.unique(rows.index))
        behind = {name: table.filled(self.graph.values[name]) for name in names}
        if all(filled == len(table.rows) for filled in behind.values()):
            return
        inputs = model_inputs(rows.data, width)  # of the whole dataset
        bounds = sorted({*behind.values(), len(table.rows)})
        for start, end in itertools.pairwise(bounds):
            lacking = {name for name, filled in behind.items() if filled <= start}
            for first in range(start, end, at_once):
                batch = rows.at(table.rows[first : min(first + at_once, end)])
                self._add(table, first, batch, inputs, width, lacking)

    def _add(
        self,
        table: Table,
        first: int,
        batch: Rows,
        inputs: dict[str, Tensor],
        width: int,
        names: set[str],
    ) -> None:
        """Put these values of a few rows into the slots from `first` on."""
        known = self._known(table, slice(first, first + len(batch)), names)
        for name, value in self._forward(batch, inputs, width, names, known).items():
            table.put(self.graph.values[name], first, value)

    def held_after(self, drawn: Iterable[Rows], width: int, names: Mapping[str, int]) -> int:
        """Bytes of all values that the store keeps once these rows are filled.

        Args:
            drawn: distinct rows, dataset by dataset.
            names: sites and streams that are filled, with their bytes per row.
        """
        total = self.store.held()
        for rows in drawn:
            table = self.store.tables.get((id(rows.data), width))
            union = len(rows) if table is None else len(np.union1d(rows.index, table.rows))
            for name, size in names.items():
                here = None if table is None else table.kept.get(self.graph.values[name])
                total += max(0, union * size - (0 if here is None else here.values.nbytes))
        return total

    def _known(self, table: Table, here: slice, lacking: set[str]) -> dict[str, Tensor]:
        """What these slots have already, for a forward pass to start from."""
        return {
            name: table.kept[value].values[here].to(self.graph.device)
            for name, value in self.graph.values.items()
            if name not in lacking and table.filled(value) >= here.stop
        }

    def get(
        self, name: str, rows: Rows, width: int, at: Tensor | None, heads: tuple[int | None, ...]
    ) -> Tensor:
        """Values of a site or stream: [rows, positions, heads or 1, …].

        Args:
            at: index of each position, int64 [rows, positions]; None: all, in order.
            heads: which heads, for a site that keeps them apart.
        """
        value = self.graph.values[name]
        if isinstance(value, Site) and not value.stored:
            return self._recomputed(value, rows, width, at, heads)
        table = self.store.table(rows.data, width)
        stored = table.kept[value].values
        slots = table.slots[torch.tensor(rows.index)]
        taken = gather(stored, slots, None if at is None else at.cpu(), select(stored, heads))
        return taken.to(self.graph.device)

    def _recomputed(
        self, site: Site, rows: Rows, width: int, at: Tensor | None, heads: tuple[int | None, ...]
    ) -> Tensor:
        everywhere = all_positions(rows, self.graph, site.name, width)
        inputs = {
            port.name: self.get(port.source, rows, width, None if port.everywhere else at, heads)
            for port in site.ports
        }
        where = Where(head_indices(heads, self.graph), everywhere if at is None else at)
        return site.apply(inputs, where)

    def _forward(
        self,
        rows: Rows,
        inputs: dict[str, Tensor],
        width: int,
        names: set[str],
        known: dict[str, Tensor],
    ) -> dict[str, Tensor]:
        """One pass over these rows: the named values, all heads, all positions."""
        found = dict(known)
        index = torch.tensor(rows.index)
        raw = {name: values[index].to(self.graph.device) for name, values in inputs.items()}
        order = needed(self.graph, names, known)
        last = {read: name for name in order for read in reads(self.graph.values[name])}
        for name in order:
            value = self.graph.values[name]
            if isinstance(value, Stream):
                found[name] = self.graph.total(name, found)
            elif value.from_rows is not None:
                found[name] = value.from_rows(rows, width)
            else:
                at = all_positions(rows, self.graph, name, width)
                every = torch.arange(value.heads or 0, device=self.graph.device)
                read = {port.name: found[port.source] for port in value.ports}
                found[name] = value.apply(read or raw, Where(every, at))
            for source in reads(value):
                if last[source] == name and source not in names:
                    found.pop(source, None)
        return {name: found[name] for name in names}


def model_inputs(dataset: Dataset, width: int) -> dict[str, Tensor]:
    """What input sites read, one row a row of the dataset: tokens padded to `width`, lengths."""
    inputs = {name: torch.tensor(values) for name, values in dataset.inputs.items()}
    if "tokens" in inputs:
        inputs["tokens"] = torch.tensor(padded_tokens(dataset, width))
    return inputs | {"lengths": torch.tensor(dataset.lengths)}


def select(value: Tensor, heads: tuple[int | None, ...]) -> Tensor | None:
    """Indices of these heads on a value's head axis; None where all are meant in order."""
    size = value.shape[2]
    if size == 1 or heads == tuple(range(size)):
        return None
    return torch.tensor(heads, device=value.device)


def gather(
    value: Tensor, first: Tensor, at: Tensor | None = None, heads: Tensor | None = None
) -> Tensor:
    """Entries of a value [slots, positions, heads, …]: [n, positions, heads, …].

    One copy of whole blocks, which is many times faster than indexing by several tensors.

    Args:
        first: slot of each, int64 [n].
        at: index of each position, int64 [n, positions]; None: all.
        heads: which heads, int64 [heads]; None: all.
    """
    if heads is None:
        if at is None:
            return value.index_select(0, first)
        blocks = first[:, None] * value.shape[1] + at
        return _blocks(value.flatten(0, 1), blocks)
    where = torch.arange(value.shape[1], device=value.device)[None] if at is None else at
    blocks = (first[:, None] * value.shape[1] + where)[:, :, None] * value.shape[2] + heads
    return _blocks(value.flatten(0, 2), blocks)


def _blocks(value: Tensor, which: Tensor) -> Tensor:
    return value.index_select(0, which.flatten()).unflatten(0, which.shape)
