"""What broken laws say: short, with a table of rows, however long the data's texts are."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from attrs import evolve, frozen

from oracle.broken_samplers import BROKEN, DATA
from scrub import Dataset, Generate
from scrub.data.dataset import Rows
from scrub.testing import Case, broken_laws
from scrub.testing.exact import immutability

LONGEST = 1500
"""Letters of a message: a screen."""
PAGES = evolve(
    DATA,
    columns={**DATA.columns, **{f"column {i}": ["x" * 5000] * len(DATA) for i in range(40)}},
    pieces=tuple(("a page of text, " * 500,) for _ in range(len(DATA))),
)


@pytest.mark.parametrize("name", BROKEN)
def test_every_message_is_short_and_has_a_table(name: str) -> None:
    sampler, _ = BROKEN[name]
    draws = 60 if isinstance(sampler, Generate) else 6000
    for data in (evolve(DATA), evolve(PAGES)):  # copies, as one of them sorts a column
        for broken in broken_laws(Case(sampler, data, draws=draws)):
            said = str(broken)
            assert len(said) < LONGEST, said
            first, heads, *rows = said.splitlines()
            assert first.startswith(f"{broken.law}: ")
            assert len(rows) == len(broken.rows) >= 1
            assert all(len(line) == len(heads) for line in rows), "a table"


@frozen
class Writing:
    """Changes a long list of its own."""

    drawn: list[int]
    place: int

    def draw(self, references: Rows, randomness: Any) -> Rows:
        if self.place < len(self.drawn):
            self.drawn[self.place] = 7
        else:
            self.drawn.append(7)
        return references


@pytest.mark.parametrize("place", [0, 2500, 4999, 5000])
def test_what_changed_in_a_long_list(place: int) -> None:
    broken = immutability(Case(Writing([0] * 5000, place), DATA))
    assert broken is not None
    assert broken.what == "drawing changed the sampler's drawn"
    ((before, after),) = [(row["before"], row["after"]) for row in broken.rows]
    assert "7" in after
    assert "7" not in before
    assert len(after) < 60


@frozen(eq=False)
class Sorting:
    """Sorts an array of its own."""

    order: np.ndarray

    def draw(self, references: Rows, randomness: Any) -> Rows:
        self.order.sort()
        return references


def test_what_changed_in_a_long_array() -> None:
    """numpy shows neither end of the change in an array of thousands."""
    order = np.arange(5000)
    order[[2000, 2001]] = 2001, 2000
    broken = immutability(Case(Sorting(order), DATA))
    assert broken is not None
    assert broken.rows == ({"entry": 2000, "before": "2001", "after": "2000"},)


class OfTheClass:
    """Counts its calls where all of its kind share them."""

    calls = 0

    def draw(self, references: Rows, randomness: Any) -> Rows:
        type(self).calls += 1
        return references


def test_what_changed_in_the_class() -> None:
    broken = immutability(Case(OfTheClass(), DATA))
    assert broken is not None
    assert str(broken).splitlines()[0] == "immutability: drawing changed the class's calls"


@pytest.mark.parametrize("drawing", [np.random.random, random.random])
def test_random_numbers_of_others(drawing: Any) -> None:
    @frozen
    class Drawing:
        def draw(self, references: Rows, randomness: Any) -> Rows:
            drawing()
            return references

    broken = immutability(Case(Drawing(), DATA))
    assert broken is not None
    assert "global random numbers" in broken.what
    assert len(str(broken)) < 200


def test_nothing_else_changes() -> None:
    @frozen
    class Keeping:
        table: Dataset = DATA
        numbers: tuple[int, ...] = tuple(range(5000))

        def draw(self, references: Rows, randomness: Any) -> Rows:
            return references

    assert immutability(Case(Keeping(), DATA)) is None
