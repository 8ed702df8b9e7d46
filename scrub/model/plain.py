"""Plain activations: what the model computes on a row by itself, once per row and kept.

Every node, sample, claim and seed of a session shares one cache. A site that is not worth keeping
(logits) is recomputed from what it reads, only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Container, Iterable

import numpy as np
import torch
from attrs import define, field, frozen
from torch import Tensor

from scrub.data import Dataset, Rows, padded_tokens
from scrub.model.graph import Graph, Site, Stream, Where

ROWS_AT_ONCE = 64
"""Rows in one forward pass: large enough to fill a matrix product, small enough to fit anywhere."""


@define(eq=False)
class Table:
    """Stored values of some rows of a dataset: per site or stream [slots, positions, heads, …]."""

    rows: np.ndarray
    """The row in each slot, int64 [slots]."""
    slots: Tensor
    """Slot of each row of the dataset, −1 where it has none; int64 [rows]."""
    values: dict[str, Tensor] = field(factory=dict)


@frozen(eq=False)
class PlainCache:
    """Plain values of a graph, by row.

    Law: what is cached changes no value, only the work.
    """

    graph: Graph
    _tables: dict[tuple[int, int], Table] = field(factory=dict)
    _datasets: dict[int, Dataset] = field(factory=dict)
    """Keeps the datasets alive, so that an identity stays theirs."""

    def fill(
        self, rows: Rows, width: int, names: Iterable[str], at_once: int = ROWS_AT_ONCE
    ) -> None:
        """Compute and keep these stored sites and streams where these rows lack them.

        What is kept already is not computed again: new sites of old rows start from it. The
        forward pass takes `at_once` rows.
        """
        self._datasets[id(rows.data)] = rows.data
        unknown = torch.full((len(rows.data),), -1, dtype=torch.int64)
        table = self._tables.setdefault(
            (id(rows.data), width), Table(np.empty(0, dtype=np.int64), unknown)
        )
        new = set(names) - set(table.values)
        wanted = np.unique(rows.index)
        missing = wanted[(table.slots[torch.tensor(wanted)] < 0).numpy()]
        if not new and not len(missing):
            return
        inputs = model_inputs(rows.data, width)
        self._compute(table, rows.at(table.rows), 0, inputs, width, new, at_once)
        used = len(table.rows)
        every = new | set(table.values)
        self._compute(table, rows.at(missing), used, inputs, width, every, at_once)
        table.rows = np.concatenate([table.rows, missing])
        table.slots[torch.tensor(missing)] = torch.arange(used, used + len(missing))

    def held(self) -> int:
        """Bytes of all values that are kept."""
        tables = self._tables.values()
        return sum(value.nbytes for table in tables for value in table.values.values())

    def empty(self) -> None:
        """Forget all values."""
        self._tables.clear()

    def _compute(
        self,
        table: Table,
        rows: Rows,
        first: int,
        inputs: dict[str, Tensor],
        width: int,
        names: set[str],
        at_once: int,
    ) -> None:
        """Put these values of these rows into the slots from `first` on."""
        for start in range(0, len(rows) if names else 0, at_once):
            batch = rows.at(rows.index[start : start + at_once])
            here = slice(first + start, first + start + len(batch))
            known = {
                name: values[here] for name, values in table.values.items() if name not in names
            }
            for name, value in self._forward(batch, inputs, width, names, known).items():
                room = table.values.get(name)
                if room is None or len(room) < first + len(rows):
                    grown = value.new_empty(first + len(rows), *value.shape[1:])
                    if room is not None:
                        grown[: len(room)] = room
                    table.values[name] = room = grown
                room[here] = value

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
        table = self._tables[id(rows.data), width]
        stored = table.values[name]
        slots = table.slots[torch.tensor(rows.index)].to(stored.device)
        return gather(stored, slots, at, select(stored, heads))

    def _recomputed(
        self, site: Site, rows: Rows, width: int, at: Tensor | None, heads: tuple[int | None, ...]
    ) -> Tensor:
        everywhere = positions(rows, self.graph, site.name, width)
        inputs = {
            port.name: self.get(port.source, rows, width, None if port.everywhere else at, heads)
            for port in site.ports
        }
        where = Where(numbers(heads, self.graph), everywhere if at is None else at)
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
                at = positions(rows, self.graph, name, width)
                every = torch.arange(value.heads or 0, device=self.graph.device)
                read = {port.name: found[port.source] for port in value.ports}
                found[name] = value.apply(read or raw, Where(every, at))
            for source in reads(value):
                if last[source] == name and source not in names:
                    found.pop(source, None)
        return {name: found[name] for name in names}


def needed(graph: Graph, names: Iterable[str], known: Container[str] = ()) -> list[str]:
    """These sites and streams and all unknown ones that they read, in the graph's order."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        read = reads(graph.values[name])
        waiting.update(source for source in read if source not in found and source not in known)
    return sorted(found, key=graph.order.__getitem__)


def model_inputs(dataset: Dataset, width: int) -> dict[str, Tensor]:
    """What input sites read, one row a row of the dataset: tokens padded to `width`, lengths."""
    inputs = {name: torch.tensor(values) for name, values in dataset.inputs.items()}
    if "tokens" in inputs:
        inputs["tokens"] = torch.tensor(padded_tokens(dataset, width))
    return inputs | {"lengths": torch.tensor(dataset.lengths)}


def reads(value: Site | Stream) -> list[str]:
    """Names of what a site or stream reads."""
    if isinstance(value, Site):
        return [port.source for port in value.ports]
    return [*([value.base] if value.base else []), *value.writers]


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


def numbers(heads: tuple[int | None, ...], graph: Graph) -> Tensor:
    """Head numbers as a tensor; empty for a site without heads."""
    return torch.tensor([h for h in heads if h is not None], dtype=torch.int64, device=graph.device)


def positions(rows: Rows, graph: Graph, name: str, width: int) -> Tensor:
    """The indices of all positions of a site: int64 [rows, positions]."""
    count = graph.span(name, width)
    return torch.arange(count, device=graph.device).expand(len(rows), count)
