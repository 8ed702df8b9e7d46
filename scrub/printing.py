"""Text that is shown to people: what may be a name, and what a terminal may be sent."""

from __future__ import annotations

import unicodedata
from collections.abc import Container

import numpy as np

from scrub.errors import shortened

TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Unicode's marks of the direction of writing, by which a text can look like another."""


def printed(value: object) -> str:
    """A value as messages show it: as Python writes it, on one line."""
    plain = value.item() if isinstance(value, np.generic) else value
    try:
        said = repr(plain)
    except Exception:  # whatever a user's class raises
        said = f"a {type(plain).__name__}"
    return shortened(" ".join(said.split()), 60)


def free_name(name: str, taken: Container[str]) -> str:
    """A column's name, with "of the input" behind it until no other column has it."""
    while name in taken:
        name = f"{name} of the input"
    return name


def printable(text: str) -> str:
    """Text with what would control a terminal spelled out as Python does: backslash, x1b.

    Line feeds and tabs stay. Escape codes, carriage returns, marks that turn the direction of
    writing, and bytes of file names that are no text do not.
    """
    return "".join(
        repr(character)[1:-1] if character not in "\n\t" and _controls(character) else character
        for character in text
    )


def _controls(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or character in TURNING


def name_problem(name: object) -> str:
    """Why something cannot be a name that tables and messages show, a sentence; "" if it can."""
    if not isinstance(name, str):
        return f"{printed(name)} is no name. Give one in quotes."
    if not name.strip():
        return "a name is empty."
    if not name.isprintable():
        return f"{printed(name)} has characters that cannot be printed. Give a plain name."
    return ""
