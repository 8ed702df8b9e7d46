"""What a sampler is, what it gets its randomness from, and which laws it may claim to keep."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Set
from typing import Any, Protocol

import numpy as np
from attrs import Converter

from scrub.data.dataset import Dataset, Rows
from scrub.errors import UserError, shortened

EVERY = ("legality", "determinism", "immutability")
"""The laws of every sampler: donors are legal inputs; a draw depends on nothing but (seed, node,
sample) and the reference; drawing changes nothing."""
CLAIMED = ("agreement", "reach", "uniformity", "marginals", "independence")
"""The laws that a sampler may claim:

- agreement: donors agree with the reference on `features`, and differ from it on each of `differ`;
- reach: every row of the population that does so can be drawn, the reference's own included;
- uniformity: with equal probability, or in proportion to the column `weights`;
- marginals: over references drawn from the dataset, donors are distributed as the dataset;
- independence: given the reference, draws of different nodes and seeds are independent.
"""


class Randomness(Protocol):
    """Random numbers that belong to one node of one run, one per sample."""

    def uniform(self) -> np.ndarray:
        """Uniform on [0, 1), float64 [samples]; fresh numbers at every call.

        Law: a sample's numbers do not depend on how many samples there are.
        """
        ...

    def shared(self, name: str) -> Randomness:
        """Randomness of the same run that belongs to this name instead of the node.

        Law: it depends on (seed, name, sample) alone, not on who asks or who else does.
        """
        ...


class Sampler(Protocol):
    """Anything with this method is a sampler.

    It may say what it claims, by attributes: `laws` (some of `CLAIMED`; default: independence, and
    agreement if it has features), `features` and `differ` (names of features), `weights` (the name
    of a column), `source` (the dataset that donors are rows of, where it is not that of the
    references). `scrub.testing.sampler_laws` and `scrub check` hold it to that.
    """

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        """The donor of each reference: mostly `references.donors(row numbers)`.

        Args:
            references: one row a sample; `references.population` is the dataset to draw from.
        """
        ...


def laws_of(sampler: Any) -> tuple[str, ...]:
    """The laws that a sampler is held to, in the order in which they are listed."""
    assumed = ("agreement", "independence") if features_of(sampler) else ("independence",)
    claimed = {*EVERY, *names(getattr(sampler, "laws", assumed))}
    return tuple(law for law in (*EVERY, *CLAIMED) if law in claimed)


def features_of(sampler: Any) -> tuple[str, ...]:
    """The features on which a sampler says that its donors agree with the reference."""
    return names(getattr(sampler, "features", ()))


def differ_of(sampler: Any) -> tuple[str, ...]:
    """The features on which a sampler says that its donors differ from the reference."""
    return names(getattr(sampler, "differ", ()))


def source_of(sampler: Any) -> Dataset | None:
    """The dataset that a sampler says that it draws from; None: the reference's own."""
    source = getattr(sampler, "source", None)
    return source if isinstance(source, Dataset) else None


def is_own(sampler: Any) -> bool:
    """Whether a sampler is the user's own."""
    return not type(sampler).__module__.startswith("scrub.")


def names(features: Any, who: str = "") -> tuple[str, ...]:
    """One name, or several, as a tuple.

    Args:
        who: the sampler that they are given to.

    Raises:
        UserError: they are no names.
    """
    if isinstance(features, str):
        return (str(features),)
    several = isinstance(features, Iterable) and not isinstance(features, Mapping)
    listed = list(features) if several else [features]
    wrong = [name for name in listed if not isinstance(name, str)]
    if wrong:
        said = f"{who}: {told(wrong[0])}" if who else told(wrong[0])
        raise UserError(
            f'{said} is no name of a feature. Give one name, or several: "io", ["io", "s"].'
        )
    found = tuple(map(str, listed))
    return tuple(sorted(found)) if isinstance(features, Set) else found


NAMES = Converter(lambda features, self: names(features, type(self).__name__), takes_self=True)
"""Of a field that holds names of features."""


def not_called_with(function: Any, *arguments: str) -> str:
    """Why a function cannot be called with these arguments, a sentence; "" if it can."""
    if not callable(function):
        return f"{told(function)} is no function."
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # one that does not tell, such as some of C's
        return ""
    try:
        signature.bind(*arguments)
    except TypeError:
        return f"it is called with ({', '.join(arguments)}), and takes {signature}."
    return ""


def told(given: object) -> str:
    """A value of the user's, as messages call it: as it is written if that is short."""
    if given is None or isinstance(given, str | bool | int | float | np.generic):
        return shortened(repr(given.item() if isinstance(given, np.generic) else given), 60)
    name = type(given).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def below(sizes: np.ndarray, randomness: Randomness) -> np.ndarray:
    """A uniform whole number below each size, int64 [samples]. Bias below 2⁻⁵³ x size."""
    return np.minimum((randomness.uniform() * sizes).astype(np.int64), sizes - 1)
