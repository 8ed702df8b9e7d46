"""Samplers: which donors may stand in for a reference.

A sampler is one small frozen class with one method, `draw`. It sees row numbers, never tensors, and
gets its randomness as an argument, so that a draw depends on nothing but (seed, node, sample).
Donors are rows of the dataset that the reference belongs to, unless a sampler says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from attrs import evolve, field, frozen

from scrub.data import Dataset, Recipe, Rows, Tokenizer
from scrub.errors import UserError


class Randomness(Protocol):
    """Random numbers that belong to one node of one run, one per sample."""

    def uniform(self) -> np.ndarray:
        """Uniform on [0, 1), float64 [samples]; fresh numbers at every call.

        Law: a sample's numbers do not depend on how many samples there are.
        """
        ...


class Sampler(Protocol):
    """Anything with this method is a sampler."""

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        """The donor of each reference."""
        ...


@frozen
class Exact:
    """The reference itself. Law: a tree that is all `Exact` equals the plain model."""

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        return references


@frozen
class Uncond:
    """Any row of the dataset, uniformly. Law: the donor is independent of the reference."""

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        sizes = np.full(len(references), len(references.data))
        return references.at(_below(sizes, randomness))


def _names(features: str | Sequence[str]) -> tuple[str, ...]:
    return (features,) if isinstance(features, str) else tuple(features)


@frozen
class Agree:
    """A row that agrees with the reference on the feature or features, uniformly.

    The reference's own row is in its agreement class. Laws: the donor agrees with the reference;
    over a reference drawn from the dataset, the donor's distribution is the dataset's.
    """

    features: tuple[str, ...] = field(converter=_names)

    def classes(self, data: Dataset) -> np.ndarray:
        """Number of the agreement class of every row of `data`, int64 [rows]."""
        import pandas as pd

        columns = pd.DataFrame({i: data.feature(name) for i, name in enumerate(self.features)})
        if columns.empty:
            return np.zeros(len(data), dtype=np.int64)
        return columns.groupby(list(columns), sort=True, dropna=False).ngroup().to_numpy()

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        classes = self.classes(references.data)
        members = np.argsort(classes, kind="stable")
        sizes = np.bincount(classes)
        starts = np.cumsum(sizes) - sizes
        mine = classes[references.index]
        return references.at(members[starts[mine] + _below(sizes[mine], randomness)])


def _source(source: Any) -> Dataset | Recipe | tuple[int, ...]:
    return source if isinstance(source, Dataset | Recipe) else tuple(int(row) for row in source)


@frozen
class Fixed:
    """The donor that is written down for a reference: a row map, or the same row elsewhere.

    Args:
        source: for every row of the data the row number of its donor; or a dataset (or recipe of
            one) with as many rows, whose row i is the donor of row i: a flipped copy, say.
    """

    source: Dataset | Recipe | tuple[int, ...] = field(converter=_source)

    def bind(self, tokenizer: Tokenizer) -> Fixed:
        """The same sampler with its recipe made."""
        if isinstance(self.source, Recipe):
            return evolve(self, source=self.source.make(tokenizer))
        return self

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        assert not isinstance(self.source, Recipe), "bind the sampler before drawing from it"
        kind = "dataset" if isinstance(self.source, Dataset) else "row map"
        if len(self.source) != len(references.data):
            raise UserError(
                f"Fixed: the {kind} has {len(self.source)} rows, the data {len(references.data)}. "
                "Row i is the donor of row i, so give one row for each."
            )
        if isinstance(self.source, Dataset):
            return Rows(self.source, references.index)
        return references.at(np.array(self.source, dtype=np.int64)[references.index])


def _below(sizes: np.ndarray, randomness: Randomness) -> np.ndarray:
    """A uniform whole number below each size, int64 [samples]. Bias below 2⁻⁵³ x size."""
    return np.minimum((randomness.uniform() * sizes).astype(np.int64), sizes - 1)
