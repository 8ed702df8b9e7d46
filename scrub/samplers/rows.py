"""Samplers whose donors are rows of the population, drawn afresh for every node and sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, ClassVar, Never

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Rows
from scrub.errors import UserError
from scrub.samplers.agreement import choices, weights_of
from scrub.samplers.describe import describe_sampler
from scrub.samplers.protocol import NAMES, Randomness, below, told


def _takes_nothing(
    name: str, does: str, features: tuple[Any, ...], named: Mapping[str, Any]
) -> None:
    """Refuse arguments of a sampler that has none."""
    given = [*map(told, features), *(f"{key}={told(value)}" for key, value in named.items())]
    if not given:
        return
    several = (v if isinstance(v, list | tuple) else [v] for v in (*features, *named.values()))
    texts = [text for text in chain.from_iterable(several) if isinstance(text, str)]
    agree = _listed(*texts) if len(texts) < 2 else f"[{_listed(*texts)}]"
    raise UserError(
        f"{name}({', '.join(given)}): {name} {does}, and takes nothing. Write {name}(), or "
        f"Agree({agree or told('feature')}) for rows that agree with the reference on a feature."
    )


@frozen(init=False)
class Exact:
    """The reference itself. Law: a tree that is all `Exact` equals the plain model."""

    laws: ClassVar = ("marginals", "independence")

    def __init__(self, *features: Never, **named: Never) -> None:
        _takes_nothing("Exact", "is the reference itself", features, named)

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        return references


@frozen(init=False)
class Uncond:
    """Any row of the dataset, uniformly. Law: the donor is independent of the reference."""

    laws: ClassVar = ("reach", "uniformity", "marginals", "independence")

    def __init__(self, *features: Never, **named: Never) -> None:
        _takes_nothing("Uncond", "draws any row", features, named)

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        sizes = np.full(len(references), len(references.population))
        return references.donors(below(sizes, randomness))


@frozen(init=False)
class Agree:
    """A row that agrees with the reference on the feature or features, uniformly.

    The reference's own row is in its agreement class. Laws: the donor agrees with the reference;
    over a reference drawn from the dataset, the donor's distribution is the dataset's.

    Args:
        features: on what donors agree with the reference.
        differ: on each of which they must differ from it (then the reference's own row is not in
            the class, and the donors' distribution is not the dataset's).
    """

    features: tuple[str, ...] = field(converter=NAMES)
    differ: tuple[str, ...] = field(converter=NAMES, default=(), kw_only=True)

    def __init__(
        self, features: str | Iterable[str], *more: Any, differ: str | Iterable[str] = ()
    ) -> None:
        if more:
            raise UserError(
                f"Agree({_listed(features, *more)}): its features are one argument. "
                f"Write Agree([{_listed(features, *more)}]) where donors agree on all of them, "
                f"Agree({_listed(features)}, differ={_listed(*more[:1])}) where they differ on one."
            )
        self.__attrs_init__(features, differ=differ)  # type: ignore[attr-defined]

    @property
    def laws(self) -> tuple[str, ...]:
        always = ("agreement", "reach", "uniformity", "independence")
        return always if self.differ else (*always, "marginals")

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        found = choices(references, self.features, self.differ, describe_sampler(self))
        return references.donors(found.at(below(found.size, randomness)))


def _listed(*given: Any) -> str:
    return ", ".join(map(told, given))


@frozen(init=False)
class Differ:
    """A row that differs from the reference on each of the features, uniformly; else any.

    It does not preserve marginals: rows with rare values are drawn more often than they occur.
    """

    differ: tuple[str, ...] = field(converter=NAMES)
    laws: ClassVar = ("agreement", "reach", "uniformity", "independence")

    def __init__(self, differ: str | Iterable[str], *more: Any) -> None:
        if more:
            raise UserError(
                f"Differ({_listed(differ, *more)}): its features are one argument. "
                f"Write Differ([{_listed(differ, *more)}]); donors differ on each of them."
            )
        self.__attrs_init__(differ)  # type: ignore[attr-defined]

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        found = choices(references, (), self.differ, describe_sampler(self))
        return references.donors(found.at(below(found.size, randomness)))


def _name_of_a_column(weighted: object, attribute: object, weights: Any) -> None:
    if not isinstance(weights, str):
        raise UserError(f'Weighted({told(weights)}): give the name of a column, as in "weight".')


@frozen
class Weighted:
    """A row drawn in proportion to a column of weights, within the agreement class.

    Args:
        weights: a column of numbers ≥ 0; a row of weight 0 is never drawn.
        features: on what donors agree with the reference (default: nothing).
    """

    weights: str = field(validator=_name_of_a_column)
    features: tuple[str, ...] = field(converter=NAMES, default=())
    laws: ClassVar = ("agreement", "reach", "uniformity", "independence")

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        weights = weights_of(references.population, self.weights, describe_sampler(self))
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
