"""Whether rows that are averaged are alike: in length, and in where their positions are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scrub.data.dataset import Dataset


def unlike(classes: np.ndarray, drawn: np.ndarray, values: np.ndarray) -> tuple[int, int] | None:
    """Two rows of one class that differ in a value; None where there are no such rows.

    Args:
        classes: the class of each row, int64 [rows].
        drawn: the classes that are looked at.
        values: one number a row, int64 [rows].
    """
    first = np.unique(classes, return_index=True)[1]
    wrong = np.isin(classes, drawn) & (values != values[first[classes]])
    row = np.flatnonzero(wrong)
    return (int(first[classes[row[0]]]), int(row[0])) if len(row) else None


def not_alike(
    who: str,
    features: Sequence[str],
    source: Dataset,
    classes: np.ndarray,
    drawn: np.ndarray,
    position: str | None = None,
) -> str:
    """Why rows of a class cannot be averaged, and the column that divides them; "" if they can.

    Args:
        who: the sampler, as messages call it.
        position: the position column in which they must be alike; None: in length.
    """
    values = source.lengths if position is None else source.position(position)
    pair = unlike(classes, drawn, values)
    if pair is None:
        return ""
    one, other = pair
    agree = f"rows that agree on {' and '.join(features)}" if features else "the rows of the data"

    def has(row: int) -> str:
        at, plural = values[row], "s" * int(values[row] != 1)
        return f"has {at} token{plural}" if position is None else f'has "{position}" at {at}'

    column = dividing(features, source, classes, drawn, values)
    what = "length" if position is None else f"at_{position}"
    asked = [*features, what if column is None else column]
    named = f"Mean({', '.join(repr(name).replace(chr(39), chr(34)) for name in asked)})"
    fix = f"Add a column that tells them apart: {named}."
    if column is None:
        fix = f"Give the data a column that tells them apart, with_columns({what}=…): {named}."
    return (
        f"{who}: {agree} are averaged index by index, and are not alike: in dataset "
        f'"{source.name}" row {one} {has(one)}, row {other} {has(other)}. {fix}'
    )


def dividing(
    features: Sequence[str],
    source: Dataset,
    classes: np.ndarray,
    drawn: np.ndarray,
    values: np.ndarray,
) -> str | None:
    """The column that, added to the features, makes rows alike, in the fewest classes."""
    import pandas as pd

    found: list[tuple[int, int, str]] = []
    for number, name in enumerate([*source.columns, *source.positions]):
        if name in features:
            continue
        theirs, kinds = pd.factorize(source.feature(name), use_na_sentinel=False)
        finer = np.unique(classes * len(kinds) + theirs, return_inverse=True)[1]
        within = np.unique(finer[np.isin(classes, drawn)])
        if unlike(finer, within, values) is None:
            found.append((len(within), number, name))
    return min(found)[2] if found else None
