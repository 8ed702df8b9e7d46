"""The activation cache: what the plain model computes on a row, once per row of the data.

Every node, sample, claim and seed of a session shares one store. A site that is not worth storing
(logits) is recomputed from what it reads, only where it is asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Set
from functools import cached_property, partial

import numpy as np
import torch
from attrs import field, frozen
from jaxtyping import Int
from torch import Tensor

from scrub.data.dataset import Dataset, Rows
from scrub.engine.activation_store import ActivationStore, ActivationTable, identity_of
from scrub.engine.alignment import gather
from scrub.engine.given import Computed, given_values
from scrub.model.forward import (
    Heads,
    InputBatch,
    forward,
    model_inputs,
    needed,
    read,
    reads,
    select_rows,
)
from scrub.model.graph import Graph

ROWS_AT_ONCE = 64
"""Rows in one forward pass: large enough to fill a matrix product, small enough to fit anywhere."""


@frozen(eq=False, slots=False)
class _Inputs:
    """What the model reads of a dataset, made where it is asked for."""

    graph: Graph
    data: Dataset
    width: int

    @cached_property
    def every(self) -> dict[str, Tensor]:
        """Of the whole dataset."""
        return model_inputs(self.data, self.width)

    def batch(self, rows: Rows) -> InputBatch:
        return select_rows(self.every, rows, self.width, self.graph.device)


@frozen(eq=False)
class ActivationCache:
    """Plain values of a graph, by row.

    A graph that was specialised to a hypothesis shares the store of the one that it comes from:
    what is the same site or stream in both has the same plain value.

    Law: what is cached changes no value, only the cost.
    """

    graph: Graph
    store: ActivationStore = field(factory=ActivationStore)

    def fill(
        self, rows: Rows, width: int, names: Iterable[str], at_once: int = ROWS_AT_ONCE
    ) -> None:
        """Compute and store these sites and streams where these rows lack them.

        What is stored already is not computed again: new sites of old rows start from it.

        Args:
            names: of virtual rows, all that is read; of inputs, those that are stored.
            width: positions that the rows are padded to.
            at_once: rows in one forward pass.
        """
        table = self.store.table(rows.data, width)
        table.add(np.unique(rows.index))
        filled = {name: table.filled(self.graph.values[name]) for name in names}
        if all(count == len(table.rows) for count in filled.values()):
            return
        inputs = _Inputs(self.graph, rows.data, width)
        bounds = sorted({*filled.values(), len(table.rows)})
        for start, end in itertools.pairwise(bounds):
            lacking = {name for name, count in filled.items() if count <= start}
            for first in range(start, end, at_once):
                slots = slice(first, min(first + at_once, end))
                here = rows.at(table.rows[slots])
                if rows.data.given is None:
                    known = self._known(table, slots, lacking)
                    made = partial(forward, self.graph, inputs.batch(here), lacking, known)
                else:
                    made = partial(self._given, here, width, lacking, at_once)
                for name, value in made().items():  # none is held while the next are made
                    table.append(self.graph.values[name], first, value)

    def _given(self, rows: Rows, width: int, names: Set[str], at_once: int) -> dict[str, Tensor]:
        """Values of virtual rows."""
        assert rows.data.given is not None
        computed = self._computed(rows.data.given.source, width)
        return given_values(self.graph, rows, width, names, at_once, computed)

    def _computed(self, source: Dataset, width: int) -> Computed:
        """The plain model on rows of a dataset, from what is stored of those that have a slot."""
        inputs, table = _Inputs(self.graph, source, width), self.store.table(source, width)
        every = {
            name: table.buffers[value].values
            for name, value in self.graph.values.items()
            if len(table.rows) and table.filled(value) == len(table.rows)
        }

        def part(rows: Rows, names: Set[str], slots: Tensor | None) -> dict[str, Tensor]:
            known = {}
            if slots is not None:
                order = needed(self.graph, names - every.keys(), every)
                below = {source for name in order for source in reads(self.graph.values[name])}
                which = every.keys() & (below | names)
                known = {name: every[name][slots].to(self.graph.device) for name in which}
            found = forward(self.graph, inputs.batch(rows), names - known.keys(), known)
            return found | {name: known[name] for name in names & known.keys()}

        def computed(rows: Rows, names: Set[str]) -> dict[str, Tensor]:
            slots = table.slots[torch.tensor(rows.index)]
            has = slots >= 0
            if not every or not has.any():
                return part(rows, names, None)
            if has.all():
                return part(rows, names, slots)
            order = torch.cat([has.nonzero()[:, 0], (~has).nonzero()[:, 0]])
            back = order.argsort().to(self.graph.device)
            old = part(rows.at(rows.index[has.numpy()]), names, slots[has])
            new = part(rows.at(rows.index[~has.numpy()]), names, None)
            return {name: torch.cat([old[name], new[name]])[back] for name in names}

        return computed

    def _known(self, table: ActivationTable, slots: slice, lacking: set[str]) -> dict[str, Tensor]:
        """What these slots have already, for a forward pass to start from."""
        return {
            name: table.buffers[value].values[slots].to(self.graph.device)
            for name, value in self.graph.values.items()
            if name not in lacking and table.filled(value) >= slots.stop
        }

    def get(
        self,
        name: str,
        rows: Rows,
        width: int,
        at: Int[Tensor, "rows positions"] | None,
        heads: Heads,
    ) -> Tensor:
        """Values of a site or stream: [rows, positions, heads or 1, …].

        Args:
            at: index of each position; None: all, in order.
            heads: which heads, for a site that keeps them apart.
        """

        def stored(name: str, at: Tensor | None, heads: Heads) -> Tensor:
            table = self.store.table(rows.data, width)
            values = table.buffers[self.graph.values[name]].values
            slots = table.slots[torch.tensor(rows.index)]
            found = gather(values, slots, None if at is None else at.cpu(), heads)
            return found.to(self.graph.device)

        if rows.data.given is not None:  # what is given is not recomputed from what is given
            return stored(name, at, heads)
        return read(self.graph, stored, name, at, heads, count=len(rows), width=width)

    def held_after(
        self,
        drawn: Iterable[Rows],
        width: int,
        names: Mapping[str, int],
        given: Iterable[tuple[Rows, Mapping[str, int]]] = (),
    ) -> int:
        """Bytes of all values in the store once these rows are filled.

        Args:
            drawn: distinct rows, dataset by dataset.
            names: sites and streams that are filled, with their bytes per row.
            given: virtual rows, with those that are filled of them.
        """
        total = self.store.held()
        for rows, sizes in (*((rows, names) for rows in drawn), *given):
            table = self.store.tables.get((identity_of(rows.data), width))
            union = len(rows) if table is None else len(np.union1d(rows.index, table.rows))
            for name, size in sizes.items():
                here = None if table is None else table.buffers.get(self.graph.values[name])
                total += max(0, union * size - (0 if here is None else here.values.nbytes))
        return total
