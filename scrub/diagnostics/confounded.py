"""Columns of a dataset that no claim on its rows can tell from the features that it states.

Donors are drawn from agreement classes, so a feature counts by how it divides the rows, not by what
its values are called. Two columns that divide them alike permit the same swaps, and a claim about
the one recovers what a claim about the other does. Only rows in which they differ tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scrub.data import Dataset, Rows
from scrub.samplers.choices import classes


def confounded(data: Dataset, features: Sequence[str]) -> tuple[str, ...]:
    """The other columns that divide the rows of `data` as these features together do.

    Features, positions and labels are looked at, in this order. Law: it does not matter what values
    are called, only in which rows they are the same.

    Raises:
        UserError: the data has no such feature; names the nearest.
    """
    every = Rows(data, np.arange(len(data)))

    def division(names: Sequence[str]) -> np.ndarray:
        return classes(every, names)[0]  # numbered as they appear, so alike if they divide alike

    stated = division(features)
    columns = dict.fromkeys((*data.columns, *data.positions, *data.labels))
    return tuple(
        name
        for name in columns
        if name not in features and np.array_equal(division([name]), stated)
    )
