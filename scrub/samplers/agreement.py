"""Which rows may stand in for a reference: those that agree here, and differ there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from scrub.data.dataset import Dataset, Rows
from scrub.errors import UserError


@frozen(eq=False)
class Choices:
    """The rows that each reference may be swapped for.

    They are a stretch of `members` with a gap in it: what agrees with the reference stands
    together, and within that what does not differ from it.

    Attributes:
        members: row numbers of the population, int64 [entries].
        start: where the stretch of each reference begins, int64 [samples].
        size: how many rows it may be swapped for, int64 [samples].
        cut: where the gap begins, int64 [samples].
        gap: how many entries are in it, int64 [samples].
    """

    members: np.ndarray
    start: np.ndarray
    size: np.ndarray
    cut: np.ndarray
    gap: np.ndarray

    def at(self, place: np.ndarray) -> np.ndarray:
        """The row at a place below `size`, for each reference: int64 [samples]."""
        entry = self.start + place
        return self.members[np.where(entry >= self.cut, entry + self.gap, entry)]

    def of(self, sample: int) -> np.ndarray:
        """All rows that one reference may be swapped for, int64 [size]."""
        entry = self.start[sample] + np.arange(self.size[sample])
        return self.members[np.where(entry >= self.cut[sample], entry + self.gap[sample], entry)]


def choices(references: Rows, agree: Sequence[str], differ: Sequence[str], who: str) -> Choices:
    """The rows of the population that agree with each reference, and differ on each of `differ`.

    Args:
        who: the sampler, as messages call it.

    Raises:
        UserError: some reference has none; or there is no such feature.
    """
    found = possible(references, agree, differ)
    none = np.flatnonzero(found.size == 0)
    if len(none):
        raise UserError(_nothing_to_choose(references, none, agree, differ, who))
    return found


def possible(references: Rows, agree: Sequence[str], differ: Sequence[str]) -> Choices:
    """The same, where some references may have none."""
    if not differ:
        return _agreeing(references, agree)
    if len(differ) == 1:
        return _differing(references, agree, differ[0])
    return _differing_on_each(references, agree, differ)


def _agreeing(references: Rows, agree: Sequence[str]) -> Choices:
    rows, mine = classes(references, agree)
    sizes = np.bincount(rows)
    starts = np.cumsum(sizes) - sizes
    return Choices(
        members=_in_order(rows, len(sizes)),
        start=starts[mine],
        size=np.where(mine < 0, 0, sizes[mine]),
        cut=starts[mine],
        gap=np.zeros(len(mine), dtype=np.int64),
    )


def _in_order(codes: np.ndarray, count: int) -> np.ndarray:
    """Rows by their codes, which are below `count`: numpy sorts narrow ones quickest."""
    narrow = codes.astype(np.uint16) if count <= 2**16 else codes
    return np.argsort(narrow, kind="stable")


def _differing(references: Rows, agree: Sequence[str], differ: str) -> Choices:
    rows, mine = classes(references, agree)
    there, here = classes(references, [differ])
    codes = rows * len(there) + there
    members = np.argsort(codes, kind="stable")
    code = mine * len(there) + here
    cut = np.searchsorted(codes[members], code, side="left")
    alike = np.searchsorted(codes[members], code, side="right") - cut
    gap = np.where(here < 0, 0, alike)
    sizes = np.bincount(rows)
    starts = np.cumsum(sizes) - sizes
    size = np.where(mine < 0, 0, sizes[mine] - gap)
    return Choices(members, starts[mine], size, np.where(gap > 0, cut, starts[mine]), gap)


def _differing_on_each(references: Rows, agree: Sequence[str], differ: Sequence[str]) -> Choices:
    rows, mine = classes(references, agree)
    apart = [classes(references, [name]) for name in differ]
    keys = np.stack([mine, *(here for _, here in apart)], axis=1)
    distinct, group = np.unique(keys, axis=0, return_inverse=True)
    stretches = [
        np.flatnonzero(
            (rows == key[0])
            & np.all([there != k for (there, _), k in zip(apart, key[1:], strict=True)], axis=0)
        )
        for key in distinct
    ]
    sizes = np.array([len(stretch) for stretch in stretches])
    start = (np.cumsum(sizes) - sizes)[group.ravel()]
    size = sizes[group.ravel()]
    return Choices(np.concatenate(stretches), start, size, start, np.zeros_like(start))


def classes(
    references: Rows, features: Sequence[str], of: Dataset | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of agreement classes: of the population's rows, and of the references.

    Args:
        of: another dataset in place of the population.

    Returns:
        int64 [rows], and int64 [samples]: −1 where no row of the population is like the reference
        (a generated input may be like none).
    """
    population = references.population if of is None else of
    rows = _numbered([population.feature(name) for name in features], len(population))
    if references.data is population:
        return rows, rows[references.index]
    both = [
        np.concatenate([population.feature(name), references.feature(name)]) for name in features
    ]
    every = _numbered(both, len(population) + len(references))
    of_class = np.full(every.max() + 1, -1)
    of_class[every[: len(population)]] = rows
    return rows, of_class[every[len(population) :]]


def _numbered(columns: list[np.ndarray], rows: int) -> np.ndarray:
    """One number for each combination of values, in order of appearance; missing is a value."""
    import pandas as pd

    numbers = np.zeros(rows, dtype=np.int64)
    for column in columns:
        values, _ = pd.factorize(column, use_na_sentinel=False)
        numbers, _ = pd.factorize(numbers * (values.max() + 1) + values)
    return numbers


def weights_of(data: Dataset, column: str, who: str) -> np.ndarray:
    """A column of weights, float64 [rows].

    Args:
        who: the sampler, as messages call it.

    Raises:
        UserError: there is no such column, or it holds what is no weight.
    """
    given = data.feature(column)
    if given.dtype.kind not in "iufb":
        raise UserError(
            f'{who}: column "{column}" of dataset "{data.name}" is no column of numbers. Give '
            "weights of 0 or more."
        )
    weights = given.astype(np.float64)
    wrong = np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))
    if len(wrong):
        raise UserError(
            f'{who}: weight "{column}" is {weights[wrong[0]]:g} in row {wrong[0]} of dataset '
            f'"{data.name}". Give finite weights of 0 or more.'
        )
    return weights


def _nothing_to_choose(
    references: Rows, samples: np.ndarray, agree: Sequence[str], differ: Sequence[str], who: str
) -> str:
    row, data = int(references.index[samples[0]]), references.data

    def told(names: Sequence[str]) -> str:
        values = [data.feature(name)[row : row + 1].tolist()[0] for name in names]
        return " and ".join(f"{n} ({value!r})" for n, value in zip(names, values, strict=True))

    asked = [f"agrees with it on {told(agree)}"] if agree else []
    asked += [f"differs from it on {told(differ)}"] if differ else []
    wanted = " and ".join(asked)
    number = len(np.unique(references.index[samples]))
    others = f" ({number} rows are like that)" if number > 1 else ""
    if data is not references.population:
        return (
            f"{who}: no row of {_named(references.population)} {wanted}, where the reference is an "
            f"input made by {data.name}{others}. Make inputs that are like some row, or ask for "
            "less agreement."
        )
    return (
        f"{who}: row {row} of {_named(data)} has no donor, since no row {wanted}{others}. "
        "Take such rows out of the data, or ask for less."
    )


def _named(data: Dataset) -> str:
    return f'dataset "{data.name}"'
