"""How many samples to compute at once, and whether to keep all plain values, within a memory."""

from __future__ import annotations

from math import ceil

from attrs import frozen

from scrub.cost import Cost
from scrub.errors import UserError
from scrub.model.plain import ROWS_AT_ONCE

FEW = 32
"""Chunks smaller than this waste the machine: rather forget plain values between chunks."""
MARGIN = 0.9
"""Share of the memory that is planned for; the rest is for what is not tensors."""


@frozen
class Budget:
    """How a run keeps within its memory.

    Attributes:
        chunk: samples that are computed together.
        keep: whether all rows' plain values are kept; else they are forgotten after each chunk.
        forward: rows in one plain forward pass.
        peak: bytes that the run is predicted to hold at most.
    """

    chunk: int
    keep: bool
    forward: int
    peak: int


def budget(
    cost: Cost, *, samples: int, rows: int, inputs: int, memory: int, held: int = 0
) -> Budget:
    """Fit a run into `memory` bytes.

    Args:
        rows: distinct rows that are drawn, at most.
        inputs: inputs that one sample draws: it touches at most that many rows.
        held: bytes that earlier claims' plain values take already.

    Raises:
        UserError: one sample does not fit; says the least memory that would do.
    """
    room = int(memory * MARGIN)
    kept = held + rows * cost.row_bytes
    left = room - kept
    if left >= max(cost.forward_bytes, min(samples, FEW) * cost.bytes):
        chunk = min(samples, left // max(cost.bytes, 1))
        return _within(cost, chunk, rows, kept, left, keep=True)
    each = inputs * cost.row_bytes
    least = ceil((each + max(cost.bytes, cost.forward_bytes)) / MARGIN)
    if memory < least:
        raise UserError(
            f"--max-memory {memory:,} bytes is too little: one sample of this claim needs "
            f"{least:,}. Give at least --max-memory {least}."
        )
    chunk = max(1, min(samples, room // (each + cost.bytes), (room - cost.forward_bytes) // each))
    kept = min(rows, chunk * inputs) * cost.row_bytes
    return _within(cost, chunk, rows, kept, room - kept, keep=False)


def _within(cost: Cost, chunk: int, rows: int, kept: int, left: int, *, keep: bool) -> Budget:
    """The budget of a chunk, with as large a forward pass as what is left beside it takes."""
    forward = max(1, min(ROWS_AT_ONCE, rows, left // 2 // max(cost.forward_bytes, 1)))
    peak = kept + max(forward * cost.forward_bytes, chunk * cost.bytes)
    return Budget(chunk, keep, forward, peak)
