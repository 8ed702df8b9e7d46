"""How long a run will take, before it starts: its operations at this machine's rate."""

from __future__ import annotations

import time

import torch

ANNOUNCED = 600.0
"""Seconds above which a run is announced."""
WORTH_MEASURING = 50e9
"""Operations below which the rate is not measured: ten minutes would need 0.1 GFLOP a second."""
OVER_BARE_RATE = 1.5
"""Seconds of a run over those of its operations (`scrub.engine.cost`) at the bare rate of matrix
products.

Measured on one thread with 200 references of ioi_claim3.py on GPT-2 small's shape: 1.3 for
by_position, 1.4 for whole_circuit; what is on top is gathering, norms and softmax, which the count
leaves out. On the embedded models it is 7 to 11, since their matrices are too small to fill a
processor; but there ten minutes are some ten million references.
"""


def rate(device: str, dtype: torch.dtype, seconds: float = 0.2) -> float:
    """Operations per second in matrix products, measured for about this many seconds."""
    size = 1024
    first = torch.ones(size, size, dtype=dtype, device=device)
    second = torch.ones(size, size, dtype=dtype, device=device)
    _product(first, second)  # the first call sets things up
    done, started = 0, time.perf_counter()
    while done == 0 or time.perf_counter() - started < seconds:
        _product(first, second)
        done += 1
    return done * 2 * size**3 / (time.perf_counter() - started)


def _product(first: torch.Tensor, second: torch.Tensor) -> float:
    """A matrix product that is done when this returns: a GPU must hand back a number of it."""
    return float((first @ second)[0, 0])


def estimated_seconds(flops: float, device: str, dtype: torch.dtype) -> float:
    """How long this many operations will take here; 0 where they are too few to matter."""
    if flops < WORTH_MEASURING:
        return 0.0
    return OVER_BARE_RATE * flops / rate(device, dtype)


def announcement(seconds: float, claims: int) -> str:
    """One line for people; "" for a run that nobody needs to be told of."""
    if seconds <= ANNOUNCED:
        return ""
    return (
        f"about {span_in_words(seconds)} for {claims} claim{'s' if claims > 1 else ''}; "
        "Ctrl-C keeps what is computed, and the same command resumes"
    )


def span_in_words(seconds: float) -> str:
    """ "25 minutes", "3 hours"."""
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:,.0f} hours"
