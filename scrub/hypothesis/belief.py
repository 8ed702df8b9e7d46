"""Beliefs: what a tree's figure should be, and which verdict of it the file expects.

A belief is a value, and says which figure it is about and between which bounds that lies:

- `recovers(above=, below=)`: loss recovered (docs/semantics.md, Verdict);
- `raises(by=)`, `lowers(by=)`, `unchanged(within=)`: the tree's *effect*, metric(scrubbed) −
  metric(the model on the root's other input), in the metric's units;
- `answers(label, share=)`: the share of references in which the scrubbed model's answer is a label;
- `attends(to=column, share=)`: the mean attention that the root, a head's pattern at one position,
  pays to the position of a column.
"""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal

import numpy as np
from attrs import frozen

from scrub.errors import UserError
from scrub.metrics import Metric, attention, top_1
from scrub.printing import in_brief, printed

Verdict = Literal["supported", "refuted", "inconclusive", "vacuous", "not applicable"]
"""Not applicable is decided by the file (see `scrub.hypothesis.not_applicable`), by no figure, and
no file can expect it."""
Figure = Literal["recovered", "effect", "share", "attention"]
BELIEFS = (
    "recovers(above=…), raises(by=…), lowers(by=…), unchanged(within=…), answers(label, share=…) "
    "or attends(to=column, share=…)"
)


@frozen(repr=False)
class Belief:
    """That a figure lies between bounds.

    Attributes:
        figure: loss recovered, the effect, a share of references or mean attention.
        low, high: its bounds; None: open.
        words: for people: "raises by 0.5"; of loss recovered its bounds.
        metric: which it brings itself; None where the claim's own is meant.
    """

    figure: Figure
    low: float | None
    high: float | None
    words: str
    metric: Metric | None = None

    @property
    def is_effect(self) -> bool:
        """Whether it compares with the model on the root's other input, not with the baseline."""
        return self.figure != "recovered"

    def __repr__(self) -> str:
        return in_brief("Belief", self.words or self.figure)


@frozen(repr=False)
class Expectation:
    """The verdict that a file expects of a belief. The verdict itself never depends on it.

    Attributes:
        belief: None only of `vacuous()`, where any input must do as well.
    """

    verdict: Verdict
    belief: Belief | None

    @property
    def is_effect(self) -> bool:
        """Whether its belief is about what the tree changes, not about what it recovers."""
        return self.belief is not None and self.belief.is_effect

    @property
    def low(self) -> float | None:
        return self.belief.low if self.belief else None

    @property
    def high(self) -> float | None:
        return self.belief.high if self.belief else None

    def __repr__(self) -> str:
        return in_brief("Expectation", self.verdict, *([self.belief.words] if self.belief else []))


FURTHEST = 2.0
"""Bounds lie between this and its negative. What is recovered is 1 where nothing is lost, and 0 at
the baseline; a scrub that moves by more than another whole gap either way is not what a claim is
about, and the least per cent that anybody would write, 5, is outside."""


def recovers(*, above: float | None = None, below: float | None = None) -> Belief:
    """That at least `above` of the loss is recovered, and at most `below`."""
    return _recovers("recovers", above, below)


def raises(*, by: float) -> Belief:
    """That the scrub raises the metric by at least `by`, in its units, over the root's other."""
    size = _positive("raises(by=", by)
    return Belief("effect", size, None, f"raises by {size:g}")


def lowers(*, by: float) -> Belief:
    """That the scrub lowers the metric by at least `by`, in its units, under the root's other."""
    size = _positive("lowers(by=", by)
    return Belief("effect", None, -size, f"lowers by {size:g}")


def unchanged(*, within: float) -> Belief:
    """That the scrub changes the metric by at most `within`, in its units, to either side.

    A test of equivalence: supported where the whole interval of the effect lies within, refuted
    where all of it lies outside. That no effect was found supports nothing.
    """
    size = _positive("unchanged(within=", within)
    return Belief("effect", -size, size, f"within ±{size:g}")


def answers(label: str, *, share: float) -> Belief:
    """That the label is the scrubbed model's answer in at least this share of references.

    The answer is the token with the largest logit.

    Args:
        label: a label column of the data.
    """
    least = _share(f"answers({printed(label)}, share=", share)
    if not isinstance(label, str):
        raise UserError(f"answers({printed(label)}): name a label column of the data.")
    return Belief("share", least, None, f"answers {label} in {100 * least:.4g}%", top_1(label))


def attends(*, to: str, share: float) -> Belief:
    """That the root pays at least this share of its attention to a column's position, on average.

    The root is a head's pattern at one position; of several heads the mean is meant.

    Args:
        to: a position column of the data.
    """
    least = _share(f"attends(to={printed(to)}, share=", share)
    if not isinstance(to, str):
        raise UserError(f"attends(to={printed(to)}): name a position column of the data.")
    words = f"attends to {to} with {100 * least:.4g}%"
    return Belief("attention", least, None, words, attention(to=to))


def _number(call: str, value: Any, example: str) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise UserError(f"{call}{printed(value)}): give a number, such as {example}.")
    return float(value)


def _positive(call: str, value: Any) -> float:
    size = _number(call, value, "0.5")
    if not 0 < size < np.inf:
        raise UserError(
            f"{call}{printed(value)}): give a positive number, in the metric's units, such as 0.5."
        )
    return size


def _share(call: str, value: Any) -> float:
    share = _number(call, value, "0.9")
    if not 0 <= share <= 1:
        raise UserError(f"{call}{printed(value)}): a share lies between 0 and 1, such as 0.9.")
    return share


def _recovers(
    call: str, low: Any, high: Any, names: tuple[str, str] = ("above", "below")
) -> Belief:
    """A belief with bounds, which the user gave by these names."""
    given = {
        name: bound for name, bound in zip(names, (low, high), strict=True) if bound is not None
    }
    wrong = [
        f"{call}({name}={printed(bound)}): {problem}"
        for name, bound in given.items()
        if (problem := _bound_problem(bound))
    ]
    if wrong:
        raise UserError(*wrong)
    if not given:
        raise UserError(f"{call}() needs a bound: above=… or below=….")
    if low is not None and high is not None and low > high:
        raise UserError(f"{call}(): the bounds exclude each other.")
    above, below = (None if b is None else float(b) for b in (low, high))
    signs = (("≥", above), ("≤", below))
    words = ", ".join(f"{sign} {bound:g}" for sign, bound in signs if bound is not None)
    return Belief("recovered", above, below, words)


def _bound_problem(bound: Any) -> str:
    """Why something is no bound on the share recovered, a sentence; "" if it is one."""
    if isinstance(bound, bool | np.bool_) or not isinstance(bound, Real):
        return "a bound is a number, such as 0.7."
    value = float(bound)
    if abs(value) <= FURTHEST:
        return ""
    share = f"{value / 100:g}" if FURTHEST < value <= 100 else "0.7"
    return f"a bound is a share of what is at stake, with 1 for all of it. Write {share}."


def _expected(
    verdict: Verdict,
    belief: Any,
    low: Any,
    high: Any,
    names: tuple[str, str] = ("above", "below"),
) -> Expectation:
    """The expectation of a belief, or of the one that the bounds say."""
    if belief is None:
        return Expectation(verdict, _recovers(verdict, low, high, names))
    if problem := not_a_belief(belief):
        raise UserError(f"{verdict}(…) is given {problem}")
    if low is not None or high is not None:
        raise UserError(
            f"{verdict}(…) is given a belief and bounds. Give one of them: bounds are those of "
            "recovers(above=…, below=…)."
        )
    return Expectation(verdict, belief)


def not_a_belief(value: Any) -> str:
    """What something is that is no belief, and what to give instead; "" if it is one."""
    if isinstance(value, Belief):
        return ""
    names = {
        recovers: "recovers(above=…)",
        raises: "raises(by=…)",
        lowers: "lowers(by=…)",
        unchanged: "unchanged(within=…)",
        answers: "answers(label, share=…)",
        attends: "attends(to=column, share=…)",
    }
    for function, call in names.items():
        if value is function:
            return f"the function {function.__name__} itself. Call it: {call}."
    if isinstance(value, Expectation):
        return f"a verdict, {value.verdict}(…). Give a belief: {BELIEFS}."
    if isinstance(value, Real):
        return f"the number {printed(value)}. Say what it bounds, such as above={printed(value)}."
    return f"something of type {type(value).__name__}. Give a belief: {BELIEFS}."


def supported(
    belief: Belief | None = None, *, above: float | None = None, below: float | None = None
) -> Expectation:
    """Expects *supported* of a belief; by bounds, of "recovers at least `above` (at most …)"."""
    return _expected("supported", belief, above, below)


def refuted(
    belief: Belief | None = None, *, below: float | None = None, above: float | None = None
) -> Expectation:
    """Expects *refuted* of a belief; by bounds, of "recovers at least `below`, at most `above`"."""
    return _expected("refuted", belief, below, above, ("below", "above"))


def inconclusive(
    belief: Belief | None = None, *, above: float | None = None, below: float | None = None
) -> Expectation:
    """Expects *inconclusive* of a belief; by bounds, of "recovers `above` (at most `below`)"."""
    return _expected("inconclusive", belief, above, below)


def vacuous(
    belief: Belief | None = None, *, above: float | None = None, below: float | None = None
) -> Expectation:
    """Expects that the claim could not have failed: nothing that it states was put to the test.

    With a belief or bounds it is held against them, with any input in place of those that agree as
    well; without, any input must do as well as those. (See `scrub.analysis.vacuity` and
    `scrub.analysis.support`.)
    """
    if belief is None and above is None and below is None:
        return Expectation("vacuous", None)
    return _expected("vacuous", belief, above, below)
