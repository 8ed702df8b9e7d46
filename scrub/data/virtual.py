"""Virtual rows: how the plain values of a row are given where no input has them.

A virtual row has a frame (a length, and positions) and no tokens. `Dataset.given` says what its
plain values are; who computes plain values makes them of those of the rows of `source`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen

if TYPE_CHECKING:
    from scrub.data.dataset import Dataset


@frozen(eq=False)
class Averages:
    """Row i gives the mean, index by index, of the rows of a dataset that are of class i.

    Attributes:
        source: whose rows are averaged.
        features: on which the rows of a class agree.
        class_of: the class of each row of `source`, int64 [rows].
    """

    source: Dataset
    features: tuple[str, ...]
    class_of: np.ndarray

    def same_as(self, index: np.ndarray) -> np.ndarray:
        """The row of `source` that each of these rows has the values of; −1: of none."""
        sizes = np.bincount(self.class_of)
        _, first = np.unique(self.class_of, return_index=True)
        return np.where(sizes[index] == 1, first[index], -1)


@frozen(eq=False)
class Filled:
    """Row i gives one value at every site, in the frame of row i of a dataset.

    Attributes:
        source: whose rows' frames they have.
        value: float64, a number [], or along a site's last axis [size], or [positions, size].
    """

    source: Dataset
    value: np.ndarray

    def same_as(self, index: np.ndarray) -> np.ndarray:
        """The row of `source` that each of these rows has the values of: none, −1."""
        return np.full(len(index), -1)


@frozen(eq=False)
class Shifted:
    """Row i gives the values of row i of a dataset, and a vector more.

    Attributes:
        source: whose rows' values they have.
        by: what is added along a site's last axis, float64 [size].
    """

    source: Dataset
    by: np.ndarray

    def same_as(self, index: np.ndarray) -> np.ndarray:
        """The row of `source` that each of these rows has the values of; −1: of none."""
        return np.full(len(index), -1) if self.by.any() else index


Given = Averages | Filled | Shifted


def gives_the_same(first: Given, second: Given) -> bool:
    """Whether row i of both gives the same values in the same frame, for all i."""
    if first.source is not second.source:
        return False
    match first, second:
        case Averages(), Averages():
            return np.array_equal(first.class_of, second.class_of)
        case Filled(), Filled():
            return np.array_equal(first.value, second.value)
        case Shifted(), Shifted():
            return np.array_equal(first.by, second.by)
    return False


def told_row(data: Dataset, row: int) -> str:
    """A virtual row in words: "the mean of 12 rows"."""
    match data.given:
        case Averages() as given:
            count = int((given.class_of == row).sum())
            return f"the mean of {count:,} row{'s' * (count != 1)}"
        case Shifted() as given:
            return f"{given.source.text(row)}, steered"
        case _:
            return f"no input: {data.name}"
