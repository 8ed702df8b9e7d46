"""Strings of parentheses of ten kinds, many of them hard to tell from balanced ones.

A string is balanced if its counts are equal and its horizon holds. The horizon holds if, read from
the right, there are never more opened than closed parentheses. That is how we draw here: from the
right, each parenthesis with the probability that it has among all complete strings of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal, get_args

import numpy as np
from attrs import frozen

from scrub.errors import UserError, did_you_mean

__all__ = ["KINDS", "LONGEST", "MIXTURE", "Kind", "generated", "generated_by_kind"]

Kind = Literal[
    "random",
    "balanced",
    "nested",
    "violated",
    "violated in runs",
    "violated once",
    "surplus",
    "flipped",
    "swapped",
    "removed",
]

KINDS: tuple[Kind, ...] = get_args(Kind)

LONGEST = 40
"""Most parentheses of a string: with START and END it fills the model's 42 positions."""

MIXTURE: Mapping[Kind, float] = {
    "random": 0.10,
    "balanced": 0.34,
    "nested": 0.10,
    "violated": 0.10,
    "violated in runs": 0.04,
    "violated once": 0.08,
    "surplus": 0.05,
    "flipped": 0.08,
    "swapped": 0.08,
    "removed": 0.03,
}
"""How often each kind occurs in `generated`.

Just under half of the strings are balanced, since some of `random` and `swapped` are too: then
the class alone says nothing, the baseline loss is at its highest, and the figures of both classes
rest on equally many references. Of the unbalanced, most fail by the horizon alone, some by the
counts alone and some by both, so that neither feature can stand in for the label.
"""

_PERSISTENT = 0.85
"""Probability that a parenthesis is of the same sort as its neighbour, in strings with long runs:
uniform balanced strings of 40 are seldom nested deeper than 12."""

_UNIFORMS = 5 + LONGEST
"""Random numbers that a string is made of: kind, length, run length, two places, parentheses."""

Draw = Callable[[np.ndarray], np.ndarray]
"""Uniforms float [n, _UNIFORMS] to parentheses int8 [n, LONGEST]: 1 opened, −1 closed, 0 none."""


def generated(n: int, *, seed: int = 0) -> list[str]:
    """`n` strings over "()" of 1 to `LONGEST` parentheses, of kinds drawn from `MIXTURE`.

    Laws: the same arguments give the same strings; string i does not depend on `n`. Lengths are
    those of `generated_by_kind`; strings may repeat, short ones often do.
    """
    uniforms = _uniforms(n, seed)
    edges = np.cumsum(list(MIXTURE.values()))
    kinds = np.minimum(np.searchsorted(edges, uniforms[:, 0], side="right"), len(edges) - 1)
    signs = np.zeros((n, LONGEST), np.int8)
    for index, kind in enumerate(MIXTURE):
        signs[kinds == index] = _DRAWS[kind](uniforms[kinds == index])
    return _text(signs)


def generated_by_kind(kind: Kind, n: int, *, seed: int = 0) -> list[str]:
    """`n` strings of one kind, with the laws of `generated`.

    - `random`: each parenthesis by the toss of a coin; the length is uniform over 1 … 40. In all
      other kinds it is uniform over the even numbers 2 … 40, except where said.
    - `balanced`: uniform over the balanced strings of that length.
    - `nested`: balanced, with long runs: of the balanced strings of that length each has the
      probability that it has where a parenthesis repeats its neighbour with probability 0.85.
    - `violated`: equal counts, horizon violated; uniform over these strings.
    - `violated in runs`: equal counts, horizon violated, with long runs as in `nested`.
    - `violated once`: A`)(`B with A and B balanced: equal counts, the horizon violated at one place
      and by one parenthesis.
    - `surplus`: more closed than opened, and the horizon holds; uniform over these strings.
    - `flipped`: a balanced string with one parenthesis turned round.
    - `swapped`: a balanced string of which one `(` and one `)` changed places. Well over half are
      still balanced.
    - `removed`: a balanced string that lost one parenthesis: odd lengths, 1 … 39.

    The balanced strings that the last four start from are, by the toss of a coin, of the kind
    `balanced` or `nested`; the place is uniform over those that there are.

    Raises:
        UserError: there is no such kind.
    """
    if kind not in _DRAWS:
        raise UserError(
            f'There is no kind of parenthesis strings called "{kind}". {did_you_mean(kind, KINDS)}'
        )
    return _text(_DRAWS[kind](_uniforms(n, seed)))


def _uniforms(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n, _UNIFORMS))


def _text(signs: np.ndarray) -> list[str]:
    letters = np.array([0, ord("("), ord(")")], np.uint8)[signs]
    return letters.view(f"S{LONGEST}")[:, 0].astype(str).tolist()


# Languages


@frozen
class _Language:
    """Which strings are complete, by what is known when they have been read from the right.

    Attributes:
        accepts: (closed minus opened int, whether the horizon was violated bool) to bool arrays.
        persistence: probability that a parenthesis is of the same sort as its neighbour; 1/2 makes
            all strings of the language equally likely.
    """

    accepts: Callable[[np.ndarray, np.ndarray], np.ndarray]
    persistence: float = 0.5


_ANY = _Language(lambda excess, violated: np.ones_like(violated))
_BALANCED = _Language(lambda excess, violated: (excess == 0) & ~violated)
_NESTED = _Language(_BALANCED.accepts, _PERSISTENT)
_VIOLATED = _Language(lambda excess, violated: (excess == 0) & violated)
_VIOLATED_IN_RUNS = _Language(_VIOLATED.accepts, _PERSISTENT)
_SURPLUS = _Language(lambda excess, violated: (excess > 0) & ~violated)

_SIGNS = np.array([1, -1])
"""Of the two sorts: opened is sort 0, closed is sort 1."""


@cache
def _completion(language: _Language) -> np.ndarray:
    """Probability that a random string ends in the language.

    float64 [parentheses left 0 … LONGEST, sort of the last, violated so far, excess + LONGEST + 1].
    Exact for persistence 1/2.
    """
    excess = np.arange(-LONGEST - 1, LONGEST + 2)
    violated = np.array([False, True])[:, None]
    table = np.zeros((LONGEST + 1, 2, 2, len(excess)))
    table[0] = language.accepts(*np.broadcast_arrays(excess, violated))
    for left in range(1, LONGEST + 1):
        for last in (0, 1):
            for sort in (0, 1):
                chance = language.persistence if sort == last else 1 - language.persistence
                table[left, last] += chance * _then(table[left - 1, sort], sort)
    return table


def _then(after: np.ndarray, sort: int) -> np.ndarray:
    """Values [violated, excess] of the states that a next parenthesis leads to."""
    moved = np.roll(after, _SIGNS[sort], axis=-1)
    below = np.arange(-LONGEST - 1, LONGEST + 2) - _SIGNS[sort] < 0
    return np.where(below, moved[1], moved)


def _drawn(language: _Language, lengths: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """Strings of these lengths of a language that has some: int8 [n, LONGEST]."""
    table = _completion(language)
    signs = np.zeros((len(lengths), LONGEST), np.int8)
    rows = np.arange(len(lengths))
    excess, violated = np.zeros_like(lengths), np.zeros_like(lengths)
    last = np.zeros_like(lengths)
    for step in range(int(lengths.max(initial=0))):
        rows = rows[lengths[rows] > step]
        left = lengths[rows] - step - 1
        weights = []
        for sort in (0, 1):
            after = excess[rows] - _SIGNS[sort]
            now = np.where(after < 0, 1, violated[rows])
            same = language.persistence if sort else 1 - language.persistence
            chance = np.where(last[rows] == 1, same, 1 - same) if step else 0.5
            weights.append(chance * table[left, sort, now, after + LONGEST + 1])
        closed = uniforms[rows, step] * (weights[0] + weights[1]) < weights[1]
        sign = np.where(closed, -1, 1)
        signs[rows, left] = sign
        excess[rows] -= sign
        violated[rows] |= excess[rows] < 0
        last[rows] = closed
    return signs


# Kinds


def _even_lengths(u: np.ndarray, fewest: int = 2) -> np.ndarray:
    choices = np.arange(fewest, fewest + LONGEST, 2)
    return choices[(u[:, 1] * len(choices)).astype(int)]


def _whole(language: _Language) -> Draw:
    return lambda u: _drawn(language, _even_lengths(u), u[:, 5:])


def _random(u: np.ndarray) -> np.ndarray:
    return _drawn(_ANY, 1 + (u[:, 1] * LONGEST).astype(int), u[:, 5:])


def _base(u: np.ndarray, fewest: int = 2) -> np.ndarray:
    """Balanced strings to be edited, of even lengths from `fewest` on."""
    lengths, nested = _even_lengths(u, fewest), u[:, 2] < 0.5
    signs = np.zeros((len(u), LONGEST), np.int8)
    for language, chosen in ((_NESTED, nested), (_BALANCED, ~nested)):
        signs[chosen] = _drawn(language, lengths[chosen], u[chosen, 5:])
    return signs


def _one_of(allowed: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Of the places allowed in each row, bool [n, places], one by its share: int [n, 1]."""
    rank = (uniform * allowed.sum(axis=1)).astype(int)[:, None]
    return np.argmax(np.cumsum(allowed, axis=1) > rank, axis=1)[:, None]


def _violated_once(u: np.ndarray) -> np.ndarray:
    base = _base(u, fewest=0)
    depth = np.concatenate([np.zeros((len(u), 1), int), np.cumsum(base, axis=1)], axis=1)
    columns = np.arange(LONGEST + 1)
    place = _one_of((depth == 0) & (columns <= np.abs(base).sum(axis=1)[:, None]), u[:, 3])
    columns = columns[:LONGEST]
    behind = np.take_along_axis(base, np.maximum(columns - 2, 0)[None], axis=1)
    signs = np.where(columns < place, base, behind)
    np.put_along_axis(signs, place, -1, axis=1)
    np.put_along_axis(signs, place + 1, 1, axis=1)
    return signs


def _flipped(u: np.ndarray) -> np.ndarray:
    base = _base(u)
    place = _one_of(base != 0, u[:, 3])
    np.put_along_axis(base, place, -np.take_along_axis(base, place, axis=1), axis=1)
    return base


def _swapped(u: np.ndarray) -> np.ndarray:
    base = _base(u)
    opened, closed = _one_of(base == 1, u[:, 3]), _one_of(base == -1, u[:, 4])
    np.put_along_axis(base, opened, -1, axis=1)
    np.put_along_axis(base, closed, 1, axis=1)
    return base


def _removed(u: np.ndarray) -> np.ndarray:
    base = _base(u)
    place = _one_of(base != 0, u[:, 3])
    columns = np.arange(LONGEST)
    longer = np.pad(base, ((0, 0), (0, 1)))
    return np.take_along_axis(longer, columns + (columns >= place), axis=1)


_DRAWS: Mapping[Kind, Draw] = {
    "random": _random,
    "balanced": _whole(_BALANCED),
    "nested": _whole(_NESTED),
    "violated": _whole(_VIOLATED),
    "violated in runs": _whole(_VIOLATED_IN_RUNS),
    "violated once": _violated_once,
    "surplus": _whole(_SURPLUS),
    "flipped": _flipped,
    "swapped": _swapped,
    "removed": _removed,
}
