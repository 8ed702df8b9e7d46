"""The plain model: the one interpreter of a graph.

`forward` computes sites and streams on a batch, at all heads and positions. `read` gives a value at
some heads and positions: as it is stored, or recomputed from what is stored. Who stores values
(`scrub.engine.activations`) and who compares them asks these two. The reference evaluator
(`scrub.reference`) shares nothing with them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from types import MappingProxyType

import torch
from attrs import frozen
from torch import Tensor

from scrub.data.dataset import Dataset, Rows, padded_tokens
from scrub.model.graph import Graph, Site, Stream, Where

Heads = tuple[int | None, ...]
"""Heads of a site in order; (None,) for a site without heads, () for a stream."""
Stored = Callable[[str, Tensor | None, Heads], Tensor]
"""(site or stream, index of each position or None for all, heads) → [rows, positions, heads, …]."""
UNEDITED: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType({})


@frozen(eq=False)
class InputBatch:
    """What the plain model reads: some rows, padded to one width.

    Attributes:
        inputs: by name, one row of each tensor a row of the batch: token ids [rows, width] and
            lengths [rows], or what an arithmetic graph reads.
        count: how many rows.
        width: length of the position axis.
        rows: the rows of a dataset that these are, for sites that are a function of the row
            (`Site.from_rows`); None where they are none.
    """

    inputs: Mapping[str, Tensor]
    count: int
    width: int
    rows: Rows | None = None


def forward(
    graph: Graph,
    batch: InputBatch,
    names: Iterable[str],
    known: Mapping[str, Tensor] | None = None,
    edited: Mapping[str, Callable[[Tensor], Tensor]] = UNEDITED,
) -> dict[str, Tensor]:
    """These sites and streams on a batch, each [rows, positions, heads or 1, …].

    A value that nothing further reads is released at once.

    Args:
        known: values on these rows that need not be computed again.
        edited: what becomes of a value when it is computed, before anything reads it.

    Law: what is known changes no value.
    """
    wanted = set(names)
    values = dict(known or {})
    order = needed(graph, wanted, values)
    last = last_readers(graph, order)
    for name in order:
        values[name] = _compute(graph, name, batch, values)
        if name in edited:
            values[name] = edited[name](values[name])
        for source in reads(graph.values[name]):
            if last[source] == name and source not in wanted:
                values.pop(source, None)
    return {name: values[name] for name in wanted}


def _compute(graph: Graph, name: str, batch: InputBatch, values: Mapping[str, Tensor]) -> Tensor:
    """One site or stream, from the values that it reads."""
    value = graph.values[name]
    if isinstance(value, Stream):
        return graph.total(name, values)
    if value.from_rows is not None and batch.rows is not None:
        return value.from_rows(batch.rows, batch.width)
    inputs = {port.name: values[port.source] for port in value.ports} or batch.inputs
    every = torch.arange(value.heads or 0, device=graph.device)
    return value.apply(inputs, Where(every, all_positions(graph, name, batch.count, batch.width)))


def read(
    graph: Graph,
    stored: Stored,
    name: str,
    at: Tensor | None,
    heads: Heads,
    *,
    count: int,
    width: int,
) -> Tensor:
    """A plain value of some rows: [rows, positions, heads or 1, …].

    A site that is not stored (logits) is recomputed from what it reads, at these positions only.

    Args:
        stored: finds a stored value of these rows.
        at: index of each position, int64 [rows, positions]; None: all, in order.
        count: how many rows.
        width: length of the position axis.
    """
    site = graph.values[name]
    if is_stored(site):
        return stored(name, at, heads)
    assert isinstance(site, Site)
    inputs = {
        port.name: read(
            graph,
            stored,
            port.source,
            None if port.everywhere else at,
            heads,
            count=count,
            width=width,
        )
        for port in site.ports
    }
    index = all_positions(graph, name, count, width) if at is None else at
    return site.apply(inputs, Where(head_indices(heads, graph), index))


def is_stored(value: Site | Stream) -> bool:
    """Whether plain values are worth storing per row: all streams, and most sites."""
    return isinstance(value, Stream) or value.stored


def stored_sources(graph: Graph, names: Iterable[str]) -> frozenset[str]:
    """What must be stored to `read` these sites and streams: themselves, or what they read."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        if is_stored(graph.values[name]):
            found.add(name)
        else:
            waiting.update(reads(graph.values[name]))
    return frozenset(found)


def batch_of(rows: Rows, width: int, device: torch.device) -> InputBatch:
    """The batch of these rows of a dataset, padded to `width`."""
    return select_rows(model_inputs(rows.data, width), rows, width, device)


def select_rows(
    inputs: Mapping[str, Tensor], rows: Rows, width: int, device: torch.device
) -> InputBatch:
    """The batch of these rows, out of the inputs of their whole dataset."""
    index = torch.tensor(rows.index)
    here = {name: values[index].to(device) for name, values in inputs.items()}
    return InputBatch(here, len(rows), width, rows)


def model_inputs(dataset: Dataset, width: int) -> dict[str, Tensor]:
    """What input sites read, one row a row of the dataset: tokens padded to `width`, lengths."""
    inputs = {name: torch.tensor(values) for name, values in dataset.inputs.items()}
    if "tokens" in inputs:
        inputs["tokens"] = torch.tensor(padded_tokens(dataset, width))
    return inputs | {"lengths": torch.tensor(dataset.lengths)}


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


def last_readers(graph: Graph, order: Iterable[str]) -> dict[str, str]:
    """For each value that is read in a computation in this order, the last that reads it."""
    return {source: name for name in order for source in reads(graph.values[name])}


def reads(value: Site | Stream) -> list[str]:
    """Names of what a site or stream reads."""
    if isinstance(value, Site):
        return [port.source for port in value.ports]
    return [*([value.base] if value.base else []), *value.writers]


def head_indices(heads: Heads, graph: Graph) -> Tensor:
    """Indices of heads, int64 [heads]; empty for a site without heads."""
    return torch.tensor([h for h in heads if h is not None], dtype=torch.int64, device=graph.device)


def all_positions(graph: Graph, name: str, count: int, width: int) -> Tensor:
    """The index of each position of a site or stream: int64 [rows, positions]."""
    span = graph.span(name, width)
    return torch.arange(span, device=graph.device).expand(count, span)
