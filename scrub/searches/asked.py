"""A search for a circuit as `scrub.find(by=…)` asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrub.errors import did_you_mean
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.runner.context import Context
from scrub.searches.circuit_result import CircuitResult, run_circuit
from scrub.searches.circuit_search import begin_circuit
from scrub.searches.methods import METHODS, NAMES, PATHS, in_a_row
from scrub.searches.settings import kinds_of

ABLATE = "ablate"
RUNS = frozenset({"seed"})
"""Settings that are options of the run as well."""


def divided(
    by: str, options: Mapping[str, Any], of_paths: Mapping[str, tuple[Any, Any]], wrong: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The method's settings, and the options that are left for the run.

    Args:
        of_paths: arguments that the method `paths` takes, each as it was given and as it is where
            nobody gives it.
        wrong: is told of a method that there is not, and of settings that are of another.
    """
    if by not in NAMES:
        wrong.append(f"by={by!r}. {did_you_mean(str(by), NAMES)}")
        return {}, dict(options)
    named = {name: value for name, (value, usual) in of_paths.items() if value is not usual}
    known = {name: set(method.keywords) | {ABLATE} for name, method in METHODS.items()}
    every = set().union(*known.values()) - RUNS
    mine = known.get(by, set()) - RUNS
    given = {name: value for name, value in options.items() if name in every}
    left = {name: value for name, value in options.items() if name not in every}
    refused = set(given) - mine if by == PATHS else (set(named) | set(given)) - mine
    for name in sorted(refused):
        takers = [other for other, names in known.items() if name in names]
        takers += [PATHS] if name in of_paths else []
        wrong.append(
            f'by="{by}" takes no {name}=: it is of {in_a_row([f"by={one!r}" for one in takers])}.'
        )
    if by == PATHS:
        return {}, left
    return {name: value for name, value in {**named, **given}.items() if name in mine}, left


def search_asked(
    item: CollectedBehaviour, by: str, given: Mapping[str, Any], context: Context
) -> CircuitResult:
    """Search, and score what was found.

    Raises:
        NothingFoundError: nothing is kept, or everything.
        UserError: the settings make no sense, or as a search.
    """
    method, settings = METHODS[by], dict(given)
    ablate = settings.pop(ABLATE, None)
    if "senders" in settings:
        settings["senders"] = kinds_of(settings["senders"])
    if "seed" in method.keywords:
        settings["seed"] = context.options.seed
    made = method.settings(**settings)
    return run_circuit(begin_circuit(item, method, made, context, ablate))
