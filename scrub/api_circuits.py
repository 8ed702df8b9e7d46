"""Circuits from Python: what `scrub circuit --on` gives, as a frozen result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from scrub.api import checked_options, collected_behaviour
from scrub.circuits.shared import SharedCircuits
from scrub.circuits.sharing import measure_shared
from scrub.circuits.sharing_check import RANDOM, SharedSettings
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.circuit import Circuit
from scrub.runner.context import Context
from scrub.runner.session import Session


def shared_circuits(
    circuits: Sequence[Circuit] | Mapping[str, Circuit],
    behaviours: Sequence[Behaviour],
    *,
    metrics: Any = None,
    random: int = RANDOM,
    conventions: str = "all",
    session: Session | None = None,
    **options: Any,
) -> SharedCircuits:
    """Circuits tested on behaviours, as `scrub circuit A.json B.json --on FILE::X,FILE::Y` says.

    Each circuit alone and knocked out on each behaviour; and what two circuits share, or one alone
    has, knocked out on the behaviours whose circuits they are. Where there are as many behaviours
    as circuits, each circuit is that of the behaviour in its place.

    Law: what a circuit recovers is what `scrub.run` says of the claim that it stands for.

    Args:
        circuits: each with a name of its own; or by name.
        behaviours: of one model.
        metrics: names of the behaviours' metrics, or metrics (default: all of each behaviour's).
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
    settings = SharedSettings(metrics, random, conventions)
    return measure_shared(given, items, settings, Context(session or Session(), chosen))


def _listed(given: Any) -> list[Any]:
    """What is given, one or several, as a list."""
    several = isinstance(given, Sequence) and not isinstance(given, str)
    return list(given) if several else [given]
