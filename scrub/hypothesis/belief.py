"""Beliefs: what a claim's loss recovered should be, and which verdict its file expects."""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal

import numpy as np
from attrs import frozen

from scrub.errors import UserError
from scrub.printing import printed

Verdict = Literal["supported", "refuted", "inconclusive", "vacuous"]


@frozen
class Expectation:
    """The verdict that a file expects of a belief "recovered lies between these bounds".

    A bound that is None is open. The verdict itself never depends on what is expected.
    """

    verdict: Verdict
    low: float | None
    high: float | None


FURTHEST = 2.0
"""Bounds lie between this and its negative. What is recovered is 1 where nothing is lost, and 0 at
the baseline; a scrub that moves by more than another whole gap either way is not what a claim is
about, and the least per cent that anybody would write, 5, is outside."""


def _bounded(
    verdict: Verdict, low: Any, high: Any, names: tuple[str, str] = ("above", "below")
) -> Expectation:
    """An expectation with bounds, which the user gave by these names."""
    given = {
        name: bound for name, bound in zip(names, (low, high), strict=True) if bound is not None
    }
    wrong = [
        f"{verdict}({name}={printed(bound)}): {problem}"
        for name, bound in given.items()
        if (problem := _bound_problem(bound))
    ]
    if wrong:
        raise UserError(*wrong)
    if not given:
        raise UserError(f"{verdict}() needs a bound: above=… or below=….")
    if low is not None and high is not None and low > high:
        raise UserError(f"{verdict}(): the bounds exclude each other.")
    return Expectation(verdict, *(None if b is None else float(b) for b in (low, high)))


def _bound_problem(bound: Any) -> str:
    """Why something is no bound on the share recovered, a sentence; "" if it is one."""
    if isinstance(bound, bool | np.bool_) or not isinstance(bound, Real):
        return "a bound is a number, such as 0.7."
    value = float(bound)
    if abs(value) <= FURTHEST:
        return ""
    share = f"{value / 100:g}" if FURTHEST < value <= 100 else "0.7"
    return f"a bound is a share of what is at stake, with 1 for all of it. Write {share}."


def supported(*, above: float | None = None, below: float | None = None) -> Expectation:
    """Expects *supported* of the belief "recovers at least `above` (and at most `below`)"."""
    return _bounded("supported", above, below)


def refuted(*, below: float | None = None, above: float | None = None) -> Expectation:
    """Expects *refuted* of the belief "recovers at least `below` (and at most `above`)"."""
    return _bounded("refuted", below, above, ("below", "above"))


def inconclusive(*, above: float | None = None, below: float | None = None) -> Expectation:
    """Expects *inconclusive* of the belief "recovers at least `above` (at most `below`)"."""
    return _bounded("inconclusive", above, below)


def vacuous(*, above: float | None = None, below: float | None = None) -> Expectation:
    """Expects that the claim could not have failed: nothing that it states was put to the test.

    With bounds it is held against them, with any input in place of those that agree as well;
    without, any input must do as well as those. (See `scrub.analysis.vacuity` and
    `scrub.analysis.support`.)
    """
    if above is None and below is None:
        return Expectation("vacuous", None, None)
    return _bounded("vacuous", above, below)
