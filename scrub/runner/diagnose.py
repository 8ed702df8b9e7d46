"""Diagnose a claim that was scrubbed: which diagnoses are asked for, and running them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from attrs import evolve, frozen

from scrub.analysis.blame import Scrubbed, blame, swaps
from scrub.analysis.conventions import (
    CONVENTIONS,
    USUAL,
    Convention,
    Variant,
    conventions,
)
from scrub.analysis.nulls import NULLS, Nulls, judged
from scrub.analysis.specificity import (
    Change,
    Tried,
    agreeing,
    changes,
    drawable,
    further,
)
from scrub.analysis.substitution import nulls, pools
from scrub.draw import Draws, draw
from scrub.engine.prediction import RunCost
from scrub.errors import UserError
from scrub.hypothesis.tree import Tree
from scrub.results.diagnosis import Diagnosis
from scrub.results.result import Result
from scrub.runner.checkpoint import SectionOf, nothing_known
from scrub.runner.fresh import fresh
from scrub.runner.options import Options
from scrub.runner.pipeline import ahead, numbers_of
from scrub.runner.prepare import Prepared
from scrub.runner.progress import UNWATCHED, Watch
from scrub.runner.session import Session
from scrub.stats.intervals import Interval, PerReference
from scrub.stats.shares import share
from scrub.stats.verdict import judge

LITTLE = 50e9
"""Operations that a small model, whose matrices do not fill a processor, does in seconds."""
WORST = 3
"""Samples that lose most, of which blame shows the swaps."""


@frozen
class Asked:
    """Which diagnoses a run is asked for, beside those that cost nothing.

    Attributes:
        nulls: how many nulls to scrub; None: as many as usual, where the claim is supported and
            they are cheap.
        conventions: the claim's score under other conventions; None: under those that tell
            something, where the claim is supported and that is cheap.
        specificity: its score with coarser and finer features.
        blame: what each swap loses, and the samples that lose most.
        worst: how many of these samples.
        fresh: on how many other datasets of the same recipe it is scrubbed.
    """

    nulls: int | None = 0
    conventions: bool | None = False
    specificity: bool = False
    blame: bool = False
    worst: int = WORST
    fresh: int = 0


NOTHING = Asked()


def asked_for(diagnose: bool | None, nulls: int | None = None, fresh: int | None = None) -> Asked:
    """What a run is asked for, from a command's or a call's options.

    Args:
        diagnose: everything, nothing, or (None) what is cheap.
        nulls: how many; None: as `diagnose` says.
        fresh: how many other datasets; None: none.
    """
    usual = {True: NULLS, False: 0, None: None}[diagnose]
    return Asked(
        nulls=usual if nulls is None else nulls,
        conventions=diagnose,
        specificity=bool(diagnose),
        fresh=fresh or 0,
    )


def diagnose(
    result: Result,
    prepared: Prepared,
    session: Session,
    options: Options,
    asked: Asked,
    watch: Watch = UNWATCHED,
    known: SectionOf = nothing_known,
    cost: RunCost | None = None,
) -> Result:
    """The same result with the diagnoses that are asked for.

    Args:
        cost: of scrubbing the claim; None: nothing is cheap.
        known: what is known already of a variant's numbers, which is not computed again.

    Raises:
        UserError: a variant does not fit into the memory, or a metric of the user's fails.
    """
    if asked == NOTHING:
        return result
    options = evolve(options, samples=result.samples)
    found = Diagnosis()

    def scrubbed(trees: Sequence[Tree]) -> list[PerReference]:
        watch.expects(len(trees) * options.samples)
        variants = (evolve(prepared, tree=tree, others=()) for tree in trees)
        return [
            numbers_of(variant, session, options, watch, known).scrubbed for variant in variants
        ]

    def drawn(tree: Tree) -> Draws:
        return draw(tree, prepared.data, samples=result.samples, seed=result.seed)

    unasked = cost is not None and cheap(cost) and result.judgement.verdict == "supported"
    how_many = (NULLS if unasked else 0) if asked.nulls is None else asked.nulls
    if how_many:
        found = evolve(found, nulls=_nulls(result, prepared, how_many, scrubbed, watch))
    variants = None
    if asked.conventions:
        variants = conventions(result.tree, prepared.model.graph, prepared.data, drawn)
    elif asked.conventions is None and unasked:
        variants = _little(result.tree, prepared, session, options, drawn)
    if variants is not None:
        found = evolve(found, conventions=_conventions(result, variants, scrubbed, watch))
    if asked.specificity:
        found = evolve(found, specificity=_specificity(result, prepared, scrubbed, watch))
    if asked.blame:
        watch.says(f"{prepared.name}: which swaps lose what")
        found = evolve(
            found,
            blame=blame(
                result.tree,
                result.scores,
                result.draws.references.index,
                scrubbed,
                graph=prepared.model.graph,
                data=prepared.data,
                most=asked.worst,
            ),
        )
    if asked.fresh:
        other = fresh(result, prepared, session, options, asked.fresh, watch, known)
        found = evolve(found, fresh=other)
    return evolve(result, diagnosis=found)


def scrubs(tree: Tree, asked: Asked, cost: RunCost) -> int:
    """About how many scrubs a claim's diagnoses take; paths and further columns are not counted."""
    usual = NULLS if asked.nulls is None and cheap(cost) else 0
    others = cheap(cost) if asked.conventions is None else asked.conventions
    features = sum(2 + len(agree.features) for _, agree in agreeing(tree))
    return (
        (asked.nulls or usual)
        + others * CONVENTIONS
        + asked.specificity * features
        + asked.blame * 3 * len(swaps(tree))
    )


def cheap(cost: RunCost) -> bool:
    """Whether the usual number of nulls takes no more operations than the claim's run itself.

    And all of it little. A null costs one scrub; plain values it shares with the claim, but for
    those of components that only nulls name. Where these do not fit into the memory it shares
    nothing, and is not cheap.
    """
    every, plain = NULLS * cost.flops, cost.plain_flops
    return cost.keeps_cache and every <= cost.flops + plain and every + plain <= LITTLE


def _little(
    tree: Tree,
    prepared: Prepared,
    session: Session,
    options: Options,
    drawn: Callable[[Tree], Draws],
) -> tuple[Variant, ...] | None:
    """The usual conventions, if all together take few operations: a claim may take many fewer.

    Plain values are not counted where they fit into the memory: most are there already. A variant
    that cannot run is not little: what nobody asked for must not end the run.
    """
    try:
        found = conventions(tree, prepared.model.graph, prepared.data, drawn)
        usual = tuple(variant for variant in found if variant.name in USUAL)
        made = [evolve(prepared, tree=v.tree, others=()) for v in usual if v.tree is not None]
        costs = [ahead(one, session, options, nothing_known).cost for one in made]
    except UserError:
        return None
    few = all(cost.keeps_cache for cost in costs) and sum(cost.flops for cost in costs) <= LITTLE
    return usual if few else None


def _nulls(
    result: Result, prepared: Prepared, most: int, scrubbed: Scrubbed, watch: Watch
) -> Nulls:
    graph, numbers = prepared.model.graph, result.scores
    watch.says(f"{prepared.name}: random components in place of its own")
    rng = np.random.default_rng(result.seed)
    trees = list(nulls(result.tree, graph, prepared.data, most, rng))
    values = scrubbed(trees)
    recovered = [_recovered(null, result).mean for null in values]
    ahead = [share(null - numbers.scrubbed, numbers) for null in values]
    there = pools(result.tree, graph)
    supported = result.judgement.verdict == "supported"
    mean, expect = result.recovered.mean, result.expect
    return judged(recovered, ahead, mean, expect, most, there, supported=supported)


def _conventions(
    result: Result, variants: Sequence[Variant], scrubbed: Scrubbed, watch: Watch
) -> tuple[Convention, ...]:
    watch.says(f"{result.claim.name}: under other conventions")
    values = iter(scrubbed([v.tree for v in variants if v.tree is not None]))
    expect = result.expect
    bounded = expect is not None and (expect.low, expect.high) != (None, None)
    numbers = result.scores
    alone = judge(numbers.recovered(), expect, result.samples).verdict  # not corrected, as theirs

    def of(variant: Variant) -> Convention:
        if variant.tree is None:
            return Convention(variant.name, None, None, False, variant.problem)
        recovered = _recovered(next(values), result)
        verdict = judge(recovered, result.expect, result.samples).verdict if bounded else None
        turns = bounded and verdict != alone and result.judgement.verdict != "vacuous"
        doubt = turns and variant.name in USUAL and result.judgement.verdict == "supported"
        bounds = (expect.low, expect.high) if expect else ()
        return Convention(variant.name, recovered, verdict, turns, "", doubt, bounds)

    return tuple(map(of, variants))


def _specificity(
    result: Result, prepared: Prepared, scrubbed: Scrubbed, watch: Watch
) -> tuple[Tried, ...]:
    """Each `Agree` coarser, shuffled and finer; by single columns, where being finer wins."""
    watch.says(f"{prepared.name}: with coarser and finer features")

    def drawn(tree: Tree) -> Draws:
        return draw(tree, prepared.data, samples=result.samples, seed=result.seed)

    made = drawable(changes(result.tree, result.seed), drawn)
    values = scrubbed([change.tree for change in made])
    found = [_tried(change, v, result) for change, v in zip(made, values, strict=True)]
    missing = [one.swap for one in found if one.kind == "finer" and one.lowers.high < 0]
    further_of = partial(further, result.tree, data=prepared.data, seed=result.seed)
    more = drawable((change for swap in missing for change in further_of(swap)), drawn)
    values = scrubbed([change.tree for change in more])
    controls = scrubbed([change.control for change in more if change.control is not None])
    wins = []
    for change, with_it, shuffled in zip(more, values, controls, strict=True):
        if share(shuffled - with_it, result.scores).low > 0:
            one = _tried(change, with_it, result)
            wins.append(evolve(one, control=_recovered(shuffled, result)))
    return tuple(found + sorted(wins, key=lambda one: -one.recovered.mean))


def _tried(change: Change, values: PerReference, result: Result) -> Tried:
    lowers = share(values - result.scores.scrubbed, result.scores)
    recovered = _recovered(values, result)
    return Tried(change.swap, change.kind, change.words, recovered, lowers)


def _recovered(values: PerReference, result: Result) -> Interval:
    with np.errstate(invalid="ignore"):  # a metric may be infinite; the interval then says so
        saved = result.scores.baseline - values
    return share(saved, result.scores)
