"""A search for a circuit from end to end: on one half of the rows, and its score on the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve, frozen

from scrub.circuits.conventions import Convention, conventions_of
from scrub.circuits.kept import Kept, keeping
from scrub.circuits.measurements import Measurements
from scrub.circuits.random_circuits import dangling, random_circuits
from scrub.circuits.subject import Subject, halves_of
from scrub.errors import Problems, UserError
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.runner.context import Context
from scrub.runner.outputs import Outputs
from scrub.samplers import Mean, Zero, is_virtual
from scrub.searches.circuit_found import CircuitFound, Says, Tried, thinned
from scrub.searches.method import Method
from scrub.searches.path_search import NothingFoundError
from scrub.stats.effect import paired_mean
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval, number

if TYPE_CHECKING:
    import pandas as pd

ABLATIONS = ("mean", "resample", "zero")
RANDOM = 20
"""Random circuits of the same sizes, beside which the score stands."""
POINTS = 12
"""Circuits of the curve that are scored on the rows held out, at most."""


@frozen(eq=False)
class Beside:
    """What random circuits of the same sizes per layer recover.

    Attributes:
        recovered: of each.
        reached: how many of them recover as much as the circuit.
    """

    recovered: tuple[float, ...]
    reached: int

    @property
    def p(self) -> float:
        """The chance that a random circuit does as well, itself counted (never 0)."""
        return (1 + self.reached) / (1 + len(self.recovered))


@frozen(eq=False)
class Score:
    """What a circuit does on rows that were not searched.

    Attributes:
        metric: its name.
        recovered: loss recovered.
        beside: random circuits; None where there are no others of these sizes.
        curve: circuits by size, the largest first, each with what it recovers.
        rows: how many rows are held out.
    """

    metric: str
    recovered: Interval
    beside: Beside | None
    curve: tuple[tuple[Circuit, Interval], ...]
    rows: int

    @property
    def frame(self) -> pd.DataFrame:
        """The curve. Columns: nodes, edges, recovered, low, high."""
        import pandas as pd

        rows = [
            [len(circuit), len(circuit.edges), one.mean, one.low, one.high]
            for circuit, one in self.curve
        ]
        return pd.DataFrame(rows, columns=["nodes", "edges", "recovered", "low", "high"])


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
    ablated = _ablated(seen, ablate), _ablated(held, ablate)
    return CircuitSearch(item, method, settings, context, seen, held, ablated, own)


def _ablated(subject: Subject, asked: str | None) -> Convention:
    own, *others = conventions_of(subject)
    if asked is None:
        return own
    wanted = [one for one in (own, *others) if kind_of(one) == asked]
    if not wanted:
        raise UserError(f"ablate={asked!r}: there is none for this behaviour.")
    legal = [one for one in wanted if not one.problem]
    if not legal:
        raise UserError(
            f'ablate="{asked}" (--ablate) makes no sense here: {wanted[0].problem}. Take another.'
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


@frozen(eq=False, repr=False)
class CircuitResult:
    """A circuit that was found, and what it does on rows that were not searched.

    Attributes:
        search: what was searched, and how.
        found: the circuit, with every decision.
        score: on the rows that are held out.
        lines: the log.
    """

    search: CircuitSearch
    found: CircuitFound
    score: Score
    lines: tuple[str, ...]

    @property
    def circuit(self) -> Circuit:
        return self.found.circuit

    @property
    def frame(self) -> pd.DataFrame:
        """Every decision; see `CircuitFound.frame`."""
        return self.found.frame

    @property
    def log(self) -> str:
        return "\n".join(self.lines) + "\n"

    def to_hypothesis(self) -> str:
        """The text of a file with claims about the circuit, on the rows that were not searched.

        Raises:
            UserError: the behaviour stands in no file that another could import.
        """
        from scrub.circuits.claim_file import claim_text

        return claim_text(self.circuit, self.search.item, self.search.context, held=True)

    def __repr__(self) -> str:
        circuit, said = self.circuit, interval(self.score.recovered)
        return (
            f"CircuitResult({self.search.item.behaviour.name} on {self.search.seen.model.name} by "
            f"{self.found.method}: {len(circuit)} nodes, {len(circuit.edges)} edges; recovers "
            f"{said} on rows held out)"
        )

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()  # type: ignore[operator]  # untyped in pandas


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
        source=f"scrub find --by {search.method.name} --samples {options.samples} --seed "
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


def scored(
    search: CircuitSearch,
    found: CircuitFound,
    outputs: Outputs | None = None,
    *,
    fresh: bool = False,
) -> Score:
    """The circuit's score on the rows held out, beside random circuits of the same sizes.

    Raises:
        UserError: as `Measurements`.
    """
    held = measurements(search, outputs, held=True, fresh=fresh)
    model, own, circuit = search.held.model, search.own, found.circuit
    points = thinned(found.curve, POINTS)
    others = _random(circuit, search)
    kept: list[Kept] = [keeping(one, model) for one in (circuit, *points, *others)]
    held.numbers(kept)
    mine, *rest = (held.recovered(one, metric=own) for one in kept)
    curve = tuple(zip(points, rest[: len(points)], strict=True))
    beside = [one.mean for one in rest[len(points) :]]
    held.keep()
    return Score(
        search.held.metrics[own].name,
        mine,
        Beside(tuple(beside), sum(one >= mine.mean for one in beside)) if beside else None,
        curve,
        len(search.held.data),
    )


def _random(circuit: Circuit, search: CircuitSearch) -> Sequence[Circuit]:
    """Other circuits of as many nodes or edges per layer, connected where it is.

    Of what MLPs that are left free join nobody says whether it is connected.
    """
    model, seed = search.held.model, search.context.options.seed
    connected = bool(circuit.edges) and not circuit.free and not dangling(circuit.edges)
    found = random_circuits(circuit, model, RANDOM, seed=seed, connected=connected)
    return [one for one in found if one != circuit]


def score_lines(score: Score) -> list[str]:
    """What the circuit does on rows that were not searched, in words."""
    lines = [
        f"on the {score.rows:,} rows held out it recovers {interval(score.recovered)} of "
        f"{score.metric}"
    ]
    if score.beside is None:
        return [*lines, "there are no other circuits of these sizes per layer"]
    values = np.array(score.beside.recovered)
    low, high = np.quantile(values, (0.025, 0.975))
    lines.append(
        f"{len(values)} random circuits of the same sizes per layer: "
        f"{number(float(values.mean()), 3)} in the mean, 95% within {number(float(low), 3)} to "
        f"{number(float(high), 3)}; {score.beside.reached} do as well (p = "
        f"{number(score.beside.p, 3)})"
    )
    return lines


def run_circuit(
    search: CircuitSearch,
    says: Says = lambda line: None,
    outputs: Outputs | None = None,
    *,
    fresh: bool = False,
) -> CircuitResult:
    """Search, and score what was found.

    Raises:
        NothingFoundError: nothing is kept, or everything.
        UserError: as `found_circuit`.
    """
    found, log = found_circuit(search, says, outputs, fresh=fresh)
    refuse_trivial(found, search.method)
    score = scored(search, found, outputs, fresh=fresh)
    lines = score_lines(score)
    for line in lines:
        says(line)
    return CircuitResult(search, found, score, (*log, *lines))
