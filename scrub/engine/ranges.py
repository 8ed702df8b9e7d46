"""Sets of positions that a plan reasons with: named ones, all, or a range that differs by row.

Every operation may give more positions than it must: computing a position too many changes no
value, only the work.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen
from jaxtyping import Int

from scrub.data.dataset import Rows
from scrub.hypothesis.sites import ALL, At, Spec


@frozen
class Range:
    """Positions from the earliest of `first` to the latest of `last`; () leaves that end open."""

    first: tuple[Spec, ...] = ()
    last: tuple[Spec, ...] = ()

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.first))} … {', '.join(map(str, self.last))}".strip()


Positions = At | Range


def union(one: Positions, other: Positions) -> Positions:
    """Positions of either."""
    if one == other:
        return other
    if isinstance(one, str) or isinstance(other, str):
        return ALL
    if isinstance(one, tuple) and isinstance(other, tuple):
        return _ordered({*one, *other})
    a, b = _range(one), _range(other)
    first = _ordered({*a.first, *b.first}) if a.first and b.first else ()
    last = _ordered({*a.last, *b.last}) if a.last and b.last else ()
    return _between(first, last)


def onwards(at: Positions) -> Positions:
    """These positions and all after them."""
    return ALL if isinstance(at, str) else _between(_range(at).first, ())


def up_to(at: Positions) -> Positions:
    """These positions and all before them."""
    return ALL if isinstance(at, str) else _between((), _range(at).last)


def narrowed(demanded: Positions, touched: Positions) -> Positions:
    """What is enough to compute: every position that is both demanded and touched.

    Which of two named sets is smaller may differ by row, so the touched ones are taken only where
    they are fewer whatever the row.
    """
    if isinstance(demanded, str):
        return touched
    if isinstance(touched, str):
        return demanded
    if isinstance(demanded, tuple):
        fewer = isinstance(touched, tuple) and len(touched) < len(demanded)
        return touched if fewer else demanded
    if isinstance(touched, tuple):
        return touched
    return _between(touched.first or demanded.first, demanded.last or touched.last)


def bounds(at: Range, rows: Rows, span: int) -> Int[np.ndarray, "rows 2"]:
    """First and last index of a range in every row; the last is never before the first.

    A range that is empty in a row is its last position, which is as it would be without the range.

    Args:
        span: length of the position axis.
    """
    last = np.full(len(rows), span - 1)
    if at.last:
        last = np.max([rows.data.position(spec)[rows.index] for spec in at.last], axis=0)
    first = np.zeros(len(rows), dtype=np.int64)
    if at.first:
        first = np.min([rows.data.position(spec)[rows.index] for spec in at.first], axis=0)
    return np.stack([np.minimum(first, last), last], axis=1)


def _range(at: tuple[Spec, ...] | Range) -> Range:
    return at if isinstance(at, Range) else Range(at, at)


def _between(first: tuple[Spec, ...], last: tuple[Spec, ...]) -> Positions:
    if not first and not last:
        return ALL
    return first if first == last and len(first) == 1 else Range(first, last)


def _ordered(specs: set[Spec]) -> tuple[Spec, ...]:
    return tuple(sorted(specs, key=lambda spec: (isinstance(spec, int), str(spec), spec)))
