"""Run a sweep. Read it as a table of contents: rank, measure, compare, judge."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

import numpy as np
from attrs import evolve, frozen

from scrub.data.dataset import Rows
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.model.edits import Edited
from scrub.model.given import Model
from scrub.model.graph import Graph
from scrub.runner.context import Context
from scrub.runner.outputs import Outputs
from scrub.runner.user_code import located
from scrub.stats.effect import paired_mean
from scrub.stats.intervals import CONFIDENCE, Interval
from scrub.sweeps.approximation import Approximation, compared, random_tenth
from scrub.sweeps.by_column import by_column
from scrub.sweeps.first_order import (
    FIRST_ORDER,
    INTEGRATED,
    Gradients,
    check_approximable,
)
from scrub.sweeps.measure import (
    CORRUPTED,
    FIRST,
    ORIGINAL,
    Members,
    Numbers,
    members,
    of_other_length,
)
from scrub.sweeps.prepare import SWEPT
from scrub.sweeps.question import PreparedSweep
from scrub.sweeps.resumable import Exact, computed
from scrub.sweeps.senders import Sender, neuron_sender
from scrub.sweeps.sweep import Origin, Sweep


@frozen(eq=False)
class _Found:
    """What was measured: differences per metric, sender and reference, and how good they are."""

    senders: tuple[Sender, ...]
    effects: np.ndarray
    totals: np.ndarray
    approximation: Approximation | None = None
    references: Rows | None = None
    of_other_length: int = 0


def run_sweep(sweep: PreparedSweep, context: Context, outputs: Outputs | None = None) -> Sweep:
    """Measure the effect of every sender.

    Args:
        outputs: of a command, whose partial file is kept and resumed from; None: nothing is kept.

    Raises:
        UserError: the model cannot be loaded, one sample does not fit into the memory, or a sampler
            or metric of the user's fails.
        KeyboardInterrupt: it was stopped; the message says what is kept.
    """
    started = time.perf_counter()
    with located(sweep.item.file, sweep.base.claim, SWEPT), context.progress:
        if sweep.question.approximate:
            check_approximable(sweep.senders)
        context.progress.says("loading the model")
        every = members(sweep, context)
        if sweep.question.approximate:
            found = _approximate(every, outputs)
        elif sweep.neurons is not None:
            found = _neurons(every, outputs)
        else:
            found = _Found(sweep.senders, *_exact(every, outputs))
        context.session.evict_generated()
        unlike = of_other_length(sweep, every.draws)
        found = evolve(found, references=every.draws.references, of_other_length=unlike)
    return _judged(sweep, context, found, time.perf_counter() - started)


def _effects(every: Members, numbers: Numbers) -> np.ndarray:
    """Each member's effect on each reference: [metrics, members, samples]."""
    before = CORRUPTED if every.sweep.question.restore else ORIGINAL
    return numbers[:, FIRST:] - numbers[:, [before]]


def _totals(numbers: Numbers) -> np.ndarray:
    return numbers[:, ORIGINAL] - numbers[:, CORRUPTED]


def _exact(every: Members, outputs: Outputs | None) -> tuple[np.ndarray, np.ndarray]:
    """Effects and totals of all members, computed."""
    with computed(Exact(every), outputs) as numbers:
        return _effects(every, numbers), _totals(numbers)


def _of(every: Members, senders: Sequence[Sender]) -> Members:
    """The members that some senders are."""
    return every.with_trees([every.sweep.tree_of(sender) for sender in senders])


def _neurons(every: Members, outputs: Outputs | None) -> _Found:
    """First-order effects of a layer's neurons, and exact ones of the largest."""
    sweep = every.sweep
    with computed(Gradients(every), outputs) as numbers:
        slopes = numbers.mean(-1)  # [metrics, neurons at each place]
        order = np.argsort(-np.abs(slopes[0]), kind="stable")[: sweep.question.top]
        neurons = _every_neuron(sweep, len(slopes[0]))
        senders = tuple(neurons[number] for number in order.tolist())
        effects, totals = _exact(_of(every, senders), outputs)
    exact = dict(enumerate(effects.mean(-1).T.tolist()))
    found = compared(FIRST_ORDER, slopes[:, order], exact, decides=False, ranked=len(neurons))
    return _Found(senders, effects, totals, found)


def _every_neuron(sweep: PreparedSweep, count: int) -> tuple[Sender, ...]:
    """So many neurons of a layer: all of them, at each of its places."""
    assert sweep.neurons is not None, "the question asks for neurons"
    each = [neuron_sender(sweep.neurons, n) for n in range(count // len(sweep.senders))]
    return tuple(_placed_like(neuron, layer) for layer in sweep.senders for neuron in each)


def _placed_like(neuron: Sender, layer: Sender) -> Sender:
    """A neuron at the positions of another sender."""
    at = layer.routes[0].at
    return evolve(neuron, routes=tuple(evolve(route, at=at) for route in neuron.routes))


def _approximate(every: Members, outputs: Outputs | None) -> _Found:
    """First-order effects of all senders, and exact ones of a random tenth beside them."""
    sweep, question = every.sweep, every.sweep.question
    kind = INTEGRATED if question.approximate == "integrated" else FIRST_ORDER
    with computed(Gradients(every), outputs) as effects:
        count = effects.shape[1]
        senders = sweep.senders if sweep.neurons is None else _every_neuron(sweep, count)
        tenth = random_tenth(count, every.context.options.seed)
        exact, totals = _exact(_of(every, [senders[number] for number in tenth]), outputs)
    means = dict(zip(tenth, exact.mean(-1).T.tolist(), strict=True))
    found = compared(kind, effects.mean(-1), means, decides=True, ranked=count)
    return _Found(senders, effects, totals, found)


def _judged(sweep: PreparedSweep, context: Context, found: _Found, seconds: float) -> Sweep:
    """Each effect with its interval, corrected for how many were tried."""
    item, metrics = sweep.item, sweep.base.metrics
    ranked = len(found.senders) if found.approximation is None else found.approximation.ranked
    tried = len(metrics) * ranked  # those that the ranking left out were tried, too
    confidence = 1 - (1 - CONFIDENCE) / tried
    column, by = sweep.question.by, None
    if column is not None and found.references is not None:
        by = by_column(column, found.references, found.effects, found.totals, tried)
    return Sweep(
        behaviour=item.behaviour.name,
        says=item.behaviour.says,
        model=sweep.base.model.name,
        receiver=sweep.receiver.name,
        question=sweep.question,
        senders=found.senders,
        metrics=metrics,
        effects=_each(found.effects, lambda one: paired_mean(one, confidence=confidence)),
        totals=tuple(paired_mean(total) for total in found.totals),
        tried=tried,
        samples=context.options.samples,
        seed=context.options.seed,
        data=sweep.base.data.name,
        rows=len(sweep.base.data),
        left_out=sweep.left_out,
        of_other_length=found.of_other_length,
        seconds=seconds,
        origin=origin_of(item, context),
        receiver_routes=() if sweep.receiver.sites is None else sweep.receiver.sites.routes,
        attention=sweep.receiver.metric is not None,
        corrupt=item.behaviour.corrupt,
        roles=sweep.base.model.roles,
        approximation=found.approximation,
        by=by,
    )


def origin_of(item: CollectedBehaviour, context: Context) -> Origin:
    """Where the behaviour stands, and how a file beside it says which model is meant."""
    given = context.options.model
    named = item.model if given is None else given
    code = ""
    if isinstance(named, str | PathLike):
        code = json.dumps(str(named), ensure_ascii=False)
    elif item.behaviour.model is not None:
        code = f"{item.variable}.model"
    unnamed = "" if given is item.model else _unnamed(given)
    return Origin(item.file, item.path.stem, item.variable, code, unnamed)


def _unnamed(given: Any) -> str:
    """What the model is called that Python was given as a value; "" where a file can name it."""
    if isinstance(given, str | PathLike | Graph | None):
        return ""
    return repr(given) if isinstance(given, Edited | Model) else f"a {type(given).__name__}"


def _each(
    effects: np.ndarray, of: Callable[[np.ndarray], Interval]
) -> tuple[tuple[Interval, ...], ...]:
    return tuple(tuple(map(of, rows)) for rows in effects)
