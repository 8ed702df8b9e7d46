"""The straight line, from claims to results. Read it as a table of contents.

collect → prepare (with check) → plan → draw → execute → metrics → statistics → report
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from attrs import evolve, frozen
from torch import Tensor

from scrub.analysis.support import (
    Scrub,
    most_scrubs,
    nothing_loosened,
    support_of,
)
from scrub.analysis.vacuity import why_vacuous
from scrub.checks.structure import check_drawn
from scrub.data.dataset import Rows
from scrub.draw import Draws, NodeDraw, draw
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import Budget, fit
from scrub.engine.execute import Outputs, execute
from scrub.engine.plan import plan
from scrub.engine.prediction import RunCost, predict
from scrub.engine.steps import Plan
from scrub.hypothesis.tree import NamePath, Occurrence, Tree
from scrub.metrics import Metric, measure
from scrub.model.registry import Model
from scrub.results.result import (
    Measured,
    Memory,
    Result,
    node_results,
)
from scrub.runner.checkpoint import Section, SectionOf, nothing_known
from scrub.runner.options import Options
from scrub.runner.prepare import Prepared
from scrub.runner.progress import UNWATCHED, Watch
from scrub.runner.session import Session
from scrub.runner.user_code import located
from scrub.samplers import Exact
from scrub.stats.bonferroni import confidence_of
from scrub.stats.cancellation import cancellation
from scrub.stats.intervals import Interval, PerReference
from scrub.stats.scores import COLUMNS, Scores
from scrub.stats.verdict import judge

RUNNING = "Running it"
UNKNOWN = Interval(math.nan, -math.inf, math.inf)
"""Before anything is computed."""
CHECKED = 8
"""Samples of an earlier run that are computed again before the others are believed."""


def scrub_claim(
    prepared: Prepared,
    session: Session,
    options: Options,
    watch: Watch = UNWATCHED,
    known: SectionOf = nothing_known,
    *,
    family_size: int = 1,
) -> Result:
    """Scrub a claim.

    Args:
        known: what is known already of a scrub's numbers, which is not computed again.
        family_size: how many claims are judged in one run, this one included.

    Raises:
        UserError: the model cannot be loaded, or a sampler or metric of the user's fails.
    """
    with located(prepared.file, prepared.claim, RUNNING):
        return _scrubbed(prepared, session, options, watch, known, family_size)


def numbers_of(
    prepared: Prepared,
    session: Session,
    options: Options,
    watch: Watch = UNWATCHED,
    known: SectionOf = nothing_known,
) -> Scores:
    """The numbers of a claim, or of a variant of it, and no more: `evolve(prepared, tree=…)`.

    They are those of the metric that decides the verdict.

    Nodes that keep their names keep their draws, so that variants are paired by reference.

    Raises:
        UserError: the variant does not fit into the memory, or a sampler or metric of the user's
            fails.
    """
    with located(prepared.file, prepared.claim, RUNNING):
        begun, draws, section = _begun(prepared, session, options, known)
        within = _budget(begun, draws, session, options.memory)
        _check_known(begun, draws, within, section)
        return _measured(begun, draws, within, watch, section)[0]


@frozen
class Ahead:
    """What is left to do of a claim.

    Attributes:
        name: the claim's name.
        known: what is known of its numbers.
        flops: operations for what is not known, the plain model's apart.
        plain_flops: operations of the plain model, which claims on one model and data share.
        shared: tells model and data apart.
        cost: of scrubbing the claim once, whatever is known, and whatever is kept from others.
    """

    name: str
    known: Section
    flops: int
    plain_flops: int
    shared: tuple[int, int]
    cost: RunCost


def ahead(prepared: Prepared, session: Session, options: Options, known: SectionOf) -> Ahead:
    """Look at a claim without running it.

    Raises:
        UserError: a sampler of the user's fails.
    """
    with located(prepared.file, prepared.claim, RUNNING):
        begun, draws, section = _begun(prepared, session, options, known)
        left = 0 if section.finished else 1 - section.samples / options.samples
        scrubs = 1 + most_scrubs(prepared.tree)
        scrubs += len(prepared.tree.walk()) if options.alone else 0
        nothing = ActivationCache(begun.plan.graph)
        found = predict(begun.plan, draws, fit(begun.plan, draws, nothing, options.memory))
        return Ahead(
            name=prepared.claim.name,
            known=section,
            flops=round(left * found.flops * scrubs),
            plain_flops=found.plain_flops if left else 0,
            shared=(id(begun.model), id(prepared.data)),
            cost=found,
        )


def _scrubbed(
    prepared: Prepared,
    session: Session,
    options: Options,
    watch: Watch,
    known: SectionOf,
    family_size: int,
) -> Result:
    """plan → draw → execute → metrics → statistics."""
    session.load(prepared.model, options.dtype, options.device)
    started = time.perf_counter()
    begun, every, section = _begun(prepared, session, options, known)
    draws = every
    within = _budget(begun, draws, session, options.memory)
    predicted = predict(begun.plan, draws, within)
    _check_known(begun, draws, within, section)
    spent = section.seconds
    watch.advance(section.samples)
    looks = _looks(options)
    measured, recovered = section.first(0), UNKNOWN
    for samples in looks:
        if options.precision is not None and recovered.half_width <= options.precision:
            break
        draws = _some(every, np.arange(samples))
        within = _budget(begun, draws, session, options.memory)
        measured = _measured(begun, draws, within, watch, section)
        recovered = measured[0].recovered(looks=len(looks))
    expect, numbers = prepared.claim.expect, measured[0]
    confidence = confidence_of(prepared.claim, family_size)
    judged = recovered
    if confidence != recovered.confidence:
        judged = numbers.recovered(confidence, looks=len(looks))
    scrub = _variants(begun, len(draws.references), session, options, watch, known)
    vacuous, support = why_vacuous(draws, numbers, begun.plan), nothing_loosened(prepared.tree)
    if not vacuous:
        support = support_of(prepared.tree, draws, numbers, judged, expect, scrub)
    nodes = node_results(prepared.tree, draws)
    if options.alone:
        nodes = tuple(evolve(n, alone=_only(prepared.tree, n.path, scrub, draws)) for n in nodes)
    section.finished = True
    session.forget_generated()
    return Result(
        file=prepared.file,
        claim=prepared.claim,
        model=prepared.model.name,
        weights_sha256=begun.model.sha256,
        dtype=str(options.dtype).removeprefix("torch."),
        tree=prepared.tree,
        metric=prepared.metric,
        seed=options.seed,
        scores=numbers,
        recovered=recovered,
        judgement=judge(judged, expect, len(draws.references), vacuous or support.vacuous),
        nodes=nodes,
        draws=draws,
        data_sha256=prepared.data.sha256,
        cancellation=cancellation(numbers),
        memory=Memory(options.memory, predicted.peak, session.grown()),
        seconds=spent + time.perf_counter() - started,
        others=tuple(
            Measured(metric, numbers, numbers.recovered(looks=len(looks)))
            for metric, numbers in zip(prepared.others, measured[1:], strict=True)
        ),
        family_size=family_size,
        corrected=None if judged is recovered else judged,
        support=support,
    )


def _variants(
    begun: _Begun,
    references: int,
    session: Session,
    options: Options,
    watch: Watch,
    known: SectionOf,
) -> Scrub:
    """Scrubs the claim with other samplers. Plans know no samplers, so its own serves them all."""
    prepared = begun.prepared

    def scrub(tree: Tree) -> Callable[[int], Scores]:
        drawn = draw(tree, prepared.data, samples=references, seed=options.seed)
        check_drawn(tree, drawn, begun.model.graph)
        section = known(prepared, begun.model, options, tree, drawn)
        _check_known(begun, drawn, _budget(begun, drawn, session, options.memory), section)

        def first(samples: int) -> Scores:
            watch.expects(max(0, samples - section.samples))
            some = _some(drawn, np.arange(samples))
            within = _budget(begun, some, session, options.memory)
            numbers, *_ = _measured(begun, some, within, watch, section)
            begun.cache.store.evict_generated()
            return numbers

        return first

    return scrub


def _only(tree: Tree, path: NamePath, scrub: Scrub, draws: Draws) -> Interval:
    """Loss recovered with one node scrubbed and all others exact, on the same draws."""

    def exact(here: Occurrence) -> Occurrence:
        node = here.node
        if here.path != path:
            node = evolve(node, sampler=Exact(), other=Exact())
        return evolve(here, node=node, children=tuple(map(exact, here.children)))

    return scrub(exact(tree))(len(draws.references)).recovered()


@frozen(eq=False)
class _Begun:
    """A claim that is planned on its model."""

    prepared: Prepared
    model: Model
    plan: Plan
    cache: ActivationCache


def _begun(
    prepared: Prepared, session: Session, options: Options, known: SectionOf
) -> tuple[_Begun, Draws, Section]:
    """The plan, all draws that may be asked for, and what is known of their numbers."""
    model = session.load(prepared.model, options.dtype, options.device)
    planned = plan(prepared.tree, model.graph, columns=prepared.of_labels)
    draws = draw(prepared.tree, prepared.data, samples=options.samples, seed=options.seed)
    check_drawn(prepared.tree, draws, model.graph)
    section = known(prepared, model, options, prepared.tree, draws)
    return _Begun(prepared, model, planned, session.cache(model, planned.graph)), draws, section


def _looks(options: Options) -> list[int]:
    """The sample sizes at which the interval is looked at: with a precision, doubling ones.

    Where losses are skewed a run stops early because their tail has not shown yet. So the intervals
    of all looks hold together (Bonferroni), and with them the one that the run stops at, whatever
    stopped it; docs/statistics.md has the coverage.
    """
    if options.precision is None:
        return [options.samples]
    looks = [options.samples]
    while looks[0] >= 400:
        looks.insert(0, looks[0] // 2)
    return looks


def _measured(
    begun: _Begun, draws: Draws, within: Budget, watch: Watch, section: Section
) -> tuple[Scores, ...]:
    """Each metric per reference, three times. What is not known yet is added to the section."""
    samples = len(draws.references)
    if section.samples < samples:
        started = time.perf_counter()
        for output in execute(begun.plan, draws, begun.cache, within, start=section.samples):
            references = draws.references.at(draws.references.index[output.samples])
            part = tuple(
                _numbered(begun.plan, metric, output, references)
                for metric in begun.prepared.metrics
            )
            section.add(part, time.perf_counter() - started)
            started = time.perf_counter()
            watch.advance(len(references))
    return section.first(samples)


def _check_known(begun: _Begun, draws: Draws, within: Budget, section: Section) -> None:
    """Compute a few samples again of what an earlier run left, and forget it if they differ.

    The fingerprint does not see what a metric or a graph takes from elsewhere than from files.
    """
    if not section.earlier:
        return
    section.earlier = False
    cache = ActivationCache(begun.plan.graph)  # leaves no trace in later batches
    apart = evolve(begun, cache=cache)
    which = np.unique(np.linspace(0, section.samples - 1, CHECKED).astype(np.int64))
    again = _measured(apart, _some(draws, which), within, UNWATCHED, Section())
    before = section.first(section.samples)
    for kept, new_numbers, name in (
        (*pair, name) for pair in zip(before, again, strict=True) for name in COLUMNS
    ):
        old, new = getattr(kept, name)[which], getattr(new_numbers, name)
        scale = np.abs(old[np.isfinite(old)]).max(initial=0.0)
        within_rounding = scale * torch.finfo(begun.plan.graph.dtype).eps ** 0.5
        if not np.allclose(old, new, rtol=0, atol=within_rounding, equal_nan=True):
            section.forget()
            return


def _some(draws: Draws, which: np.ndarray) -> Draws:
    """The draws of some samples."""

    def of(rows: Rows) -> Rows:
        return rows.at(rows.index[which])

    nodes = {
        path: NodeDraw(of(node.own), None if node.other is None else of(node.other))
        for path, node in draws.nodes.items()
    }
    return Draws(of(draws.references), of(draws.baseline), nodes)


def _budget(begun: _Begun, draws: Draws, session: Session, memory: int) -> Budget:
    """What fits beside the plain values of earlier claims, or beside those that are of use here.

    Claims and nulls that name other sites take turns this way, and share what they have in common.
    """
    found = fit(begun.plan, draws, begun.cache, memory)
    if not found.keep_cache and session.held():
        session.forget_all_but(begun.cache, draws, begun.plan.plain)
        found = fit(begun.plan, draws, begun.cache, memory)
    if not found.keep_cache and session.held():
        session.forget()
        found = fit(begun.plan, draws, begun.cache, memory)
    return found


def _numbered(planned: Plan, metric: Metric, output: Outputs, references: Rows) -> Scores:
    """A metric per reference, three times."""
    values = (output.original, output.scrubbed, output.baseline)
    return Scores(*(_metric(planned, metric, v, references, output.original) for v in values))


def _metric(
    planned: Plan, metric: Metric, value: Tensor, references: Rows, original: Tensor
) -> PerReference:
    """The metric per reference. Where it reads a few columns, the root is read out here."""
    readout = planned.result.readout
    if readout is None:
        return measure(metric, value, references, original)
    columns = planned.graph.sites[readout].columns
    assert columns is not None
    labels = [references.data.label(name)[references.index] for name in metric.labels]
    ids = torch.tensor(np.stack(labels, axis=1)).to(value.device)
    return measure(metric, columns(value, ids), references, of_labels=True)
