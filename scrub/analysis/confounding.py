"""Columns of a dataset that no claim on its rows can tell from the features that it states.

Donors are drawn from agreement classes, so a feature counts by how it divides the rows, not by what
its values are called. Two columns that divide them alike permit the same swaps, and a claim about
the one recovers what a claim about the other does. Only rows in which they differ tell them apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from scrub.data.dataset import Dataset, Rows
from scrub.samplers.agreement import classes


def confounded(data: Dataset, features: Sequence[str]) -> tuple[str, ...]:
    """The other columns that divide the rows of `data` as these features together do.

    Features, positions and labels are looked at, in this order. Law: it does not matter what values
    are called, only in which rows they are the same.

    Raises:
        UserError: the data has no such feature; names the nearest.
    """
    stated = _division(data, features)
    columns = dict.fromkeys((*data.columns, *data.positions, *data.labels))
    return tuple(
        name
        for name in columns
        if name not in features and np.array_equal(_division(data, [name]), stated)
    )


def equivalent_features(
    data: Dataset, stated: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, str], ...]:
    """The pairs of nodes that state different features which divide the rows of `data` alike.

    Args:
        stated: the features that each node states, by the node's name.
    """
    divided = {name: _division(data, features).tobytes() for name, features in stated.items()}
    return tuple(
        (one, other)
        for one, other in itertools.combinations(stated, 2)
        if set(stated[one]) != set(stated[other]) and divided[one] == divided[other]
    )


def _division(data: Dataset, features: Sequence[str]) -> np.ndarray:
    """Class numbers, in order of appearance: the same where the rows are divided alike."""
    return classes(Rows(data, np.arange(len(data))), features)[0]
