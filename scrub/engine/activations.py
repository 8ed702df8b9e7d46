"""The activation cache: what the plain model computes on a row, once per row of the data.

Every node, sample, claim and seed of a session shares one store. A site that is not worth storing
(logits) is recomputed from what it reads, only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cached_property

import numpy as np
import torch
from attrs import field, frozen
from jaxtyping import Int
from torch import Tensor

from scrub.data.dataset import Dataset, Rows
from scrub.engine.activation_store import ActivationStore, identity_of
from scrub.engine.alignment import gather
from scrub.engine.given import Computed, given_values
from scrub.engine.kept_values import KeptValues
from scrub.engine.sharing import united
from scrub.engine.wanted import (
    Masks,
    Pass,
    Wanted,
    forward_passes,
    given_passes,
    masks_of,
    of_one_dataset,
    passes_for,
)
from scrub.model.forward import (
    Heads,
    InputBatch,
    forward,
    model_inputs,
    read,
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

    Attributes:
        kept: what earlier commands kept on disk; None: nothing is.
    """

    graph: Graph
    store: ActivationStore = field(factory=ActivationStore)
    kept: KeptValues | None = None

    def fill(
        self, rows: Rows, width: int, names: Iterable[str], at_once: int = ROWS_AT_ONCE
    ) -> None:
        """Compute and store these sites and streams where these rows lack them.

        Args:
            names: of virtual rows, all that is read; of inputs, those that are stored.
            width: positions that the rows are padded to.
            at_once: rows in one forward pass.
        """
        distinct = rows.at(np.unique(rows.index))
        self.fill_wanted([(distinct, frozenset(names))], width, at_once)

    def fill_wanted(self, wanted: Iterable[Wanted], width: int, at_once: int) -> None:
        """Compute and store what is wanted of each of these rows, where they lack it.

        What is stored already is not computed again: new sites of old rows start from it.

        Args:
            wanted: no site or stream of a row twice.
        """
        for same in of_one_dataset(wanted):
            if not self._lack(same, width):
                continue
            rows = united([rows for rows, _ in same])
            table = self.store.table(rows.data, width)
            masks = masks_of(same, rows)
            if self.kept is not None:
                self.kept.load(table, self.graph, rows.data, width, rows.index, masks)
            known = self._known(rows, width)
            lacking = {
                name: mask & ~known[name] if name in known else mask for name, mask in masks.items()
            }
            room = {name: table.filled(self.graph.values[name]) for name in lacking}
            room = {name: count + int(lacking[name].sum()) for name, count in room.items()}
            for one, made in self._made(rows, width, lacking, known, at_once):
                for name in one.names:  # each is let go when it is stored
                    new, which = made.pop(name), lacking[name][one.at]
                    if not which.all():
                        new = new[torch.from_numpy(which).to(new.device)]
                    here = rows.index[one.at[which]]
                    table.append(self.graph.values[name], here, new, room[name])
                    del new
            if self.kept is not None:
                self.kept.save(table, self.graph, rows.data, width, rows.index, lacking)

    def _lack(self, wanted: Iterable[Wanted], width: int) -> bool:
        """Whether something has to be computed."""

        def lack(rows: Rows, name: str) -> bool:
            table = self.store.table(rows.data, width)
            return not table.has(self.graph.values[name], rows.index).all()

        return any(lack(rows, name) for rows, names in wanted for name in names)

    def _made(
        self, rows: Rows, width: int, lacking: Masks, known: Masks, at_once: int
    ) -> Iterator[tuple[Pass, dict[str, Tensor]]]:
        """What these rows lack, pass by pass."""
        if rows.data.given is not None:
            for one in given_passes(lacking, at_once):
                yield one, self._given(rows.at(rows.index[one.at]), width, one.names, at_once)
            return
        inputs = _Inputs(self.graph, rows.data, width)
        for one in forward_passes(self.graph, lacking, known, at_once):
            here = rows.at(rows.index[one.at])
            yield (
                one,
                forward(
                    self.graph,
                    inputs.batch(here),
                    one.names,
                    self._stored(here, width, one.known),
                ),
            )

    def _given(self, rows: Rows, width: int, names: Set[str], at_once: int) -> dict[str, Tensor]:
        """Values of virtual rows."""
        assert rows.data.given is not None
        computed = self._computed(rows.data.given.source, width)
        return given_values(self.graph, rows, width, names, at_once, computed)

    def _computed(self, source: Dataset, width: int) -> Computed:
        """The plain model on rows of a dataset, from what is stored of them."""
        inputs = _Inputs(self.graph, source, width)

        def part(rows: Rows, names: Set[str], one: Pass) -> list[Tensor]:
            found = self._stored(rows, width, one.known | (names - one.names))
            if one.names:
                found |= forward(self.graph, inputs.batch(rows), one.names, found)
            return [found[name] for name in sorted(names)]

        def computed(rows: Rows, names: Set[str]) -> dict[str, Tensor]:
            known = self._known(rows, width)
            passes = passes_for(self.graph, names, known, len(rows))
            parts = [part(rows.at(rows.index[one.at]), names, one) for one in passes]
            order = np.concatenate([one.at for one in passes])
            back, in_order = torch.from_numpy(order.argsort()), (np.diff(order) > 0).all()
            found = {}
            for name, values in zip(sorted(names), zip(*parts, strict=True), strict=True):
                value = values[0] if len(values) == 1 else torch.cat(values)
                found[name] = value if in_order else value[back.to(value.device)]
            return found

        return computed

    def _known(self, rows: Rows, width: int) -> Masks:
        """For each site and stream that is stored of some row, which of these rows have it."""
        table = self.store.table(rows.data, width)
        return {
            name: table.has(value, rows.index)
            for name, value in self.graph.values.items()
            if value in table.buffers
        }

    def _stored(self, rows: Rows, width: int, names: Iterable[str]) -> dict[str, Tensor]:
        """These sites and streams of rows that have them, at all positions and heads."""
        found = {}
        for name in names:
            buffer = self.store.table(rows.data, width).buffers[self.graph.values[name]]
            found[name] = buffer.values[buffer.at(rows.index)].to(self.graph.device)
        return found

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
            buffer = table.buffers[self.graph.values[name]]
            slots = buffer.at(rows.index)
            found = gather(buffer.values, slots, None if at is None else at.cpu(), heads)
            return found.to(self.graph.device)

        if rows.data.given is not None:  # what is given is not recomputed from what is given
            return stored(name, at, heads)
        return read(self.graph, stored, name, at, heads, count=len(rows), width=width)

    def held_after(self, wanted: Iterable[tuple[Rows, Mapping[str, int]]], width: int) -> int:
        """Bytes of all values in the store once these rows are filled.

        Args:
            wanted: distinct rows, with the sites and streams that are filled of them and their
                bytes per row; no site or stream of a row twice.
        """
        total = self.store.held()
        for rows, sizes in wanted:
            table = self.store.tables.get((identity_of(rows.data), width))
            for name, size in sizes.items():
                here = None if table is None else table.buffers.get(self.graph.values[name])
                if here is None:
                    total += len(rows) * size
                else:
                    filled = here.filled + int((here.slots[rows.index] < 0).sum())
                    total += max(0, filled * size - here.values.nbytes)
        return total
