"""The nearest valid name: said where it is near, and only there."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

import scrub
from hypothesis import given
from hypothesis import strategies as st
from scrub import heads
from scrub.datasets import ioi
from scrub.errors import LISTED, UserError, did_you_mean, nearest
from scrub.hypothesis.collect import load
from scrub.model.registry import describe
from scrub.runner.tasks import task_of
from support.command import SUMS
from support.paths import ROOT

NAMES = ["template", "io", "s", "end", "name mover", "io_is_first"]


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("tempalte", "template"),
        ("Template", "template"),
        ("name movers", "name mover"),
        ("end_position", "end"),
        ("IO", "io"),
        ("subject", None),
        ("colour", None),
        ("x", None),
        ("", None),
    ],
)
def test_only_what_is_near_is_named(written: str, near: str | None) -> None:
    assert nearest(written, NAMES) == near
    listed = f"here are: {', '.join(NAMES)}."
    said = f'The nearest is "{near}"; t{listed}' if near else f"T{listed}"
    assert did_you_mean(written, NAMES) == said


def test_a_common_beginning_makes_no_name_near() -> None:
    assert nearest("hypotheses/colours.py", ["hypotheses/ioi_claim3.py"]) is None
    assert nearest("hypotheses/ioi_claim.py", ["hypotheses/ioi_claim3.py"]) is not None
    assert nearest("blocks.0.attn.banana", ["blocks.0.attn.z", "blocks.0.mlp"]) is None
    assert nearest("blocks.0.attn.zz", ["blocks.0.mlp", "blocks.0.attn.z"]) == "blocks.0.attn.z"


def test_of_many_the_first_are_listed_or_the_closest() -> None:
    many = [f"{letter}{digit}" * 4 for letter in "abcdef" for digit in range(9)]
    far = did_you_mean("zzzz", many)
    assert far == f"There are 54: {', '.join(many[:LISTED])}, …"
    near = did_you_mean("a0a0a0a1", many)
    assert near.startswith('The nearest is "a0a0a0a0"; there are 54, and the closest are: a0a0a0a0')
    assert near.count(",") < 10


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.data())
def test_a_valid_name_is_nearest_to_itself(names: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names))
    assert nearest(name, names).lower() == name.lower()  # type: ignore[union-attr]


# What is absurd is not likened to anything, whoever is asked

ABSURD = ["banana", "🍌🍌🍌", "xyzzy" * 20, "qqq", "42", "ΩΩ"]
ASKED: dict[str, Callable[[str], object]] = {
    "an option": lambda word: scrub.run(sums().by_hand, **{word: 1}),
    "a keyword of a path": lambda word: heads([(0, 0)], **{word: 1}),
    "through=": lambda word: heads([(0, 0)], through=word),  # type: ignore[arg-type]
    "by= of find": lambda word: scrub.find(ioi.behaviour(9), by=word),  # type: ignore[call-overload]
    "dtype=": lambda word: scrub.run(sums().by_hand, dtype=word),
    "senders=": lambda word: scrub.patch(ioi.behaviour(9), senders=word, model="ioi-planted"),
    "at=": lambda word: scrub.patch(ioi.behaviour(9), at=word, model="ioi-planted"),
    "metric=": lambda word: scrub.patch(ioi.behaviour(9), metric=word, model="ioi-planted"),
    "by=": lambda word: scrub.patch(ioi.behaviour(9), by=word, model="ioi-planted"),
    "of=": lambda word: scrub.observe.attention(ioi.behaviour(9), of=word, model="ioi-planted"),
    "a role": lambda word: describe("ioi-planted").role(word),
    "a model": lambda word: describe(word),
    "a task": task_of,
}


@functools.cache
def sums() -> Any:
    return load(ROOT / SUMS)


@pytest.mark.parametrize("what", ASKED)
def test_the_absurd_is_refused_with_the_choices_and_likened_to_none(what: str) -> None:
    for word in ABSURD:
        with pytest.raises(UserError) as refused:
            ASKED[what](word)
        said = str(refused.value)
        assert "nearest" not in said
        assert "\n" not in said
        assert len(said) < 900 + len(word)
