"""What a law is asked about, what it answers, and how a sampler is drawn from meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Dataset, Rows, what_is_read
from scrub.draw import KeyedRandomness, donors
from scrub.errors import UserError, shortened
from scrub.samplers import (
    Generate,
    Sampler,
    describe_sampler,
    differ_of,
    features_of,
    is_own,
    is_virtual,
)
from scrub.samplers.agreement import Choices, possible, weights_of
from scrub.samplers.declarations import not_in_the_data, refuse
from scrub.samplers.protocol import told
from scrub.testing.frequencies import LEVEL

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 6_000
"""Draws that a law looks at by default. At least: a large agreement class takes more to be reached,
up to `AT_MOST` for each of `REFERENCES` references."""
REFERENCES = 4
AT_MOST = 20_000


@frozen(eq=False)
class Case:
    """A sampler on a dataset.

    Attributes:
        data: the claim's data, whose rows are the references.
        at: position columns that donors must have; None: all of the data's.
        seed: of all draws of the test.
        draws: how many a law looks at.
        level: probability, at most, that a law that holds is said to be broken.
    """

    sampler: Sampler
    data: Dataset
    at: tuple[str, ...] | None = None
    seed: int = 0
    draws: int = DRAWS
    level: float = LEVEL

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot be asked.

        Raises:
            UserError: with everything that is wrong.
        """
        if not isinstance(self.data, Dataset):
            raise UserError(f"The laws of a sampler hold on a Dataset; {told(self.data)} is none.")
        refuse(self.sampler)
        wrong = not_in_the_data(self.sampler, self.data)
        if is_virtual(self.sampler):
            wrong.append(f"{self.name} draws virtual rows, and the laws of samplers are of inputs.")
        for column in self.at or ():
            if column not in self.data.positions:
                wrong.append(str(self.data.lacks("position column", column)))
        for name, least in (("seed", 0), ("draws", 1)):
            given = getattr(self, name)
            if isinstance(given, bool) or not isinstance(given, int) or given < least:
                wrong.append(f"{name}={told(given)}: give a whole number, {least} or more.")
        if wrong:
            raise UserError(*wrong)

    @property
    def name(self) -> str:
        return shortened(describe_sampler(self.sampler), 120)

    def references(self, index: np.ndarray | Sequence[int]) -> Rows:
        """Rows of the data as references of a node below the root."""
        rows = Rows(self.data, np.asarray(index, dtype=np.int64))
        return rows.under(rows)

    def every_row(self) -> Rows:
        """As many references as there are draws: all rows in turn, or as many as that."""
        rows = np.arange(len(self.data))
        if len(rows) > self.draws:
            rows = np.linspace(0, len(rows) - 1, self.draws).astype(np.int64)
        return self.references(np.resize(rows, self.draws))

    def drawn(self, references: Rows, node: str = "one", seed: int = 0) -> Rows:
        """What the sampler draws at a node."""
        randomness = KeyedRandomness(self.seed + seed, (node, "own"), len(references))
        return donors(self.sampler, references, randomness, (node,))

    def choices(self, references: Rows) -> Choices:
        """The rows that the sampler may draw, as it declares."""
        return possible(references, features_of(self.sampler), differ_of(self.sampler))

    def weights(self) -> np.ndarray:
        """The weight of every row, as the sampler declares: float64 [rows]."""
        column = getattr(self.sampler, "weights", None)
        if column is None:
            return np.ones(len(self.data))
        return weights_of(self.data, column, self.name)

    def odds(self, row: int, members: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The probability of each of the rows that may stand in for a row, float64 [members].

        Raises:
            UserError: there are none, or all of them have weight 0.
        """
        total = float(weights[members].sum())
        if not total > 0:
            none = "have weight 0" if len(members) else "are none"
            raise UserError(
                f"{self.name}: the rows that row {row} may be swapped for {none}. "
                "Ask for less agreement, or take such rows out of the data."
            )
        return weights[members] / total


def is_theirs(sampler: Sampler) -> bool:
    """Whether what a sampler draws is up to code of the user's: it may do anything."""
    return is_own(sampler) or isinstance(sampler, Generate)


@frozen
class Broken:
    """A law that does not hold.

    Attributes:
        law: its name.
        what: a sentence.
        rows: the smallest counterexample, one entry a row of a table.
    """

    law: str
    what: str
    rows: tuple[dict[str, Any], ...] = field(converter=tuple)

    @property
    def table(self) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(list(self.rows))

    def __str__(self) -> str:
        table = f"\n{self.table.to_string(index=False)}" if self.rows else ""
        return f"{self.law}: {self.what}{table}"


TEXT = 60
"""Characters of a text that a table shows, at most: prompts may be pages."""
SHOWN = 6
"""Columns that a table shows of an input, at most."""


def entry(name: str, rows: Rows, sample: int, columns: Sequence[str] = ()) -> dict[str, Any]:
    """One input as part of a row of a counterexample's table: where it is from, text, features."""
    row = int(rows.index[sample])
    where = str(row) if rows.data.generated_from is None else f"{row} of {rows.data.name}"
    found: dict[str, Any] = {name: where}
    if rows.data.pieces:
        found[f"{name} text"] = shortened(rows.data.text(row), TEXT)
    for column in columns[:SHOWN]:
        if any(column in t for t in (rows.data.columns, rows.data.positions, rows.data.labels)):
            value = rows.data.feature(column)[row]
            found[f"{name} {column}"] = shortened(value, TEXT) if isinstance(value, str) else value
    return found


def numbered(*drawn: Rows) -> list[np.ndarray]:
    """Numbers for what was drawn, int64 [samples] each: two inputs have one if they are the same.

    Rows of a dataset are told apart by their place, generated inputs by what is in them.
    """
    data = drawn[0].data
    if data.generated_from is None and all(rows.data is data for rows in drawn):
        return [rows.index for rows in drawn]
    numbers: dict[Any, int] = {}
    return [
        np.array([numbers.setdefault(key, len(numbers)) for key in _keys(rows)]) for rows in drawn
    ]


def _keys(rows: Rows) -> list[Any]:
    if rows.data.generated_from is None:
        return [(id(rows.data), row) for row in rows.index.tolist()]
    return contents(rows)


def contents(rows: Rows) -> list[str]:
    """What each input is by its content alone, wherever it was made: [samples]."""
    data = rows.data
    tables = (what_is_read(data), data.columns, data.positions, data.labels)
    told = {}
    for row in np.unique(rows.index).tolist():
        length = data.lengths[row]
        values = [
            values[row : row + 1].tolist()[0] for table in tables for values in table.values()
        ]
        cut = [value[:length] if isinstance(value, list) else _plain(value) for value in values]
        told[row] = _hash(repr((int(length), cut)).encode())
    return [told[row] for row in rows.index.tolist()]


def fingerprint(data: Dataset) -> str:
    """A hash of all that a dataset says of its rows."""
    read = what_is_read(data)
    tables = ({"lengths": data.lengths}, read, data.columns, data.positions, data.labels)
    parts = [data.name.encode()]
    for table in tables:
        for name, values in table.items():
            said = values.tobytes() if values.dtype != object else repr(list(map(_plain, values)))
            parts += [name.encode(), str(values.dtype).encode(), _hash(said).encode()]
    return _hash(b" ".join(parts))


def _plain(value: Any) -> Any:
    """A value as every process writes it: a set in order, and what has no words by its type."""
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    return type(value).__name__ if type(value).__repr__ is object.__repr__ else value


def _hash(said: str | bytes) -> str:
    given = said if isinstance(said, bytes) else said.encode()
    return hashlib.blake2b(given, digest_size=12).hexdigest()


def same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two columns have one value, bool [samples]. Missing is like missing."""
    import pandas as pd

    equal = np.asarray(one == other, dtype=bool)
    return equal | (pd.isna(one) & pd.isna(other))
