"""Test circuits on behaviours: each alone and knocked out, their parts, and random ones beside."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from attrs import evolve, frozen

from scrub.circuits.ablations import corrected
from scrub.circuits.conventions import Convention, conventions_of
from scrub.circuits.groups import removable
from scrub.circuits.kept import Kept, digest, keeping, removing
from scrub.circuits.measurements import Measurements
from scrub.circuits.overlap import Overlap, overlap
from scrub.circuits.random_circuits import random_circuits
from scrub.circuits.shared import Ablated, CircuitOn, OnBehaviour, SharedCircuits, SharedPart
from scrub.circuits.sharing_check import Asked, SharedSettings, ask
from scrub.circuits.stoppable import Begun
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.model.registry import Model
from scrub.runner.context import Context
from scrub.runner.duration import ANNOUNCED, span_in_words
from scrub.runner.outputs import Outputs
from scrub.stats.intervals import Interval
from scrub.stats.scores import Scores


@frozen(eq=False)
class KnockedOut:
    """Some nodes, and random ones in their place.

    Attributes:
        name: of a circuit, or of a part of two.
        circuit: the nodes, as a circuit of sites.
        of: the circuits that it is made of, by their numbers.
        random: circuits of as many nodes per layer; none where `reason` says why.
    """

    name: str
    circuit: Circuit
    of: tuple[int, ...]
    random: tuple[Circuit, ...] = ()
    reason: str = ""

    @property
    def kept(self) -> tuple[Kept, ...]:
        """The model without the nodes, then without those of each random circuit."""
        return tuple(removing(removable(one)) for one in (self.circuit, *self.random))


@frozen(eq=False)
class Sharing:
    """Measures what is asked."""

    asked: Asked
    begun: Begun

    @property
    def context(self) -> Context:
        return self.begun.context

    def run(self) -> SharedCircuits:
        """All that is asked.

        Raises:
            UserError: the model cannot be loaded, a metric fails, or one sample does not fit.
        """
        started = time.perf_counter()
        asked, options = self.asked, self.context.options
        conventions = [_conventions(asked, place) for place in range(len(asked.subjects))]
        every = [self._begin(place, own) for place, (own, *_) in enumerate(conventions)]
        whole, parts, left_out = self._knocked_out(every[0].model)
        names = [one.name for one in parts]
        count = self._announce(every, whole, parts)
        tested: list[CircuitOn] = []
        shared: list[SharedPart] = []
        elsewhere: list[CircuitOn] = []
        for place, measured in enumerate(every):
            self._measure(measured, whole, [one for one in parts if asked.concerns(one.of, place)])
            tested += self._tested(measured, place, whole)
            shared += self._parts(measured, place, parts)
            under, out = self._elsewhere(place, conventions[place][1:], whole)
            elsewhere += under
            left_out += out
        return SharedCircuits(
            model=asked.subjects[0].model.name,
            circuits=asked.circuits,
            behaviours=tuple(_about(asked, place, elsewhere) for place in range(len(every))),
            tested=tuple(sorted(tested, key=lambda one: asked.order(one.circuit))),
            parts=tuple(sorted(shared, key=lambda one: names.index(one.name))),
            elsewhere=tuple(elsewhere),
            overlap=self._overlap(every[0].model),
            left_out=tuple(left_out),
            random=asked.settings.random,
            samples=options.samples,
            seed=options.seed,
            count=count,
            seconds=time.perf_counter() - started,
        )

    def _begin(self, place: int, convention: Convention) -> Measurements:
        return self.begun.of(self.asked.subjects[place], convention)

    def _knocked_out(
        self, model: Model
    ) -> tuple[list[KnockedOut], list[KnockedOut], list[tuple[str, str]]]:
        """The circuits, and the parts of each two of them; and parts that cannot be said."""
        nodes = [evolve(one.of_sites(), free=()) for one in self.asked.circuits]
        whole = [self._beside(one.name, one, (number,), model) for number, one in enumerate(nodes)]
        parts, left_out = [], []
        for one, two in combinations(range(len(nodes)), 2):
            for first, second, sign in ((one, two, "&"), (one, two, "-"), (two, one, "-")):
                a, b = nodes[first], nodes[second]
                name = f"{a.name} {sign} {b.name}"
                try:
                    part = a & b if sign == "&" else a - b
                except UserError as error:
                    left_out.append((name, error.problems[0].what))
                    continue
                parts.append(self._beside(name, part, (one, two), model))
        return whole, parts, left_out

    def _beside(self, name: str, circuit: Circuit, of: tuple[int, ...], model: Model) -> KnockedOut:
        """Nodes with the random circuits beside them; an empty part has none."""
        count, seed = self.asked.settings.random, self.context.options.seed
        if not count or not removable(circuit):
            return KnockedOut(name, circuit, of)
        try:
            random = random_circuits(circuit, model, count, seed=seed)
        except UserError as error:
            return KnockedOut(name, circuit, of, reason=error.problems[0].what)
        return KnockedOut(name, circuit, of, tuple(random))

    def _announce(
        self,
        every: Sequence[Measurements],
        whole: Sequence[KnockedOut],
        parts: Sequence[KnockedOut],
    ) -> int:
        """Say how long it will take where that is long; how many circuits it is."""
        count, seconds = 0, 0.0
        for place, measured in enumerate(every):
            mine = [one for one in parts if self.asked.concerns(one.of, place)]
            kept = self._kept(measured.model, whole, mine)
            number = len({digest(one) for one in kept})
            others = 2 * len(whole) * (len(_conventions(self.asked, place)) - 1)
            count += number + others
            seconds += measured.seconds(number + others)
        if seconds > ANNOUNCED:
            self.context.progress.note(
                f"about {span_in_words(seconds)} for {count:,} circuits; Ctrl-C keeps what is "
                "computed, and the same command resumes"
            )
        return count

    def _kept(
        self, model: Model, whole: Sequence[KnockedOut], parts: Sequence[KnockedOut]
    ) -> list[Kept]:
        alone = [keeping(one, model) for one in self.asked.circuits]
        return [*alone, *(kept for one in (*whole, *parts) for kept in one.kept)]

    def _measure(
        self,
        measured: Measurements,
        whole: Sequence[KnockedOut],
        parts: Sequence[KnockedOut],
    ) -> None:
        """All of one behaviour at once: what circuits share is computed once."""
        measured.numbers(self._kept(measured.model, whole, parts))

    def _tested(
        self, measured: Measurements, place: int, whole: Sequence[KnockedOut]
    ) -> Iterator[CircuitOn]:
        asked = self.asked
        level = corrected(len(whole) * sum(len(one.metrics) for one in asked.subjects))
        for number, nodes in enumerate(whole):
            alone = keeping(asked.circuits[number], measured.model)
            for row, metric in enumerate(measured.subject.metrics):
                yield CircuitOn(
                    circuit=nodes.name,
                    behaviour=asked.names[place],
                    own=asked.own(number, place),
                    convention=measured.convention.name,
                    metric=metric.name,
                    alone=measured.of_ablated(alone, metric=row, confidence=level),
                    recovered=measured.recovered(alone, metric=row, confidence=level),
                    ablated=_ablated(measured, nodes, row, level),
                )

    def _parts(
        self, measured: Measurements, place: int, parts: Sequence[KnockedOut]
    ) -> Iterator[SharedPart]:
        asked = self.asked
        metrics = [len(one.metrics) for one in asked.subjects]
        level = corrected(
            sum(
                metrics[at] * asked.concerns(one.of, at)
                for one in parts
                for at in range(len(metrics))
            )
        )
        for nodes in parts:
            if not asked.concerns(nodes.of, place):
                continue
            for row, metric in enumerate(measured.subject.metrics):
                yield SharedPart(
                    name=nodes.name,
                    circuits=tuple(asked.circuits[number].name for number in nodes.of),  # type: ignore[arg-type]  # two
                    nodes=tuple(map(str, removable(nodes.circuit))),
                    behaviour=asked.names[place],
                    convention=measured.convention.name,
                    metric=metric.name,
                    ablated=_ablated(measured, nodes, row, level),
                )

    def _elsewhere(
        self, place: int, conventions: Sequence[Convention], whole: Sequence[KnockedOut]
    ) -> tuple[list[CircuitOn], list[tuple[str, str]]]:
        """The circuits under other conventions, and those that make no sense for the behaviour."""
        found: list[CircuitOn] = []
        left_out: list[tuple[str, str]] = []
        bare = [evolve(one, random=()) for one in whole]
        for convention in conventions:
            problem = convention.problem
            if not problem:
                try:
                    measured = self._begin(place, convention)
                    self._measure(measured, bare, ())
                    found += self._tested(measured, place, bare)
                    continue
                except UserError as error:
                    problem = error.problems[0].what
            left_out.append((f"{convention.name} ({self.asked.names[place]})", problem))
        return found, left_out

    def _overlap(self, model: Model) -> Overlap | None:
        if len(self.asked.circuits) < 2:
            return None
        return overlap(self.asked.circuits, model, seed=self.context.options.seed)


def _conventions(asked: Asked, place: int) -> tuple[Convention, ...]:
    """Under which circuits are tested on a behaviour; its own first."""
    found = conventions_of(asked.subjects[place], asked.columns)
    return found if asked.settings.conventions == "all" else found[:1]


def _about(asked: Asked, place: int, elsewhere: Sequence[CircuitOn]) -> OnBehaviour:
    subject, name = asked.subjects[place], asked.names[place]
    own = _conventions(asked, place)[0].name
    others = [one.convention for one in elsewhere if one.behaviour == name]
    return OnBehaviour(
        name=name,
        says=subject.item.behaviour.says,
        metrics=tuple(metric.name for metric in subject.metrics),
        convention=own,
        conventions=tuple(dict.fromkeys([own, *others])),
        data=subject.data.name,
        rows=len(subject.data),
    )


def _ablated(measured: Measurements, nodes: KnockedOut, row: int, level: float) -> Ablated:
    """What is lost without some nodes, and how much more than without random ones."""
    if not removable(nodes.circuit):
        nothing = Interval(math.nan, -math.inf, math.inf, level, reason="no node is in it")
        return Ablated(nothing, reason="no node is in it")
    own, *others = measured.numbers(nodes.kept)[row]
    ends = measured.original[row], measured.nothing[row]
    lost = _flipped(Scores(ends[0], own, ends[1]).recovered(level))
    if not others:
        return Ablated(lost, reason=nodes.reason)
    return Ablated(
        lost=lost,
        more=Scores(ends[0], ends[1] + np.mean(others, axis=0) - own, ends[1]).recovered(level),
        random=tuple(1 - Scores(ends[0], one, ends[1]).recovered().mean for one in others),
    )


def _flipped(kept: Interval) -> Interval:
    """The interval of 1 − what is kept."""
    return evolve(
        kept,
        mean=1 - kept.mean,
        low=1 - kept.high,
        high=1 - kept.low,
        least=1 - kept.most,
        most=1 - kept.least,
    )


def measure_shared(
    circuits: Sequence[Circuit],
    items: Sequence[CollectedBehaviour],
    settings: SharedSettings,
    context: Context,
    outputs: Outputs | None = None,
    *,
    fresh: bool = False,
) -> SharedCircuits:
    """Circuits on behaviours of one model.

    Args:
        outputs: of a command, which keeps what is measured; None: nothing is kept.
        fresh: measure all anew.

    Raises:
        UserError: as `ask` and `Sharing.run`.
        KeyboardInterrupt: it was stopped; the message says what is kept.
    """
    asked = ask(circuits, items, settings, context)
    begun = Begun(context, outputs, fresh)
    with context.progress, begun.keeping():
        return Sharing(asked, begun).run()
