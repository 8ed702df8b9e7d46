"""Positions, aligned in one place: which index a named position has in each input, and how values
that are known at some indices are put among values at others.

Two inputs of different lengths are aligned by names ("end", "s2"), which have an index in each; or
index to index, where a value at index 3 of one stands for index 3 of the other.
"""

from __future__ import annotations

import numpy as np
import torch
from attrs import field, frozen
from jaxtyping import Float, Int
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.engine.ranges import Positions, Range, bounds
from scrub.engine.steps import Variable
from scrub.model.forward import Heads, all_positions
from scrub.model.graph import Graph

Samples = Int[np.ndarray, " n"]
"""Numbers of samples within a chunk."""


@frozen(eq=False)
class Pairs:
    """The distinct rows and positions that two lookups read for some samples.

    Attributes:
        rows: a row an entry.
        at: index of the position in it, int64 [entries, 1].
        entry: for each sample and position the entries of both lookups.
    """

    rows: Rows
    at: Int[Tensor, "entries 1"]
    entry: Int[Tensor, "n positions 2"]


@frozen(eq=False)
class Frames:
    """The inputs that some samples drew, and where positions stand in them.

    Attributes:
        inputs: what each node drew, a row a sample.
        width: positions that every input is padded to.
    """

    graph: Graph
    inputs: dict[Variable, Rows]
    width: int
    _bounds: dict[tuple[Variable, int, Range], np.ndarray] = field(factory=dict)
    _index: dict[tuple[Variable, Positions, int], tuple[np.ndarray, Tensor]] = field(factory=dict)
    """By frame, positions and span: the samples that were asked for last, and their indices."""
    _pairs: dict[tuple[object, ...], tuple[np.ndarray, Pairs]] = field(factory=dict)
    """By both lookups, positions and span, the same."""

    def rows(self, frame: Variable, samples: Int[np.ndarray, " n"]) -> Rows:
        """The inputs of these samples in a frame."""
        rows = self.inputs[frame]
        return rows.at(rows.index[samples])

    def index(
        self, frame: Variable, name: str, at: Positions, samples: Int[np.ndarray, " n"]
    ) -> Int[Tensor, "n positions"]:
        """Index of each position in the frame's inputs.

        A range has as many as the longest of these samples; past a shorter one's end its last index
        is repeated.

        Args:
            name: the site or stream whose position axis is meant.
        """
        if isinstance(at, str):
            return all_positions(self.graph, name, len(samples), self.width)
        key = (frame, at, self.graph.span(name, self.width) if isinstance(at, Range) else 0)
        known = self._index.get(key)
        if known is None or known[0] is not samples:
            index = self._on_host(frame, name, at, samples).to(self.graph.device)
            known = self._index[key] = (samples, index)
        return known[1]

    def pairs(
        self,
        one: tuple[Variable, Variable],
        other: tuple[Variable, Variable],
        name: str,
        at: Positions,
        samples: Samples,
    ) -> Pairs:
        """What two lookups read at these positions, of inputs of one dataset.

        Args:
            one, other: the frame whose inputs are read, and that in which the positions are named.
            name: the site or stream that is read.
        """
        key = (one, other, at, self.graph.span(name, self.width))
        known = self._pairs.get(key)
        if known is None or known[0] is not samples:
            known = self._pairs[key] = (samples, self._pairs_of((one, other), name, at, samples))
        return known[1]

    def _pairs_of(
        self,
        lookups: tuple[tuple[Variable, Variable], ...],
        name: str,
        at: Positions,
        samples: Samples,
    ) -> Pairs:
        span, frame = self.graph.span(name, self.width), lookups[0][0]
        codes = [
            self.rows(read, samples).index[:, None] * span
            + self._on_host(named, name, at, samples).numpy()
            for read, named in lookups
        ]
        distinct, entry = np.unique(np.stack(codes, axis=-1), return_inverse=True)
        device = self.graph.device
        return Pairs(
            self.inputs[frame].at(distinct // span),
            torch.tensor(distinct % span, device=device)[:, None],
            torch.tensor(entry.reshape(*codes[0].shape, 2), device=device),
        )

    def _on_host(self, frame: Variable, name: str, at: Positions, samples: Samples) -> Tensor:
        """What `index` gives, on the host: of a graph without weights there is no other."""
        if isinstance(at, str):
            return torch.arange(self.graph.span(name, self.width)).expand(len(samples), -1)
        if isinstance(at, Range):
            ends = self._ends(frame, name, at)[samples]
            index = np.minimum(ends[:, :1] + np.arange(1 + np.diff(ends).max()), ends[:, 1:])
            return torch.tensor(index)
        return named_index(self.rows(frame, samples), at)

    def lengths(self, frame: Variable, name: str, at: Range) -> Int[np.ndarray, " samples"]:
        """How many positions a range has in each sample's input."""
        return 1 + np.diff(self._ends(frame, name, at))[:, 0]

    def _ends(self, frame: Variable, name: str, at: Range) -> Int[np.ndarray, "samples 2"]:
        span = self.graph.span(name, self.width)
        if (frame, span, at) not in self._bounds:
            self._bounds[frame, span, at] = bounds(at, self.inputs[frame], span)
        return self._bounds[frame, span, at]


def named_index(rows: Rows, at: tuple[str | int, ...]) -> Int[Tensor, "rows positions"]:
    """Index of each named position in each row."""
    columns = [rows.data.position(spec)[rows.index] for spec in at]
    return torch.tensor(np.stack(columns, axis=1))


def group_by_length(
    lengths: Int[np.ndarray, " n"], min_batch: int
) -> list[Int[np.ndarray, " part"]]:
    """Samples to compute together: those of one length, and of neighbouring lengths where those are
    fewer than `min_batch`.
    """
    order = np.argsort(lengths, kind="stable")
    cuts = [0]
    for end in np.flatnonzero(np.diff(lengths[order])) + 1:
        if end - cuts[-1] >= min_batch:
            cuts.append(int(end))
    return np.split(order, cuts[1:])


def gather(
    value: Tensor,
    first: Int[Tensor, " n"],
    at: Int[Tensor, "n positions"] | None = None,
    heads: Heads | None = None,
) -> Tensor:
    """Entries of a value [slots, positions, heads, …]: [n, positions, heads, …].

    One copy of whole blocks, which is many times faster than indexing by several tensors.

    Args:
        first: slot of each.
        at: index of each position; None: all.
        heads: which heads; None: all. A value that all heads share is given once.
    """
    which = None if heads is None else _head_axis(value, heads)
    if which is None:
        if at is None:
            return value.index_select(0, first)
        blocks = first[:, None] * value.shape[1] + at
        return _blocks(value.flatten(0, 1), blocks)
    where = torch.arange(value.shape[1], device=value.device)[None] if at is None else at
    blocks = (first[:, None] * value.shape[1] + where)[:, :, None] * value.shape[2] + which
    return _blocks(value.flatten(0, 2), blocks)


def _head_axis(value: Tensor, heads: Heads) -> Tensor | None:
    """Indices of these heads on a value's head axis; None where all are meant in order."""
    size = value.shape[2]
    if size == 1 or heads == tuple(range(size)):
        return None
    return torch.tensor(heads, device=value.device)


def _blocks(value: Tensor, which: Tensor) -> Tensor:
    return value.index_select(0, which.flatten()).unflatten(0, which.shape)


def take_positions(value: Tensor, at: Int[Tensor, "n positions"]) -> Tensor:
    """A value [n, positions, heads, …] at these indices of each entry."""
    return gather(value, torch.arange(len(value), device=value.device), at)


def scatter(
    base: Float[Tensor, "n p *rest"],
    target: Int[Tensor, "n p"],
    value: Float[Tensor, "n t *rest"],
    index: Int[Tensor, "n t"],
) -> Float[Tensor, "n p *rest"]:
    """`base`, with `value` where `target` and `index` name the same position of a row.

    Where two entries of `index` coincide, the first stands.
    """
    count = index.shape[1]
    span = int(max(int(target.max()), int(index.max()))) + 1
    entry = torch.arange(count, device=index.device).expand(len(index), count)
    here = torch.full((len(index), span), count, device=index.device)
    which = here.scatter_reduce(1, index, entry, "amin").gather(1, target)
    rows = torch.arange(len(index), device=index.device)[:, None] * count
    taken = value.flatten(0, 1)[rows + which.clamp(max=count - 1)]
    found = (which < count).reshape(*which.shape, *[1] * (taken.dim() - 2))
    return torch.where(found, taken, base)


def scatter_add(
    base: Float[Tensor, "n p *rest"],
    target: Int[Tensor, "n p"],
    value: Float[Tensor, "n t *rest"],
    index: Int[Tensor, "n t"],
) -> Float[Tensor, "n p *rest"]:
    """`base` plus `value` where `target` and `index` name the same position; once a position."""
    return base + scatter(torch.zeros_like(base), target, value, index)
