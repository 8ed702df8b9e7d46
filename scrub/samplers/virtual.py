"""Samplers of virtual rows: values that no input has, in place of a donor's.

A leaf takes its sites' values from them; a node with children takes from them (`Mean` and `Zero`)
all that no child claims. They are no inputs: nothing can agree with them, so a node with children
has none of them for its own. docs/semantics.md says what their values are.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import attrs
import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Dataset, Recipe, Rows
from scrub.data.virtual import Averages, Filled, Given, Shifted
from scrub.errors import UserError
from scrub.samplers.agreement import choices, classes
from scrub.samplers.alike import not_alike, unlike
from scrub.samplers.describe import describe_sampler
from scrub.samplers.protocol import NAMES, Randomness, names, told


def _of(mean: object, attribute: object, of: Any) -> None:
    if not isinstance(of, Dataset | Recipe | None):
        raise UserError(
            f"Mean(…, of={told(of)}): give a dataset, or a recipe of one, whose rows are averaged; "
            "or leave it out for the data itself."
        )


@frozen(init=False)
class Mean:
    """The mean of the rows that agree with the reference on the features.

    Every plain value is averaged by itself, index by index: a stream, a head's output, a pattern,
    the logits. The rows must be alike in length, and in every position column that the claim uses.

    Laws: over a class of one row it is that row; it takes no randomness; `of` the data itself
    changes nothing.

    Args:
        features: on what the rows agree with the reference (none: all rows).
        of: the dataset (or recipe of one) whose rows are averaged; by default the data. Wang et al.
            (2022, arXiv 2211.00593, section 2.1) average prompts with three unrelated names, since
            the mean of IOI prompts still says that a name stands there twice.

    Raises:
        UserError: (when drawing) the data lacks a feature, no row agrees, or rows that agree are
            not alike; names the column to add.
    """

    features: tuple[str, ...] = field(converter=NAMES)
    of: Dataset | Recipe | None = field(default=None, validator=_of)
    laws: ClassVar = ("independence",)

    def __init__(self, *given: Any, of: Any = None, features: Any = ()) -> None:
        named = [name for one in (*given, features) for name in names(one, "Mean")]
        self.__attrs_init__(tuple(named), of)  # type: ignore[attr-defined]

    @property
    def source(self) -> Dataset | Recipe | None:
        """The dataset that it brings."""
        return self.of

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        assert not isinstance(self.of, Recipe), "its recipe is made before anything is drawn"
        who = describe_sampler(self)
        source = references.population if self.of is None else self.of
        if self.of is None:
            choices(references, self.features, (), who)
        class_of, mine = classes(references, self.features, self.of)
        if (mine < 0).any():
            row = int(references.index[np.flatnonzero(mine < 0)[0]])
            raise UserError(
                f'{who}: no row of dataset "{source.name}" agrees with row {row} of dataset '
                f'"{references.data.name}" on {" and ".join(self.features)}. Average rows that do, '
                "or ask for less agreement."
            )
        drawn = np.unique(mine)
        if problem := not_alike(who, self.features, source, class_of, drawn):
            raise UserError(problem)
        first = np.unique(class_of, return_index=True)[1]
        alike = {
            name: at[first]
            for name, at in source.positions.items()
            if unlike(class_of, drawn, at) is None
        }
        given = Averages(source, self.features, class_of)
        return Rows(_virtual(who, source.lengths[first], alike, given, references), mine)


@frozen(init=False)
class Zero:
    """Zero at every site, in the frame of the reference. Law: it is `Constant(0)`."""

    laws: ClassVar = ("independence",)

    def __init__(self, *given: Any) -> None:
        if given:
            raise UserError(
                f"Zero({', '.join(map(told, given))}): Zero takes nothing. Write Zero(), or "
                "Constant(…) for other values."
            )

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        return _in_frames(self, references, Filled(references.data, np.zeros(())))


def _numbers(given: Any, who: str, what: str, most: int) -> np.ndarray:
    """Finite numbers as float64, of at most so many axes."""
    given = given.detach().cpu().double().numpy() if hasattr(given, "detach") else given
    try:
        found = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{who}({told(given)}): give {what}, of numbers.") from None
    if found.ndim > most or not found.size:
        raise UserError(f"{who}: it is of shape {list(found.shape)}. Give {what}.")
    wrong = np.argwhere(~np.isfinite(found))
    if len(wrong):
        at = ", ".join(map(str, wrong[0])) or "all"
        raise UserError(f"{who}: it is {found[tuple(wrong[0])]} at {at}. Give finite numbers.")
    found.setflags(write=False)
    return found


def _value(value: Any) -> np.ndarray:
    what = "a number, a tensor [size of the site's last axis], or one [positions, size]"
    return _numbers(value, "Constant", what, 2)


SAME_NUMBERS = attrs.cmp_using(eq=np.array_equal)


@frozen
class Constant:
    """A value that is given, at every position (or one for each), in the frame of the reference.

    Args:
        value: a number; or numbers along the last axis of the sites, [size]; or [positions, size],
            counted from the first token.
    """

    value: np.ndarray = field(converter=_value, eq=SAME_NUMBERS, hash=False)
    laws: ClassVar = ("independence",)

    @property
    def words(self) -> tuple[str, ...]:
        """What it is given, for people."""
        return (_shape(self.value),)

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        return _in_frames(self, references, Filled(references.data, self.value))


def _direction(direction: Any) -> np.ndarray:
    found = _numbers(direction, "Steer", "a direction [size of the site's last axis]", 1)
    if found.ndim != 1:
        raise UserError(
            f"Steer({told(direction)}, …): it is no vector. Give a direction [size of the site's "
            "last axis]."
        )
    return found


def _amount(by: Any) -> float:
    number = isinstance(by, int | float | np.number) and not isinstance(by, bool)
    if not number or not math.isfinite(by):
        raise UserError(f"Steer(…, by={told(by)}): give a finite number.")
    return float(by)


@frozen
class Steer:
    """The reference's own values, and `by` times a direction more. Law: by 0 it is `Exact`.

    Args:
        direction: along the last axis of the sites, [size]; taken as it is, of whatever norm.
        by: how many times it is added.
    """

    direction: np.ndarray = field(converter=_direction, eq=SAME_NUMBERS, hash=False)
    by: float = field(converter=_amount)
    laws: ClassVar = ("independence",)

    @property
    def words(self) -> tuple[str, ...]:
        """What it is given, for people."""
        return _shape(self.direction), f"by={self.by:g}"

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        return _in_frames(self, references, Shifted(references.data, self.by * self.direction))


VIRTUAL = (Mean, Zero, Constant, Steer)


def is_virtual(sampler: Any) -> bool:
    """Whether what a sampler draws are virtual rows."""
    return isinstance(sampler, VIRTUAL)


def _shape(numbers: np.ndarray) -> str:
    """Numbers in words: one as it is, of several how many."""
    return f"{numbers[()]:g}" if numbers.ndim == 0 else f"{' x '.join(map(str, numbers.shape))}"


def _in_frames(sampler: Any, references: Rows, given: Given) -> Rows:
    """Virtual rows in the frames of the references."""
    data = references.data
    made = _virtual(
        describe_sampler(sampler), data.lengths, dict(data.positions), given, references
    )
    return Rows(made, references.index)


def _virtual(
    name: str, lengths: np.ndarray, positions: dict[str, np.ndarray], given: Given, like: Rows
) -> Dataset:
    return Dataset(
        name,
        inputs={},
        lengths=lengths,
        positions=positions,
        generated_from=like.population,
        given=given,
    )
