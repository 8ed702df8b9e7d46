"""THE ENGINE: carry out a plan on the draws, and give the root's value per sample.

A table of contents:

- `execute`: chunk by chunk, fill the activation cache, compute the steps in order, read the root.
- `scrub.engine.compute`: a step's value (`compute_site`, `compute_stream`).
- `scrub.engine.lookup`: where an input of a step is found: another step, or the activation cache.
- `scrub.engine.alignment`: which index a position has, and values put among others.

A value's identity is (step, the rows that its inputs drew), so each step is computed once per
distinct combination of rows, and plain values once per row. The executor knows nothing of paths:
all decisions were made by the plan.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from attrs import frozen
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.engine.activations import ActivationCache
from scrub.engine.alignment import Frames
from scrub.engine.budget import Budget
from scrub.engine.compute import compute_step
from scrub.engine.dependencies import last_uses
from scrub.engine.lookup import Chunk, lookup_site, needs_of, per_sample
from scrub.engine.sharing import (
    BASELINE,
    REFERENCE,
    Combinations,
    drawn_inputs,
)
from scrub.engine.steps import Plan, Source, Variable
from scrub.engine.virtual import given_rows
from scrub.engine.wanted import wanted_rows
from scrub.names import Cell


@frozen(eq=False)
class Outputs:
    """The root's value for some samples: each [samples, positions, cells, ...].

    Attributes:
        before: of the plain model on the root's other input; None: the plan does not ask for it.
    """

    samples: slice
    original: Tensor
    scrubbed: Tensor
    baseline: Tensor
    before: Tensor | None = None


def execute(
    plan: Plan, draws: Draws, cache: ActivationCache, within: Budget, *, start: int = 0
) -> Iterator[Outputs]:
    """Root values of the samples from `start` on, as many at a time as the budget says.

    Laws: equals the reference evaluator; the budget and what the cache holds change no draw and
    nothing beyond rounding.
    """
    for samples, chunk in chunks(plan, draws, cache, within, start):
        with torch.no_grad():
            _compute_steps(chunk, within.min_batch)
            yield Outputs(
                samples,
                original=read_root(chunk, Source(REFERENCE)),
                scrubbed=read_root(chunk, None),
                baseline=read_root(chunk, Source(BASELINE)),
                before=None if plan.before is None else read_root(chunk, plan.before),
            )


def chunks(
    plan: Plan,
    draws: Draws,
    cache: ActivationCache,
    within: Budget,
    start: int,
    apart: float = math.inf,
) -> Iterator[tuple[slice, Chunk]]:
    """The samples from `start` on, as many at a time as the budget says, with no step computed yet.

    The plain values that they read are in the cache until the next ones are asked for.

    Args:
        apart: see `scrub.engine.sharing.Combinations`.
    """
    width = max(rows.data.width for rows in draws.rows())
    if within.keep_cache:
        _fill(plan, drawn_inputs(draws), cache, width, within.forward)
    else:
        cache.store.clear()
    for first in range(start, len(draws.references), within.chunk):
        samples = slice(first, min(first + within.chunk, len(draws.references)))
        inputs = drawn_inputs(draws, samples)
        if not within.keep_cache:
            cache.store.reuse_memory()
            _fill(plan, inputs, cache, width, within.forward)
        frames = Frames(plan.graph, inputs, width)
        yield samples, Chunk(plan, cache, frames, Combinations(inputs, apart))


def _fill(
    plan: Plan, inputs: Mapping[Variable, Rows], cache: ActivationCache, width: int, at_once: int
) -> None:
    """Fill the cache with what is read of the plain values of these inputs."""
    cache.fill_wanted(wanted_rows(plan, inputs), width, at_once)
    cache.fill_wanted(given_rows(plan, inputs), width, at_once)


def _compute_steps(chunk: Chunk, min_batch: int) -> None:
    """Compute every step, and release each value after its last use."""
    released: dict[int, list[int]] = {}
    for step, last in last_uses(chunk.plan).items():
        released.setdefault(last, []).append(step)
    for number, step in enumerate(chunk.plan.steps):
        chunk.values[number] = compute_step(chunk, step, min_batch)
        for old in released.get(number, ()):
            del chunk.values[old]


def read_root(chunk: Chunk, source: Source | None) -> Tensor:
    """The root's cells from one source (None: each from its own), for every sample.

    Returns: [samples, positions, cells, ...].
    """
    cells = [_root_cell(chunk, cell, source or own) for cell, own in chunk.plan.result.cells]
    return cells[0] if len(cells) == 1 else torch.cat(cells, dim=2)


def _root_cell(chunk: Chunk, cell: Cell, source: Source) -> Tensor:
    """One cell from one source, looked up once per combination of rows."""
    combinations = chunk.combinations.of(needs_of(chunk.plan, source))
    at = chunk.plan.result.at
    first = combinations.first
    value = lookup_site(chunk, source, cell.site, (cell.head,), at, source.frame, first)
    return per_sample(value, combinations.member)
