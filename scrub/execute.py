"""THE ENGINE: carry out a plan on the draws, and give the root's value per sample.

A value's identity is (step, the rows that its inputs drew), so each step is computed once per
distinct combination of rows, and plain values once per row. A step reads plain values of its frame,
and on top of them what other steps changed. The executor knows nothing of paths: all decisions
were made by the plan.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

from scrub.budget import Budget
from scrub.combinations import BASELINE, REFERENCE, Combinations, by_dataset, drawn_inputs
from scrub.draw import Draws
from scrub.model.graph import Where
from scrub.model.plain import PlainCache, gather, numbers, positions
from scrub.plan import last_uses
from scrub.positions import add, place
from scrub.ranges import Positions, Range, alike, bounds
from scrub.sites import ALL, At, Cell
from scrub.steps import (
    Patch,
    Plan,
    SiteRead,
    SiteStep,
    Source,
    Step,
    StreamRead,
    StreamStep,
    Variable,
)


@frozen(eq=False)
class Outputs:
    """The root's value for some samples: each [samples, positions, cells, ...]."""

    samples: slice
    original: Tensor
    scrubbed: Tensor
    baseline: Tensor


def execute(
    plan: Plan, draws: Draws, cache: PlainCache, within: Budget, *, start: int = 0
) -> Iterator[Outputs]:
    """Root values of the samples from `start` on, as many at a time as the budget says.

    Laws: equals the reference evaluator; the budget and what the cache holds change no draw and
    nothing beyond rounding.
    """
    width = max(rows.data.width for rows in draws.rows())
    if within.keep:
        for rows in by_dataset(draws.rows()):
            cache.fill(rows, width, plan.plain, within.forward)
    else:
        cache.store.empty()
    for first in range(start, len(draws.references), within.chunk):
        samples = slice(first, min(first + within.chunk, len(draws.references)))
        inputs = drawn_inputs(draws, samples)
        if not within.keep:
            cache.store.reuse()
            for rows in by_dataset(inputs.values()):
                cache.fill(rows, width, plan.plain, within.forward)
        with torch.no_grad():
            yield _Chunk(plan, cache, Combinations(inputs), width, within).outputs(samples)


@frozen(eq=False)
class _Chunk:
    """The samples that are computed together, and the values known so far."""

    plan: Plan
    cache: PlainCache
    drawn: Combinations
    width: int
    within: Budget
    values: dict[int, Tensor] = field(factory=dict)
    _ends: dict[tuple[Variable, int, Range], np.ndarray] = field(factory=dict)

    def outputs(self, samples: slice) -> Outputs:
        done: dict[int, list[int]] = {}
        for old, last in last_uses(self.plan).items():
            done.setdefault(last, []).append(old)
        for number, step in enumerate(self.plan.steps):
            self.values[number] = self._compute(step)
            for old in done.get(number, ()):
                del self.values[old]
        return Outputs(
            samples,
            original=self._root(Source(REFERENCE)),
            scrubbed=self._root(None),
            baseline=self._root(Source(BASELINE)),
        )

    def _root(self, source: Source | None) -> Tensor:
        """The root's cells from one source (None: each from its own), for every sample."""
        result = self.plan.result
        cells = [self._result(cell, source or own, result.at) for cell, own in result.cells]
        return cells[0] if len(cells) == 1 else torch.cat(cells, dim=2)

    def _result(self, cell: Cell, source: Source, at: At) -> Tensor:
        """One cell from one source, computed once per distinct value."""
        table = self.drawn.of(self.needs(source))
        value = self.lookup(source, cell.site, (cell.head,), at, source.frame, table.first)
        return self._expanded(value, table.member)

    def needs(self, source: Source) -> frozenset[Variable]:
        if source.step is None:
            return frozenset({source.frame})
        return self.plan.steps[source.step].needs

    def index(self, frame: Variable, name: str, at: Positions, samples: np.ndarray) -> Tensor:
        """Index of each position in the frame's input, for these samples: int64 [n, positions].

        Of a range as many as the longest has; past a shorter one's end that end again.
        """
        rows = self.drawn.inputs[frame].at(self.drawn.inputs[frame].index[samples])
        if isinstance(at, str):
            return positions(rows, self.plan.graph, name, self.width)
        if isinstance(at, Range):
            ends = self.bounds(frame, name, at)[samples]
            index = np.minimum(ends[:, :1] + np.arange(1 + np.diff(ends).max()), ends[:, 1:])
            return torch.tensor(index).to(self.plan.graph.device)
        columns = [rows.data.position(spec)[rows.index] for spec in at]
        return torch.tensor(np.stack(columns, axis=1)).to(self.plan.graph.device)

    def bounds(self, frame: Variable, name: str, at: Range) -> np.ndarray:
        """First and last index of a range in each sample's input: int64 [samples, 2]."""
        span = self.plan.graph.span(name, self.width)
        if (frame, span, at) not in self._ends:
            self._ends[frame, span, at] = bounds(at, self.drawn.inputs[frame], span)
        return self._ends[frame, span, at]

    def plain(
        self, frame: Variable, name: str, heads: tuple[int | None, ...], at: Tensor | None,
        samples: np.ndarray,
    ) -> Tensor:  # fmt: skip
        rows = self.drawn.inputs[frame].at(self.drawn.inputs[frame].index[samples])
        return self.cache.get(name, rows, self.width, at, heads)

    def lookup(
        self,
        source: Source,
        site: str,
        heads: tuple[int | None, ...],
        at: Positions,
        frame: Variable,
        samples: np.ndarray,
    ) -> Tensor:
        """Values of a source at positions that are named in a frame: [n, positions, heads, …].

        The frame's indices are looked up in the source as they are: where the frame is not the
        source's own, that is landing index to index.
        """
        index = None if at == ALL else self.index(frame, site, at, samples)
        if source.step is None:
            return self.plain(source.frame, site, heads, index, samples)
        step = self.plan.steps[source.step]
        assert isinstance(step, SiteStep)
        known = None if step.at == ALL else self.index(step.frame, site, step.at, samples)
        value = self._of_step(source.step, samples, known)
        if value.shape[2] > 1:
            value = value[:, :, [step.heads.index(head) for head in heads]]
        if known is None:
            return value if index is None else _at(value, index)
        if step.at == at and frame == source.frame:
            return value
        target = self.index(frame, site, at, samples)
        base = self.plain(source.frame, site, heads, index, samples)
        base = base.expand(-1, -1, value.shape[2], *base.shape[3:])
        return place(base, target, value, known)

    def difference(self, step: int, at: Positions, samples: np.ndarray) -> Tensor:
        """What a stream step computed, at positions of its own frame: zero where it did not."""
        known = self.plan.steps[step]
        assert isinstance(known, StreamStep)
        where = self.index(known.frame, known.stream, known.at, samples)
        value = self._of_step(step, samples, where)
        if known.at == at:
            return value
        target = self.index(known.frame, known.stream, at, samples)
        if known.at == ALL:
            return _at(value, target)
        return place(value.new_zeros(*target.shape, *value.shape[2:]), target, value, where)

    def _of_step(self, number: int, samples: np.ndarray, known: Tensor | None) -> Tensor:
        """What a step computed, for these samples, at the positions that it did."""
        value = self.values[number]
        if known is not None and known.shape[1] < value.shape[1]:
            value = value[:, : known.shape[1]]
        table = self.drawn.of(self.plan.steps[number].needs)
        if samples is table.first:
            return value
        return self._expanded(value, table.member[samples])

    def _expanded(self, value: Tensor, member: np.ndarray) -> Tensor:
        return gather(value, torch.tensor(member, device=self.plan.graph.device))

    def _compute(self, step: Step) -> Tensor:
        """A step's value for each combination. Ranges of different lengths are computed apart."""
        samples = self.drawn.of(step.needs).first
        if not isinstance(step.at, Range):
            return self._computed(step, samples)
        name = step.site if isinstance(step, SiteStep) else step.stream
        lengths = 1 + np.diff(self.bounds(step.frame, name, step.at)[samples])[:, 0]
        parts = alike(lengths, self.within.together)
        if len(parts) == 1:
            return self._computed(step, samples)
        value = None
        for part in parts:
            here = self._computed(step, samples[part])
            rows, length = torch.tensor(part, device=here.device), here.shape[1]
            if value is None:
                value = here.new_empty(len(samples), lengths.max(), *here.shape[2:])
            value[rows, :length] = here
            value[rows, length:] = here[:, -1:]  # an index past the end is that of the end
        assert value is not None
        return value

    def _computed(self, step: Step, samples: np.ndarray) -> Tensor:
        return (
            self._stream(step, samples)
            if isinstance(step, StreamStep)
            else self._site(step, samples)
        )

    def _site(self, step: SiteStep, samples: np.ndarray) -> Tensor:
        inputs = {
            read.port: (
                self._read_stream(read, step, samples)
                if isinstance(read, StreamRead)
                else self._read_site(read, step, samples)
            )
            for read in step.reads
        }
        where = Where(
            numbers(step.heads, self.plan.graph),
            self.index(step.frame, step.site, step.at, samples),
        )
        return self.plan.graph.sites[step.site].apply(inputs, where)

    def _read_stream(self, read: StreamRead, step: SiteStep, samples: np.ndarray) -> Tensor:
        at = None if step.at == ALL else self.index(step.frame, step.site, step.at, samples)
        plain = self.plain(step.frame, read.stream, (), at, samples)
        if read.difference is None:
            return plain
        return plain + self.difference(read.difference, step.at, samples)

    def _read_site(self, read: SiteRead, step: SiteStep, samples: np.ndarray) -> Tensor:
        at: Positions = ALL if read.everywhere else step.at
        pieces = [
            self.lookup(piece.source, read.site, piece.heads, at, step.frame, samples)
            for piece in read.pieces
        ]
        heads = [head for piece in read.pieces for head in piece.heads]
        if len(pieces) > 1:
            sizes = [len(piece.heads) for piece in read.pieces]
            pieces = [_wide(value, size) for value, size in zip(pieces, sizes, strict=True)]
            value = torch.cat(pieces, dim=2)[:, :, [heads.index(head) for head in step.heads]]
        else:
            value = pieces[0]
        for patch in read.patches:
            value = self._patched(value, patch, read.site, at, step, samples)
        return value

    def _patched(
        self,
        value: Tensor,
        patch: Patch,
        site: str,
        at: Positions,
        step: SiteStep,
        samples: np.ndarray,
    ) -> Tensor:
        assert patch.at != ALL, "a whole site is a piece, not a patch"
        new = self.lookup(patch.source, site, patch.heads, patch.at, patch.source.frame, samples)
        target = self.index(step.frame, site, at, samples)
        landing = self.index(step.frame, site, patch.at, samples)
        if patch.heads == step.heads:
            return place(_wide(value, new.shape[2]), target, new, landing)
        which = [step.heads.index(head) for head in patch.heads]
        value = _wide(value, len(step.heads)).clone()
        value[:, :, which] = place(value[:, :, which], target, new, landing)
        return value

    def _stream(self, step: StreamStep, samples: np.ndarray) -> Tensor:
        total = None
        if step.base is not None:
            total = self.difference(step.base, step.at, samples)
        target = self.index(step.frame, step.stream, step.at, samples)
        for patch in step.patches:
            change, landing = self._change(patch, step, samples)
            if total is None:
                total = change.new_zeros(*target.shape, *change.shape[2:])
            if landing is None or patch.at == step.at:
                total = total + change
            else:
                total = add(total, target, change, landing)
        assert total is not None
        return total

    def _change(
        self, patch: Patch, step: StreamStep, samples: np.ndarray
    ) -> tuple[Tensor, Tensor | None]:
        """What a patch adds to the stream, and at which indices; None: at the step's own."""
        if patch.at == ALL:
            named, here = step.at, None
            new = self.lookup(patch.source, patch.site, patch.heads, named, step.frame, samples)
        else:
            named = patch.at
            here = self.index(step.frame, step.stream, named, samples)
            new = self.lookup(
                patch.source, patch.site, patch.heads, named, patch.source.frame, samples
            )
        old = self.lookup(patch.over, patch.site, patch.heads, named, step.frame, samples)
        write = self.plan.graph.sites[patch.site].write
        if not (new.is_floating_point() or new.is_complex()):  # 0 − 1 is 255 in some types
            new, old = new.long(), old.long()
        change = new - old
        if write is not None:
            which = numbers(patch.heads, self.plan.graph)
            change = write(change, which)
        return change, here


def _at(value: Tensor, index: Tensor) -> Tensor:
    return gather(value, torch.arange(len(value), device=value.device), index)


def _wide(value: Tensor, heads: int) -> Tensor:
    """The value with one entry a head, where all heads share one."""
    return value.expand(-1, -1, heads, *value.shape[3:]) if value.shape[2] == 1 else value
