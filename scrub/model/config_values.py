"""Settings of a config.json: each is of the kind that it must be, or named with what it is.

They are checked before anything is built of them: a billion layers would take hours to refuse.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from scrub.errors import UserError

Config = Mapping[str, Any]


@frozen
class Kind:
    """What a setting can be.

    Attributes:
        name: in words, after "not".
        fits: whether a value is one.
    """

    name: str
    fits: Callable[[Any], bool]


def whole(least: int, most: int) -> Kind:
    """A whole number within bounds, which are far beyond any model there is."""

    def fits(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    return Kind(f"a whole number from {least} to {most:,}", fits)


def number(name: str, fits: Callable[[float], bool]) -> Kind:
    """A finite number that fits."""

    def is_one(value: Any) -> bool:
        known = isinstance(value, int | float) and not isinstance(value, bool)
        return known and math.isfinite(value) and fits(value)

    return Kind(name, is_one)


LAYERS = whole(1, 1_000)
HEADS = whole(1, 10_000)
SIZE = whole(1, 2**22)
"""Of the residual stream, a head, or an MLP."""
LENGTH = whole(1, 2**27)
"""Of a vocabulary or a context."""
EPSILON = number("a number from 0", lambda value: value >= 0)
POSITIVE = number("a number above 0", lambda value: value > 0)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
TEXT = Kind("a name", lambda value: isinstance(value, str))
NAMES = Kind(
    "a list of names",
    lambda value: isinstance(value, Sequence) and all(isinstance(name, str) for name in value),
)
TABLE = Kind("a table", lambda value: isinstance(value, Mapping))
"""Kinds of settings."""


def check_settings(
    config: Config, *, required: Mapping[str, Kind], optional: Mapping[str, Kind]
) -> None:
    """Refuse settings that are missing or of another kind. An optional one may be null.

    Raises:
        UserError: with all of them, in one sentence.
    """
    wrong = [f"{name} is missing" for name in required if name not in config]
    for name, kind in {**required, **optional}.items():
        value = config.get(name)
        if name in config and not kind.fits(value) and not (value is None and name in optional):
            wrong.append(f"{name} is {shown(value)}, not {kind.name}")
    refuse(wrong)


def check_divides(config: Config, size: str, parts: str) -> None:
    """Refuse a size that so many parts cannot share evenly."""
    if config[size] % config[parts]:
        refuse([f"{size} = {config[size]} cannot be shared evenly by {parts} = {config[parts]}"])


def refuse(wrong: Sequence[str]) -> None:
    """Raise `UserError` if anything is wrong."""
    if wrong:
        raise UserError(
            f"Its config.json is incomplete or wrong: {'; '.join(wrong)}. Copy the model's own."
        )


def shown(value: object) -> str:
    """A value as JSON has it, shortened where it is long."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return reprlib.repr(value)
