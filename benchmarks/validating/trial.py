"""Claims generated and put to the test: what is true of each, and what the verdict was."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
from attrs import evolve, frozen

import scrub
from scrub.errors import UserError
from scrub.hypothesis.collect import Collected
from scrub.runner.options import Options
from scrub.runner.prepare import Prepared, prepare
from scrub.runner.session import Session
from validating.claims import Part, Planted, Told, pruned
from validating.falsehoods import HARDER, REFUTABLE, UNREFUTABLE, chosen, falsehoods
from validating.marks import Mark, alike, marks
from validating.population import KNOWN, Population, sampled
from validating.survivors import why

BOUND = 0.9
"""What every claim is tested against, as in `hypotheses/parens.py`, and for its reason: what is not
recovered is about the share of answers that the swaps change, over the share that an unrelated
input changes. A claim passes if its swaps may change at most a tenth of these. True claims lie at
1, or by the noise of a hand-wired model a few thousandths below; a claim that is wrong about a
feature with few values, on which the answer hangs, lies well below 0.9. Written before the first
run, and the same for all models."""
NOISY = 0.01
"""What the noise of a hand-wired transformer may cost a true claim: about ten times its share of
attention that softmax leaves elsewhere."""
PLANTED = ("graphs", "transformers", "shared work", "ragged rows")
"""The groups in which claims are true by construction."""
Truth = Literal["1", "above the bound", "at the bound", "below the bound"]
NEAR = (0.8, BOUND)
"""False claims that lie here are the hardest that should be refuted. They are few among mistakes
made at random, so some are looked for: by what they recover in truth, before they are tested."""
TRIES = 8
"""Draws of a true claim until another one that was not there before is given up."""
NEAR_TRIES = 24
"""Mistakes made until one that lies near the bound is given up."""
LOOK = 2_000
"""Samples by which a near one is looked for, where the population cannot be enumerated."""


@frozen
class Counts:
    """How many claims are made of each model.

    Attributes:
        graphs: hand-wired graphs. So also `transformers`, those that are `sharing` the work
            between heads, and those with `ragged` rows.
        true: claims of one model that are true; fewer where it has fewer.
        false: claims of one model with a mistake that a scrub may show.
        harder: the same with a mistake that is nearer to the truth.
        near: the same, chosen since they lie near the bound.
        beyond: claims of one model with a mistake that no scrub can show.
        trained: false claims of every kind about a trained model.
        large: samples that stand in for a population which cannot be enumerated.
    """

    graphs: int
    transformers: int
    true: int
    false: int
    beyond: int
    trained: int
    large: int = 20_000
    sharing: int = 0
    ragged: int = 0
    harder: int = 0
    near: int = 0


FULL = Counts(
    graphs=36,
    transformers=30,
    true=4,
    false=4,
    beyond=1,
    trained=5,
    sharing=24,
    ragged=20,
    harder=2,
    near=1,
)
QUICK = Counts(
    graphs=1,
    transformers=1,
    true=1,
    false=2,
    beyond=1,
    trained=0,
    large=2_000,
    sharing=1,
    ragged=1,
    harder=1,
    near=1,
)


@frozen
class Tried:
    """A claim, the truth about it, and what the test said.

    Attributes:
        kind: "true", or the mistake (see `falsehoods.MEANING`).
        population: its loss recovered in truth, and the standard error of that (0: enumerated).
        verdict: by its name, with the interval that it rests on.
        near: whether it was chosen for its population.
        with_any_input: recovered with any input in place of those that agree; None without such.
        marks: what the result says against a claim that meets its belief.
        alike: whether it names the wrong node as one whose features divide the rows as another's.
        why: how a mistake can be without effect here, in words.
    """

    group: str
    model: str
    kind: str
    what: str
    population: float
    error: float
    recovered: float
    low: float
    high: float
    verdict: str
    near: bool = False
    with_any_input: float | None = None
    marks: tuple[Mark, ...] = ()
    alike: bool = False
    why: str = ""

    @property
    def band(self) -> str:
        """Between which of a few numbers the population lies."""
        edges = [-math.inf, 0.3, 0.6, 0.8, 0.85, BOUND, math.inf]
        above = bisect.bisect_right(edges, self.population)
        return f"{edges[above - 1]} to {edges[above]}".replace("-inf to", "below").replace(
            " to inf", " and above"
        )

    @property
    def held(self) -> bool:
        """Whether the interval holds the population."""
        return self.low - 1e-9 <= self.population <= self.high + 1e-9

    @property
    def truth(self) -> Truth:
        """Where the population lies."""
        room = KNOWN * self.error
        if self.population >= 1 - (room + NOISY if self.error else 1e-9):
            return "1"
        if self.population - room >= BOUND:
            return "above the bound"
        return "below the bound" if self.population + room < BOUND else "at the bound"


def tried(
    planted: Planted, counts: Counts, random: np.random.Generator, session: Session, seed: int
) -> Iterator[Tried]:
    """Generate claims about a model and test them, at the default settings.

    Args:
        seed: of the first claim's draws; the next have the next ones.
    """
    for number, told in enumerate(_told(planted, counts, random, session, seed)):
        yield put_to_test(planted, told, session, seed + number, counts.large)


def put_to_test(planted: Planted, told: Told, session: Session, seed: int, large: int) -> Tried:
    """The verdict on one claim, beside the truth."""
    claim = planted.claim(told.part, BOUND)
    result = scrub.run(claim, session=session, seed=seed)
    assert isinstance(result, scrub.Result)
    truth = population(planted, told.part, session, seed + 1_000_000, large)
    loose = result.with_any_input

    def changed(part: Part) -> Population:
        return population(planted, part, session, seed + 1_000_000, large // 4)

    return Tried(
        group=planted.group,
        model=planted.name,
        kind=told.kind,
        what=told.what,
        population=truth.recovered,
        error=truth.error,
        recovered=result.recovered.mean,
        low=result.recovered.low,
        high=result.recovered.high,
        verdict=result.judgement.verdict or "none",
        near=told.near,
        with_any_input=loose.mean if loose is not None else None,
        marks=marks(told, result, truth, BOUND, changed),
        alike=alike(told, result),
        why=why(planted.data, told, truth.recovered),
    )


def population(
    planted: Planted, part: Part, session: Session, seed: int, samples: int
) -> Population:
    """What a claim recovers in truth: enumerated where that can be, else on so many samples."""
    if planted.exact is not None:
        return Population(planted.exact(part), 0.0)
    return sampled(_prepared(planted, part, session), session, seed=seed, samples=samples)


def _told(
    planted: Planted, counts: Counts, random: np.random.Generator, session: Session, seed: int
) -> Iterator[Told]:
    """True claims, then false ones: no two alike."""
    seen: set[Part] = set()

    def fresh(part: Part) -> bool:
        return part not in seen and _legal(planted, part, session)

    for part in _true(planted, counts.true, random):
        seen.add(part)
        yield Told("true", f"{len(list(part.walk()))} nodes", part)
    yield from planted.also
    if planted.truths:
        for false in _false(planted, counts, random, fresh):
            seen.add(false.part)
            yield false
    if planted.truths and planted.group in PLANTED:
        for false in _in_turn(planted, HARDER, counts.harder, random, fresh):
            seen.add(false.part)
            yield false
        for _ in range(counts.near):
            false = _near(planted, random, fresh, session, seed + 2_000_000)
            if false is not None:
                seen.add(false.part)
                yield false


def _near(
    planted: Planted,
    random: np.random.Generator,
    fresh: Callable[[Part], bool],
    session: Session,
    seed: int,
) -> Told | None:
    """A mistake by which a claim comes to lie just below the bound; None where none is found."""
    for number in range(NEAR_TRIES):
        kinds = ("half-right",) if number % 2 else (*REFUTABLE, *HARDER)
        kind = kinds[random.integers(len(kinds))]
        truth = pruned(planted.truths[random.integers(len(planted.truths))], random)
        made = chosen(falsehoods(planted, truth, kind), random, fresh)
        if made is None:
            continue
        found = population(planted, made.part, session, seed + number, LOOK)
        if NEAR[0] <= found.recovered < NEAR[1]:
            return evolve(made, near=True)
    return None


def _true(planted: Planted, count: int, random: np.random.Generator) -> list[Part]:
    """The whole story, and the same told less far."""
    found = dict.fromkeys(planted.truths)
    for _ in range(TRIES * count):
        if len(found) >= count or not planted.truths:
            break
        found[pruned(planted.truths[random.integers(len(planted.truths))], random)] = None
    return list(found)


def _false(
    planted: Planted, counts: Counts, random: np.random.Generator, fresh: Callable[[Part], bool]
) -> Iterator[Told]:
    trained = planted.exact is None and isinstance(planted.model, str)
    wanted: list[tuple[tuple[str, ...], int]] = [
        (REFUTABLE, counts.false),
        (UNREFUTABLE, counts.beyond),
    ]
    for kinds, count in wanted:
        made = counts.trained * len(kinds) if trained else count
        yield from _in_turn(planted, kinds, made, random, fresh)


def _in_turn(
    planted: Planted,
    kinds: Sequence[str],
    count: int,
    random: np.random.Generator,
    fresh: Callable[[Part], bool],
) -> Iterator[Told]:
    """So many mistakes, of each kind in turn, in true claims that are drawn anew each time."""
    order = [kinds[int(i)] for i in random.permutation(len(kinds))]
    for number in range(count):
        for kind in order[number % len(order) :] + order[: number % len(order)]:
            truth = pruned(planted.truths[random.integers(len(planted.truths))], random)
            made = chosen(falsehoods(planted, truth, kind), random, fresh)
            if made is not None:
                yield made
                break


def _legal(planted: Planted, part: Part, session: Session) -> bool:
    try:
        _prepared(planted, part, session)
    except UserError:
        return False
    return True


def _prepared(planted: Planted, part: Part, session: Session) -> Prepared:
    claim = planted.claim(part, BOUND)
    (prepared,) = prepare([Collected("", claim, claim.model)], session, Options())
    return prepared
