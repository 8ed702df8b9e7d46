"""Run a sweep. Read it as a table of contents: rank, measure, compare, judge."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from os import PathLike

import numpy as np
from attrs import evolve, frozen

from scrub.runner.context import Context
from scrub.runner.duration import ANNOUNCED, estimated_seconds, span_in_words
from scrub.runner.interrupts import nothing_stops, sigterm_stops
from scrub.runner.outputs import Outputs
from scrub.runner.user_code import located
from scrub.stats.effect import paired_mean
from scrub.stats.intervals import CONFIDENCE, Interval
from scrub.sweeps.approximation import Approximation, compared, random_tenth
from scrub.sweeps.first_order import (
    FIRST_ORDER,
    INTEGRATED,
    check_approximable,
    first_order_effects,
    neuron_effects,
)
from scrub.sweeps.measure import CORRUPTED, FIRST, ORIGINAL, Members, Numbers, members
from scrub.sweeps.partial import Partial, opened
from scrub.sweeps.prepare import SWEPT
from scrub.sweeps.question import PreparedSweep
from scrub.sweeps.senders import Sender, neuron_sender
from scrub.sweeps.sweep import Origin, Sweep


@frozen(eq=False)
class _Found:
    """What was measured: differences per metric, sender and reference, and how good they are."""

    senders: tuple[Sender, ...]
    effects: np.ndarray
    totals: np.ndarray
    approximation: Approximation | None = None


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
            found = _approximate(every)
        elif sweep.neurons is not None:
            found = _neurons(every)
        else:
            numbers = _measured(every, outputs)
            found = _Found(sweep.senders, _effects(every, numbers), _totals(numbers))
        context.session.forget_generated()
    return _judged(sweep, context, found, time.perf_counter() - started)


def _measured(every: Members, outputs: Outputs | None) -> Numbers:
    """The numbers of all members on all samples: what a partial file lacks is computed."""
    partial = Partial() if outputs is None else opened(every, outputs)
    progress, samples = every.context.progress, len(every.draws.references)
    if partial.trouble:
        progress.note(f"{partial.file} cannot be resumed from: {partial.trouble}.")
        partial.trouble = ""
    if partial.samples:
        progress.note(f"resuming: {partial.samples:,} of {samples:,} references were computed")
    progress.note(announced(every, samples - partial.samples))
    progress.says(every.sweep.behaviour.name)
    progress.expects(len(every.trees) * samples)
    progress.advance(len(every.trees) * partial.samples)
    with sigterm_stops():
        try:
            for part in every.chunks(partial.samples):
                partial.add(part)
        except KeyboardInterrupt as stopped:
            with nothing_stops():
                raise type(stopped)(_stopped(partial, samples)) from None
        except Exception:
            partial.save()
            raise
    if outputs is not None:
        partial.remove(outputs)
    return np.concatenate(partial.parts, axis=-1)


def _stopped(partial: Partial, samples: int) -> str:
    """How far a stopped sweep came, and where its partial file is."""
    if partial.save():
        return (
            f"{partial.samples:,} of {samples:,} references computed; they are in {partial.file}, "
            "and the same command resumes"
        )
    if partial.trouble:
        return f"what was computed could not be kept: {partial.trouble}"
    return ""


def announced(every: Members, samples: int) -> str:
    """One line on how long it will take; "" where that is not long."""
    options, whole = every.context.options, len(every.draws.references)
    cost = every.cost()
    flops = cost.flops * samples / whole + cost.plain_flops
    seconds = estimated_seconds(flops, options.device, options.dtype)
    if seconds <= ANNOUNCED:
        return ""
    return (
        f"about {span_in_words(seconds)} for {len(every.trees):,} senders; Ctrl-C keeps what is "
        "computed, and the same command resumes"
    )


def _effects(every: Members, numbers: Numbers) -> np.ndarray:
    """Each member's effect on each reference: [metrics, members, samples]."""
    before = CORRUPTED if every.sweep.question.restore else ORIGINAL
    return numbers[:, FIRST:] - numbers[:, [before]]


def _totals(numbers: Numbers) -> np.ndarray:
    return numbers[:, ORIGINAL] - numbers[:, CORRUPTED]


def _exact(every: Members, senders: Sequence[Sender]) -> tuple[np.ndarray, np.ndarray]:
    """Effects and totals of some senders, computed."""
    some = every.with_trees([every.sweep.tree_of(sender) for sender in senders])
    numbers = _measured(some, None)
    return _effects(some, numbers), _totals(numbers)


def _neurons(every: Members) -> _Found:
    """First-order effects of a layer's neurons, and exact ones of the largest."""
    sweep = every.sweep
    assert sweep.neurons is not None, "the question asks for neurons"
    slopes = neuron_effects(every, sweep.senders).mean(-1)  # [metrics, positions, neurons]
    neurons = slopes.shape[-1]
    order = np.argsort(-np.abs(slopes[0]).ravel(), kind="stable")[: sweep.question.top]
    places, which = np.divmod(order, neurons)
    senders = tuple(
        _placed_like(neuron_sender(sweep.neurons, number), sweep.senders[place])
        for place, number in zip(places.tolist(), which.tolist(), strict=True)
    )
    effects, totals = _exact(every, senders)
    first = slopes[:, places, which]
    exact = dict(enumerate(effects.mean(-1).T.tolist()))
    found = compared(FIRST_ORDER, first, exact, decides=False, ranked=slopes[0].size)
    return _Found(senders, effects, totals, found)


def _placed_like(neuron: Sender, layer: Sender) -> Sender:
    """A neuron at the positions of another sender."""
    at = layer.routes[0].at
    return evolve(neuron, routes=tuple(evolve(route, at=at) for route in neuron.routes))


def _approximate(every: Members) -> _Found:
    """First-order effects of all senders, and exact ones of a random tenth beside them."""
    sweep, question = every.sweep, every.sweep.question
    kind = INTEGRATED if question.approximate == "integrated" else FIRST_ORDER
    if sweep.neurons is None:
        senders, effects = sweep.senders, first_order_effects(every, sweep.senders)
    else:
        slopes = neuron_effects(every, sweep.senders)
        every_neuron = [neuron_sender(sweep.neurons, n) for n in range(slopes.shape[2])]
        senders = tuple(
            _placed_like(neuron, layer) for layer in sweep.senders for neuron in every_neuron
        )
        effects = slopes.reshape(len(slopes), -1, slopes.shape[-1])
    tenth = random_tenth(len(senders), every.context.options.seed)
    exact, totals = _exact(every, [senders[number] for number in tenth])
    means = dict(zip(tenth, exact.mean(-1).T.tolist(), strict=True))
    found = compared(kind, effects.mean(-1), means, decides=True, ranked=len(senders))
    return _Found(senders, effects, totals, found)


def _judged(sweep: PreparedSweep, context: Context, found: _Found, seconds: float) -> Sweep:
    """Each effect with its interval, corrected for how many were tried."""
    item, metrics = sweep.item, sweep.base.metrics
    ranked = len(found.senders) if found.approximation is None else found.approximation.ranked
    tried = len(metrics) * ranked  # those that the ranking left out were tried, too
    confidence = 1 - (1 - CONFIDENCE) / tried
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
        seconds=seconds,
        origin=_origin(sweep, context),
        receiver_routes=() if sweep.receiver.sites is None else sweep.receiver.sites.routes,
        attention=sweep.receiver.metric is not None,
        corrupt=item.behaviour.corrupt,
        roles=sweep.base.model.roles,
        approximation=found.approximation,
    )


def _origin(sweep: PreparedSweep, context: Context) -> Origin:
    """Where the behaviour stands, and how a file beside it says which model is meant."""
    item, given = sweep.item, context.options.model
    named = item.model if given is None else given
    code = ""
    if isinstance(named, str | PathLike):
        code = json.dumps(str(named), ensure_ascii=False)
    elif item.behaviour.model is not None:
        code = f"{item.variable}.model"
    return Origin(item.file, item.path.stem, item.variable, code)


def _each(
    effects: np.ndarray, of: Callable[[np.ndarray], Interval]
) -> tuple[tuple[Interval, ...], ...]:
    return tuple(tuple(map(of, rows)) for rows in effects)
