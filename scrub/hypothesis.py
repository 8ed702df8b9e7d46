"""A hypothesis: a tree of interpretation nodes, and what each stands for in the model."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from numbers import Real
from typing import Any, Literal

import numpy as np
from attrs import field, frozen

from scrub.errors import UserError, shortened
from scrub.samplers import Sampler, Uncond
from scrub.sites import Sites
from scrub.values import name_problem, printable, printed

Verdict = Literal["supported", "refuted", "inconclusive", "vacuous"]


@frozen(eq=False)
class InterpNode:
    """A node of the interpretation: a feature of the input, told by the swaps that it permits.

    Attributes:
        name: unique among its siblings; draws are keyed by the names from the root down.
        sampler: own = sampler(reference), where the reference is the parent's own input (for
            the root: the reference input).
        other: sampler of the input for everything that no child claims, drawn from `own`.
            A leaf has no other inputs. (default: `Uncond`)
        parents: () for the root. A node with two parents is treeified: drawn once per parent.
    """

    name: str
    sampler: Sampler
    other: Sampler = field(factory=Uncond, kw_only=True)
    parents: tuple[InterpNode, ...] = field(default=(), kw_only=True, converter=tuple)

    def child(self, name: str, sampler: Sampler, *, other: Sampler | None = None) -> InterpNode:
        """A new node whose parent is this one."""
        return InterpNode(name, sampler, other=other or Uncond(), parents=(self,))

    def __repr__(self) -> str:
        return f"InterpNode({self.name!r})"


def _by_node(sites: Any) -> dict[InterpNode, Sites]:
    if not isinstance(sites, Mapping):
        raise UserError(
            f"A Correspondence is of nodes and their sites, not of type {type(sites).__name__}. "
            "Write Correspondence({node: sites}), with node = InterpNode(…) or parent.child(…)."
        )
    return dict(sites)


@frozen(eq=False)
class Correspondence:
    """Which sites of the model, along which path, every node stands for."""

    sites: Mapping[InterpNode, Sites] = field(converter=_by_node)


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


def _expectation(claim: Claim, attribute: object, expect: Any) -> None:
    if expect is None or isinstance(expect, Expectation):
        return
    call = any(expect is verdict for verdict in (supported, refuted, inconclusive, vacuous))
    said = f"the function {expect.__name__} itself" if call else f"of type {type(expect).__name__}"
    raise UserError(
        f"expect= is {said}. "
        "Give supported(above=…), refuted(below=…), inconclusive(above=…) or vacuous()."
    )


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
    without, any input must do as well as those. (See `scrub.vacuity` and `scrub.earned`.)
    """
    if above is None and below is None:
        return Expectation("vacuous", None, None)
    return _bounded("vacuous", above, below)


def _outermost_line() -> tuple[str, int]:
    """The file that is being executed, and its line."""
    for frame, line in traceback.walk_stack(None):
        if frame.f_code.co_name == "<module>":
            return frame.f_code.co_filename, line
    return "", 0


LONGEST = 200
"""Bytes of a claim's name: file systems take 255."""


def _claim_name(claim: Claim, attribute: object, name: Any) -> None:
    """A claim's record is a folder of its name."""
    problem = name_problem(name)
    if problem:
        raise UserError(f"@claim: {problem}")
    if name in (".", "..") or set(name) & set("/\\"):
        raise UserError(
            f'A claim cannot be called "{name}": a folder of that name is its record. '
            "Leave out / and \\."
        )
    if len(name.encode()) > LONGEST:
        raise UserError(
            f'A claim\'s name has at most {LONGEST} bytes; "{shortened(name, 60)}" has more.'
        )


@frozen(eq=False)
class Claim:
    """A belief about a model that `scrub test` can put to the test.

    Attributes:
        name: the function's name, or what @claim(name=…) says.
        build: model → `Correspondence`.
        data: a `Dataset`, a `Recipe`, or a function of the model that gives one.
        metric: see `scrub.metrics`; of several, the first decides the verdict.
        expect: the verdict that the file expects; None where it expects nothing.
        model: overrides the file's MODEL.
        belief: the first line of the docstring.
        made: the file, and the line of it outside all functions, in which the claim was made.
    """

    name: str = field(validator=_claim_name)
    build: Callable[[Any], Correspondence]
    data: Any
    metric: Any
    expect: Expectation | None = field(default=None, validator=_expectation)
    model: Any = None
    belief: str = field(default="", converter=printable)
    made: tuple[str, int] = field(factory=_outermost_line, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if (listed := _MADE.get()) is not None:
            listed.append(self)


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a functools.partial calls, and what a decorator of the user's was put on."""
    while isinstance(function, partial):
        function = function.func
    return inspect.unwrap(function)


_MADE: ContextVar[list[Claim] | None] = ContextVar("claims made", default=None)


@contextmanager
def claims_made() -> Iterator[list[Claim]]:
    """The claims that are made meanwhile, in order: one that a loop overwrites has no name."""
    listed: list[Claim] = []
    before = _MADE.set(listed)
    try:
        yield listed
    finally:
        _MADE.reset(before)


def claim(
    *,
    data: Any,
    metric: Any,
    expect: Expectation | None = None,
    model: Any = None,
    name: str | None = None,
) -> Callable[[Callable[[Any], Correspondence]], Claim]:
    """Declare a claim: decorates a function from the model to a `Correspondence`.

    Its docstring's first line is what is believed.

    Args:
        data, metric, expect, model: see `Claim`.
        name: what the claim is called (default: the function's name). Claims that one function
            makes, in a loop or each for another feature, need one each.
    """

    def decorate(build: Callable[[Any], Correspondence]) -> Claim:
        function = unwrapped(build)
        lines = (function.__doc__ or "").strip().splitlines()
        return Claim(
            name=getattr(function, "__name__", type(build).__name__) if name is None else name,
            build=build,
            data=data,
            metric=metric,
            expect=expect,
            model=model,
            belief=lines[0] if lines else "",
        )

    return decorate
