"""Diagnose a claim that was scrubbed: scrub its variants, and say what they show."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from attrs import evolve

from scrub.analysis.blame import Blame, blame
from scrub.analysis.blame_unclaimed import with_unclaimed
from scrub.analysis.conventions import USUAL, Convention, Variant, conventions
from scrub.analysis.nulls import NULLS, Nulls, nulls_result
from scrub.analysis.specificity import Change, Tried, changes, drawable, further
from scrub.analysis.substitution import nulls, pools
from scrub.errors import UserError
from scrub.results.diagnosis import Diagnosis
from scrub.results.result import Result
from scrub.runner.context import Context
from scrub.runner.diagnoses import LITTLE, NO_DIAGNOSES, Diagnoses, cheap, lays_blame
from scrub.runner.fresh import fresh
from scrub.runner.planned import Planned
from scrub.runner.variants import Variants
from scrub.stats.effect import paired_mean
from scrub.stats.figure import figure
from scrub.stats.intervals import Interval, PerReference
from scrub.stats.scores import Scores
from scrub.stats.shares import share
from scrub.stats.verdict import judge


def diagnose(result: Result, planned: Planned, context: Context, wanted: Diagnoses) -> Result:
    """The same result with the diagnoses that are asked for.

    Raises:
        UserError: a variant does not fit into the memory, or a metric of the user's fails.
    """
    if wanted == NO_DIAGNOSES:
        return result
    context = context.with_options(samples=result.samples)
    variants = Variants(planned, context)
    unasked = _cheap(planned) and result.judgement.verdict == "supported"
    how_many = (NULLS if unasked else 0) if wanted.nulls is None else wanted.nulls
    found = Diagnosis()
    if how_many:
        found = evolve(found, nulls=_nulls(result, variants, how_many))
    neighbours = None
    if wanted.conventions:
        neighbours = _neighbours(variants)
    elif wanted.conventions is None and unasked:
        neighbours = _few_operations(variants)
    if neighbours is not None:
        found = evolve(found, conventions=_conventions(result, variants, neighbours))
    if wanted.specificity and result.kind == "effect":
        context.progress.note(
            f"{planned.prepared.name}: coarser and finer features are left out: they are compared "
            "by loss recovered, and the claim is about an effect."
        )
    elif wanted.specificity:
        found = evolve(found, specificity=_specificity(result, variants))
    effect = result.kind == "effect"
    if lays_blame(wanted, result.tree, result.judgement.verdict, effect=effect):
        found = evolve(found, blame=_blame(result, variants, wanted.worst))
    if wanted.fresh:
        found = evolve(found, fresh=fresh(result, planned, context, wanted.fresh))
    return evolve(result, diagnosis=found)


def _blame(result: Result, variants: Variants, most: int) -> Blame:
    """What each swap loses, and of what no child claims each component."""
    prepared, progress = variants.claim.prepared, variants.context.progress
    model, data = prepared.model.graph, prepared.data
    tree, scores, draws = result.tree, result.scores, result.draws
    progress.says(f"{prepared.name}: which swaps lose what")
    rows, scrubbed = draws.references.index, variants.scrubbed
    found = blame(tree, scores, rows, scrubbed, graph=model, data=data, most=most)
    progress.says(f"{prepared.name}: which unclaimed components lose what")
    return with_unclaimed(
        found, tree, scores, draws, scrubbed, variants.draws, graph=model, data=data
    )


def _cheap(planned: Planned) -> bool:
    return planned.cost is not None and cheap(planned.cost)


def _neighbours(variants: Variants) -> tuple[Variant, ...]:
    """The claim under the conventions that are not its own."""
    prepared = variants.claim.prepared
    return conventions(prepared.tree, prepared.model.graph, prepared.data, variants.draws)


def _few_operations(variants: Variants) -> tuple[Variant, ...] | None:
    """The usual conventions, if all together take few operations: a claim may take many fewer.

    Plain values are not counted where they fit into the memory: most are there already. A variant
    that cannot run is no reason to end a run that did not ask for it: None.
    """
    try:
        usual = tuple(variant for variant in _neighbours(variants) if variant.name in USUAL)
        costs = [variants.cost(variant.tree) for variant in usual if variant.tree is not None]
    except UserError:
        return None
    few = all(cost.keeps_cache for cost in costs) and sum(cost.flops for cost in costs) <= LITTLE
    return usual if few else None


def _nulls(result: Result, variants: Variants, most: int) -> Nulls:
    """The claim with random components in place of its own."""
    prepared = variants.claim.prepared
    graph = prepared.model.graph
    variants.context.progress.says(f"{prepared.name}: random components in place of its own")
    rng = np.random.default_rng(result.seed)
    trees = list(nulls(result.tree, graph, prepared.data, most, rng))
    values = variants.scores(trees)
    recovered = [_figure(null, result).mean for null in values]
    ahead = [_ahead(null, result) for null in values]
    there = pools(result.tree, graph)
    supported = result.judgement.verdict == "supported"
    mean, expect = result.figure.mean, result.expect
    return nulls_result(recovered, ahead, mean, expect, most, there, supported=supported)


def _ahead(null: Scores, result: Result) -> Interval:
    """The claim's figure minus a null's, paired by reference."""
    scores = result.scores
    if result.kind == "scrub":
        return share(null.scrubbed - scores.scrubbed, scores)
    with np.errstate(invalid="ignore"):  # a metric may be infinite; the interval then says so
        return paired_mean((scores.scrubbed - null.scrubbed)[scores.defined])


def _figure(scores: Scores, result: Result) -> Interval:
    """The belief's figure of a variant."""
    if result.kind == "effect":
        return figure(scores, result.belief)
    return _recovered(scores.scrubbed, result)


def _conventions(
    result: Result, variants: Variants, neighbours: Sequence[Variant]
) -> tuple[Convention, ...]:
    """What the claim recovers under other conventions, and which of them turn its verdict."""
    variants.context.progress.says(f"{result.claim.name}: under other conventions")
    if result.kind == "effect":
        neighbours = [_asks_the_same(variant) for variant in neighbours]
    values = iter(variants.scores([v.tree for v in neighbours if v.tree is not None]))
    expect = result.expect
    bounded = expect is not None and (expect.low, expect.high) != (None, None)
    own = judge(_figure(result.scores, result), expect, result.samples).verdict  # not corrected

    def of(variant: Variant) -> Convention:
        if variant.tree is None:
            return Convention(variant.name, None, None, False, variant.problem)
        recovered = _figure(next(values), result)
        verdict = judge(recovered, result.expect, result.samples).verdict if bounded else None
        turns = bounded and verdict != own and result.judgement.verdict != "vacuous"
        doubt = turns and variant.name in USUAL and result.judgement.verdict == "supported"
        bounds = (expect.low, expect.high) if expect else ()
        return Convention(variant.name, recovered, verdict, turns, "", doubt, bounds)

    return tuple(map(of, neighbours))


def _asks_the_same(variant: Variant) -> Variant:
    """A convention under which an effect is still that from the root's other input."""
    if not variant.name.startswith("other inputs"):
        return variant
    return Variant(variant.name, None, "the effect is measured from the root's other input")


def _specificity(result: Result, variants: Variants) -> tuple[Tried, ...]:
    """Each `Agree` coarser, shuffled and finer; by single columns, where being finer wins."""
    prepared, scrubbed = variants.claim.prepared, variants.scrubbed
    variants.context.progress.says(f"{prepared.name}: with coarser and finer features")
    made = drawable(changes(result.tree, result.seed), variants.draws)
    values = scrubbed([change.tree for change in made])
    found = [_tried(change, v, result) for change, v in zip(made, values, strict=True)]
    missing = [one.swap for one in found if one.kind == "finer" and one.lowers.high < 0]
    further_of = partial(further, result.tree, data=prepared.data, seed=result.seed)
    more = drawable((change for swap in missing for change in further_of(swap)), variants.draws)
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
