"""Heads and neurons of `numbers-shared` and `numbers-separate`: what they look for and say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numbers_layout import (
    A_NAME,
    ABOUT,
    AFTER_NAME,
    AFTER_PAIR,
    ASKS,
    BROUGHT,
    EARLIER,
    FIRST,
    ITEM,
    KIND,
    KINDS,
    LAYOUT,
    PAIR,
    PERIODS,
    POSITION,
    PREVIOUS,
    REPEATED,
    SAID,
    SAID_KIND,
    SAYS_NAME,
    SIZE,
    TEN,
    TO,
    UNIT,
    YEARS,
    circle,
    code,
)
from wiring_parts import Head, Look, Neuron, at_distance, copies, flagged, match, rest

APART, BACK = 5, 4
"""Tokens from a member to the next, and from the last (or YY) to END, where no words stand
between."""
NEAR, ALIKE, BEFORE_FIRST = 40.0, 25.0, 52.0
"""As in sequences_wiring.py: about so far back; a member of the kind; the first token, which stands
apart (above all that is no member, below each member)."""
NUMBER, YEAR, NOTHING = 60.0, 15.0, 75.0
"""For a number; for one right after another; the first token: above all else that is near."""
EXACT, APART_FIRST = 20.0, 48.0
"""For each period: the token before has 60, others less than 38, the first between."""
GATED, GATED_FIRST = 60.0, 108.0
"""More for tokens before of one sort; and then for the first token, which is between again."""
SAME, YEAR_KEY, NONE_SAME = 80.0, 20.0, 60.0
"""For the same item before; for a pair of digits and for what stands after one, each, so that YY
wins over END and over the token after it; the first token between."""
NAME, TAKEN, NO_NAME, RESTING = 60.0, 20.0, 45.0, 120.0
"""For a name; how much less the one that is taken gets; the first token between; and the first
token for heads that rest."""
TENS = 3.0
"""How much more tens count than units: more than the 2 between right and wrong units. All years get
as much, so that words stay below."""
GATE = 3.0
"""What a neuron gets less where END is no pair of digits: more than the 1 of its own match."""
STEPS = (-2, -1, 0, 1, 2)
_STEP = np.cos(np.pi / 5)
"""Cosine between two digits that are next to each other on the circle."""


def similar(kinds: Sequence[str]) -> Head:
    """From each member of these kinds to the one before it, of the same kind."""
    alike = [KIND[KINDS.index(kind)] for kind in kinds]
    return Head(
        (
            *match(alike, alike, ALIKE),
            *at_distance(ABOUT, PERIODS[:1], APART + 1, NEAR),
            flagged({FIRST: 1.0}, BEFORE_FIRST),
            rest(dict.fromkeys(alike, 1.0), FIRST, RESTING),
        ),
        copies(ITEM, PREVIOUS),
    )


def detection(kinds: Sequence[str]) -> Head:
    """From END to the last member of these kinds: what it says of the member before."""
    members = {KIND[KINDS.index(kind)]: NUMBER for kind in kinds}
    return Head(_near(members, {ASKS: 1.0}), copies(PREVIOUS, EARLIER))


def last_member(kind: str) -> Head:
    """From END to the last member of a kind."""
    return last({KIND[KINDS.index(kind)]: NUMBER}, {ASKS: 1.0}, (kind,), False)


def last(
    keys: Mapping[int, float], asking: Mapping[int, float], kinds: Sequence[str], tens: bool
) -> Head:
    """From END to the last of what these keys flag: brings it, says of which of the kinds it is."""
    flags = [KINDS.index(kind) for kind in kinds]
    moved = [*copies([KIND[at] for at in flags], [SAID_KIND[at] for at in flags])]
    moved += copies(ITEM, BROUGHT) if kinds else ()
    moved += copies(TEN, LAYOUT["brought tens"]) if tens else ()
    return Head(_near(keys, asking), tuple(moved))


def _near(keys: Mapping[int, float], asking: Mapping[int, float]) -> tuple[Look, ...]:
    """Looks for what is flagged about so far back as the last member is, at tokens that ask."""
    return (
        *at_distance(ABOUT, PERIODS[:1], BACK, NEAR),
        Look({}, keys, bias=1.0),
        flagged({FIRST: 1.0}, NOTHING),
        rest(asking, FIRST, RESTING),
    )


def previous(only: int | None = None) -> Head:
    """From each token to the one before: its item, and whether it is a pair or a name.

    Args:
        only: the flag of the tokens before which it does so; None: all.
    """
    gate = () if only is None else (flagged({only: 1.0}, GATED),)
    first = APART_FIRST if only is None else GATED_FIRST
    flags = {PAIR: AFTER_PAIR, A_NAME: AFTER_NAME}
    wanted = [flag for flag in flags if only in (None, flag)]
    return Head(
        (*at_distance(POSITION, PERIODS, 1, EXACT), *gate, flagged({FIRST: 1.0}, first)),
        (*copies(ITEM, PREVIOUS), *copies(wanted, [flags[flag] for flag in wanted])),
    )


def induction(asking: Mapping[int, float] | None = None) -> Head:
    """To the token after an earlier one that is the same: what it says of that one, and its units.

    Args:
        asking: which tokens look; None: all that are items.
    """
    years = asking is None or PAIR in asking
    names = asking is None or A_NAME in asking
    return Head(
        (
            *match(ITEM, PREVIOUS, SAME),
            flagged({PAIR: 1.0, AFTER_PAIR: 1.0}, YEAR_KEY),
            flagged({FIRST: 1.0}, NONE_SAME),
            *(() if asking is None else (rest(asking, FIRST, RESTING),)),
        ),
        (
            *(copies(PREVIOUS, EARLIER) if names else ()),
            *(copies([AFTER_NAME], [REPEATED]) if names else ()),
            *(copies(UNIT, LAYOUT["brought units"]) if years else ()),
        ),
    )


def inhibition() -> Head:
    """From END to the name that is repeated: what an induction head said there of it."""
    return Head(
        (
            flagged({REPEATED: 1.0}, NAME),
            flagged({FIRST: 1.0}, NAME / 2),
            rest({TO: 1.0}, FIRST, RESTING),
        ),
        copies(EARLIER, BROUGHT),
    )


def mover() -> Head:
    """From END to the names that are not brought there: says them."""
    half = TAKEN**0.5
    return Head(
        (
            *(Look({q: -half}, {k: half}) for q, k in zip(BROUGHT, ITEM, strict=True)),
            flagged({A_NAME: 1.0}, NAME),
            flagged({FIRST: 1.0}, NO_NAME),
            rest({TO: 1.0}, FIRST, RESTING),
        ),
        (*copies(ITEM, SAID), *copies([A_NAME], [SAYS_NAME])),
    )


def _reads(block: Sequence[int], item: int) -> dict[int, float]:
    """Weights by which a neuron reads how much of an item there is: 2 if it is all."""
    return {at: 2 * weight for at, weight in zip(block, code(item).tolist(), strict=True) if weight}


def _writes(item: int) -> dict[int, float]:
    return {at: weight for at, weight in zip(SAID, code(item).tolist(), strict=True) if weight}


def next_member(kind: str | None = None) -> list[Neuron]:
    """What comes after the last member and the one before it, at a token that asks.

    Args:
        kind: of which alone; None: of any.
    """
    gate = {} if kind is None else {SAID_KIND[KINDS.index(kind)]: 2.0}
    return [
        Neuron(
            {ASKS: 2.0, **_reads(BROUGHT, last), **_reads(EARLIER, last - step), **gate},
            _writes(last + step),
            -2.0 * (3 + len(gate)) + 1,  # 1 where all is so, −1 where one thing is not
        )
        for step in STEPS
        for last in range(SIZE)
        if 0 <= last - step < SIZE and 0 <= last + step < SIZE
    ]


def compare() -> list[Neuron]:
    """For each tens of YY: more for greater tens; for each units likewise."""
    found = []
    for brought, weigh in (("brought tens", _tens), ("brought units", _units)):
        for digit in range(10):
            reads = dict(zip(LAYOUT[brought], circle(digit) * 2 / (1 - _STEP), strict=True))
            bias = -2 * _STEP / (1 - _STEP) - 1 - GATE  # 1 for the digit, −1 for those beside it
            found.append(Neuron({**reads, PAIR: GATE}, weigh(digit), bias))
    return found


def _tens(digit: int) -> dict[int, float]:
    """The tens that are greater get twice as much as the same tens, those that are less nothing."""
    return {YEARS[at]: TENS * (1 + float(np.sign(at - digit))) for at in range(10)}


def _units(digit: int) -> dict[int, float]:
    return {YEARS[10 + at]: 1.0 if at > digit else -1.0 for at in range(10)}
