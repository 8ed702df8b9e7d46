"""Score a circuit: measure it and its ablations, by every convention, on all rows and halves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from attrs import frozen

from scrub.circuits.ablations import Ablations, ablations
from scrub.circuits.check import check_circuit, specs_of
from scrub.circuits.completeness import Completeness, choose_sets, completeness
from scrub.circuits.conventions import Convention, conventions_of
from scrub.circuits.curve import Curve, curve, orders_of, removal_orders
from scrub.circuits.faithfulness import (
    Faithfulness,
    by_column,
    faithfulness,
    forms_of,
    parts_of,
    size_of,
)
from scrub.circuits.groups import removable, roles_of
from scrub.circuits.measurements import Measurements
from scrub.circuits.minimality import ALL_TRIED, NodeScore, choose_under, minimality
from scrub.circuits.nulls import NullScores, null_kinds, null_scores
from scrub.circuits.random_circuits import random_circuits
from scrub.circuits.score_settings import ScoreSettings, check_score_settings
from scrub.circuits.scores import CircuitScores
from scrub.circuits.stoppable import Begun
from scrub.circuits.subject import Subject, halves_of, subject_of
from scrub.data.partition import check_parts
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit, Placed
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.runner.context import Context
from scrub.runner.outputs import Outputs


@frozen(eq=False)
class Asked:
    """A circuit on a behaviour, checked, and what is asked of it.

    Attributes:
        nodes: that may be removed.
        halves: that choose, and that are reported on; None: `not_halved` says why.
    """

    item: CollectedBehaviour
    circuit: Circuit
    settings: ScoreSettings
    subject: Subject
    nodes: tuple[Placed, ...]
    conventions: tuple[Convention, ...]
    halves: tuple[Subject, Subject] | None
    not_halved: str


def ask(
    item: CollectedBehaviour, circuit: Circuit, settings: ScoreSettings, context: Context
) -> Asked:
    """Check what is asked, before any weights are read.

    Raises:
        UserError: settings or options make no sense; the behaviour says not how it is corrupted;
            the model or the data does not have what the circuit names; there is no such column.
    """
    check_score_settings(settings)
    session, options = context.session, context.options
    subject = subject_of(item, session, options, settings.metrics)
    check_circuit(circuit, subject.model, subject.data)
    nodes = removable(circuit)
    if settings.by:
        check_parts(subject.data, settings.by)
    halves, why = None, ""
    if {"completeness", "minimality", "curve"} & set(settings.only):
        try:
            halves = halves_of(item, session, options, settings.metrics)
        except UserError as error:  # what is not chosen by the rows can be scored all the same
            why = " ".join(filter(None, (error.problems[0].what, error.problems[0].fix)))
    conventions = conventions_of(subject, _columns(circuit))
    return Asked(item, circuit, settings, subject, nodes, conventions, halves, why)


def _columns(circuit: Circuit) -> tuple[str, ...]:
    """The position columns that a circuit names."""
    return tuple(spec for spec in specs_of(circuit) if isinstance(spec, str))


@frozen(eq=False)
class Scoring:
    """Measures what is asked."""

    asked: Asked
    begun: Begun

    @property
    def context(self) -> Context:
        return self.begun.context

    def run(self) -> CircuitScores:
        """All that is asked.

        Raises:
            UserError: the model cannot be loaded, a metric fails, or one sample does not fit.
        """
        started = time.perf_counter()
        asked, settings = self.asked, self.asked.settings
        subject, circuit = asked.subject, asked.circuit
        own = self.begun.of(subject, asked.conventions[0])
        self.context.progress.note(own.announcement(most_circuits(asked)))
        scores, nulls, left_out = self._conventions(own)
        parts = parts_of(own, circuit, asked.nodes) if "parts" in settings.only else ()
        by = by_column(own, circuit, settings.by) if settings.by else ()
        complete, minimal, curved = self._chosen()
        options = self.context.options
        return CircuitScores(
            behaviour=asked.item.behaviour.name,
            says=asked.item.behaviour.says,
            model=subject.model.name,
            circuit=circuit,
            metrics=tuple(metric.name for metric in subject.metrics),
            settings=settings,
            size=size_of(circuit, subject.model),
            faithfulness=scores,
            left_out=left_out,
            nulls=nulls,
            parts=parts,
            by=by,
            completeness=complete,
            minimality=minimal,
            curve=curved,
            not_halved=asked.not_halved,
            data=subject.data.name,
            rows=len(subject.data),
            halves=(0, 0)
            if asked.halves is None
            else tuple(len(half.data) for half in asked.halves),  # type: ignore[arg-type]  # two
            samples=options.samples,
            seed=options.seed,
            circuits=most_circuits(asked),
            seconds=time.perf_counter() - started,
        )

    def _conventions(
        self, own: Measurements
    ) -> tuple[tuple[Faithfulness, ...], tuple[NullScores, ...], tuple[tuple[str, str], ...]]:
        """Faithfulness and nulls under each convention, and those that make no sense here."""
        asked = self.asked
        forms = forms_of(asked.circuit, asked.subject.model)
        random, reasons = self._random()
        scores: list[Faithfulness] = []
        nulls: list[NullScores] = []
        left_out = [(one.name, one.problem) for one in asked.conventions if one.problem]
        for number, convention in enumerate(asked.conventions):
            if convention.problem and number:
                continue
            try:
                measured = own if number == 0 else self.begun.of(asked.subject, convention)
                found = faithfulness(measured, forms)
                for kind, circuits in random.items():
                    nulls += null_scores(measured, asked.circuit, circuits, kind)
                scores += found
            except UserError as error:
                if number == 0:
                    raise
                left_out.append((convention.name, error.problems[0].what))
        names = asked.conventions[0].name, asked.subject.metrics[0].name
        nulls += [NullScores(*names, kind, float("nan"), (), why) for kind, why in reasons.items()]
        return tuple(scores), tuple(nulls), tuple(left_out)

    def _random(self) -> tuple[dict[str, list[Circuit]], dict[str, str]]:
        """Random circuits of each kind, or why there are none of it."""
        asked, settings = self.asked, self.asked.settings
        found: dict[str, list[Circuit]] = {}
        reasons: dict[str, str] = {}
        if "nulls" not in settings.only or not settings.random:
            return found, reasons
        for kind in null_kinds(asked.circuit):
            try:
                found[kind] = random_circuits(
                    asked.circuit,
                    asked.subject.model,
                    settings.random,
                    seed=self.context.options.seed,
                    connected=kind == "connected",
                )
            except UserError as error:
                reasons[kind] = error.problems[0].what
        return found, reasons

    def _chosen(
        self,
    ) -> tuple[Completeness | None, tuple[NodeScore, ...] | None, Curve | None]:
        """What is chosen on one half of the rows and reported on the other."""
        asked, settings = self.asked, self.asked.settings
        if asked.halves is None or not asked.nodes:
            return None, None, None
        seen, held = (self._half(half) for half in asked.halves)
        roles = roles_of(asked.circuit, asked.nodes)
        seed = self.context.options.seed
        complete = minimal = curved = None
        if "completeness" in settings.only:
            complete = completeness(held, choose_sets(seen, roles, settings.sets, seed))
        if "minimality" in settings.only:
            under = choose_under(seen, roles, settings.sets, seed)
            minimal = minimality(held, under, roles)
        if "curve" in settings.only:
            curved = self._curve(seen, held, seed)
        return complete, minimal, curved

    def _half(self, half: Subject) -> Ablations:
        (own, *_) = conventions_of(half, _columns(self.asked.circuit))
        measured = self.begun.of(half, own)
        return ablations(measured, self.asked.circuit, half.model, self.asked.nodes)

    def _curve(self, seen: Ablations, held: Ablations, seed: int) -> Curve:
        nodes, settings = self.asked.nodes, self.asked.settings
        heads = curved_nodes(nodes)
        layers = {number: nodes[number].cell.name.layer or 0 for number in heads}
        orders = orders_of(settings.order, settings.orders, seed)
        removed = removal_orders(seen, heads, layers, orders)
        return curve(seen, held, heads, orders, removed, settings.levels)


def curved_nodes(nodes: Sequence[Placed]) -> list[int]:
    """The heads, which a curve removes; of a circuit without heads all its nodes."""
    heads = [number for number, node in enumerate(nodes) if node.cell.head is not None]
    return heads or list(range(len(nodes)))


def most_circuits(asked: Asked) -> int:
    """How many circuits will be measured at most: greedy sets may end early."""
    return sum(_counts(asked))


def _counts(asked: Asked) -> Iterator[int]:
    settings, only, sets = asked.settings, asked.settings.only, asked.settings.sets
    roles = roles_of(asked.circuit, asked.nodes)
    conventions = sum(not one.problem for one in asked.conventions)
    forms = len(forms_of(asked.circuit, asked.subject.model))
    nulls = len(null_kinds(asked.circuit)) * settings.random if "nulls" in only else 0
    yield conventions * (forms + nulls)
    if "parts" in only:
        yield len(roles) + len(_columns(asked.circuit)) + 1
    count = len(asked.nodes)
    if asked.halves is None or not count:
        return
    named = 1 + len(roles) + sets.random
    if "completeness" in only:
        greedy = sum(count - step for step in range(min(sets.steps, count)))
        yield 2 * (named + greedy + sets.runs * sets.run_steps * min(sets.run_tried, count))
        yield 2 * (named + 1 + sets.runs)
    if "minimality" in only:
        yield 2 * count * (named + sets.node_steps * min(ALL_TRIED, count - 1))
        yield 4 * count
    if "curve" in only:
        heads = len(curved_nodes(asked.nodes))
        yield settings.orders * (heads * (heads + 1) // 2 + heads + 1)


def score_circuit(
    item: CollectedBehaviour,
    circuit: Circuit,
    settings: ScoreSettings,
    context: Context,
    outputs: Outputs | None = None,
    *,
    fresh: bool = False,
) -> CircuitScores:
    """The scores of a circuit on a behaviour.

    Args:
        outputs: of a command, which keeps what is measured; None: nothing is kept.
        fresh: measure all anew.

    Raises:
        UserError: as `ask` and `Scoring.run`.
        KeyboardInterrupt: it was stopped; the message says what is kept.
    """
    asked = ask(item, circuit, settings, context)
    begun = Begun(context, outputs, fresh)
    with context.progress, begun.keeping():
        return Scoring(asked, begun).run()
