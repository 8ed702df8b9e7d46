"""The parts that a column divides references into (--by)."""

from __future__ import annotations

from typing import Any

import numpy as np

from scrub.data.dataset import Dataset
from scrub.errors import UserError

MOST = 200
"""Parts that a table shows: of more each has so few references that nothing can be told."""


def parts_by(values: np.ndarray) -> tuple[np.ndarray, list[Any]]:
    """The number of each value's part, int64 [samples], and what the parts have for a value.

    Missing values are a part of their own, as they are an agreement class.
    """
    import pandas as pd

    numbered, found = pd.factorize(values, use_na_sentinel=False)
    return numbered, list(found)


def by_kind(value: Any) -> tuple[bool, str, Any]:
    """Sorts values of several types; missing ones come last."""
    missing = value is None or value != value
    return (missing, "" if missing else type(value).__name__, 0 if missing else value)


def check_parts(data: Dataset, column: str) -> None:
    """Refuse a column that does not divide the data into a few parts, before anything runs.

    Raises:
        UserError: there is no such column, its values cannot be compared, or there are too many.
    """
    values = data.feature(column)
    try:
        count = len(parts_by(values)[1])
        sorted(parts_by(values)[1], key=by_kind)
    except TypeError as error:
        raise UserError(
            f'Column "{column}" of dataset "{data.name}" has values that cannot be '
            "compared. Give a column of numbers or texts."
        ) from error
    if count > MOST:
        raise UserError(
            f'Column "{column}" of dataset "{data.name}" has {count:,} values, and '
            f"a table shows at most {MOST}. Give a coarser one: with_columns(…) adds columns."
        )
