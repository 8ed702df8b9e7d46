"""How many samples to compute at once, and whether to keep all plain values, within a memory."""

from __future__ import annotations

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
    all_rows = held + rows * cost.row_bytes
    forward = max(1, min(ROWS_AT_ONCE, rows, room // 4 // max(cost.forward_bytes, 1)))
    left = room - all_rows - forward * cost.forward_bytes
    chunk = min(samples, left // max(cost.bytes, 1))
    if chunk >= min(samples, FEW):
        peak = all_rows + max(forward * cost.forward_bytes, chunk * cost.bytes)
        return Budget(chunk, True, forward, peak)
    each = inputs * cost.row_bytes + cost.bytes
    chunk = min(samples, (room - forward * cost.forward_bytes) // each)
    if chunk < 1:
        least = int((each + cost.forward_bytes) / MARGIN) + 1
        raise UserError(
            f"--max-memory {memory:,} bytes is too little: one sample of this claim needs "
            f"{least:,}. Give at least --max-memory {least}."
        )
    touched = min(rows, chunk * inputs) * cost.row_bytes
    peak = touched + max(forward * cost.forward_bytes, chunk * cost.bytes)
    return Budget(chunk, False, forward, peak)
