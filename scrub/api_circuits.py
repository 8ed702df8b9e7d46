"""Circuits from Python: what `scrub circuit` gives, as frozen results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

from attrs import evolve

from scrub.api import checked_options, collected_behaviour, context_of
from scrub.circuits.completeness import SetsOf
from scrub.circuits.score_settings import RANDOM as NULLS
from scrub.circuits.score_settings import ScoreSettings, sections_of
from scrub.circuits.scores import CircuitScores
from scrub.circuits.scoring import score_circuit
from scrub.circuits.shared import SharedCircuits
from scrub.circuits.sharing import measure_shared
from scrub.circuits.sharing_check import RANDOM, SharedSettings
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.circuit import Circuit
from scrub.runner.options import RunOptions, shows
from scrub.runner.session import Session


@shows(RunOptions)
def circuit_scores(
    behaviour: Behaviour,
    circuit: Circuit,
    *,
    metric: Any = None,
    by: str | None = None,
    only: str | Sequence[str] | None = None,
    sets: int | SetsOf | None = None,
    random: int = NULLS,
    order: Literal["least", "once", "backwards", "forwards"] = "least",
    orders: int = 1,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> CircuitScores:
    """The scores of a circuit on a behaviour, as `scrub circuit FILE::BEHAVIOUR CIRCUIT` says.

    Law: what a circuit recovers is what `scrub.run` says of the claim that it stands for.

    Args:
        behaviour: a function decorated with `@behaviour`, or `ioi.behaviour(1_000)`.
        circuit: `scrub.read_circuit(file)`, `Circuit.of(…)`, `Circuit.of_edges(…)`.
        metric: the name of one of the behaviour's metrics, or a metric; or several (default: all of
            the behaviour's).
        by: a column of the data, for faithfulness by its values.
        only: of what is measured beside faithfulness: nulls, parts, completeness, minimality,
            curve (default: all).
        sets: how many random sets of nodes are tried; or all about sets.
        random: how many random circuits of each kind.
        order: of removal: least, once, backwards, forwards.
        orders: how many orders: that one, the others, then random ones.
        session, options: as in `run`.

    Raises:
        UserError: the circuit is not one of this model, or an argument makes no sense.
    """
    wrong = []
    if not isinstance(behaviour, Behaviour):
        wrong.append(
            f"scrub.circuit_scores takes a behaviour, not a {type(behaviour).__name__}. Decorate "
            "the function with @behaviour(data=…, metric=…, corrupt=…)."
        )
    if not isinstance(circuit, Circuit):
        wrong.append(
            f"scrub.circuit_scores takes a circuit, not a {type(circuit).__name__}. Give "
            "Circuit.of(…), Circuit.of_edges(…) or scrub.read_circuit(file)."
        )
    chosen = checked_options("circuit_scores", options, session, wrong)
    tried = sets if isinstance(sets, SetsOf) else SetsOf() if sets is None else SetsOf(sets)
    settings = ScoreSettings(metric, by or "", sections_of(only), tried, random, order, orders)
    context = context_of(session, chosen)
    return score_circuit(collected_behaviour(behaviour), circuit, settings, context)


@shows(RunOptions)
def shared_circuits(
    circuits: Sequence[Circuit] | Mapping[str, Circuit],
    behaviours: Sequence[Behaviour],
    *,
    metric: Any = None,
    random: int = RANDOM,
    conventions: Literal["own", "all"] = "all",
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> SharedCircuits:
    """Circuits tested on behaviours, as `scrub circuit A.json B.json --on FILE::X,FILE::Y` says.

    Each circuit alone and knocked out on each behaviour; and what two circuits share, or one alone
    has, knocked out on the behaviours whose circuits they are. Where there are as many behaviours
    as circuits, each circuit is that of the behaviour in its place.

    Law: what a circuit recovers is what `scrub.run` says of the claim that it stands for.

    Args:
        circuits: each with a name of its own; or by name.
        behaviours: of one model.
        metric: the name of one of the behaviours' metrics, or a metric; or several (default: all of
            each behaviour's).
        random: how many random circuits beside each circuit and part.
        conventions: "own": knocked out by each behaviour's own corruption alone; "all": by its
            neighbours too.
        session, options: as in `run`.

    Raises:
        UserError: names clash; circuits or behaviours are of several models; or an argument makes
            no sense.
    """
    wrong = [
        f"scrub.shared_circuits takes behaviours, not a {type(one).__name__}. Decorate the "
        "function with @behaviour(data=…, metric=…, corrupt=…)."
        for one in _listed(behaviours)
        if not isinstance(one, Behaviour)
    ]
    named = circuits if isinstance(circuits, Mapping) else {}
    given = list(circuits.values()) if isinstance(circuits, Mapping) else _listed(circuits)
    wrong += [
        f"scrub.shared_circuits takes circuits, not a {type(one).__name__}. Give Circuit.of(…), "
        "Circuit.of_edges(…) or scrub.read_circuit(file)."
        for one in given
        if not isinstance(one, Circuit)
    ]
    chosen = checked_options("shared_circuits", options, session, wrong)
    if named:
        given = [evolve(one, name=str(name)) for name, one in named.items()]
    items = [collected_behaviour(one) for one in _listed(behaviours)]
    settings = SharedSettings(metric, random, conventions)
    return measure_shared(given, items, settings, context_of(session, chosen))


def _listed(given: Any) -> list[Any]:
    """What is given, one or several, as a list."""
    several = isinstance(given, Sequence) and not isinstance(given, str)
    return list(given) if several else [given]
