"""What a user's table holds: which values are whole numbers, names and classes, and what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from numbers import Integral
from typing import Any

import numpy as np

from scrub.printing import printed

RowName = Callable[[int], str]
"""What messages call a row, given its number."""
LARGEST = 2**63
"""Whole numbers are below it: they are kept in 64 bits."""


def whole(value: object) -> int | None:
    """A value as a whole number; None where it is none. 3.0 is one, True and "3" are not.

    Pandas makes floats of a column of whole numbers that once lacked one.
    """
    if isinstance(value, bool | np.bool_):
        return None
    fraction = isinstance(value, float | np.floating) and not value.is_integer()
    if fraction or not isinstance(value, Integral | float | np.floating):
        return None
    number = int(value)
    return number if -LARGEST <= number < LARGEST else None


def wholes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values as int64, in their shape, and where they are no whole numbers (0 stands there)."""
    if values.dtype.kind == "i":
        return values.astype(np.int64), np.zeros(values.shape, dtype=bool)
    if values.dtype.kind == "u":
        wrong = values >= LARGEST
    elif values.dtype.kind == "f":
        wrong = ~(np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < LARGEST))
    elif values.dtype.kind == "O":
        wrong = np.array([whole(value) is None for value in values.flat], dtype=bool)
        wrong = wrong.reshape(values.shape)
    else:
        wrong = np.ones(values.shape, dtype=bool)
    found = np.zeros(values.shape, dtype=np.int64)
    found[~wrong] = values[~wrong].astype(np.int64)
    return found, wrong


def as_array(values: Any) -> np.ndarray:
    """Values as an array; of objects where they are of several lengths."""
    try:
        return np.array(values)
    except ValueError:
        found = np.empty(len(values), dtype=object)
        found[:] = list(values)
        return found


def missing(values: np.ndarray) -> np.ndarray:
    """Where values are None, NaN or another of pandas' words for nothing: bool [rows]."""
    import pandas as pd

    if values.dtype.kind != "O":
        return np.asarray(pd.isna(values))
    single = [not isinstance(value, Iterable) or isinstance(value, str) for value in values]
    found = np.zeros(len(values), dtype=bool)
    found[single] = [bool(pd.isna(value)) for value in values[single]]
    return found


def unhashable(values: np.ndarray) -> np.ndarray:
    """Where values are lists and the like, which cannot be told apart as classes: bool [rows]."""
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    if _hashable(tuple(values.tolist())):
        return np.zeros(len(values), dtype=bool)
    return np.array([not _hashable(value) for value in values], dtype=bool)


def _hashable(value: object) -> bool:
    try:
        hash(value)
    except Exception:  # a TypeError of Python's, or whatever a user's class raises
        return False
    return True


def first_of(wrong: np.ndarray, row: RowName = "row {}".format) -> tuple[int, str]:
    """The first row of those that are wrong, and in words: "row 3 (2 rows are like that)"."""
    rows = np.flatnonzero(wrong)
    like = f" ({len(rows):,} rows are like that)" if len(rows) > 1 else ""
    return int(rows[0]), f"{row(int(rows[0]))}{like}"


def whole_problems(
    kind: str, values: np.ndarray, what: str, row: RowName = "row {}".format
) -> Iterator[str]:
    """What keeps a column from being whole numbers of 0 or more, a sentence each.

    Args:
        kind: the column, as messages call it.
        what: what to give: "the id of a token".
        row: what messages call a row.
    """
    found, wrong = wholes(values)
    if wrong.any():
        first, where = first_of(wrong, row)
        yield f"{kind} is {printed(values[first])} in {where}. Give {what}, a whole number."
    low = ~wrong & (found < 0)
    if low.any():
        first, where = first_of(low, row)
        yield f"{kind} is {found[first]} in {where}. Give {what}, 0 or more."


def position_problems(
    kind: str, values: np.ndarray, lengths: np.ndarray, row: RowName = "row {}".format
) -> Iterator[str]:
    """What keeps a column from being positions in rows of so many tokens, a sentence each."""
    yield from whole_problems(kind, values, "the number of a token, counted from 0", row)
    found, _ = wholes(values)
    if (high := found >= lengths).any():
        first, where = first_of(high, row)
        yield (
            f"{kind} is {found[first]} in {where}, which has {lengths[first]} tokens. "
            "Positions are counted from 0, the first token."
        )
