"""A hypothesis: a tree of interpretation nodes, and what each stands for in the model."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from attrs import field, frozen

from scrub.errors import UserError, shortened
from scrub.hypothesis.belief import (
    Belief,
    Expectation,
    inconclusive,
    not_a_belief,
    refuted,
    supported,
    vacuous,
)
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.not_applicable import NotApplicable
from scrub.printing import html_of, in_brief, name_problem, printable


def _as_expectation(expect: Any) -> Any:
    """A belief is expected to be supported."""
    return Expectation("supported", expect) if isinstance(expect, Belief) else expect


def _expectation(claim: Claim, attribute: object, expect: Any) -> None:
    if expect is None or isinstance(expect, Expectation):
        return
    call = any(expect is verdict for verdict in (supported, refuted, inconclusive, vacuous))
    if not call and inspect.isfunction(expect) and expect.__module__ == Belief.__module__:
        raise UserError(f"expect= is {not_a_belief(expect)}")
    said = f"the function {expect.__name__} itself" if call else f"of type {type(expect).__name__}"
    raise UserError(
        f"expect= is {said}. "
        "Give supported(above=…), refuted(below=…), inconclusive(above=…) or vacuous()."
    )


def outermost_line() -> tuple[str, int]:
    """The file that is being executed, and its line."""
    for frame, line in traceback.walk_stack(inspect.currentframe()):  # None skips some
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


@frozen(eq=False, repr=False)
class Claim:
    """A belief about a model that `scrub test` can put to the test.

    Attributes:
        name: the function's name, or what @claim(name=…) says.
        build: model → `Correspondence`; or `not_applicable(…)` where it is not about that model.
        data: a `Dataset`, a `Recipe`, or a function of the model that gives one.
        metric: see `scrub.metrics`; of several, the first decides the verdict. A belief that
            brings its own metric decides by that, and these are reported beside it.
        expect: the verdict that the file expects, of a belief; a belief by itself is expected to be
            supported. None where it expects nothing.
        model: overrides the file's MODEL.
        belief: the first line of the docstring.
        made: the file, and the line of it outside all functions, in which the claim was made.
    """

    name: str = field(validator=_claim_name)
    build: Callable[[Any], Correspondence | NotApplicable]
    data: Any
    metric: Any
    expect: Expectation | None = field(
        default=None, converter=_as_expectation, validator=_expectation
    )
    model: Any = None
    belief: str = field(default="", converter=printable)
    made: tuple[str, int] = field(factory=outermost_line, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        note_made(self)

    def __repr__(self) -> str:
        return in_brief("Claim", self.name, *([self.belief] if self.belief else []))

    def _repr_html_(self) -> str:
        return html_of(self)


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a functools.partial calls, and what a decorator of the user's was put on."""
    while isinstance(function, partial):
        function = function.func
    return inspect.unwrap(function)


_MADE: ContextVar[list[Any] | None] = ContextVar("claims and behaviours made", default=None)


def note_made(definition: Any) -> None:
    """Tell `definitions_made` of a claim or a behaviour."""
    if (listed := _MADE.get()) is not None:
        listed.append(definition)


@contextmanager
def definitions_made() -> Iterator[list[Any]]:
    """Claims and behaviours made meanwhile, in order: one that a loop overwrites has no name."""
    listed: list[Any] = []
    before = _MADE.set(listed)
    try:
        yield listed
    finally:
        _MADE.reset(before)


def claim(
    *,
    data: Any,
    metric: Any = None,
    expect: Belief | Expectation | None = None,
    model: Any = None,
    name: str | None = None,
) -> Callable[[Callable[[Any], Correspondence | NotApplicable]], Claim]:
    """Declare a claim: decorates a function from the model to a `Correspondence`.

    Its docstring's first line is what is believed. On a model that it is not about it returns
    `not_applicable(…)` instead.

    Args:
        data, metric, expect, model: see `Claim`.
        name: what the claim is called (default: the function's name). Claims that one function
            makes, in a loop or each for another feature, need one each.
    """

    def decorate(build: Callable[[Any], Correspondence | NotApplicable]) -> Claim:
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
