"""How many samples to compute at once, and whether to keep all plain values, within a memory."""

from __future__ import annotations

from math import ceil

from attrs import evolve, frozen

from scrub.draw import Draws
from scrub.engine.activations import ROWS_AT_ONCE, ActivationCache
from scrub.engine.cost import Cost, cost
from scrub.engine.given_cost import GivenCost, given_cost, made_of
from scrub.engine.plain_cost import kept_bytes, sized
from scrub.engine.sharing import by_dataset, drawn_inputs
from scrub.engine.steps import Plan
from scrub.engine.virtual import given_rows
from scrub.engine.vision_cost import vision_cost
from scrub.engine.wanted import wanted_rows
from scrub.errors import UserError

FEW = 32
"""Chunks smaller than this waste the machine: rather forget plain values between chunks."""
LONG = 1e12
"""Operations after which a chunk ends even where more would fit, some ten seconds of a laptop's: so
that a progress bar moves, and little is lost when a run is stopped."""
NO_VIRTUAL_ROWS = GivenCost()
MARGIN = 0.9
"""Share of the memory that is planned for; the rest is for what is not tensors."""


@frozen
class Budget:
    """How a run keeps within its memory.

    Attributes:
        chunk: samples that are computed together.
        keep_cache: whether all rows' plain values stay cached; else each chunk computes its own.
        forward: rows in one plain forward pass.
        peak: bytes that the run holds at most, if no two samples shared a value.
        cached: bytes of all plain values that are cached, earlier claims' included.
        min_batch: samples that are computed at once even where different positions matter in them;
            fewer waste the machine.
    """

    chunk: int
    keep_cache: bool
    forward: int
    peak: int
    cached: int = 0
    min_batch: int = 32


def fit(plan: Plan, draws: Draws, cache: ActivationCache, memory: int) -> Budget:
    """The budget of a plan on its draws, beside the plain values of earlier claims.

    Raises:
        UserError: one sample does not fit; says the least memory that would do.
    """
    width = max(rows.data.width for rows in draws.rows())
    return fit_cost(cost(plan, width), plan, draws, cache, memory)


def fit_cost(known: Cost, plan: Plan, draws: Draws, cache: ActivationCache, memory: int) -> Budget:
    """The same for steps whose cost is known, and that read the plain values of a plan."""
    width = max(rows.data.width for rows in draws.rows())
    rows, inputs = by_dataset(draws.rows()), drawn_inputs(draws)
    virtual = given_rows(plan, inputs)
    given = given_cost(plan, inputs, virtual)
    kept = sized(plan.graph, wanted_rows(plan, inputs), width)
    return budget(
        evolve(known, forward_bytes=max(known.forward_bytes, given.forward)),
        samples=len(draws.references),
        rows=sum(map(len, (*rows, *(made_of(same, 1) for same, _ in virtual)))),
        cached=cache.held_after([*kept, *sized(plan.graph, virtual, width)], width),
        alone=kept_bytes(kept),
        memory=memory,
        given=given,
        beside=vision_cost(plan.graph, draws.rows()).bytes,
    )


def budget(
    cost: Cost,
    *,
    samples: int,
    rows: int,
    cached: int,
    alone: int,
    memory: int,
    given: GivenCost = NO_VIRTUAL_ROWS,
    beside: int = 0,
) -> Budget:
    """Fit a run into `memory` bytes.

    Args:
        rows: distinct rows that are drawn, at most.
        cached: bytes of all plain values once these rows' are cached, earlier claims' included.
        alone: bytes of these rows' plain values, virtual rows not counted.
        given: what virtual rows take; `cached` counts them.
        beside: bytes of what is kept of images, whatever else is forgotten.

    Raises:
        UserError: one sample does not fit; says the least memory that would do.
    """
    room = int(memory * MARGIN) - beside
    most = min(samples, max(FEW, int(LONG // max(cost.flops, 1))))
    left = room - cached
    if left >= max(cost.forward_bytes, min(samples, FEW) * cost.bytes):
        chunk = min(most, left // max(cost.bytes, 1))
        return _within(cost, chunk, rows, cached + beside, left, keep_cache=True)
    each = cost.drawn_bytes + given.sample
    always = given.means + beside
    least = ceil((always + each + max(cost.bytes, cost.forward_bytes)) / MARGIN)
    if memory < least:
        raise UserError(
            f"max_memory= (--max-memory on the command line) of {memory:,} bytes is too little: "
            f"one sample of this claim needs {least:,}. Give at least {least}."
        )
    room -= given.means
    chunk = max(1, min(most, room // (each + cost.bytes), (room - cost.forward_bytes) // each))
    cached = min(alone, chunk * cost.drawn_bytes) + chunk * given.sample + given.means
    room += given.means
    return _within(cost, chunk, rows, cached + beside, room - cached, keep_cache=False)


def _within(
    cost: Cost, chunk: int, rows: int, cached: int, left: int, *, keep_cache: bool
) -> Budget:
    """The budget of a chunk, with as large a forward pass as what is left beside it takes."""
    forward = max(1, min(ROWS_AT_ONCE, rows, left // 2 // max(cost.forward_bytes, 1)))
    peak = cached + max(forward * cost.forward_bytes, chunk * cost.bytes)
    return Budget(chunk, keep_cache, forward, peak, cached if keep_cache else 0)
