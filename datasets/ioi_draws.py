"""The random choices behind the indirect-object-identification prompts."""

from __future__ import annotations

import hashlib

import numpy as np


def uniform_numbers(seed: int, purpose: str, n: int) -> np.ndarray:
    """Uniform on [0, 1), float64 [n]; the i-th number depends on seed, purpose and i alone."""
    key = hashlib.blake2b(repr(("ioi", seed, purpose)).encode(), digest_size=16).digest()
    raw = np.random.Philox(key=int.from_bytes(key, "little")).random_raw(n)
    return (raw >> np.uint64(11)) * 2.0**-53


def fresh_numbers(size: int, uniform: np.ndarray, *taken: np.ndarray) -> np.ndarray:
    """Uniform whole numbers below `size` that are none of `taken`, row by row."""
    if not taken:
        return (uniform * size).astype(np.int64)
    columns = np.sort(np.stack(taken), axis=0)
    new = np.concatenate([np.ones_like(columns[:1], bool), np.diff(columns, axis=0) != 0])
    number = (uniform * (size - new.sum(axis=0))).astype(np.int64)
    for column, is_new in zip(columns, new, strict=True):
        number += is_new & (number >= column)
    return number
