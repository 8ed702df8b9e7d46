"""Samplers that couple nodes on purpose: nodes that name one pool draw from the same few donors."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Rows
from scrub.errors import UserError
from scrub.samplers.agreement import choices
from scrub.samplers.describe import describe_sampler
from scrub.samplers.protocol import NAMES, Randomness, below, told


def _size(size: Any) -> int:
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    if not whole or size < 1:
        raise UserError(
            f"Pool({told(size)}, …): a pool stores a whole number of draws, at least 1."
        )
    return int(size)


def _name(pool: object, attribute: object, name: Any) -> None:
    if not isinstance(name, str):
        raise UserError(
            f"{type(pool).__name__}: {told(name)} is no name of a pool. Give one in quotes, such "
            'as "names".'
        )


@frozen
class Pool:
    """One of a few stored donors, which all nodes that name the pool share.

    For every sample and agreement class the pool stores `size` rows of the class, drawn uniformly
    with replacement; each node picks one of them by itself. So two nodes with references of one
    class draw the same donor at least once in `size` times, and always from a pool of one. What is
    stored is keyed by (seed, name, class, sample): which nodes there are changes none of it.

    It couples nodes on purpose, and does not claim that their draws are independent. (As the pools
    of rust_circuit, whose classes are those of a reference, too.)

    Args:
        size: stored draws per agreement class and sample.
        name: of the pool; nodes that give one name give it the same size and features.
        features: on what donors agree with the reference (default: nothing).
    """

    size: int = field(converter=_size)
    name: str = field(validator=_name)
    features: tuple[str, ...] = field(converter=NAMES, default=())
    laws: ClassVar = ("agreement", "reach", "uniformity", "marginals")

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        found = choices(references, self.features, (), describe_sampler(self))
        picked = below(np.full(len(references), self.size), randomness)
        # A class is known by its first row, and a stored draw by its number in the pool.
        class_of = found.members[found.start]
        stored, which = np.unique(np.stack([class_of, picked], 1), axis=0, return_inverse=True)
        place = np.empty(len(references), dtype=np.int64)
        for number, key in enumerate(stored.tolist()):
            here = np.flatnonzero(which.ravel() == number)
            name = repr((self.name, self.features, references.population.name, *key))
            place[here] = below(found.size, randomness.shared(name))[here]
        return references.donors(found.at(place))


@frozen
class Together:
    """The same donor for all nodes of this name whose references agree: a pool of one.

    Args:
        name: of the pool.
        features: on what donors agree with the reference (default: nothing: all nodes of the name
            get one random row).
    """

    name: str = field(validator=_name)
    features: tuple[str, ...] = field(converter=NAMES, default=())
    laws: ClassVar = Pool.laws

    @property
    def pool(self) -> Pool:
        """The pool that it is."""
        return Pool(1, self.name, self.features)

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        return self.pool.draw(references, randomness)
