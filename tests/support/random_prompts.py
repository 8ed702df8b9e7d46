"""Random words in the shape of IOI prompts, for code that trains models."""

from __future__ import annotations

import numpy as np
import torch
from ioi_batches import Batch

ROWS, WORDS, NAMES = 24, 40, 12


def prompts(rng: np.random.Generator) -> Batch:
    """Random words of unequal lengths: two names, then one of them or a third one, then END."""
    tokens = rng.integers(NAMES + 2, WORDS, size=(ROWS, 16))
    first, second = rng.integers(0, 3, ROWS), rng.integers(4, 7, ROWS)
    s2, end = rng.integers(8, 11, ROWS), rng.integers(12, 16, ROWS)
    io_first = rng.random(ROWS) < 0.5
    io, s1 = np.where(io_first, first, second), np.where(io_first, second, first)
    names = np.stack([rng.permutation(NAMES)[:3] + 2 for _ in range(ROWS)])
    repeated = rng.random(ROWS) < 0.8
    rows = np.arange(ROWS)
    tokens[rows, io], tokens[rows, s1] = names[:, 0], names[:, 1]
    tokens[rows, s2] = np.where(repeated, names[:, 1], names[:, 2])
    columns = (torch.tensor(x) for x in (tokens, io, s1, s2, end, repeated))
    return Batch(*columns)
