"""The laws of the samplers of claims that are legal: what `scrub check` holds them to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from attrs import evolve, frozen

from scrub.checks.samplers import Trial, try_samplers
from scrub.data.dataset import Dataset
from scrub.errors import Problem, Problems, UserError
from scrub.hypothesis.sites import ALL
from scrub.runner.prepare import Prepared
from scrub.samplers import EVERY, Generate, Sampler, describe_sampler, is_virtual, laws_of
from scrub.testing.cases import DRAWS, Broken, Case, is_theirs
from scrub.testing.laws import broken_laws
from scrub.testing.origins import OfClaim
from scrub.testing.processes import Asked, NotCompared, second_process

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
        left: what it was not asked, and why, in words.
    """

    case: Case
    claim: Prepared
    node: str
    broken: tuple[Broken, ...]
    idle: bool
    left: str = ""

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
        if self.left:
            said += f"; {self.left}"
        return said


@frozen(eq=False)
class Holding:
    """What became of all samplers of some claims.

    Attributes:
        alike: names of those that were left out, being like `ALIKE` of our own that were held.
        below: names of the user's own that were left out, since they stand below rows of another
            dataset only, and draw from that one.
        virtual: names of those that give virtual rows, which the laws are not about.
    """

    held: tuple[Held, ...]
    alike: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    virtual: tuple[str, ...] = ()

    def refuse(self) -> None:
        """Raise `UserError` with every law that is broken."""
        problems = [problem for item in self.held for problem in item.problems]
        if problems:
            raise UserError(*problems)

    def report(self) -> Iterator[str]:
        """Lines that say which sampler keeps which laws, and which were not held to any."""
        for data in {id(item.case.data): item.case.data for item in self.held}.values():
            yield (
                f"samplers on {data.name}: each keeps {', '.join(EVERY)}, and what it claims "
                f"({DRAWS:,} draws a law)"
            )
            yield from (f"  {item}" for item in self.held if item.case.data is data)
        if self.alike:
            named = _some(self.alike)
            yield f"not held, being like {ALIKE} that were: {len(self.alike)} more ({named})"
        if self.below:
            yield f"not held, standing below rows of another dataset: {_some(self.below)}"
        if self.virtual:
            yield f"not held, giving virtual rows: {_some(self.virtual)}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


@frozen(eq=False)
class _Found:
    """A sampler on a dataset, and the first place where it stands."""

    case: Case
    claim: Prepared
    trial: Trial

    def asked(self, model: str | None) -> Asked:
        """What a second process is asked of it."""
        name, path = self.claim.claim.name, self.trial.node.path
        origin = OfClaim(self.claim.file, name, model, path, self.trial.which)
        return Asked(origin, self.case.seed, self.case.draws)


def hold(claims: Sequence[Prepared], model: str | None = None) -> Holding:
    """Hold every sampler to the laws that it claims, once for each dataset that it stands on.

    Only samplers whose references are rows of the claim's data, or inputs generated from them: a
    node below rows of another dataset draws from that one.

    Args:
        model: that was given instead of the claims' own, by which a second process finds them.
    """
    found, below = _samplers(claims)
    kept = [item for number, item in enumerate(found) if _of_use(item.case, found[:number])]
    theirs = [item for item in kept if is_theirs(item.case.sampler)]
    with second_process([item.asked(model) for item in theirs]) as second:
        broken = {item: broken_laws(item.case) for item in kept}
        between = dict(zip(theirs, second.found([item.case for item in theirs]), strict=True))
    return Holding(
        tuple(_held(item, broken[item], between.get(item)) for item in kept),
        tuple(item.case.name for item in found if item not in kept),
        tuple(below),
        _virtual(claims),
    )


def checked_lines(claims: Sequence[Prepared], holding: Holding) -> Iterator[str]:
    """What `scrub check` says of claims that are legal, and of their samplers."""
    for claim in claims:
        nodes = len(claim.tree.walk())
        about = f"{nodes} node{'s' if nodes > 1 else ''} on {claim.model.name}"
        yield f"{claim.name}: legal ({about}, data: {claim.data.name})"
    yield from holding.report()


def _virtual(claims: Sequence[Prepared]) -> tuple[str, ...]:
    """Names of the samplers of virtual rows."""
    nodes = [node for claim in claims for node in claim.tree.walk()]
    used = [n.node.sampler if n.is_leaf else n.node.other for n in nodes]
    return tuple(dict.fromkeys(describe_sampler(one) for one in used if is_virtual(one)))


def _samplers(claims: Sequence[Prepared]) -> tuple[list[_Found], list[str]]:
    """Every sampler once for each dataset; and the names of the user's own that have no other."""
    found: list[_Found] = []
    below: list[Sampler] = []
    for claim in claims:
        for trial in try_samplers(claim.tree, claim.data, Problems()):
            if is_virtual(trial.sampler):
                continue
            if trial.references.population is not claim.data:
                below += [trial.sampler] if is_theirs(trial.sampler) else []
                continue
            case = _case(trial, claim.data)
            number = next((i for i, item in enumerate(found) if _same(item.case, case)), None)
            if number is None:
                found.append(_Found(case, claim, trial))
            else:
                known = found[number].case
                at = tuple(dict.fromkeys([*(known.at or ()), *(case.at or ())]))
                found[number] = evolve(found[number], case=evolve(known, at=at))
    alone = [one for one in below if not any(_equal(one, item.case.sampler) for item in found)]
    return found, list(dict.fromkeys(map(describe_sampler, alone)))


def _of_use(case: Case, before: Sequence[_Found]) -> bool:
    """Whether a sampler is the user's own, or not yet one of many of its kind."""
    kind = type(case.sampler)
    alike = [f for f in before if f.case.data is case.data and type(f.case.sampler) is kind]
    return is_theirs(case.sampler) or len(alike) < ALIKE


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
    """Whether two samplers are one; of a class that does not say, by what they hold."""
    if one is other or type(one) is not type(other):
        return one is other
    try:
        if type(one).__eq__ is object.__eq__:
            return hasattr(one, "__dict__") and bool(vars(one) == vars(other))
        return bool(one == other)
    except Exception:  # arrays in it, say, which do not compare to one answer
        return False


def _held(item: _Found, broken: list[Broken], between: Broken | NotCompared | None) -> Held:
    laws = {broken.law for broken in broken}
    if isinstance(between, Broken) and not laws & {"legality", "determinism"}:
        broken = [*broken, between]
    return Held(
        item.case,
        item.claim,
        item.trial.node.node.name,
        tuple(broken),
        _idle(item.case),
        str(between) if isinstance(between, NotCompared) else "",
    )


def _idle(case: Case) -> bool:
    """Whether what may be drawn is the reference's own row alone, whatever the reference."""
    if "reach" not in laws_of(case.sampler) or len(case.data) == 1:
        return False
    every = case.references(np.arange(len(case.data)))
    return bool((case.choices(every).size <= 1).all())
