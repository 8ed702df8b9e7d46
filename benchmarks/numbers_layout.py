"""The stream of `numbers-shared` and `numbers-separate`: its blocks, and how words stand in them.

Names, members of sequences and pairs of digits are items, twelve in six coordinates: alike 1,
opposite −1, all others 0.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # so that the scripts run from a checkout that is not installed

from wiring_parts import Layout, waves  # noqa: E402

from scrub.datasets import greater_than, ioi, sequences  # noqa: E402

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
CONFIDENT = 8.0
"""A logit over others, for the right kind and for the right place in it."""
SURE = 5.0
"""Logit of right units of years over none."""

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


def vocabulary() -> list[str]:
    """What rows of all five behaviours hold, with `NAMES` alone of the names."""
    names = set(ioi.NAMES) - set(NAMES)
    texts = {*ioi.vocabulary(), *sequences.vocabulary(), *greater_than.vocabulary()}
    return sorted(texts - names)


def code(item: int) -> np.ndarray:
    """Twelve items in six coordinates: alike 1, opposite −1, all others 0."""
    found = np.zeros(_CODE)
    found[item % _CODE] = 1.0 if item % SIZE < _CODE else -1.0
    return found


def circle(digit: int) -> np.ndarray:
    """Ten digits on a circle."""
    angle = 2 * np.pi * digit / 10
    return np.array([np.cos(angle), np.sin(angle)])


def embedding_of(token: Mapping[str, int]) -> np.ndarray:
    """Token embeddings, [tokens, d_model], by the tokenizer's ids of `vocabulary()`."""
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


def unembedding_of(token: Mapping[str, int]) -> np.ndarray:
    """The unembedding, [d_model, tokens]."""
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


def positions_of() -> np.ndarray:
    """Position embeddings, [positions, d_model]; the first token has a flag of its own."""
    positions = np.zeros((LONGEST, LAYOUT.size))
    positions[:, list(POSITION)] = waves(LONGEST, PERIODS)
    positions[0] = 0
    positions[0, FIRST] = 1
    return positions
