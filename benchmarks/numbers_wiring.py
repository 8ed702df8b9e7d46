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

from collections.abc import Mapping

from attrs import evolve
from numbers_heads import (
    NUMBER,
    YEAR,
    compare,
    detection,
    induction,
    inhibition,
    last,
    last_member,
    mover,
    next_member,
    previous,
    similar,
)
from numbers_layout import (
    A_NAME,
    AFTER_PAIR,
    ASKS,
    IS_NUMBER,
    KINDS,
    LAYOUT,
    LONGEST,
    NUMBERS,
    PAIR,
    embedding_of,
    positions_of,
    unembedding_of,
)
from wiring_parts import Layer, Shape, Wired, wired

SHARED, SEPARATE = "numbers-shared", "numbers-separate"
SEEDS = {SHARED: 0, SEPARATE: 1}
BEHAVIOURS = (*KINDS, "greater", "ioi")


def made(name: str, token: Mapping[str, int]) -> Wired:
    """One of `SEEDS`, the same each time; weights are float16, half as large in a file.

    Args:
        token: the tokenizer's ids of `vocabulary()`.
    """
    ids = 2 + len(token)
    shape = Shape(LAYOUT, 5, 10, 48, LONGEST, ids, ("item", "kind", "position"))
    model = wired(
        name,
        shape,
        _shared() if name == SHARED else _separate(),
        embedding=embedding_of(token),
        positions=positions_of(),
        unembedding=unembedding_of(token),
        seed=SEEDS[name],
    )
    return evolve(model, state={part: weights.half() for part, weights in model.state.items()})


def _shared() -> list[Layer]:
    """One head for each thing to do, whoever needs it."""
    numbers = {ASKS: 1.0, PAIR: 1.0}
    return [
        Layer({"similar type": (similar(KINDS), 1), "previous token": (previous(), 1)}),
        Layer({"induction": (induction(), 1), "sequence detection": (detection(KINDS), 1)}),
        Layer(
            {
                "last number": (
                    last({IS_NUMBER: NUMBER, AFTER_PAIR: YEAR}, numbers, NUMBERS, True),
                    1,
                ),
                "last month": (last_member("months"), 1),
                "S-inhibition": (inhibition(), 1),
            },
            next_member(),
        ),
        Layer({"name mover": (mover(), 1)}, compare()),
        Layer(),
    ]


def _separate() -> list[Layer]:
    """Heads and an MLP for each behaviour."""
    named, paired = {A_NAME: 1.0}, {PAIR: 1.0}
    before = {kind: (similar((kind,)), 1) for kind in KINDS}
    detected = {kind: (detection((kind,)), 1) for kind in KINDS}
    ends = {kind: (last_member(kind), 1) for kind in KINDS}
    year = last({PAIR: NUMBER, AFTER_PAIR: YEAR}, paired, (), True)
    return [
        Layer(
            {
                "similar type of digits": before["digits"],
                "similar type of words": before["words"],
                "previous token of years": (previous(PAIR), 1),
                "previous token of names": (previous(A_NAME), 1),
            }
        ),
        Layer(
            {
                "similar type of months": before["months"],
                "sequence detection of digits": detected["digits"],
                "last digit": ends["digits"],
                "induction of names": (induction(named), 1),
            },
            next_member("digits"),
        ),
        Layer(
            {
                "sequence detection of words": detected["words"],
                "last word": ends["words"],
                "induction of years": (induction(paired), 1),
                "S-inhibition": (inhibition(), 1),
            },
            next_member("words"),
        ),
        Layer(
            {
                "sequence detection of months": detected["months"],
                "last month": ends["months"],
                "name mover": (mover(), 1),
            },
            next_member("months"),
        ),
        Layer({"last year": (year, 1)}, compare()),
    ]


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
