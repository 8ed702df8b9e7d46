"""Which sequences stand in the rows of `scrub.datasets.sequences`, and in their changed copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from attrs import evolve

from scrub.errors import UserError

from .ioi_draws import fresh_numbers
from .sequences_rows import FILLERS, ITEMS, KINDS, MEMBERS, SIZE, Table, Words

Direction = Literal["up", "down", "repeat"]
Change = Literal["shuffled", "repeated", "random", "kind"]

SIGN: dict[str, int] = {"up": 1, "down": -1, "repeat": 0}
_MIXED = np.array([(0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1)])
"""Orders of three members that are no sequence."""


def drawn(
    words: Words,
    kinds: Sequence[str],
    directions: Sequence[str],
    steps: Sequence[int],
    start: int | None,
    gaps: int,
    uniform: Any,
) -> Table:
    """Random sequences, each choice uniform and independent of the others.

    Args:
        uniform: from what is chosen to a uniform number in [0, 1) for each row.

    Raises:
        UserError: some sequences fit nowhere.
    """
    kind = np.array([[*KINDS].index(name) for name in kinds])[_choice(kinds, uniform("kind"))]
    direction = np.array(directions, dtype=object)[_choice(directions, uniform("direction"))]
    sign = np.array([SIGN[which] for which in direction])
    step = np.abs(sign) * np.array(steps)[_choice(steps, uniform("step"))]
    known = np.stack([words.kinds[name] >= 0 for name in KINDS])[kind]
    wanted = np.arange(SIZE)[None, :, None] + (sign * step)[:, None, None] * np.arange(ITEMS)
    inside = (wanted >= 0) & (wanted < SIZE)
    there = known[np.arange(len(kind))[:, None, None], wanted.clip(0, SIZE - 1)]
    fits = (inside & there).all(axis=-1)
    above = np.pad(known[:, 1:], ((0, 0), (0, 1)))
    fits &= (sign != 0)[:, None] | above | np.pad(known[:, :-1], ((0, 0), (1, 0)))
    if start is not None:
        fits &= np.arange(SIZE) == start - 1
    if not fits.any(axis=1).all():
        raise UserError(
            "sequences.prompts: some sequences fit nowhere among the words that are one token; "
            f"left out: {', '.join(words.left_out)}. Use smaller steps, or another start."
        )
    chosen = (uniform("start") * fits.sum(axis=1)).astype(np.int64)
    begin = (fits.cumsum(axis=1) > chosen[:, None]).argmax(axis=1)
    rows = begin[:, None] + (sign * step)[:, None] * np.arange(ITEMS)
    last = rows[:, MEMBERS - 1]
    after = np.where(above[np.arange(len(last)), last], last + 1, last - 1)
    nouns: list[np.ndarray] = []
    for item in range(ITEMS):
        nouns.append(fresh_numbers(len(words.nouns), uniform(f"noun {item}"), *nouns))
    return Table(
        kind=kind,
        members=rows[:, :MEMBERS],
        next=rows[:, MEMBERS],
        wrong=np.where(sign == 0, after, rows[:, MEMBERS - 2]),
        start=begin,
        direction=direction,
        step=step,
        nouns=np.stack(nouns, axis=1),
        fillers=np.stack([_fillers(gaps, uniform, item) for item in range(ITEMS)], axis=1),
    )


def _choice(of: Sequence[Any], uniform: np.ndarray) -> np.ndarray:
    return fresh_numbers(len(of), uniform)


def _fillers(gaps: int, uniform: Any, item: int) -> np.ndarray:
    """Which words stand before an item's "in", −1 for none: [rows, gaps]."""
    count = fresh_numbers(gaps + 1, uniform(f"gap {item}"))
    words: list[np.ndarray] = [np.zeros((len(count), 0), dtype=np.int64)]
    for place in range(gaps):
        word = fresh_numbers(len(FILLERS), uniform(f"filler {item} {place}"))
        words.append(np.where(place < count, word, -1)[:, None])
    return np.concatenate(words, axis=1)


def with_change(table: Table, what: Change, words: Words, uniform: Any, purpose: str) -> Table:
    """The same rows with one change.

    Raises:
        UserError: a word of another kind is not one token.
    """
    here = np.arange(len(table.kind))
    match what:
        case "shuffled":
            order = _MIXED[fresh_numbers(len(_MIXED), uniform(purpose))]
            return evolve(table, members=np.take_along_axis(table.members, order, axis=1))
        case "repeated":
            return evolve(table, members=np.repeat(table.members[:, -1:], MEMBERS, axis=1))
        case "kind":
            return _other_kind(
                table, words, fresh_numbers(len(KINDS), uniform(purpose), table.kind)
            )
    place = fresh_numbers(MEMBERS, uniform(f"{purpose} place"))
    known = np.stack([words.kinds[name] >= 0 for name in KINDS])[table.kind]
    known[here, table.members[here, place]] = False
    chosen = (uniform(purpose) * known.sum(axis=1)).astype(np.int64)
    members = table.members.copy()
    members[here, place] = (known.cumsum(axis=1) > chosen[:, None]).argmax(axis=1)
    return evolve(table, members=members)


def _other_kind(table: Table, words: Words, kind: np.ndarray) -> Table:
    """The same sequences in another kind.

    Raises:
        UserError: a word of it is not one token.
    """
    tokens = np.stack([words.kinds[name] for name in KINDS])[kind]
    needed = np.column_stack([table.members, table.next, table.wrong])
    if (np.take_along_axis(tokens, needed, axis=1) < 0).any():
        raise UserError(
            'sequences.changed: "kind" needs the same words of each kind as single tokens; left '
            f"out: {', '.join(words.left_out)}. Use another change."
        )
    return evolve(table, kind=kind)
