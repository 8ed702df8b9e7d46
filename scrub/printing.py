"""Text that is shown to people: what may be a name, and what a terminal may be sent."""

from __future__ import annotations

import unicodedata
from collections.abc import Container
from importlib import import_module
from typing import Any, TypedDict, Unpack

import numpy as np
from attrs import fields

from scrub.errors import shortened

TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Unicode's marks of the direction of writing, by which a text can look like another."""


LINE = 100
"""Characters that a value's `repr` has at most."""
REPORT_WIDTH = 100
"""Characters of a line of a report, where Python asks for one."""
WORD = 40
"""Characters that a field in it has at most."""


class Printed(str):
    """A text that a notebook shows as `print` does, not in quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def html_of(value: object) -> str:
    """What a notebook shows of a value (`_repr_html_`).

    What shows values stands above them (docs/architecture.md): it is called by name, here and in
    `report_of` alone, so that no value needs what shows it.
    """
    return import_module("scrub.report.html.values").html_of(value)


class ReportOptions(TypedDict, total=False):
    """What a report of results says beside verdicts, as `scrub test` has it.

    Attributes:
        verbose: also each claim node by node, and the figures of all checks.
        by: also figures by this column of the data.
        diagnoses: also the figures of each claim's diagnoses.
    """

    verbose: bool
    by: str | None
    diagnoses: bool


def report_of(results: object, width: int, **how: Unpack[ReportOptions]) -> Printed:
    """What the terminal shows of results, as text. See `html_of` for why it is called by name."""
    return Printed(import_module("scrub.report.terminal").text_of(results, width, **how))


def brief(value: object) -> str:
    """The `repr` of a value of an attrs class: its public fields on one line of `LINE` characters.

    Arrays and tensors are told by their type and shape.
    """
    cls = type(value)
    named = [field.name for field in fields(cls) if field.repr and not field.name.startswith("_")]
    return in_brief(cls.__name__, *(f"{name}={_field(getattr(value, name))}" for name in named))


def in_brief(name: str, *said: object) -> str:
    """ "Name(this, that)" on one line of `LINE` characters, the rest left out."""
    return one_line(f"{name}({', '.join(map(str, said))})")


def one_line(said: str) -> str:
    """A `repr` on one line of `LINE` characters, the rest left out."""
    text = " ".join(printable(said).split())
    return text if len(text) <= LINE else f"{text[: LINE - 2].rstrip()}…)"


def _field(value: Any) -> str:
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} {list(value.shape)}" if value.shape else str(value)
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, tuple | list | dict) and len(value) > 3:
        return f"{len(value)} of them"
    said = " ".join(repr(value).split())
    return said if len(said) <= WORD else f"{said[: WORD - 1]}…"


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
