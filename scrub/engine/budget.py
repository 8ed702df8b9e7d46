"""How many samples to compute at once, and whether to keep all plain values, within a memory."""

from __future__ import annotations

from math import ceil

from attrs import frozen

from scrub.draw import Draws
from scrub.engine.activations import ROWS_AT_ONCE, ActivationCache
from scrub.engine.cost import Cost, cost, row_bytes
from scrub.engine.sharing import by_dataset
from scrub.engine.steps import Plan
from scrub.errors import UserError

FEW = 32
"""Chunks smaller than this waste the machine: rather forget plain values between chunks."""
LONG = 1e12
"""Operations after which a chunk ends even where more would fit, some ten seconds of a laptop's: so
that a progress bar moves, and little is lost when a run is stopped."""
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
    rows = by_dataset(draws.rows())
    return budget(
        known,
        samples=len(draws.references),
        rows=sum(len(same) for same in rows),
        cached=cache.held_after(rows, width, row_bytes(plan, width)),
        inputs=len(draws.rows()),
        memory=memory,
    )


def budget(cost: Cost, *, samples: int, rows: int, cached: int, inputs: int, memory: int) -> Budget:
    """Fit a run into `memory` bytes.

    Args:
        rows: distinct rows that are drawn, at most.
        cached: bytes of all plain values once these rows' are cached, earlier claims' included.
        inputs: inputs that one sample draws: it touches at most that many rows.

    Raises:
        UserError: one sample does not fit; says the least memory that would do.
    """
    room = int(memory * MARGIN)
    most = min(samples, max(FEW, int(LONG // max(cost.flops, 1))))
    left = room - cached
    if left >= max(cost.forward_bytes, min(samples, FEW) * cost.bytes):
        chunk = min(most, left // max(cost.bytes, 1))
        return _within(cost, chunk, rows, cached, left, keep_cache=True)
    each = inputs * cost.row_bytes
    least = ceil((each + max(cost.bytes, cost.forward_bytes)) / MARGIN)
    if memory < least:
        raise UserError(
            f"memory= (--max-memory on the command line) of {memory:,} bytes is too little: one "
            f"sample of this claim needs {least:,}. Give at least {least}."
        )
    chunk = max(1, min(most, room // (each + cost.bytes), (room - cost.forward_bytes) // each))
    cached = min(rows, chunk * inputs) * cost.row_bytes
    return _within(cost, chunk, rows, cached, room - cached, keep_cache=False)


def _within(
    cost: Cost, chunk: int, rows: int, cached: int, left: int, *, keep_cache: bool
) -> Budget:
    """The budget of a chunk, with as large a forward pass as what is left beside it takes."""
    forward = max(1, min(ROWS_AT_ONCE, rows, left // 2 // max(cost.forward_bytes, 1)))
    peak = cached + max(forward * cost.forward_bytes, chunk * cost.bytes)
    return Budget(chunk, keep_cache, forward, peak, cached if keep_cache else 0)
