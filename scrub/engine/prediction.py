"""What a run will do, before it does: the operations and bytes of a plan on its draws.

Who drew what is known without running the model, so that what samples share is counted once, as
the executor computes it once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from attrs import evolve, frozen

from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.engine.alignment import Frames, group_by_length
from scrub.engine.budget import Budget
from scrub.engine.cost import (
    Cost,
    StepCost,
    cost,
    one_step,
    peak,
    read_root,
    root_is_merged,
)
from scrub.engine.given_cost import given_cost, given_flops
from scrub.engine.plain_cost import PlainCost, plain_cost
from scrub.engine.ranges import Range
from scrub.engine.sharing import (
    BASELINE,
    REFERENCE,
    Combinations,
    drawn_inputs,
)
from scrub.engine.steps import (
    Patch,
    Plan,
    SiteStep,
    Step,
    StreamStep,
    Variable,
)
from scrub.engine.virtual import Given, given_rows, is_mean
from scrub.engine.vision_cost import vision_cost
from scrub.engine.wanted import wanted_rows
from scrub.engine.writes import written_apart

CHUNKS = 8
"""Chunks that are looked at; the others are like them, since samples are drawn independently."""


@frozen
class RunCost:
    """A run of a plan on its draws, with no plain values known before.

    Attributes:
        flops: operations of matrix products, without those of plain values that are kept.
        plain_flops: operations for plain values that are kept.
        peak: most bytes of tensors at once, the model's weights not counted.
        keeps_cache: whether plain values are there for the next run, or forgotten after each chunk.
    """

    flops: int
    plain_flops: int
    peak: int
    keeps_cache: bool = True


def predict(plan: Plan, draws: Draws, within: Budget) -> RunCost:
    """What it takes to run a plan on all of its draws."""
    width = max(rows.data.width for rows in draws.rows())
    root = read_root(plan, width)

    def look(samples: slice) -> ChunkCost:
        return _chunk(plan, draws, samples, width, root, within)

    return extrapolated(plan, cost(plan, width), draws, within, look)


def extrapolated(
    plan: Plan,
    static: Cost,
    draws: Draws,
    within: Budget,
    look: Callable[[slice], ChunkCost],
    most: int = CHUNKS,
) -> RunCost:
    """What all chunks take, from those that are looked at.

    Args:
        plan: whose plain values are read.
        static: what one sample takes at most.
        look: what the chunk of these samples takes.
        most: how many are looked at.
    """
    width = max(rows.data.width for rows in draws.rows())
    samples = len(draws.references)
    starts = range(0, samples, within.chunk)
    slices = [slice(s, min(s + within.chunk, samples)) for s in starts[:most]]
    looked = [look(some) for some in slices]
    share = samples / sum(chunk.samples for chunk in looked)
    inputs = drawn_inputs(draws)
    given = given_rows(plan, inputs)
    virtual = given_cost(plan, inputs, given)
    if within.keep_cache:
        plain = _plain(plan, inputs, given, width, within)
        held = plain.bytes + virtual.others
    else:
        plain = _forgotten(plan, draws, slices, width, within)
        means = [one for one in given if is_mean(one[0])]
        made = given_flops(plan, means, (), width, within.forward)
        plain = evolve(plain, flops=round(share * plain.flops + made))
        held = plain.bytes + within.chunk * virtual.sample
    seen = vision_cost(plan.graph, draws.rows())
    held = max(held + virtual.means + seen.bytes, within.cached)
    forward = max(static.forward_bytes, virtual.forward)
    return RunCost(
        flops=round(share * sum(chunk.flops for chunk in looked)),
        plain_flops=plain.flops + seen.flops,
        peak=held + max(within.forward * forward, max(chunk.peak for chunk in looked)),
        keeps_cache=within.keep_cache,
    )


def _plain(
    plan: Plan,
    inputs: Mapping[Variable, Rows],
    given: Sequence[Given],
    width: int,
    within: Budget,
) -> PlainCost:
    """What the plain values of these inputs take; of virtual rows, the operations."""
    wanted = wanted_rows(plan, inputs)
    found = plain_cost(plan.graph, wanted, width, within.forward)
    made = given_flops(plan, given, wanted, width, within.forward)
    return evolve(found, flops=found.flops + made)


def _forgotten(
    plan: Plan, draws: Draws, slices: Sequence[slice], width: int, within: Budget
) -> PlainCost:
    """The operations of these chunks together, and the bytes of the largest, means left out."""
    found = []
    for samples in slices:
        inputs = drawn_inputs(draws, samples)
        given = [one for one in given_rows(plan, inputs) if not is_mean(one[0])]
        found.append(_plain(plan, inputs, given, width, within))
    return PlainCost(sum(one.flops for one in found), max(one.bytes for one in found))


@frozen
class ChunkCost:
    """What one chunk takes besides plain values that are kept."""

    samples: int
    flops: int
    peak: int


def _chunk(
    plan: Plan, draws: Draws, samples: slice, width: int, root: StepCost, within: Budget
) -> ChunkCost:
    inputs = drawn_inputs(draws, samples)
    frames, drawn = Frames(plan.graph, inputs, width), Combinations(inputs)
    every = [
        step_cost(step, plan, frames, drawn.of(step.needs).first, within.min_batch)
        for step in plan.steps
    ]
    before = () if plan.before is None else (plan.before.frame,)
    read_on = (REFERENCE, BASELINE, *before)
    plain = [len(drawn.of(frozenset({variable})).first) for variable in read_on]
    size = samples.stop - samples.start
    read = (1 + len(read_on)) * root.made * size + (root.made + root.besides) * max(plain)
    scrubbed = [plan.steps[s.step] for _, s in plan.result.cells if s.step is not None]
    last = max((len(drawn.of(step.needs).first) for step in scrubbed), default=0)
    merged = last if root_is_merged(plan) else 0
    return ChunkCost(
        samples=size,
        flops=sum(s.flops for s in every) + root.flops * (sum(plain) + merged),
        peak=max(peak(plan, every), read + root.made * last),
    )


def step_cost(
    step: Step, plan: Plan, frames: Frames, samples: np.ndarray, min_batch: int
) -> StepCost:
    """The cost of a step for all of its combinations, part by part as they are computed."""
    if not isinstance(step.at, Range):
        return _cost_of(step, plan, frames, samples)
    name = step.site if isinstance(step, SiteStep) else step.stream
    lengths = frames.lengths(step.frame, name, step.at)[samples]
    parts = [samples[part] for part in group_by_length(lengths, min_batch)]
    each = [_cost_of(step, plan, frames, part) for part in parts]
    if len(parts) == 1:
        return each[0]
    whole = max(part.made // len(rows) for part, rows in zip(each, parts, strict=True))
    return StepCost(
        flops=sum(part.flops for part in each),
        made=whole * len(samples),
        besides=max(part.made + part.besides for part in each),
    )


def _cost_of(step: Step, plan: Plan, frames: Frames, samples: np.ndarray) -> StepCost:
    """The cost of a step for these samples at once, where ranges are as long as the longest."""

    def longest(at: Range, frame: Variable, name: str) -> int:
        return int(frames.lengths(frame, name, at)[samples].max())

    def share(patch: Patch, step: StreamStep) -> float:
        apart = written_apart(plan.graph, frames, patch, step, samples)
        return 1 if apart is None else len(apart.rows) / apart.entry[..., 0].numel()

    one, count = one_step(plan, frames.width, step, longest, share), len(samples)
    return StepCost(one.flops * count, one.made * count, one.besides * count)
