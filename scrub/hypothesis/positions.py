"""Positions as a user names them: columns, indices from the first real token, or all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from scrub.errors import UserError
from scrub.hypothesis.arguments import number, several
from scrub.printing import printed

Spec = str | int
"""One position: the name of a position column, or an index from the first real token."""

Positions = Spec | Sequence[Spec]
"""What `at=` takes: one position, several, or "all"."""

ALL: Literal["all"] = "all"
"""All positions, mapped index to index."""

At = Literal["all"] | tuple[Spec, ...]


def as_positions(at: Positions) -> At:
    """What a user gave as `at=`.

    Raises:
        UserError: it names no position, or one twice.
    """
    if isinstance(at, str) and at == ALL:
        return ALL
    specs = tuple(_spec(item, at) for item in several(at))
    if not specs:
        raise UserError('at=() names no position. Give a column, an index, several, or "all".')
    if len(set(specs)) < len(specs):
        raise UserError(f"at={specs!r} names a position twice.")
    return specs


def _spec(item: Any, at: Any) -> Spec:
    if isinstance(item, str) and item == ALL:
        raise UserError(f'at={printed(at)}: "all" stands by itself. Write at="all".')
    if isinstance(item, str):
        return item
    index = number(item)
    if index is None:
        raise UserError(
            f"at={printed(at)}: {printed(item)} is no position. Give the name of a position "
            'column, a whole number counted from the first token, several of these, or "all".'
        )
    return index


def either(ats: Iterable[At]) -> At:
    """Positions that any of these name, columns first, each once; () if there are none."""
    specs: set[Spec] = set()
    for at in ats:
        if isinstance(at, str):
            return ALL
        specs.update(at)
    return tuple(sorted(specs, key=lambda spec: (isinstance(spec, int), str(spec), spec)))


def where(at: At) -> str:
    """Positions behind what stands there: " at s2/end"; "" for all."""
    return "" if isinstance(at, str) else f" at {'/'.join(map(str, at))}"
