"""Weights written by hand: `numbers-shared` and `numbers-separate`, which do five things each.

Digits, number words and months to go on with, greater-than, and indirect objects. A sequence: a
head looks from each member back to the one before, two heads carry to END that one and the last
member, and an MLP there says what comes next. Greater-than: a head writes at each token what stood
before it, by which an induction head finds YY from END; it brings YY's units, another head YY's
tens, and an MLP compares. Indirect objects: an induction head finds, from the second S, the token
after the first; what it writes is carried to END, where a head copies the name that is not it.

They differ in which heads and MLPs do so. In `numbers-shared` one head does a thing for whoever
needs it; in `numbers-separate` each behaviour has heads and an MLP of its own, which look at
nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from attrs import evolve

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the scripts run from a checkout that is not installed

from wiring_parts import (  # noqa: E402
    Head,
    Layer,
    Layout,
    Look,
    Neuron,
    Shape,
    Wired,
    at_distance,
    copies,
    flagged,
    match,
    rest,
    waves,
    wired,
)

from scrub.datasets import greater_than, ioi, sequences  # noqa: E402

SHARED, SEPARATE = "numbers-shared", "numbers-separate"
SEEDS = {SHARED: 0, SEPARATE: 1}
KINDS = tuple(sequences.KINDS)
BEHAVIOURS = (*KINDS, "greater", "ioi")
NAMES = (
    "Alice", "Bob", "Carol", "Emma", "Frank", "Helen", "John", "Mary", "Oliver", "Paul", "Sarah",
    "Tom",
)  # fmt: skip
"""As many as a kind has words: names, members and years are items alike, by the same code."""
SIZE = len(NAMES)
ITEMS = {**sequences.KINDS, "names": NAMES}
NUMBERS = ("digits", "words")
"""The kinds whose last member one head brings in `numbers-shared`, as it does YY."""
PERIODS = (32.0, 6.5, 5.0)
"""Tokens after which positions look alike: of the first alone about so far back, of all exactly."""
LONGEST = 40
"""Tokens of the longest row."""
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
CONFIDENT = 8.0
"""A logit over others, for the right kind and for the right place in it."""
SURE, TENS = 5.0, 3.0
"""Logit of right units of years over none; and how much more tens count than units: more than the 2
between right and wrong units. All years get as much, so that words stay below."""
GATE = 3.0
"""What a neuron gets less where END is no pair of digits: more than the 1 of its own match."""
STEPS = (-2, -1, 0, 1, 2)

_CODE = SIZE // 2
LAYOUT = Layout(
    {
        "item": _CODE, "kind": len(KINDS) + 1, "tens": 2, "units": 2, "pair": 1, "number": 1,
        "asks": 1, "to": 1, "first": 1, "position": 2 * len(PERIODS),
        "previous": _CODE, "after pair": 1, "after name": 1, "earlier": _CODE, "repeated": 1,
        "brought": _CODE, "brought tens": 2, "brought units": 2,
        "said": _CODE, "said kind": len(KINDS) + 1, "year": 20, "spare": 3,
    }
)  # fmt: skip
ITEM, KIND, TEN, UNIT, POSITION, PREVIOUS, EARLIER, BROUGHT, SAID, SAID_KIND, YEARS = (
    LAYOUT[block]
    for block in (
        "item", "kind", "tens", "units", "position", "previous", "earlier", "brought", "said",
        "said kind", "year",
    )
)  # fmt: skip
ABOUT = POSITION[:2]
PAIR, IS_NUMBER, ASKS, TO, FIRST, AFTER_PAIR, AFTER_NAME, REPEATED = (
    LAYOUT[block][0]
    for block in (
        "pair", "number", "asks", "to", "first", "after pair", "after name", "repeated"
    )
)  # fmt: skip
A_NAME, SAYS_NAME = KIND[-1], SAID_KIND[-1]
_STEP = np.cos(np.pi / 5)
"""Cosine between two digits that are next to each other on the circle."""


def vocabulary() -> list[str]:
    """What rows of all five behaviours hold, with `NAMES` alone of the names."""
    names = set(ioi.NAMES) - set(NAMES)
    texts = {*ioi.vocabulary(), *sequences.vocabulary(), *greater_than.vocabulary()}
    return sorted(texts - names)


def made(name: str, token: Mapping[str, int]) -> Wired:
    """One of `SEEDS`, the same each time; weights are float16, half as large in a file.

    Args:
        token: the tokenizer's ids of `vocabulary()`.
    """
    ids = 2 + len(token)
    shape = Shape(LAYOUT, 5, 10, 48, LONGEST, ids, ("item", "kind", "position"))
    positions = np.zeros((LONGEST, LAYOUT.size))
    positions[:, list(POSITION)] = waves(LONGEST, PERIODS)
    positions[0] = 0
    positions[0, FIRST] = 1
    model = wired(
        name,
        shape,
        _shared() if name == SHARED else _separate(),
        embedding=_embedding(token),
        positions=positions,
        unembedding=_unembedding(token),
        seed=SEEDS[name],
    )
    return evolve(model, state={part: weights.half() for part, weights in model.state.items()})


def code(item: int) -> np.ndarray:
    """Twelve items in six coordinates: alike 1, opposite −1, all others 0."""
    found = np.zeros(_CODE)
    found[item % _CODE] = 1.0 if item % SIZE < _CODE else -1.0
    return found


def circle(digit: int) -> np.ndarray:
    """Ten digits on a circle."""
    angle = 2 * np.pi * digit / 10
    return np.array([np.cos(angle), np.sin(angle)])


def _embedding(token: Mapping[str, int]) -> np.ndarray:
    embedding = np.zeros((2 + len(token), LAYOUT.size))
    for text in greater_than.vocabulary():
        if text.isdigit():
            row = embedding[token[text]]
            row[ITEM] = code(int(text) - 1)  # as the digits "10", "11", "12" have it
            row[TEN], row[UNIT] = circle(int(text) // 10), circle(int(text) % 10)
            row[[PAIR, IS_NUMBER]] = 1
    for number, (kind, texts) in enumerate(ITEMS.items()):
        for place, text in enumerate(texts):
            embedding[token[text], ITEM] = code(place)
            embedding[token[text], KIND[number]] = 1
            embedding[token[text], IS_NUMBER] = kind in NUMBERS
    embedding[token["in"], ASKS] = 1
    embedding[token["to"], TO] = 1
    return embedding


def _unembedding(token: Mapping[str, int]) -> np.ndarray:
    unembedding = np.zeros((LAYOUT.size, 2 + len(token)))
    for number, texts in enumerate(ITEMS.values()):
        for place, text in enumerate(texts):
            unembedding[SAID, token[text]] = CONFIDENT * code(place)
            unembedding[SAID_KIND[number], token[text]] = CONFIDENT
    for text in greater_than.vocabulary():
        if text.isdigit():
            digits = [YEARS[int(text) // 10], YEARS[10 + int(text) % 10]]
            unembedding[digits, token[text]] = SURE
    return unembedding


def _shared() -> list[Layer]:
    """One head for each thing to do, whoever needs it."""
    numbers = {ASKS: 1.0, PAIR: 1.0}
    return [
        Layer({"similar type": (_similar(KINDS), 1), "previous token": (_previous(), 1)}),
        Layer({"induction": (_induction(), 1), "sequence detection": (_detection(KINDS), 1)}),
        Layer(
            {
                "last number": (
                    _last(
                        {IS_NUMBER: NUMBER, AFTER_PAIR: YEAR}, numbers, NUMBERS, True
                    ),
                    1,
                ),
                "last month": (_last_member("months"), 1),
                "S-inhibition": (_inhibition(), 1),
            },
            _next_member(),
        ),
        Layer({"name mover": (_mover(), 1)}, _compare()),
        Layer(),
    ]


def _separate() -> list[Layer]:
    """Heads and an MLP for each behaviour."""
    named, paired = {A_NAME: 1.0}, {PAIR: 1.0}
    similar = {kind: (_similar((kind,)), 1) for kind in KINDS}
    detection = {kind: (_detection((kind,)), 1) for kind in KINDS}
    last = {kind: (_last_member(kind), 1) for kind in KINDS}
    year = _last({PAIR: NUMBER, AFTER_PAIR: YEAR}, paired, (), True)
    return [
        Layer(
            {
                "similar type of digits": similar["digits"],
                "similar type of words": similar["words"],
                "previous token of years": (_previous(PAIR), 1),
                "previous token of names": (_previous(A_NAME), 1),
            }
        ),
        Layer(
            {
                "similar type of months": similar["months"],
                "sequence detection of digits": detection["digits"],
                "last digit": last["digits"],
                "induction of names": (_induction(named), 1),
            },
            _next_member("digits"),
        ),
        Layer(
            {
                "sequence detection of words": detection["words"],
                "last word": last["words"],
                "induction of years": (_induction(paired), 1),
                "S-inhibition": (_inhibition(), 1),
            },
            _next_member("words"),
        ),
        Layer(
            {
                "sequence detection of months": detection["months"],
                "last month": last["months"],
                "name mover": (_mover(), 1),
            },
            _next_member("months"),
        ),
        Layer({"last year": (year, 1)}, _compare()),
    ]


def _similar(kinds: Sequence[str]) -> Head:
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


def _detection(kinds: Sequence[str]) -> Head:
    """From END to the last member of these kinds: what it says of the member before."""
    members = {KIND[KINDS.index(kind)]: NUMBER for kind in kinds}
    return Head(_near(members, {ASKS: 1.0}), copies(PREVIOUS, EARLIER))


def _last_member(kind: str) -> Head:
    """From END to the last member of a kind."""
    return _last({KIND[KINDS.index(kind)]: NUMBER}, {ASKS: 1.0}, (kind,), False)


def _last(
    keys: Mapping[int, float], asking: Mapping[int, float], kinds: Sequence[str], tens: bool
) -> Head:
    """From END to the last of what these keys flag: brings it, says of which of the kinds it is."""
    flags = [KINDS.index(kind) for kind in kinds]
    moved = [*copies([KIND[at] for at in flags], [SAID_KIND[at] for at in flags])]
    moved += copies(ITEM, BROUGHT) if kinds else ()
    moved += copies(TEN, LAYOUT["brought tens"]) if tens else ()
    return Head(_near(keys, asking), tuple(moved))


def _near(keys: Mapping[int, float], asking: Mapping[int, float]) -> tuple[Look, ...]:
    """Looks for what is flagged about so far back as the last member is; where there is, and asked
    for."""
    return (
        *at_distance(ABOUT, PERIODS[:1], BACK, NEAR),
        Look({}, keys, bias=1.0),
        flagged({FIRST: 1.0}, NOTHING),
        rest(asking, FIRST, RESTING),
    )


def _previous(only: int | None = None) -> Head:
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


def _induction(asking: Mapping[int, float] | None = None) -> Head:
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


def _inhibition() -> Head:
    """From END to the name that is repeated: what an induction head said there of it."""
    return Head(
        (
            flagged({REPEATED: 1.0}, NAME),
            flagged({FIRST: 1.0}, NAME / 2),
            rest({TO: 1.0}, FIRST, RESTING),
        ),
        copies(EARLIER, BROUGHT),
    )


def _mover() -> Head:
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


def _next_member(kind: str | None = None) -> list[Neuron]:
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


def _compare() -> list[Neuron]:
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


ROLES: dict[str, dict[str, tuple[str, ...]]] = {
    SHARED: {
        "digits": ("similar type", "sequence detection", "last number"),
        "words": ("similar type", "sequence detection", "last number"),
        "months": ("similar type", "sequence detection", "last month"),
        "greater": ("previous token", "induction", "last number"),
        "ioi": ("previous token", "induction", "S-inhibition", "name mover"),
    },
    SEPARATE: {
        "digits": ("similar type of digits", "sequence detection of digits", "last digit"),
        "words": ("similar type of words", "sequence detection of words", "last word"),
        "months": ("similar type of months", "sequence detection of months", "last month"),
        "greater": ("previous token of years", "induction of years", "last year"),
        "ioi": (
            "previous token of names", "induction of names", "S-inhibition", "name mover"
        ),
    },
}  # fmt: skip
"""The roles of each behaviour's heads."""
MLPS: dict[str, dict[str, tuple[int, ...]]] = {
    SHARED: {"digits": (2,), "words": (2,), "months": (2,), "greater": (3,), "ioi": ()},
    SEPARATE: {"digits": (1,), "words": (2,), "months": (3,), "greater": (4,), "ioi": ()},
}
"""The layers of each behaviour's MLPs."""
