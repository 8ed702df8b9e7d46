"""Samplers whose donor is written down: for the reference, or for the reference at the root."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any, ClassVar

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Dataset, Recipe, Rows
from scrub.errors import UserError
from scrub.samplers.protocol import Randomness, told


def _source(source: Any) -> Dataset | Recipe | tuple[int, ...]:
    if isinstance(source, Dataset | Recipe):
        return source
    if not isinstance(source, Iterable) or isinstance(source, str | bytes | Mapping | Set):
        raise UserError(
            f"Fixed({told(source)}): give a dataset, a recipe of one, or for every row the row "
            "number of its donor, such as [1, 0, 3, 2]."
        )
    return tuple(_row(row, donor) for row, donor in enumerate(source))


def _row(row: int, donor: Any) -> int:
    """The row number that a row map gives a row."""
    try:
        found = np.asarray(donor)
        whole = found.ndim == 0 and found.dtype.kind in "iuf" and int(found) == found
    except (ValueError, OverflowError, TypeError):  # ragged, not finite, or no array at all
        whole = False
    if not whole:
        raise UserError(
            f"Fixed: the row map gives row {row} {told(donor)}, no row number. Give one whole "
            "number for each row of the data."
        )
    return int(donor)


@frozen
class Fixed:
    """The donor that is written down for a reference: a row map, or the same row elsewhere.

    Args:
        source: for every row of the data the row number of its donor; or a dataset (or recipe of
            one) with as many rows, whose row i is the donor of row i: a flipped copy, say.
    """

    source: Dataset | Recipe | tuple[int, ...] = field(converter=_source)
    laws: ClassVar = ("independence",)

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        assert not isinstance(self.source, Recipe), "its recipe is made before anything is drawn"
        if references.data.generated_from is not None:
            raise UserError(
                "Fixed: its reference is a generated input, for which no donor is written down. "
                "Paired goes by the reference at the root."
            )
        kind = "dataset" if isinstance(self.source, Dataset) else "row map"
        if len(self.source) != len(references.data):
            raise UserError(
                f"Fixed: the {kind} has {len(self.source)} rows, the data {len(references.data)}. "
                "Row i is the donor of row i, so give one row for each."
            )
        if isinstance(self.source, Dataset):
            return Rows(self.source, references.index)
        rows = range(len(self.source))
        outside = next((row for row in rows if self.source[row] not in rows), None)
        if outside is not None:
            raise UserError(
                f"Fixed: the row map gives row {outside} the donor {self.source[outside]}; the "
                f"data has rows 0 to {len(rows) - 1}."
            )
        return references.at(np.array(self.source, dtype=np.int64)[references.index])


def _pair(paired: object, attribute: object, pair: Any) -> None:
    if not isinstance(pair, str | Dataset | Recipe):
        raise UserError(
            f"Paired({told(pair)}): give the name of a column whose value two rows share, or a "
            "dataset (or recipe of one) whose row i is the donor of row i."
        )


@frozen
class Paired:
    """The donor that belongs to the reference at the root: its corrupted prompt, say.

    Wherever the node stands in the tree, and whatever its parent drew.

    Args:
        pair: a column whose value two rows share: each is the donor of the other; or a dataset (or
            recipe of one) with as many rows as the data, whose row i is the donor of row i.
    """

    pair: str | Dataset | Recipe = field(validator=_pair)

    @property
    def laws(self) -> tuple[str, ...]:
        return ("marginals", "independence") if isinstance(self.pair, str) else ("independence",)

    @property
    def source(self) -> Dataset | Recipe | None:
        """The dataset that it brings."""
        return None if isinstance(self.pair, str) else self.pair

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        assert not isinstance(self.pair, Recipe), "its recipe is made before anything is drawn"
        root = references.root
        if isinstance(self.pair, str):
            return root.at(_partners(root.data, self.pair)[root.index])
        if len(self.pair) != len(root.data):
            raise UserError(
                f'Paired: dataset "{self.pair.name}" has {len(self.pair)} rows, the data '
                f"{len(root.data)}. Row i is the donor of row i, so give one row for each."
            )
        return Rows(self.pair, root.index)


def _partners(data: Dataset, column: str) -> np.ndarray:
    """The other row with the same value in a column, for every row: int64 [rows]."""
    import pandas as pd

    values = pd.Series(data.feature(column))
    counts = values.groupby(values).transform("size").fillna(0).to_numpy()
    wrong = np.flatnonzero(counts != 2)
    if len(wrong):
        row, rows = int(wrong[0]), int(counts[wrong[0]])
        told = f"is {values[row]!r} in {rows} row{'s' * (rows != 1)}" if rows else "is missing"
        raise UserError(
            f'Paired({column}): row {row} of dataset "{data.name}" has no pair: {column} {told} '
            f"({len(wrong)} rows are like that). "
            "Give the two rows of a pair one value that no other row has."
        )
    order = np.argsort(pd.factorize(values)[0], kind="stable")
    partners = np.empty(len(data), dtype=np.int64)
    partners[order[0::2]], partners[order[1::2]] = order[1::2], order[0::2]
    return partners
