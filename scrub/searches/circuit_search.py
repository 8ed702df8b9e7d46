"""A search for a circuit: checked, and made on one half of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from scrub.circuits.conventions import Convention, conventions_of
from scrub.circuits.measurements import Measurements
from scrub.circuits.subject import Subject, halves_of
from scrub.errors import Problems, UserError
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.runner.context import Context
from scrub.runner.outputs import Outputs
from scrub.samplers import Mean, Zero, is_virtual
from scrub.searches.circuit_found import CircuitFound, Says, Tried
from scrub.searches.method import Method
from scrub.searches.path_search import NothingFoundError
from scrub.stats.effect import paired_mean
from scrub.stats.rounding import interval, number

ABLATIONS = ("mean", "resample", "zero")


@frozen(eq=False)
class CircuitSearch:
    """A search for a circuit that is ready to start: nothing has been searched yet.

    Attributes:
        item: the behaviour, all of its rows.
        seen, held: the behaviour on the half that is searched, and on the other.
        ablated: what stands in for all outside of a circuit, of each half.
        own: which of the measured metrics is the behaviour's first.
    """

    item: CollectedBehaviour
    method: Method
    settings: Any
    context: Context
    seen: Subject
    held: Subject
    ablated: tuple[Convention, Convention]
    own: int


def begin_circuit(
    item: CollectedBehaviour,
    method: Method,
    settings: Any,
    context: Context,
    ablate: str | None = None,
) -> CircuitSearch:
    """A search for a circuit, checked.

    Args:
        ablate: "mean", "resample" or "zero"; None: as the behaviour corrupts.

    Raises:
        UserError: settings or options make no sense, or the behaviour cannot be halved.
    """
    problems = Problems()
    for problem in method.problems(settings):
        problems.add(problem)
    if ablate is not None and ablate not in ABLATIONS:
        problems.add(f"ablate={ablate!r}.", f"Give one of: {', '.join(ABLATIONS)}.")
    try:
        problems.refuse()
    except UserError as error:
        raise error.at(file=item.file, claim=item.behaviour.name) from error
    session, options = context.session, context.options
    seen, held = halves_of(item, session, options)
    metrics = method.metrics(seen.metrics, seen.root, settings)
    own = metrics.index(seen.metrics[0])
    if metrics != seen.metrics:
        seen, held = halves_of(item, session, options, list(metrics))
    named = [one for one in method.columns(settings, seen) if isinstance(one, str)]
    ablated = _ablated(seen, ablate, named), _ablated(held, ablate, named)
    return CircuitSearch(item, method, settings, context, seen, held, ablated, own)


def _ablated(subject: Subject, asked: str | None, named: Sequence[str]) -> Convention:
    own, *others = conventions_of(subject, named)
    if asked is None:
        return own
    wanted = [one for one in (own, *others) if kind_of(one) == asked]
    if not wanted:
        raise UserError(f"ablate={asked!r}: there is none for this behaviour.")
    legal = [one for one in wanted if not one.problem]
    if not legal:
        raise UserError(
            f'ablate="{asked}" (--ablate) makes no sense here: {wanted[0].problem}. Take another, '
            "or name fewer positions."
        )
    return legal[0]


def kind_of(convention: Convention) -> str:
    """ "mean", "resample", "zero", or "" for what is none of these."""
    match convention.other:
        case Mean():
            return "mean"
        case Zero():
            return "zero"
        case other:
            return "" if is_virtual(other) else "resample"


def found_circuit(
    search: CircuitSearch,
    says: Says,
    outputs: Outputs | None = None,
    *,
    fresh: bool = False,
) -> tuple[CircuitFound, tuple[str, ...]]:
    """Search one half of the rows. The log comes line by line, and as a whole.

    Raises:
        UserError: original and corrupted are not told apart; or as `Measurements`.
        KeyboardInterrupt: it was stopped; the message says what is kept.
    """
    log: list[str] = []

    def said(line: str) -> None:
        log.append(line)
        says(line)

    measured = measurements(search, outputs, fresh=fresh)
    refuse_untold(search, measured)
    for line in opening(search, measured):
        said(line)
    count, _ = search.method.cost(search.settings, search.seen.graph)
    search.context.progress.note(measured.announcement(count))
    found = search.method.search(search.seen, measured, search.settings, said)
    measured.keep()
    return evolve(found, circuit=_named(found.circuit, search)), tuple(log)


def measurements(
    search: CircuitSearch, outputs: Outputs | None, *, held: bool = False, fresh: bool = False
) -> Measurements:
    """What measures circuits on one half of the rows."""
    subject, ablated = (
        (search.held, search.ablated[1]) if held else (search.seen, search.ablated[0])
    )
    return Measurements.of(subject, ablated, search.context, outputs, fresh=fresh)


def refuse_untold(search: CircuitSearch, measured: Measurements) -> None:
    """Refuse a behaviour that the corruption does not change.

    Raises:
        UserError: so it is.
    """
    difference = paired_mean(measured.original[search.own] - measured.nothing[search.own])
    if not (difference.low > 0 or difference.high < 0):
        name = search.seen.metrics[search.own].name
        raise UserError(
            f"The model and what is left of it when all is taken out are not told apart: {name} "
            f"differs by {interval(difference)}, so that there is nothing to find. More samples "
            "(--samples) or another corruption (--ablate) may tell."
        )


def opening(search: CircuitSearch, measured: Measurements) -> list[str]:
    """What is searched, on which rows, and against what."""
    options, seen = search.context.options, search.seen
    name = seen.metrics[search.own].name
    means = [
        number(float(one[search.own].mean()), 3)
        for one in (measured.original, measured.baseline, measured.nothing)
    ]
    return [
        f"{search.item.behaviour.name} on {seen.model.name}: {search.method.name}, seed "
        f"{options.seed}: {search.method.says}",
        f"what is taken out comes from: {search.ablated[0].name}",
        f"{options.samples:,} references from {len(seen.data):,} rows, one half; the other half is "
        "held out, for the score and the claim",
        f"{name}: {means[0]} as it is (100%), {means[1]} on other inputs (0%), {means[2]} with all "
        "taken out",
        search.method.announced(search.settings, seen.graph),
    ]


def _named(circuit: Circuit, search: CircuitSearch) -> Circuit:
    """The circuit with where it comes from."""
    model, options = search.seen.model, search.context.options
    there = {one.cell for one in circuit.nodes}
    approximate = " (approximate)" if search.method.approximate else ""
    roles: dict[str, tuple[Any, ...]] = {}
    for role, heads in model.roles.items():
        cells = [cell for cell in there if (cell.name.layer, cell.head) in heads]
        if cells:
            roles[role] = tuple(sorted(cells))
    return evolve(
        circuit,
        name=f"{search.item.behaviour.name} by {search.method.name}",
        model=model.name,
        source=f"scrub find by {search.method.name}, {options.samples} samples, seed "
        f"{options.seed}{approximate}",
        roles=roles,
    )


def refuse_trivial(found: CircuitFound, method: Method) -> None:
    """Refuse a circuit of nothing, or of everything: the threshold decided it.

    Raises:
        NothingFoundError: which says what cost most, or least.
    """
    if not (found.nothing or found.everything):
        return
    limits = " or ".join(f"{name}= ({method.options[name]})" for name in method.limits)
    last: dict[str, Tried] = {one.part: one for one in found.tried}
    costs = sorted(last.values(), key=lambda one: one.cost)
    if found.everything:
        least = f": the least costs {costs[0].part}, {number(costs[0].cost, 4)}" if costs else ""
        raise NothingFoundError(
            f"Nothing is taken out{least}. A circuit of everything says nothing; another {limits} "
            "may."
        )
    most = f": the most cost {costs[-1].part}, {number(costs[-1].cost, 4)}" if costs else ""
    raise NothingFoundError(
        f"Nothing is kept: every part was taken out{most}. A stricter {limits} may keep some."
    )
