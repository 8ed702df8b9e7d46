"""A hypothesis: a tree of interpretation nodes, and what each stands for in the model."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from attrs import field, frozen

from scrub.errors import UserError
from scrub.samplers import Sampler, Uncond
from scrub.sites import Sites

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


@frozen(eq=False)
class Correspondence:
    """Which sites of the model, along which path, every node stands for."""

    sites: Mapping[InterpNode, Sites] = field(converter=lambda sites: dict(sites))


@frozen
class Expectation:
    """The verdict that a file expects of a belief "recovered lies between these bounds".

    A bound that is None is open. The verdict itself never depends on what is expected.
    """

    verdict: Verdict
    low: float | None
    high: float | None


def _bounded(verdict: Verdict, low: float | None, high: float | None) -> Expectation:
    if low is None and high is None:
        raise UserError(f"{verdict}() needs a bound: above=… or below=….")
    if low is not None and high is not None and low > high:
        raise UserError(f"{verdict}(): the bounds exclude each other.")
    return Expectation(verdict, low, high)


def supported(*, above: float | None = None, below: float | None = None) -> Expectation:
    """Expects *supported* of the belief "recovers at least `above` (and at most `below`)"."""
    return _bounded("supported", above, below)


def refuted(*, below: float | None = None, above: float | None = None) -> Expectation:
    """Expects *refuted* of the belief "recovers at least `below` (and at most `above`)"."""
    return _bounded("refuted", below, above)


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

    name: str
    build: Callable[[Any], Correspondence]
    data: Any
    metric: Any
    expect: Expectation | None = None
    model: Any = None
    belief: str = ""
    made: tuple[str, int] = field(factory=_outermost_line, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if (listed := _MADE.get()) is not None:
            listed.append(self)


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
    if expect is not None and not isinstance(expect, Expectation):
        raise UserError(
            f"expect= is of type {type(expect).__name__}. "
            "Give supported(above=…), refuted(below=…), inconclusive(above=…) or vacuous()."
        )

    def decorate(build: Callable[[Any], Correspondence]) -> Claim:
        lines = (build.__doc__ or "").strip().splitlines()
        return Claim(
            name=getattr(build, "__name__", type(build).__name__) if name is None else name,
            build=build,
            data=data,
            metric=metric,
            expect=expect,
            model=model,
            belief=lines[0] if lines else "",
        )

    return decorate
