"""Beliefs as values: what they say, and what is none, each with its message."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import scrub
from scrub import (
    UserError,
    answers,
    attends,
    claim,
    inconclusive,
    lowers,
    raises,
    recovers,
    refuted,
    supported,
    unchanged,
    vacuous,
)
from scrub.hypothesis.belief import BELIEFS, Belief


@pytest.mark.parametrize(
    ("belief", "figure", "bounds", "words"),
    [
        (recovers(above=0.7), "recovered", (0.7, None), "≥ 0.7"),
        (recovers(above=0.7, below=1.2), "recovered", (0.7, 1.2), "≥ 0.7, ≤ 1.2"),
        (raises(by=0.5), "effect", (0.5, None), "raises by 0.5"),
        (lowers(by=np.float32(0.5)), "effect", (None, -0.5), "lowers by 0.5"),
        (unchanged(within=2), "effect", (-2.0, 2.0), "within ±2"),
        (answers("io", share=0.9), "share", (0.9, None), "answers io in 90%"),
        (attends(to="s2", share=1), "attention", (1.0, None), "attends to s2 with 100%"),
    ],
)
def test_what_each_says(
    belief: Belief, figure: str, bounds: tuple[float | None, float | None], words: str
) -> None:
    assert (belief.figure, (belief.low, belief.high), belief.words) == (figure, bounds, words)
    brings = {"share": "top_1", "attention": "attention"}.get(figure)
    assert (belief.metric.kind if belief.metric else None) == brings
    for verdict in (supported, refuted, inconclusive, vacuous):
        assert verdict(belief).belief is belief
        assert verdict(belief).verdict == verdict.__name__


def test_bounds_are_short_for_recovers() -> None:
    assert supported(above=0.7, below=1) == supported(recovers(above=0.7, below=1))
    assert refuted(below=0.7) == refuted(recovers(above=0.7))
    assert vacuous(above=0.7) == vacuous(recovers(above=0.7))
    assert vacuous().belief is None


def test_a_belief_by_itself_is_expected_to_be_supported() -> None:
    found = claim(data=1, metric=1, expect=raises(by=1))(lambda model: model)
    assert found.expect == supported(raises(by=1))


NUMBER = "give a number, such as"
POSITIVE = "give a positive number, in the metric's units, such as 0.5."
SHARE = "a share lies between 0 and 1, such as 0.9."


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        (raises, {"by": "1"}, f"raises(by='1'): {NUMBER} 0.5."),
        (raises, {"by": True}, f"raises(by=True): {NUMBER} 0.5."),
        (raises, {"by": -1}, f"raises(by=-1): {POSITIVE}"),
        (raises, {"by": 0}, f"raises(by=0): {POSITIVE}"),
        (lowers, {"by": math.nan}, f"lowers(by=nan): {POSITIVE}"),
        (lowers, {"by": -0.5}, f"lowers(by=-0.5): {POSITIVE}"),
        (unchanged, {"within": -0.1}, f"unchanged(within=-0.1): {POSITIVE}"),
        (unchanged, {"within": None}, f"unchanged(within=None): {NUMBER} 0.5."),
        (unchanged, {"within": math.inf}, f"unchanged(within=inf): {POSITIVE}"),
        (answers, {"label": "io", "share": 90}, f"answers('io', share=90): {SHARE}"),
        (answers, {"label": "io", "share": -0.1}, f"answers('io', share=-0.1): {SHARE}"),
        (answers, {"label": "io", "share": "a"}, f"answers('io', share='a'): {NUMBER} 0.9."),
        (answers, {"label": 3, "share": 0.5}, "answers(3): name a label column of the data."),
        (attends, {"to": "io", "share": math.nan}, f"attends(to='io', share=nan): {SHARE}"),
        (attends, {"to": 3, "share": 0.5}, "attends(to=3): name a position column of the data."),
        (recovers, {}, "recovers() needs a bound: above=… or below=…."),
        (
            recovers,
            {"above": 70},
            "recovers(above=70): a bound is a share of what is at stake, with 1 for all of it. "
            "Write 0.7.",
        ),
        (
            recovers,
            {"above": 0.7, "below": 0.6},
            "recovers(): the bounds exclude each other.",
        ),
    ],
)
def test_what_is_no_belief(call: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as refused:
        call(**arguments)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (raises, "the function raises itself. Call it: raises(by=…)."),
        (unchanged, "the function unchanged itself. Call it: unchanged(within=…)."),
        (answers, "the function answers itself. Call it: answers(label, share=…)."),
        (0.7, "the number 0.7. Say what it bounds, such as above=0.7."),
        (supported(above=0.7), f"a verdict, supported(…). Give a belief: {BELIEFS}."),
        ("raises", f"something of type str. Give a belief: {BELIEFS}."),
    ],
)
def test_a_verdict_of_no_belief(given: Any, message: str) -> None:
    with pytest.raises(UserError) as refused:
        refuted(given)
    assert str(refused.value) == f"refuted(…) is given {message}"


def test_a_verdict_takes_a_belief_or_bounds() -> None:
    with pytest.raises(UserError, match=r"is given a belief and bounds\. Give one of them"):
        supported(raises(by=1), above=0.7)


@pytest.mark.parametrize("function", [recovers, raises, lowers, unchanged, answers, attends])
def test_expect_is_a_belief_that_was_not_called(function: Any) -> None:
    with pytest.raises(UserError) as refused:
        claim(data=1, metric=1, expect=function)(lambda model: model)
    name = function.__name__
    expected = f"expect= is the function {name} itself. Call it: {name}("
    assert str(refused.value).startswith(expected)


def test_all_of_them_are_there() -> None:
    names = {"answers", "attends", "lowers", "raises", "recovers", "residual", "unchanged"}
    assert names <= set(scrub.__all__)
    assert all(callable(getattr(scrub, name)) for name in names)
