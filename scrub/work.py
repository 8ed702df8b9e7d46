"""What a run will do, before it does: the operations and bytes of a plan on its draws.

Who drew what is known without running the model, so that what samples share is counted once, as
the executor computes it once.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen

from scrub.budget import Budget
from scrub.combinations import BASELINE, REFERENCE, Combinations, by_dataset, drawn_inputs
from scrub.cost import Lengths, Once, cost, each_step, peak, put_together, read_root
from scrub.draw import Draws
from scrub.ranges import Range, bounds, buckets
from scrub.steps import Plan, SiteStep, Variable

CHUNKS = 8
"""Chunks that are looked at; the others are like them, since samples are drawn independently."""


@frozen
class Work:
    """A run of a plan on its draws, with no plain values known before.

    Attributes:
        flops: operations of matrix products, without those of plain values that are kept.
        plain_flops: operations for plain values that are kept.
        peak: most bytes of tensors at once, the model's weights not counted.
    """

    flops: int
    plain_flops: int
    peak: int


def work(plan: Plan, draws: Draws, within: Budget) -> Work:
    """What it takes to run a plan on all of its draws."""
    width = max(rows.data.width for rows in draws.rows())
    static = cost(plan, width)
    root = read_root(plan, width)
    samples = len(draws.references)
    starts = range(0, samples, within.chunk)
    looked = [
        _chunk(plan, draws, slice(start, min(start + within.chunk, samples)), width, root)
        for start in starts[:CHUNKS]
    ]
    share = samples / sum(chunk.samples for chunk in looked)
    every_row = sum(len(rows) for rows in by_dataset(draws.rows()))
    kept = every_row if within.keep else max(chunk.rows for chunk in looked)
    rows = every_row if within.keep else share * sum(chunk.rows for chunk in looked)
    held = max(kept * static.row_bytes, within.kept)
    return Work(
        flops=round(share * sum(chunk.flops for chunk in looked)),
        plain_flops=round(rows * static.row_flops),
        peak=held + max(within.forward * static.forward_bytes, max(chunk.peak for chunk in looked)),
    )


@frozen
class _Chunk:
    """What one chunk takes besides plain values, and how many rows it draws."""

    samples: int
    rows: int
    flops: int
    peak: int


def _lengths(plan: Plan, drawn: Combinations, width: int) -> Lengths:
    """How many positions the ranges of a chunk have."""

    def of(at: Range, frame: Variable, name: str) -> np.ndarray:
        ends = bounds(at, drawn.inputs[frame], plan.graph.span(name, width))
        return 1 + ends[:, 1] - ends[:, 0]

    def computed(step: SiteStep) -> float:
        assert isinstance(step.at, Range)
        mine = of(step.at, step.frame, step.site)
        parts = buckets(mine[drawn.of(step.needs).first])
        return sum(len(part) * length for part, length in parts) / sum(len(p) for p, _ in parts)

    return Lengths(lambda at, frame, name: int(of(at, frame, name).max()), computed)


def _chunk(plan: Plan, draws: Draws, samples: slice, width: int, root: Once) -> _Chunk:
    drawn = Combinations(drawn_inputs(draws, samples))
    every = each_step(plan, width, _lengths(plan, drawn, width))
    counts = [len(drawn.of(step.needs).first) for step in plan.steps]
    flops = sum(once.flops * count for once, count in zip(every, counts, strict=True))
    plain = [len(drawn.of(frozenset({variable})).first) for variable in (REFERENCE, BASELINE)]
    size = samples.stop - samples.start
    read = 3 * root.made * size + (root.made + root.besides) * max(plain)
    last = max((counts[s.step] for _, s in plan.result.cells if s.step is not None), default=0)
    return _Chunk(
        samples=size,
        rows=sum(len(rows) for rows in by_dataset(drawn.inputs.values())),
        flops=flops + root.flops * (sum(plain) + put_together(plan) * last),
        peak=max(peak(plan, every, counts, 0), read + root.made * last),
    )
