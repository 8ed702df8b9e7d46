"""How many samples to compute at once, and whether to keep all plain values, within a memory."""

from __future__ import annotations

from math import ceil

from attrs import frozen

from scrub.draw import Draws
from scrub.engine.activations import ROWS_AT_ONCE, PlainCache
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
        keep: whether all rows' plain values are kept; else they are forgotten after each chunk.
        forward: rows in one plain forward pass.
        peak: bytes that the run holds at most, if no two samples shared a value.
        kept: bytes of all plain values that are kept, earlier claims' included.
        together: samples that are computed at once even where different positions matter in them;
            fewer waste the machine.
    """

    chunk: int
    keep: bool
    forward: int
    peak: int
    kept: int = 0
    together: int = 32


def fit(plan: Plan, draws: Draws, cache: PlainCache, memory: int) -> Budget:
    """The budget of a plan on its draws, beside the plain values of earlier claims.

    Raises:
        UserError: one sample does not fit; says the least memory that would do.
    """
    width = max(rows.data.width for rows in draws.rows())
    rows = by_dataset(draws.rows())
    return budget(
        cost(plan, width),
        samples=len(draws.references),
        rows=sum(len(same) for same in rows),
        kept=cache.held_after(rows, width, row_bytes(plan, width)),
        inputs=len(draws.rows()),
        memory=memory,
    )


def budget(cost: Cost, *, samples: int, rows: int, kept: int, inputs: int, memory: int) -> Budget:
    """Fit a run into `memory` bytes.

    Args:
        rows: distinct rows that are drawn, at most.
        kept: bytes of all plain values once these rows' are kept, earlier claims' included.
        inputs: inputs that one sample draws: it touches at most that many rows.

    Raises:
        UserError: one sample does not fit; says the least memory that would do.
    """
    room = int(memory * MARGIN)
    most = min(samples, max(FEW, int(LONG // max(cost.flops, 1))))
    left = room - kept
    if left >= max(cost.forward_bytes, min(samples, FEW) * cost.bytes):
        chunk = min(most, left // max(cost.bytes, 1))
        return _within(cost, chunk, rows, kept, left, keep=True)
    each = inputs * cost.row_bytes
    least = ceil((each + max(cost.bytes, cost.forward_bytes)) / MARGIN)
    if memory < least:
        raise UserError(
            f"memory= (--max-memory on the command line) of {memory:,} bytes is too little: one "
            f"sample of this claim needs {least:,}. Give at least {least}."
        )
    chunk = max(1, min(most, room // (each + cost.bytes), (room - cost.forward_bytes) // each))
    kept = min(rows, chunk * inputs) * cost.row_bytes
    return _within(cost, chunk, rows, kept, room - kept, keep=False)


def _within(cost: Cost, chunk: int, rows: int, kept: int, left: int, *, keep: bool) -> Budget:
    """The budget of a chunk, with as large a forward pass as what is left beside it takes."""
    forward = max(1, min(ROWS_AT_ONCE, rows, left // 2 // max(cost.forward_bytes, 1)))
    peak = kept + max(forward * cost.forward_bytes, chunk * cost.bytes)
    return Budget(chunk, keep, forward, peak, kept if keep else 0)
