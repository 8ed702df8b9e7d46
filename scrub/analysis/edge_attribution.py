"""First-order effects of all edges of a model at once: edge attribution patching.

What an edge carries is replaced by what the writer adds to the stream on another input, and to
first order that changes the metric by

    (the writer's value on the other input − on the reference) · gradient of the metric,

the gradient being that of the reader's input stream by one port (EAP: Nanda 2023; Syed et al. 2023,
arXiv 2310.10348). A norm belongs to the reader, and its gradient to the reader's. One backward pass
gives the gradients of all readers: each query, key and value has one, and the way back from there
to the stream is taken layer by layer, so that no head's copy of the stream is kept.

*Integrated* gradients are those of Hanna et al. 2024 (2403.17806, EAP-IG), of the variant "inputs":
a mean over inputs whose embeddings lie at k/m, k = 1 … m, of the way from the reference to the
other input, everything else being computed from them. Those points are inputs that the model can
see whole, and m backward passes do; moving each writer's output by itself ("activations") takes m
passes for each layer, and mixes values of two inputs on the way.

First order misses what saturates: a head whose attention is all at one position has no gradient
there, however much depends on it. It ranks edges, it decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cached_property

import numpy as np
import torch
from attrs import evolve, field, frozen
from jaxtyping import Float
from torch import Tensor

from scrub.analysis.attribution import Edit, Measure, root_value
from scrub.data.dataset import Rows
from scrub.engine.alignment import named_index
from scrub.engine.given import given_values
from scrub.hypothesis.circuit import Edge, Placed
from scrub.hypothesis.sites import ALL, At, Route
from scrub.model.forward import InputBatch, batch_of, forward, needed, reads, stored_sources
from scrub.model.graph import Graph, Site
from scrub.names import LOGITS, Cell, reader_input

ROWS_AT_ONCE = 32
"""Samples in one backward pass, at most."""
PARTS = 8
"""Of the memory so much less may be what writers' contributions take: a pass holds the values that
its way back needs as well."""


@frozen(eq=False)
class Inlet:
    """A port by which readers of one layer read a stream.

    Attributes:
        site: the site that is the stream as they read it.
        leaf: the site or stream whose gradient the backward pass gives: a head's query, key or
            value, and otherwise what is read.
        stream: what it reads.
        heads: how many readers.
    """

    site: str
    leaf: str
    stream: str
    heads: int


@frozen(eq=False)
class _Read:
    """Edges into one inlet at the same positions: numbers of edges, writers and readers' heads."""

    at: At
    edges: list[int] = field(factory=list)
    writers: list[int] = field(factory=list)
    heads: list[int] = field(factory=list)


@frozen(eq=False, slots=False)
class EdgeAttribution:
    """The first-order effects of edges, on some samples.

    The model is run on the references, in the frame of the other inputs: lengths and positions are
    theirs, index goes to index. That is the whole model as a circuit is measured beside it
    (docs/semantics.md, Frames).

    Laws: a metric that is linear in what an edge carries has its exact effect; otherwise it is the
    derivative of the metric by how much of the edge is replaced, at none. The effects of all edges
    from a writer add up to the first-order effect of the writer on all paths; those by all ports of
    a head to that of an edge without a port.

    Attributes:
        root: what the metric reads.
        edges: from heads, MLPs and embeddings to heads, MLPs and the logits.
        references: one a sample.
        other: of each sample the input whose values are put in, or a virtual row of given values.
        steps: inputs that integrated gradients are a mean over; 0: the gradient on the reference.
        memory: bytes that one pass may take, about.
    """

    graph: Graph
    root: Route
    edges: tuple[Edge, ...]
    references: Rows
    other: Rows
    steps: int = 0
    memory: int = 2**30

    @property
    def at_once(self) -> int:
        """How many samples to ask for at a time."""
        width, sizes = self._width, [self._size(name) for name in self._writers]
        return max(1, min(ROWS_AT_ONCE, self.memory // PARTS // max(1, width * sum(sizes))))

    def chunks(self) -> Iterator[np.ndarray]:
        """Numbers of samples to ask for together."""
        samples, step = len(self.references), self.at_once
        for first in range(0, samples, step):
            yield np.arange(first, min(first + step, samples))

    def effects(self, samples: np.ndarray, measure: Measure) -> Float[np.ndarray, "edges n"]:
        """What replacing each edge does to the metric, float64, in its units.

        Args:
            samples: numbers of the samples, int64 [n].
            measure: the root's value on these samples → the metric of each, [n].
        """
        references = self.references.at(self.references.index[samples])
        other = self.other.at(self.other.index[samples])
        lengths = torch.tensor(other.data.lengths[other.index]).to(self.graph.device)
        batch = batch_of(references, self._width, self.graph.device)
        batch = evolve(batch, inputs={**batch.inputs, "lengths": lengths})
        end = self._put_in(other)
        found = np.zeros((len(self.edges), len(samples)))
        with torch.no_grad():
            start = forward(self.graph, batch, self._writers) if self.steps else {}
        change: Tensor | None = None
        for moved in self._moves(start, end):
            slopes, values = self._backward(batch, other, measure, moved)
            start = start or values  # of the reference, where it was not moved
            change = self._change(start, end) if change is None else change
            for inlet in self._inlets:
                if inlet.leaf in slopes:
                    slope = self._slope(inlet, slopes[inlet.leaf], values, batch)
                    self._add(inlet, change, slope, other, found)
        return found / max(self.steps, 1)

    def _moves(
        self, start: Mapping[str, Tensor], end: Mapping[str, Tensor]
    ) -> Iterator[dict[str, Edit]]:
        """The embeddings of each input on the way, as what is added to those of the reference."""
        if not self.steps:
            yield {}
        embedded = [name for name in self._writers if self.graph.sites[name].kind == "embedding"]
        for step in range(1, self.steps + 1):
            by = {name: (end[name] - start[name]) * (step / self.steps) for name in embedded}
            yield {name: _adding(by[name]) for name in embedded}

    def _backward(
        self, batch: InputBatch, frame: Rows, measure: Measure, moved: Mapping[str, Edit]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The metric's gradients at the inlets' leaves; and values of writers and streams."""
        graph, leaves = self.graph, dict[str, Tensor]()
        roots = stored_sources(graph, {cell.site for cell in self.root.cells})
        wanted = {*roots, *self._writers, *(inlet.stream for inlet in self._inlets)}
        edits = dict(moved)
        for name in {inlet.leaf for inlet in self._inlets} & set(needed(graph, wanted)):
            edits[name] = _with_leaf(name, leaves)
        with torch.enable_grad():
            values = forward(graph, batch, wanted, edited=edits)
            total = measure(root_value(graph, self.root, values, frame, batch)).sum()
            slopes = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
        pairs = zip(leaves, slopes, strict=True)
        found = {name: slope for name, slope in pairs if slope is not None}
        return found, {name: value.detach() for name, value in values.items()}

    def _slope(
        self, inlet: Inlet, slope: Tensor, values: Mapping[str, Tensor], batch: InputBatch
    ) -> Float[Tensor, "n positions heads d"]:
        """The gradient of the stream as each head reads it, from that of what it makes of it."""
        if inlet.leaf in (inlet.site, inlet.stream):
            return slope
        read = values[inlet.stream].expand(-1, -1, inlet.heads, -1).clone().requires_grad_()
        with torch.enable_grad():
            made = forward(self.graph, batch, {inlet.leaf}, {inlet.site: read})[inlet.leaf]
        return torch.autograd.grad(made, read, slope)[0]

    def _add(
        self, inlet: Inlet, change: Tensor, slope: Tensor, frame: Rows, into: np.ndarray
    ) -> None:
        """Add the effects of the edges into one inlet."""
        count = self._before(inlet.stream)
        each = change[:, :, :count] @ slope.transpose(2, 3)  # [n, positions, writers, heads]
        for one in self._reads[inlet.site]:
            where = self._where(one.at, frame, each.shape[1])
            summed = each.sum(1) if where is None else torch.einsum("npwh,np->nwh", each, where)
            into[one.edges] += summed[:, one.writers, one.heads].T.double().cpu().numpy()

    def _where(self, at: At, frame: Rows, width: int) -> Tensor | None:
        """1 at these positions of each row, 0 elsewhere, [n, positions]; None: all."""
        if at == ALL:
            return None
        index = named_index(frame, at).to(self.graph.device)
        where = torch.zeros(len(frame), width, dtype=self.graph.dtype, device=self.graph.device)
        return where.scatter(1, index, 1.0)

    def _change(self, start: Mapping[str, Tensor], end: Mapping[str, Tensor]) -> Tensor:
        """By how much writers' contributions differ, [n, positions, writers, d]."""
        return torch.cat(
            [
                _written(self.graph.sites[name], end[name] - start[name], self.graph)
                for name in self._writers
            ],
            dim=2,
        )

    def _put_in(self, other: Rows) -> dict[str, Tensor]:
        """Writers' values on the other inputs, [n, positions, heads or 1, …]."""
        if self._given is None:
            with torch.no_grad():
                batch = batch_of(other, self._width, self.graph.device)
                return forward(self.graph, batch, self._writers)
        distinct, values = self._given
        rows = torch.from_numpy(np.searchsorted(distinct, other.index))
        return {name: value[rows.to(value.device)] for name, value in values.items()}

    @cached_property
    def _given(self) -> tuple[np.ndarray, dict[str, Tensor]] | None:
        """The distinct virtual rows, and writers' values on them; None where other is inputs."""
        if self.other.data.given is None:
            return None
        distinct = np.unique(self.other.index)

        def computed(rows: Rows, names: Set[str]) -> dict[str, Tensor]:
            return forward(self.graph, batch_of(rows, self._width, self.graph.device), names)

        with torch.no_grad():
            values = given_values(
                self.graph, self.other.at(distinct), self._width, frozenset(self._writers),
                self.at_once, computed,
            )  # fmt: skip
        return distinct, values

    @property
    def _width(self) -> int:
        return max(self.references.data.width, self.other.data.width)

    @cached_property
    def _inlets(self) -> tuple[Inlet, ...]:
        """Those that edges lead into, in the model's order."""
        found = {
            inlet.site: inlet
            for edge in self.edges
            for inlet in inlets_of(edge.reader, edge.into, self.graph)
        }
        return tuple(found[site] for site in sorted(found, key=self.graph.order.__getitem__))

    @cached_property
    def _writers(self) -> tuple[str, ...]:
        """All writers that some reader reads, in the model's order."""
        streams = (inlet.stream for inlet in self._inlets)
        return max((self.graph.writers(stream) for stream in streams), key=len, default=())

    @cached_property
    def _first(self) -> dict[str, int]:
        """Where a writer's heads begin among all writers' heads."""
        counts = [len(self.graph.sites[name].cells()) for name in self._writers]
        return dict(zip(self._writers, np.cumsum([0, *counts]).tolist(), strict=False))

    def _before(self, stream: str) -> int:
        """How many writers, each head by itself, write to a stream: the first of all."""
        here = self.graph.writers(stream)
        assert here == self._writers[: len(here)], "streams go on from each other"
        return sum(len(self.graph.sites[name].cells()) for name in here)

    @cached_property
    def _reads(self) -> dict[str, list[_Read]]:
        """The edges into each inlet, by positions."""
        found: dict[str, dict[At, _Read]] = {inlet.site: {} for inlet in self._inlets}
        for number, edge in enumerate(self.edges):
            writer = self._first[edge.writer.site] + (edge.writer.head or 0)
            for inlet in inlets_of(edge.reader, edge.into, self.graph):
                assert writer < self._before(inlet.stream), f"{edge} is none of the model's"
                one = found[inlet.site].setdefault(edge.at, _Read(edge.at))
                one.edges.append(number)
                one.writers.append(writer)
                one.heads.append(edge.reader.head or 0)
        return {site: list(by.values()) for site, by in found.items()}

    def _size(self, name: str) -> int:
        """Bytes of what a writer's heads write, per row and position."""
        site = self.graph.sites[name]
        written = max(stream.size for stream in self.graph.streams.values())
        return len(site.cells()) * written * self.graph.dtype.itemsize


def inlets_of(reader: Cell, into: str | None, graph: Graph) -> tuple[Inlet, ...]:
    """Where a reader reads the stream by a port, or by each of its ports.

    Args:
        reader: a head, an MLP or the logits.
    """
    ports = graph.read_by[graph.sites[reader.site].group]
    return tuple(_inlet(reader, port, graph) for port in (ports if into is None else [into]))


def _inlet(reader: Cell, port: str, graph: Graph) -> Inlet:
    heads = graph.sites[reader.site].heads
    if heads is not None:
        site, leaf = reader_input(reader.site, port), reader.name.beside(port)
    else:
        site = leaf = reader_input(reader.site)
    (stream,) = reads(graph.values[site])
    return Inlet(site, stream if reader.site == LOGITS else leaf, stream, heads or 1)


def by_writer(
    edges: Sequence[Edge], effects: Float[np.ndarray, "edges n"]
) -> tuple[tuple[Placed, ...], Float[np.ndarray, "writers n"]]:
    """The first-order effect of each writer on all paths: the sum over the edges from it.

    Returns: the writers at the edges' positions, in the order in which they are first named, and
    their effects.
    """
    placed = [Placed(edge.writer, edge.at) for edge in edges]
    number = {writer: n for n, writer in enumerate(dict.fromkeys(placed))}
    found = np.zeros((len(number), effects.shape[1]))
    np.add.at(found, [number[writer] for writer in placed], effects)
    return tuple(number), found


def _written(site: Site, value: Tensor, graph: Graph) -> Tensor:
    """What each head adds to the stream, [n, positions, heads or 1, d]."""
    if site.write is None:
        return value
    write, heads = site.write, range(value.shape[2])
    numbers = torch.arange(value.shape[2], device=graph.device)
    return torch.cat([write(value[:, :, [h]], numbers[[h]]) for h in heads], dim=2)


def _adding(by: Tensor) -> Edit:
    return lambda value: value + by


def _with_leaf(name: str, leaves: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
    """Add zeros to a value, and note them: their gradient is the value's."""

    def change(value: Tensor) -> Tensor:
        leaves[name] = torch.zeros_like(value, requires_grad=True)
        return value + leaves[name]

    return change
