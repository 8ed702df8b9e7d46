"""Searches from Python: what `scrub find` finds, as frozen results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Unpack, overload

from scrub.api import checked_options, collected_behaviour, context_of, no_behaviour
from scrub.hypothesis.arguments import Head
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.positions import Positions
from scrub.hypothesis.sites import Through, mlps
from scrub.runner.options import RunOptions, is_whole, shows
from scrub.runner.session import Session
from scrub.searches.asked import divided, search_asked
from scrub.searches.circuit_result import CircuitResult
from scrub.searches.keywords import (
    AcdcOptions,
    AttributionOptions,
    Kinds,
    PruningOptions,
    SearchOptions,
)
from scrub.searches.path_search import PathSearch, begin
from scrub.searches.settings import SMALLEST, kinds_of, settings_of

Heads = str | Sequence[Head | str]
"""Heads as searches take them: "9.9,9.6", or a list."""
KINDS = "heads,embeddings"


@overload
def find(
    behaviour: Behaviour,
    *,
    by: Literal["paths"] = "paths",
    senders: Kinds = KINDS,
    at: Positions = "each",
    through: Through | Literal["none", "mlps"] = mlps,
    restore: bool = False,
    smallest: float = SMALLEST,
    keep: Heads = (),
    drop: Heads = (),
    split: Heads | Literal[True] | None = None,
    merge: Heads | Literal[True] | None = None,
    steps: int | None = None,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> PathSearch: ...
@overload
def find(
    behaviour: Behaviour,
    *,
    by: Literal["pruning"],
    senders: Kinds = ...,
    at: Positions = ...,
    session: Session | None = None,
    **options: Unpack[PruningOptions],
) -> CircuitResult: ...
@overload
def find(
    behaviour: Behaviour,
    *,
    by: Literal["acdc"],
    senders: Kinds = ...,
    session: Session | None = None,
    **options: Unpack[AcdcOptions],
) -> CircuitResult: ...
@overload
def find(
    behaviour: Behaviour,
    *,
    by: Literal["attribution"],
    senders: Kinds = ...,
    at: Positions = ...,
    steps: int | None = None,
    session: Session | None = None,
    **options: Unpack[AttributionOptions],
) -> CircuitResult: ...
@shows(SearchOptions)
def find(
    behaviour: Behaviour,
    *,
    by: Literal["paths", "pruning", "acdc", "attribution"] = "paths",
    senders: Kinds = KINDS,
    at: Positions = "each",
    through: Through | Literal["none", "mlps"] = mlps,
    restore: bool = False,
    smallest: float = SMALLEST,
    keep: Heads = (),
    drop: Heads = (),
    split: Heads | Literal[True] | None = None,
    merge: Heads | Literal[True] | None = None,
    steps: int | None = None,
    session: Session | None = None,
    **options: Unpack[SearchOptions],
) -> PathSearch | CircuitResult:
    """Find the paths, or the circuit, that carry a behaviour, as `scrub find` does.

    Law: what is kept of a receiver are senders whose interval, corrected for all that were tried,
    is away from zero, and whose share of the total effect is large enough.

    Args:
        behaviour: a function decorated with `@behaviour`, or `ioi.behaviour(1_000)`. One half of
            its rows is searched; the hypothesis is about the other.
        by: "paths": iterative path patching; "pruning", "acdc", "attribution": a circuit, with its
            score on the half that is held out.
        senders: kinds of components that are tried: heads, mlps, embeddings.
        at: positions of senders: "each" column of the data, a column, several, or "all".
        through: what paths between two components may pass: mlps or none.
        restore: restore senders in a corrupted run; or (False) corrupt them in the original one.
        smallest: least share of the total effect that is kept.
        keep, drop: heads, "9.9,9.6" or pairs: kept however small, or never.
        split, merge: heads that are a group each, or one group; True: all.
        steps: at most so many sweeps (default: to the end). 0: none yet.
        session, options: as in `run`; of a circuit also ablate ("mean", "resample", "zero") and the
            method's settings (`scrub.searches.keywords`), which has none of those above but senders
            and at, and steps of "attribution".

    Raises:
        UserError: the search makes no sense, or an option is not one.
    """
    wrong = no_behaviour("find", behaviour)
    usual = find.__kwdefaults__ or {}
    asked = {
        "senders": senders, "at": at, "through": through, "restore": restore, "keep": keep,
        "smallest": smallest, "drop": drop, "split": split, "merge": merge, "steps": steps,
    }  # fmt: skip
    given, left = divided(by, options, {k: (v, usual[k]) for k, v in asked.items()}, wrong)
    if steps is not None and not (is_whole(steps) and steps >= 0):
        wrong.append(f"steps= is {steps!r}. Give a whole number, 0 or more, or leave it out.")
    chosen = checked_options("find", left, session, wrong)
    context = context_of(session, chosen)
    if by != "paths":
        with context.progress:
            return search_asked(collected_behaviour(behaviour), by, given, context)
    del asked["steps"]
    settings = settings_of(**asked | {"senders": kinds_of(senders)})
    search = begin(collected_behaviour(behaviour), settings, context)
    with context.progress:
        if steps is None:
            return search.run()
        for _ in range(steps):
            search = search.step()
    return search
