"""What is asked of circuits on behaviours, checked before any weights are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from attrs import evolve, frozen

from scrub.circuits.check import check_circuit
from scrub.circuits.subject import Subject, subject_of
from scrub.errors import Problem, Problems, UserError, did_you_mean
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.printing import printed
from scrub.runner.context import Context
from scrub.runner.options import is_whole
from scrub.stats.bonferroni import told_apart

RANDOM = 100
"""Random circuits for each circuit and part: the least p-value is below 0.01."""
CONVENTIONS = ("all", "own")


@frozen
class SharedSettings:
    """How circuits are tested on behaviours.

    Attributes:
        metrics: names, or metrics; None: all of each behaviour's.
        random: how many random circuits, for each circuit and part.
        conventions: "own": under each behaviour's own corruption alone; "all": its neighbours too.
    """

    metrics: Any = None
    random: int = RANDOM
    conventions: str = "all"


@frozen(eq=False)
class Asked:
    """Circuits and behaviours of one model, checked.

    Attributes:
        names: of the behaviours, with their files where several have one name.
    """

    circuits: tuple[Circuit, ...]
    subjects: tuple[Subject, ...]
    names: tuple[str, ...]
    settings: SharedSettings

    @property
    def paired(self) -> bool:
        """Whether each circuit is that of the behaviour in the same place."""
        return len(self.circuits) == len(self.subjects)

    @property
    def columns(self) -> tuple[str, ...]:
        """The position columns that the circuits name."""
        ats = [one.at for circuit in self.circuits for one in (*circuit.nodes, *circuit.edges)]
        specs = [spec for at in ats if not isinstance(at, str) for spec in at]
        return tuple(dict.fromkeys(spec for spec in specs if isinstance(spec, str)))

    def own(self, circuit: int, behaviour: int) -> bool:
        """Whether a circuit is a behaviour's."""
        return self.paired and circuit == behaviour

    def concerns(self, circuits: Sequence[int], behaviour: int) -> bool:
        """Whether parts of these circuits are knocked out on a behaviour."""
        return not self.paired or behaviour in circuits

    def order(self, circuit: str) -> int:
        """Where a circuit stands among them."""
        return [one.name for one in self.circuits].index(circuit)


def ask(
    circuits: Sequence[Circuit],
    items: Sequence[CollectedBehaviour],
    settings: SharedSettings,
    context: Context,
) -> Asked:
    """Check what is asked, before any weights are read.

    Raises:
        UserError: names clash; circuits or behaviours are of several models; a behaviour says not
            how it is corrupted; or the model or the data does not have what a circuit names.
    """
    _check_settings(settings)
    called = tuple(
        one if one.name else evolve(one, name=f"circuit {number}")
        for number, one in enumerate(circuits, 1)
    )
    names = told_apart([(item.file, item.behaviour.name) for item in items])
    problems = Problems()
    problems.extend(_of_names(called, names))
    problems.refuse()
    subjects = []
    for item in items:
        try:
            subjects.append(subject_of(item, context.session, context.options, settings.metrics))
        except UserError as error:
            problems.extend(error.problems)
    problems.refuse()
    problems.extend(_of_models(called, subjects, names))
    problems.refuse()
    found: dict[Problem, None] = {}
    for circuit in called:
        for subject in subjects:
            try:
                check_circuit(circuit, subject.model, subject.data)
            except UserError as error:
                found |= dict.fromkeys(error.problems)
    problems.extend(found)
    problems.refuse()
    return Asked(called, tuple(subjects), tuple(names), settings)


def _check_settings(settings: SharedSettings) -> None:
    problems = Problems()
    if not is_whole(settings.random) or settings.random < 0:
        problems.add(f"random={printed(settings.random)}.", "Give a whole number, 0 or more.")
    if settings.conventions not in CONVENTIONS:
        hint = did_you_mean(str(settings.conventions), CONVENTIONS)
        problems.add(f"conventions={printed(settings.conventions)}.", hint)
    problems.refuse()


def _of_names(circuits: Sequence[Circuit], names: Sequence[str]) -> list[Problem]:
    """What cannot be told apart."""
    found = []
    if not circuits or not names:
        lacking = "circuit" if not circuits else "behaviour"
        found.append(Problem(f"No {lacking} is given.", "Give one or several."))
    for name, count in Counter(one.name for one in circuits).items():
        if count > 1:
            found.append(
                Problem(
                    f'{count} circuits are called "{name}".',
                    'Give each a name of its own: "name" in its file, or evolve(circuit, name=…).',
                )
            )
    for name, count in Counter(names).items():
        if count > 1:
            found.append(Problem(f"Behaviour {name} is given {count} times.", "Give it once."))
    return found


def _of_models(
    circuits: Sequence[Circuit], subjects: Sequence[Subject], names: Sequence[str]
) -> list[Problem]:
    """Circuits and behaviours of several models."""
    first = subjects[0].model
    found = [
        Problem(
            f'{name} is about model "{subject.model.name}", and {names[0]} about "{first.name}".',
            "Circuits are tested on behaviours of one model: give model= (--model on the command "
            "line) where all can be about one.",
        )
        for name, subject in zip(names, subjects, strict=True)
        if subject.model is not first
    ]
    if found:
        return found
    return [
        Problem(
            f'Circuit "{one.name}" is of model "{one.model}", and the behaviours are about '
            f'"{first.name}".',
            'Give circuits of that model; or, if it is one under another name, leave "model" out '
            "of the circuit's file.",
        )
        for one in circuits
        if one.model and PurePath(one.model).name != PurePath(first.name).name
    ]
