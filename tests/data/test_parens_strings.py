"""Parenthesis strings: each kind is what its name says, by a parser that shares nothing with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise, product

import pytest
from scipy.stats import chisquare
from scrub.datasets.parens_strings import (
    KINDS,
    LONGEST,
    MIXTURE,
    Kind,
    generated,
    generated_by_kind,
)

from hypothesis import given
from hypothesis import strategies as st
from scrub.errors import UserError


def balanced(text: str) -> bool:
    stack = []
    for character in text:
        if character == "(":
            stack.append(character)
        elif not stack:
            return False
        else:
            stack.pop()
    return not stack


def equal_counts(text: str) -> bool:
    return text.count("(") == text.count(")")


def horizon_holds(text: str) -> bool:
    return all(text[i:].count("(") <= text[i:].count(")") for i in range(len(text)))


def depths(text: str) -> list[int]:
    return [text[:i].count("(") - text[:i].count(")") for i in range(len(text) + 1)]


def one_flip_from_balanced(text: str) -> bool:
    turned = {"(": ")", ")": "("}
    return any(balanced(text[:i] + turned[c] + text[i + 1 :]) for i, c in enumerate(text))


def one_swap_from_balanced(text: str) -> bool:
    def swapped(i: int, j: int) -> str:
        letters = list(text)
        letters[i], letters[j] = letters[j], letters[i]
        return "".join(letters)

    every = range(len(text))
    return any(balanced(swapped(i, j)) for i in every for j in every if text[i] != text[j])


def one_short_of_balanced(text: str) -> bool:
    return any(balanced(text[:i] + c + text[i:]) for i in range(len(text) + 1) for c in "()")


IS: Mapping[Kind, Callable[[str], bool]] = {
    "random": lambda s: True,
    "balanced": balanced,
    "nested": balanced,
    "violated": lambda s: equal_counts(s) and not horizon_holds(s),
    "violated in runs": lambda s: equal_counts(s) and not horizon_holds(s),
    "violated once": lambda s: equal_counts(s) and [d for d in depths(s) if d < 0] == [-1],
    "surplus": lambda s: not equal_counts(s) and horizon_holds(s),
    "flipped": one_flip_from_balanced,
    "swapped": one_swap_from_balanced,
    "removed": one_short_of_balanced,
}


def of_length(kind: Kind, length: int, n: int = 30_000) -> Counter[str]:
    return Counter(s for s in generated_by_kind(kind, n, seed=5) if len(s) == length)


def every_string(length: int) -> list[str]:
    return ["".join(letters) for letters in product("()", repeat=length)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_what_its_name_says(kind: Kind) -> None:
    strings = generated_by_kind(kind, 400, seed=3)
    assert len(strings) == 400
    assert set("".join(strings)) == {"(", ")"}
    assert [s for s in strings if not IS[kind](s)] == []
    odd = {"random": {0, 1}, "removed": {1}}.get(kind, {0})
    assert {len(s) % 2 for s in strings} == odd
    shortest, longest = min(map(len, strings)), max(map(len, strings))
    assert (shortest, longest) == ((1, 39) if kind == "removed" else (2 - (1 in odd), LONGEST))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "random"])
def test_the_definitions_refuse_strings_of_other_kinds(kind: Kind) -> None:
    refused = [
        other for other in KINDS if not all(map(IS[kind], generated_by_kind(other, 100, seed=3)))
    ]
    assert "random" in refused
    assert len(refused) >= 5


def test_horizon_and_counts_are_balance() -> None:
    for length in range(1, 11):
        for text in every_string(length):
            assert balanced(text) == (equal_counts(text) and horizon_holds(text))


@pytest.mark.parametrize(
    ("kind", "length"),
    [("random", 4), ("balanced", 8), ("violated", 6), ("surplus", 6), ("surplus", 4)],
)
def test_uniform_over_the_strings_of_the_kind(kind: Kind, length: int) -> None:
    found = of_length(kind, length, 60_000)
    wanted = [s for s in every_string(length) if IS[kind](s)]
    assert set(found) == set(wanted)
    assert chisquare([found[s] for s in wanted]).pvalue > 1e-4


@pytest.mark.parametrize("kind", ["nested", "violated in runs"])
def test_long_runs_have_the_probability_that_is_promised(kind: Kind) -> None:
    found = of_length(kind, 8, 60_000)
    wanted = [s for s in every_string(8) if IS[kind](s)]
    assert set(found) <= set(wanted)

    def weight(text: str) -> float:
        changes = sum(a != b for a, b in pairwise(text))
        return 0.15**changes * 0.85 ** (len(text) - 1 - changes)

    scale = found.total() / sum(map(weight, wanted))
    assert chisquare([found[s] for s in wanted], [scale * weight(s) for s in wanted]).pvalue > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_are_uniform(kind: Kind) -> None:
    found = Counter(map(len, generated_by_kind(kind, 20_000, seed=8)))
    assert len(found) == (40 if kind == "random" else 20)
    assert chisquare(list(found.values())).pvalue > 1e-4


@pytest.mark.parametrize("kind", ["flipped", "removed", "swapped", "violated once"])
def test_edits_reach_every_place(kind: Kind) -> None:
    """Of six parentheses (or five): every string that one edit can make is made."""
    length = 5 if kind == "removed" else 6
    wanted = {s for s in every_string(length) if IS[kind](s)}
    if kind == "swapped":  # the two that were exchanged differ, so something changed
        assert "((()))" in wanted
    assert set(of_length(kind, length)) == wanted


@given(
    n=st.integers(0, 50),
    more=st.integers(0, 50),
    seed=st.integers(0, 2**32),
    kind=st.sampled_from(KINDS),
)
def test_a_string_does_not_depend_on_how_many_there_are(
    n: int, more: int, seed: int, kind: Kind
) -> None:
    assert generated(n, seed=seed) == generated(n + more, seed=seed)[:n]
    of_kind = generated_by_kind(kind, n, seed=seed)
    assert of_kind == generated_by_kind(kind, n + more, seed=seed)[:n]


def test_seeds_differ() -> None:
    assert generated(20, seed=1) != generated(20, seed=2)
    assert generated(20) == generated(20, seed=0)


def test_the_mixture_is_about_half_balanced() -> None:
    assert sum(MIXTURE.values()) == pytest.approx(1)
    assert set(MIXTURE) == set(KINDS)
    strings = generated(20_000, seed=4)
    assert 0.45 < sum(map(balanced, strings)) / len(strings) < 0.55
    failures = Counter((equal_counts(s), horizon_holds(s)) for s in strings)
    assert all(failures[failure] > 1000 for failure in product((True, False), repeat=2))


def test_the_mixture_holds_each_kind_as_often_as_it_says() -> None:
    """Kinds that no other kind makes by chance, in long strings."""
    strings = [s for s in generated(50_000, seed=9) if len(s) > 30]
    share = sum(len(s) % 2 for s in strings) / len(strings)
    # A quarter of each kind is that long: 31 … 40 of 1 … 40, or 32, 34, … 40 of 2, 4, … 40. Odd are
    # half of the random ones.
    assert share == pytest.approx(MIXTURE["random"] / 2 + MIXTURE["removed"], rel=0.1)
    balanced_share = sum(map(balanced, strings)) / len(strings)
    at_least = MIXTURE["balanced"] + MIXTURE["nested"]
    assert at_least * 0.97 < balanced_share < (at_least + MIXTURE["swapped"]) * 1.03


def test_no_such_kind() -> None:
    with pytest.raises(UserError, match='no kind of parenthesis strings called "nestet"'):
        generated_by_kind("nestet", 3)  # pyright: ignore[reportArgumentType]
