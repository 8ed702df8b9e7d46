"""How to run: what the command line's options say, and which of them make no sense."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import torch
from attrs import field, frozen

from scrub.errors import UserError

SAMPLES = 1_000
MEMORY = 2**30
"""Bytes for the values of one chunk, where `memory` says nothing."""


def _whole(value: Any) -> Any:
    """NumPy's whole numbers as Python's: draws are keyed by how the seed is written."""
    return int(value) if isinstance(value, Integral) else value


@frozen
class Options:
    """How to run: what the command line's options say.

    Attributes:
        model: overrides the file's model.
        precision: stop as soon as the interval's half-width is at most this.
        memory: bytes for values while computing.
        alone: also scrub every node alone (-v).
    """

    model: Any = None
    samples: int = field(default=SAMPLES, converter=_whole)
    precision: float | None = None
    seed: int = field(default=0, converter=_whole)
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    memory: int = MEMORY
    alone: bool = False


def check_options(options: Options) -> None:
    """Raise a UserError with every option that makes no sense."""
    problems = []
    for name, least in (("samples", 1), ("seed", 0), ("memory", 1)):
        value = getattr(options, name)
        if not isinstance(value, Integral) or value < least:
            problems.append(f"{name} is {value!r}. Give a whole number, {least} or more.")
    precision = options.precision
    if precision is not None and not precision > 0:
        problems.append(f"precision is {precision}. Give a number above 0, such as 0.05.")
    if problems:
        raise UserError(*problems)


def check_device(device: str) -> None:
    """Raise a UserError if this machine has no such device."""
    try:
        torch.empty(0, device=device).tolist()  # "meta" can hold nothing
    except Exception as error:  # torch raises different types for different devices
        cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        there = ", ".join(["cpu", *cuda])
        raise UserError(
            f'There is no device "{device}" on this machine. There are: {there}.'
        ) from error
