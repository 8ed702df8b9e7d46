"""The laws of the samplers of claims that are legal: what `scrub check` holds them to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from attrs import evolve, frozen

from scrub.check_samplers import Trial, try_samplers
from scrub.data import Dataset
from scrub.errors import Problem, Problems, UserError
from scrub.prepare import Prepared, said_where
from scrub.samplers import EVERY, Generate, Sampler, laws_of
from scrub.sites import ALL
from scrub.testing.cases import DRAWS, Broken, Case
from scrub.testing.laws import broken_laws

ALIKE = 10
"""Samplers of one of our own kinds that are held on one dataset: they differ in their features
alone, and the tests of scrub hold the kind. A user's own are all held."""
GENERATED = 600
"""Draws that are looked at of a sampler that makes its inputs one by one."""


@frozen(eq=False)
class Held:
    """A sampler of some claims that was held to its laws.

    Attributes:
        case: on the claims' data.
        claim: the first that has it; `node` is the node there.
        broken: laws that it does not keep.
        idle: whether all agreement classes are of one row, so that it swaps nothing.
    """

    case: Case
    claim: Prepared
    node: str
    broken: tuple[Broken, ...]
    idle: bool

    @property
    def problems(self) -> list[Problem]:
        return [
            Problem(
                f"Sampler {self.case.name} breaks the law of {broken}",
                node=self.node,
                claim=self.claim.claim.name,
                file=self.claim.file,
            )
            for broken in self.broken
        ]

    def __str__(self) -> str:
        claimed = [law for law in laws_of(self.case.sampler) if law not in EVERY]
        said = f"{self.case.name}: {', '.join(claimed) or 'claims no other'}"
        if self.case.draws != DRAWS:
            said += f" ({self.case.draws:,} draws)"
        if self.idle:
            said += "; swaps nothing: every row is alone in its agreement class"
        return said


def report(held: Sequence[Held], left_out: Sequence[str] = ()) -> Iterator[str]:
    """Lines that say which sampler keeps which laws, and which were not held to any."""
    for data in {id(item.case.data): item.case.data for item in held}.values():
        yield (
            f"samplers on {data.name}: each keeps {', '.join(EVERY)}, and what it claims "
            f"({DRAWS:,} draws a law)"
        )
        yield from (f"  {item}" for item in held if item.case.data is data)
    if left_out:
        named = ", ".join(left_out[:3]) + (" …" if len(left_out) > 3 else "")
        yield f"not held, being like {ALIKE} that were: {len(left_out)} more ({named})"


def hold(claims: Sequence[Prepared]) -> tuple[list[Held], list[str]]:
    """Hold every sampler to the laws that it claims, once for each dataset that it stands on.

    Also names those that were left out, being of one of our own kinds, of which enough were held.

    Only samplers whose references are rows of the claim's data, or inputs generated from them: a
    node below rows of another dataset draws from that one.
    """
    found: list[tuple[Case, Prepared, str]] = []
    for claim in claims:
        for trial in try_samplers(claim.tree, claim.data, Problems()):
            if trial.references.population is not claim.data:
                continue
            case = _case(trial, claim.data)
            number = next((i for i, (c, *_) in enumerate(found) if _same(c, case)), None)
            if number is None:
                found.append((case, claim, trial.node.node.name))
            else:
                known, first, node = found[number]
                at = tuple(dict.fromkeys([*(known.at or ()), *(case.at or ())]))
                found[number] = (evolve(known, at=at), first, node)
    kept = [item for number, item in enumerate(found) if _of_use(item[0], found[:number])]
    names = [item[0].name for item in found if item not in kept]
    return [_held(*item) for item in kept], names


def _of_use(case: Case, before: Sequence[tuple[Case, Prepared, str]]) -> bool:
    """Whether a sampler is the user's own, or not yet one of many of its kind."""
    kind = type(case.sampler)
    alike = [c for c, *_ in before if c.data is case.data and type(c.sampler) is kind]
    return not kind.__module__.startswith("scrub.") or kind is Generate or len(alike) < ALIKE


def refuse(held: Sequence[Held]) -> None:
    """Raise `UserError` with every law that is broken."""
    problems = [problem for item in held for problem in item.problems]
    if problems:
        raise UserError(*problems)


def _case(trial: Trial, data: Dataset) -> Case:
    draws = GENERATED if isinstance(trial.sampler, Generate) else DRAWS
    return Case(trial.sampler, data, tuple(_positions(trial)), draws=draws)


def _positions(trial: Trial) -> Iterator[str]:
    """Positions at which a node's input is read."""
    readers = (trial.node, *(trial.node.children if trial.which == "other" else ()))
    for route in (route for node in readers for route in node.routes):
        yield from (spec for spec in route.at if route.at != ALL and isinstance(spec, str))


def _same(one: Case, other: Case) -> bool:
    return one.data is other.data and _equal(one.sampler, other.sampler)


def _equal(one: Sampler, other: Sampler) -> bool:
    try:
        return one is other or bool(type(one) is type(other) and one == other)
    except Exception:  # arrays in it, say, which do not compare to one answer
        return False


def _held(case: Case, claim: Prepared, node: str) -> Held:
    with said_where(claim.file, claim.claim, "Holding a sampler to its laws"):
        try:
            broken = tuple(broken_laws(case))
        except UserError as error:
            raise error.at(node=node) from error
    return Held(case, claim, node, broken, _idle(case))


def _idle(case: Case) -> bool:
    """Whether what may be drawn is the reference's own row alone, whatever the reference."""
    if "reach" not in laws_of(case.sampler) or len(case.data) == 1:
        return False
    every = case.references(np.arange(len(case.data)))
    return bool((case.choices(every).size <= 1).all())
