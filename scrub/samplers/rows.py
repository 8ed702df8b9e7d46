"""Samplers whose donors are rows of the population, drawn afresh for every node and sample."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from attrs import field, frozen

from scrub.data import Rows
from scrub.errors import UserError
from scrub.samplers.choices import choices
from scrub.samplers.describe import describe_sampler
from scrub.samplers.protocol import Randomness, below, names


@frozen
class Exact:
    """The reference itself. Law: a tree that is all `Exact` equals the plain model."""

    laws: ClassVar = ("marginals", "independence")

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        return references


@frozen
class Uncond:
    """Any row of the dataset, uniformly. Law: the donor is independent of the reference."""

    laws: ClassVar = ("reach", "uniformity", "marginals", "independence")

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        sizes = np.full(len(references), len(references.population))
        return references.donors(below(sizes, randomness))


@frozen
class Agree:
    """A row that agrees with the reference on the feature or features, uniformly.

    The reference's own row is in its agreement class. Laws: the donor agrees with the reference;
    over a reference drawn from the dataset, the donor's distribution is the dataset's.

    Args:
        features: on what donors agree with the reference.
        differ: on each of which they must differ from it (then the reference's own row is not in
            the class, and the donors' distribution is not the dataset's).
    """

    features: tuple[str, ...] = field(converter=names)
    differ: tuple[str, ...] = field(converter=names, default=(), kw_only=True)

    @property
    def laws(self) -> tuple[str, ...]:
        always = ("agreement", "reach", "uniformity", "independence")
        return always if self.differ else (*always, "marginals")

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        found = choices(references, self.features, self.differ, describe_sampler(self))
        return references.donors(found.at(below(found.size, randomness)))


@frozen
class Differ:
    """A row that differs from the reference on each of the features, uniformly; else any.

    It does not preserve marginals: rows with rare values are drawn more often than they occur.
    """

    differ: tuple[str, ...] = field(converter=names)
    laws: ClassVar = ("agreement", "reach", "uniformity", "independence")

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        found = choices(references, (), self.differ, describe_sampler(self))
        return references.donors(found.at(below(found.size, randomness)))


@frozen
class Weighted:
    """A row drawn in proportion to a column of weights, within the agreement class.

    Args:
        weights: a column of numbers ≥ 0; a row of weight 0 is never drawn.
        features: on what donors agree with the reference (default: nothing).
    """

    weights: str
    features: tuple[str, ...] = field(converter=names, default=())
    laws: ClassVar = ("agreement", "reach", "uniformity", "independence")

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        weights = self._weights(references)
        found = choices(references, self.features, (), describe_sampler(self))
        total = np.concatenate([[0.0], np.cumsum(weights[found.members])])
        low, high = total[found.start], total[found.start + found.size]
        nothing = np.flatnonzero(high <= low)
        if len(nothing):
            raise UserError(
                f"{describe_sampler(self)}: all rows that reference "
                f"{references.index[nothing[0]]} may be swapped for have weight 0. "
                "Give one of them a weight, or ask for less agreement."
            )
        # The rounded product may reach the end of the stretch, which is the next one's first row.
        drawn = np.minimum(low + randomness.uniform() * (high - low), np.nextafter(high, low))
        return references.donors(found.members[np.searchsorted(total, drawn, side="right") - 1])

    def _weights(self, references: Rows) -> np.ndarray:
        data = references.population
        given = data.feature(self.weights)
        if given.dtype.kind not in "iufb":
            raise UserError(
                f'{describe_sampler(self)}: column "{self.weights}" of dataset "{data.name}" '
                "is no column of numbers. Give weights of 0 or more."
            )
        weights = given.astype(np.float64)
        wrong = np.flatnonzero(~((weights >= 0) & np.isfinite(weights)))
        if len(wrong):
            raise UserError(
                f'{describe_sampler(self)}: weight "{self.weights}" is {weights[wrong[0]]:g} in '
                f'row {wrong[0]} of dataset "{data.name}". Give finite weights of 0 or more.'
            )
        return weights
