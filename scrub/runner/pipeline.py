"""From a claim to its result. Read it as a table of contents.

collect → prepare (with check) → plan → draw → execute → measure → judge → report

| step    | what it makes                                    | where                        |
|---------|--------------------------------------------------|------------------------------|
| collect | the claims that files define                     | `scrub.hypothesis.collect`   |
| prepare | each bound to its model and data, and checked    | `scrub.runner.prepare`       |
| plan    | the tree as steps                                | `scrub.engine.plan`          |
| draw    | the inputs of every node                         | `scrub.draw`                 |
| execute | the model's output, chunk by chunk               | `scrub.engine.execute`       |
| measure | the metric per reference                         | `scrub.runner.scoring`       |
| judge   | the figure, its interval and the verdict         | `scrub.stats`                |

Plan and draw are `plan_claim`, once a claim; the others are `scrub_claim`, here. Executing goes
through `scrub.runner.resume`, which leaves out what an earlier run computed.
"""

from __future__ import annotations

import time

from attrs import evolve

from scrub.analysis.support import nothing_loosened, support_of
from scrub.analysis.vacuity import why_vacuous
from scrub.engine.prediction import predict
from scrub.results.result import NOT_RECOVERED, Measured, Memory, Result, node_results
from scrub.runner.context import Context
from scrub.runner.looks import sample_sizes, scores_until_precise
from scrub.runner.memory import make_room
from scrub.runner.planned import Planned
from scrub.runner.resume import check_earlier
from scrub.runner.user_code import RUNNING, located
from scrub.runner.variants import node_alone, scrub_resampled
from scrub.stats.bonferroni import confidence_of
from scrub.stats.cancellation import cancellation
from scrub.stats.figure import figure
from scrub.stats.verdict import judge


def scrub_claim(planned: Planned, context: Context) -> Result:
    """Execute a claim that is planned and drawn, measure it, and judge it.

    Raises:
        UserError: one sample does not fit into the memory, or a sampler or metric of the user's
            fails.
    """
    with located(planned.prepared.file, planned.prepared.claim, RUNNING):
        return _scrubbed(planned, context)


def _scrubbed(planned: Planned, context: Context) -> Result:
    prepared, session, options = planned.prepared, context.session, context.options
    started = time.perf_counter()
    predicted = predict(planned.plan, planned.draws, make_room(planned, planned.draws, context))
    check_earlier(planned, context)
    earlier = planned.checkpoint.seconds
    context.progress.advance(planned.checkpoint.samples)

    scores, *others = scores_until_precise(planned, context)  # execute, measure
    samples, looks = len(scores.original), len(sample_sizes(options))
    draws = planned.draws.first(samples)

    belief, effect = prepared.belief, prepared.is_effect
    found = figure(scores, belief, looks=looks)  # judge
    confidence = confidence_of(prepared.claim, context.family_size)
    corrected = None
    if confidence != found.confidence:
        corrected = figure(scores, belief, confidence, looks=looks)
    deciding, expect = corrected or found, prepared.claim.expect
    resampled = scrub_resampled(planned, samples, context)
    vacuous, support = (
        why_vacuous(draws, scores, planned.plan),
        nothing_loosened(planned.tree, effect=effect),
    )
    if not vacuous:
        support = support_of(planned.tree, draws, scores, deciding, expect, resampled)
    nodes = node_results(planned.tree, draws)
    if options.alone and not effect:
        alone = [node_alone(planned.tree, node.path, samples, resampled) for node in nodes]
        nodes = tuple(evolve(n, alone=found) for n, found in zip(nodes, alone, strict=True))
    planned.checkpoint.finished = True
    session.evict_generated()
    return Result(
        file=prepared.file,
        claim=prepared.claim,
        model=prepared.model.name,
        weights_sha256=planned.model.sha256,
        in_memory=planned.model.in_memory,
        dtype=str(options.dtype).removeprefix("torch."),
        tree=planned.tree,
        metric=prepared.metric,
        seed=options.seed,
        scores=scores,
        recovered=NOT_RECOVERED if effect else found,
        effect=scores.effect(looks=looks) if effect else None,
        figure=found,
        judgement=judge(deciding, expect, samples, vacuous or support.vacuous),
        nodes=nodes,
        draws=draws,
        data_sha256=prepared.data.sha256,
        cancellation=cancellation(scores),
        memory=Memory(options.max_memory, predicted.peak, session.grown()),
        seconds=earlier + time.perf_counter() - started,
        others=tuple(
            Measured(
                metric,
                other,
                NOT_RECOVERED if effect else other.recovered(looks=looks),
                other.effect(looks=looks) if effect else None,
            )
            for metric, other in zip(prepared.others, others, strict=True)
        ),
        family_size=context.family_size,
        corrected=corrected,
        support=support,
    )
