"""Splits: a site as a sum of named summands, scrubbed separately (docs/semantics.md, Paths).

Every split has the summand "rest": what the named ones leave. Law: the summands of a value add up
to it, so that a node whose summands all come from one input equals the node unsplit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Rows
from scrub.data.values import whole
from scrub.errors import UserError
from scrub.printing import printed

REST = "rest"
SMALLEST_ANGLE = 1e-6
"""Cosines above this mean that two subspaces are not orthogonal."""


@frozen(eq=False)
class Projection:
    """Projections on orthogonal subspaces of a site's last axis, and the rest.

    Attributes:
        bases: per summand an orthonormal basis, float64 [size, dimensions].
    """

    bases: Mapping[str, np.ndarray]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.bases, REST)

    def has(self, part: str) -> bool:
        return part in self.names

    def __str__(self) -> str:
        return f"projection({', '.join(self.bases)})"


@frozen
class Coordinates:
    """Some coordinates of a site's last axis (single neurons), and the rest.

    Attributes:
        sets: per summand the indices of its coordinates.
    """

    sets: Mapping[str, tuple[int, ...]] = field(hash=False)

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.sets, REST)

    def has(self, part: str) -> bool:
        return part in self.names

    def __str__(self) -> str:
        return f"coordinates({', '.join(self.sets)})"


@frozen(eq=False)
class Estimate:
    """An estimate φ of a site's value from the input alone, and the rest: value − φ.

    φ depends on nothing but the row, so a path ends at it; what feeds the site feeds the rest.

    Attributes:
        name: the summand's name.
        function: rows → their estimates, [rows, size], the same at every position, or
            [rows, positions, size], zero beyond the positions that it gives.
    """

    name: str
    function: Callable[[Rows], Any]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, REST)

    def has(self, part: str) -> bool:
        return part in self.names

    def __str__(self) -> str:
        return f"estimate({self.name})"


@frozen
class SourcePositions:
    """A head's z as one summand per source position: pattern times value there.

    Summands are named by index from the first real token: "0", "1", …; "rest" is what the other
    named ones leave.
    """

    @property
    def names(self) -> tuple[str, ...]:
        return ("0", "1", "2", "…", REST)

    def has(self, part: str) -> bool:
        return part == REST or (part.isdecimal() and part == str(int(part)))

    def __str__(self) -> str:
        return "source positions"


Split = Projection | Coordinates | Estimate | SourcePositions


def projection(**directions: Any) -> Projection:
    """Split on directions [size] or subspaces [size, dimensions], by name: `gender=vector`.

    Raises:
        UserError: a direction is zero, or two are not orthogonal.
    """
    _named(directions)
    bases = {name: _basis(name, value) for name, value in directions.items()}
    done: list[tuple[str, np.ndarray]] = []
    for name, basis in bases.items():
        for other, known in done:
            cosine = float(np.abs(known.T @ basis).max())
            if cosine > SMALLEST_ANGLE:
                raise UserError(
                    f'projection: "{name}" and "{other}" are not orthogonal (cosine {cosine:.2g}), '
                    "so they share what lies along both. Orthogonalise them, or name one subspace "
                    "of both."
                )
        done.append((name, basis))
    return Projection(bases)


def neurons(**sets: Iterable[int]) -> Coordinates:
    """Single neurons of an MLP, by name: `summand(mlp_part("post", 3), neurons(a=[7, 12]), "a")`.

    Raises:
        UserError: a neuron stands in two sets.
    """
    _named(sets)
    chosen = {name: _neurons(name, numbers) for name, numbers in sets.items()}
    every = [number for numbers in chosen.values() for number in numbers]
    twice = sorted(number for number, times in Counter(every).items() if times > 1)
    if twice:
        raise UserError(f"neurons: {twice[0]} is named twice. Summands must not overlap.")
    return Coordinates(chosen)


def _neurons(name: str, numbers: Any) -> tuple[int, ...]:
    if isinstance(numbers, str) or not isinstance(numbers, Iterable):
        raise UserError(f"neurons: {name}={printed(numbers)} is no list. Write {name}=[7, 12].")
    chosen = tuple(numbers)
    for number in chosen:
        if isinstance(number, float) or (found := whole(number)) is None or found < 0:
            raise UserError(
                f"neurons: {name} names {printed(number)}. Neurons are whole numbers, 0 or more."
            )
    return tuple(int(number) for number in chosen)


def estimate(function: Callable[[Rows], Any], *, name: str = "phi") -> Estimate:
    """Split on your own estimate of the site's value from the input; see `Estimate`."""
    _named({name: function})
    if not callable(function):
        raise UserError(
            f"estimate: {printed(function)} is no function. Give one of rows that returns the "
            "estimates, [rows, size] or [rows, positions, size]."
        )
    return Estimate(name, function)


def source_positions() -> SourcePositions:
    """Split a head's z into one summand per source position; see `SourcePositions`."""
    return SourcePositions()


def _named(parts: Mapping[str, Any]) -> None:
    if not parts or REST in parts:
        raise UserError(f'A split names at least one summand; "{REST}" is what they leave.')


def _basis(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f'projection: "{name}" is {printed(value)}. Give numbers.') from None
    if array.ndim not in (1, 2) or not np.isfinite(array).all():
        what = (
            "has values that are no numbers"
            if array.ndim in (1, 2)
            else f"is of shape {list(array.shape)}"
        )
        raise UserError(f'projection: "{name}" {what}. Give [size] or [size, dimensions].')
    columns = array[:, None] if array.ndim == 1 else array
    basis, triangular = np.linalg.qr(columns)
    if np.abs(np.diag(triangular)).min(initial=0.0 if columns.shape[1] == 0 else np.inf) < 1e-12:
        raise UserError(f'projection: "{name}" is zero, or its directions depend on each other.')
    return basis
