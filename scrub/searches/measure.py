"""Measure a receiver's senders: one sweep, corrected for all that are tried in it."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from scrub.hypothesis.collect import CollectedBehaviour
from scrub.metrics import Metric
from scrub.model.graph import Graph
from scrub.runner.context import Context
from scrub.runner.outputs import Outputs
from scrub.searches.measured import Component, Effect, Measured, Receiver
from scrub.searches.settings import Settings
from scrub.sweeps.prepare import prepare_sweep, written_upstream
from scrub.sweeps.question import PreparedSweep, Question
from scrub.sweeps.run import run_sweep
from scrub.sweeps.senders import Named, Sender, range_of


def components(settings: Settings, graph: Graph) -> tuple[Component, ...]:
    """All components of the kinds that are searched, in the model's order."""
    found = [Component("embeddings")] if "embeddings" in settings.senders else []
    for kind in ("heads", "mlps"):
        if kind in settings.senders:
            for sender in range_of(kind, graph):
                head = -1 if sender.head is None else sender.head
                found.append(Component(kind, sender.layer or 0, head))
    return tuple(one for one in found if any(route.cells for route in one.routes(graph)))


def question_of(receiver: Receiver, settings: Settings, metric: Metric, graph: Graph) -> Question:
    """The sweep that asks for all senders to a receiver, each by each of its ports."""
    senders = tuple(_senders(receiver, components(settings, graph), graph))
    return Question(
        to=None if receiver.is_root else receiver.sites,
        senders=Named(senders, ranged=True),
        at=settings.at,
        through=settings.through,
        restore=settings.restore,
        metrics=[metric],
    )


def _senders(receiver: Receiver, every: tuple[Component, ...], graph: Graph) -> Iterator[Sender]:
    for port in receiver.ports:
        for one in every:
            routes = tuple(evolve(route, into=port or None) for route in one.routes(graph))
            head = None if one.head < 0 else one.head
            yield Sender(
                f"{one} into {port}" if port else str(one), routes, one.layer, head, one.kind
            )


def reached(receiver: Receiver, settings: Settings, graph: Graph) -> bool:
    """Whether any component that is searched has a path to a receiver below the root."""
    starts = [cell for route in receiver.sites.routes for cell in route.cells]
    upstream = written_upstream(graph, starts, settings.through)
    return any(
        cell in upstream
        for one in components(settings, graph)
        for route in one.routes(graph)
        for cell in route.cells
    )


def prepared_sweep(
    item: CollectedBehaviour,
    receiver: Receiver,
    settings: Settings,
    metric: Metric,
    graph: Graph,
    context: Context,
) -> PreparedSweep:
    """The sweep onto a receiver, checked.

    Raises:
        UserError: with its problems.
    """
    question = question_of(receiver, settings, metric, graph)
    return prepare_sweep(item, question, context.session, context.options)


def measure(
    sweep: PreparedSweep, receiver: Receiver, context: Context, outputs: Outputs | None = None
) -> Measured:
    """The effects of all senders to a receiver.

    Raises:
        UserError: as `scrub.sweeps.run.run_sweep`.
        KeyboardInterrupt: it was stopped; the message says what is kept.
    """
    found = run_sweep(sweep, context, outputs)
    effects = []
    for number, sender in enumerate(found.senders):
        component = Component(
            sender.kind,
            -1 if sender.layer is None else sender.layer,
            -1 if sender.head is None else sender.head,
        )
        (*_, into) = (route.into for route in sender.routes)
        port = "" if into is None else next(iter(into))
        at = sender.routes[0].at
        effects.append(
            Effect(
                component,
                at if isinstance(at, str) else at[0],
                port,
                found.effects[0][number],
                found.share(0, number),
            )
        )
    return Measured(receiver, tuple(effects), found.totals[0], found.left_out)
