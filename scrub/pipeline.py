"""The straight line, from claims to results. Read it as a table of contents.

collect → prepare (with check) → plan → draw → execute → metrics → statistics → report
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import evolve, fields
from torch import Tensor

from scrub.budget import Budget, budget
from scrub.collect import Collected
from scrub.cost import cost
from scrub.data import Rows
from scrub.draw import Draws, draw
from scrub.errors import UserError, did_you_mean, in_words
from scrub.execute import by_dataset, execute
from scrub.hypothesis import Claim
from scrub.metrics import Metric, measure
from scrub.model.plain import PlainCache
from scrub.options import Options, check_device
from scrub.plan import plan
from scrub.prepare import Prepared, Session, line_in_file, prepare
from scrub.results import Memory, Numbered, Result, node_results
from scrub.samplers import Exact
from scrub.statistics import CONFIDENCE, Interval, Numbers, judge, loss_recovered
from scrub.steps import Plan
from scrub.tree import NamePath, Occurrence

Progress = Callable[[int], None]
"""Called with the number of samples that were finished."""


def scrub_claim(
    prepared: Prepared, session: Session, options: Options, progress: Progress
) -> Result:
    """Scrub a claim.

    Raises:
        UserError: the model cannot be loaded, or a sampler or metric of the user's fails.
    """
    try:
        return _scrubbed(prepared, session, options, progress)
    except UserError as error:
        raise error.at(file=prepared.file, claim=prepared.claim.name) from error
    except Exception as error:
        line = line_in_file(error, prepared.claim.build)
        if line is None:
            raise
        problem = UserError(f"Running it failed in line {line}: {in_words(error)}.")
        raise problem.at(file=prepared.file, claim=prepared.claim.name) from error


def _scrubbed(prepared: Prepared, session: Session, options: Options, progress: Progress) -> Result:
    """plan → draw → execute → metrics → statistics."""
    model = session.load(prepared.model, options.dtype, options.device)
    started = time.perf_counter()
    planned = plan(prepared.tree, model.graph, columns=prepared.metric.of_labels is not None)
    cache = session.cache(planned.graph)
    looks = _looks(options)
    confidence = 1 - (1 - CONFIDENCE) / len(looks)
    draws = draw(prepared.tree, prepared.data, samples=looks[0], seed=options.seed)
    within = _budget(planned, draws, session, options.memory)
    numbers = _measured(planned, draws, prepared, cache, within, progress)
    recovered = _recovered(numbers, options.seed, confidence)
    for samples in looks[1:]:
        if options.precision is None or recovered.half_width <= options.precision:
            break
        draws = draw(prepared.tree, prepared.data, samples=samples, seed=options.seed)
        within = _budget(planned, draws, session, options.memory)
        numbers = _measured(planned, draws, prepared, cache, within, progress, numbers)
        recovered = _recovered(numbers, options.seed, confidence)
    nodes = node_results(prepared.tree, draws)
    if options.alone:
        alone = _alone(planned, prepared, cache, within, draws, options.seed)
        nodes = tuple(evolve(node, alone=alone[node.path]) for node in nodes)
    return Result(
        file=prepared.file,
        claim=prepared.claim,
        model=prepared.model.name,
        weights_sha256=model.sha256,
        dtype=str(options.dtype).removeprefix("torch."),
        tree=prepared.tree,
        metric=prepared.metric,
        seed=options.seed,
        numbers=numbers,
        recovered=recovered,
        judgement=judge(recovered, prepared.claim.expect, len(draws.references)),
        nodes=nodes,
        draws=draws,
        data_sha256=prepared.data.sha256,
        memory=Memory(options.memory, within.peak, session.grown()),
        seconds=time.perf_counter() - started,
    )


def _looks(options: Options) -> list[int]:
    """The sample sizes at which the interval is looked at: with a precision, doubling ones.

    Looking K times, each at confidence 1 − α/K, keeps the interval at which we stop honest
    (Bonferroni).
    """
    if options.precision is None:
        return [options.samples]
    looks = [options.samples]
    while looks[0] >= 400:
        looks.insert(0, looks[0] // 2)
    return looks


def _measured(
    planned: Plan,
    draws: Draws,
    prepared: Prepared,
    cache: PlainCache,
    within: Budget,
    progress: Progress,
    known: Numbered | None = None,
) -> Numbered:
    """The metric per reference, three times, for the samples that are not known yet."""
    done = 0 if known is None else len(known.original)
    parts = [] if known is None else [known]
    for output in execute(planned, draws, cache, within, start=done):
        references = draws.references.at(draws.references.index[output.samples])
        values = (output.original, output.scrubbed, output.baseline)
        parts.append(Numbered(*(_metric(planned, prepared.metric, v, references) for v in values)))
        progress(len(references))
    return Numbered(
        original=np.concatenate([part.original for part in parts]),
        scrubbed=np.concatenate([part.scrubbed for part in parts]),
        baseline=np.concatenate([part.baseline for part in parts]),
    )


def _budget(planned: Plan, draws: Draws, session: Session, memory: int) -> Budget:
    """What fits beside the plain values of earlier claims, or else without them."""

    def fit(held: int) -> Budget:
        return budget(
            cost(planned, max(rows.data.width for rows in draws.rows())),
            samples=len(draws.references),
            rows=sum(len(rows) for rows in by_dataset(draws.rows())),
            inputs=len(draws.rows()),
            memory=memory,
            held=held,
        )

    found = fit(session.held())
    if not found.keep and session.held():
        session.forget()
        found = fit(0)
    return found


def _metric(planned: Plan, metric: Metric, value: Tensor, references: Rows) -> Numbers:
    """The metric per reference. Where it reads a few columns, the root is read out here."""
    readout = planned.result.readout
    if readout is None:
        return measure(metric, value, references)
    columns = planned.graph.sites[readout].columns
    assert columns is not None
    labels = [references.data.label(name)[references.index] for name in metric.labels]
    ids = torch.tensor(np.stack(labels, axis=1)).to(value.device)
    return measure(metric, columns(value, ids), references, of_labels=True)


def _recovered(numbers: Numbered, seed: int, confidence: float = CONFIDENCE) -> Interval:
    return loss_recovered(
        numbers.original, numbers.scrubbed, numbers.baseline, seed=seed, confidence=confidence
    )


def _alone(
    planned: Plan,
    prepared: Prepared,
    cache: PlainCache,
    within: Budget,
    draws: Draws,
    seed: int,
) -> dict[NamePath, Interval]:
    """Loss recovered with one node scrubbed and all others exact, on the same draws.

    The plan does not know samplers, so one plan serves them all.
    """
    found = {}
    for node in prepared.tree.walk():
        tree = _only(prepared.tree, node.path)
        drawn = draw(tree, prepared.data, samples=len(draws.references), seed=seed)
        numbers = _measured(planned, drawn, prepared, cache, within, lambda n: None)
        found[node.path] = _recovered(numbers, seed)
    return found


def _only(tree: Occurrence, path: NamePath) -> Occurrence:
    """The tree in which every node but the one at this path is exact."""
    node = tree.node if tree.path == path else evolve(tree.node, sampler=Exact(), other=Exact())
    return evolve(tree, node=node, children=tuple(_only(child, path) for child in tree.children))


def run(claim: Claim, *, session: Session | None = None, **options: Any) -> Result:
    """Test one claim from Python: `scrub.run(by_value, model="ioi-planted")`.

    The same numbers as `scrub test` gives on the command line.

    Args:
        claim: a function decorated with `@claim`.
        session: keeps models, data and plain activations between calls, where one is given:
            `session = scrub.Session()`.
        options: as in `Options`: model, samples, precision, seed, device, dtype, memory, alone.

    Raises:
        UserError: the claim is illegal, or an option is not one.
    """
    if not isinstance(claim, Claim):
        raise UserError(
            f"scrub.run takes a claim, not a {type(claim).__name__}. "
            "Decorate the function with @claim(data=…, metric=…)."
        )
    known = [attribute.name for attribute in fields(Options)]
    for name in options:
        if name not in known:
            raise UserError(f'scrub.run has no option "{name}". {did_you_mean(name, known)}')
    chosen = Options(**options)
    check_device(chosen.device)
    session = session or Session()
    scope = getattr(claim.build, "__globals__", {})
    model = claim.model if claim.model is not None else scope.get("MODEL")
    file = Path(scope.get("__file__", "")).name
    (prepared,) = prepare([Collected(file, claim, model)], session, chosen)
    return scrub_claim(prepared, session, chosen, lambda samples: None)
