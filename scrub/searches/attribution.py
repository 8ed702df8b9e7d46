"""Attribution: edges ranked by first-order effects, and exact scores of the circuits of the first.

Edge attribution patching (Syed, Rager & Conmy 2023, "Attribution Patching Outperforms Automated
Circuit Discovery", arXiv 2310.10348) with the integrated gradients and the greedy choice from the
output backwards of Hanna, Pezzelle & Belinkov (2024, "Have Faith in Faithfulness", arXiv
2403.17806; hannamw/EAP-IG). Only the ranking is approximate: how much a circuit keeps is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from attrs import evolve, field, frozen
from jaxtyping import Float

from scrub.analysis.edge_attribution import by_writer
from scrub.circuits.edges import all_edges
from scrub.circuits.kept import keeping, removing
from scrub.errors import UserError
from scrub.hypothesis.arguments import several
from scrub.hypothesis.circuit import Circuit, Edge, Placed
from scrub.hypothesis.positions import ALL, Spec, either
from scrub.model.graph import Graph
from scrub.printing import printed
from scrub.searches import attribution_log as told
from scrub.searches.attribution_settings import (
    AttributionSettings,
    checked_of,
    components_of,
    cost,
    metrics,
    problems,
)
from scrub.searches.circuit_found import CircuitFound, Says
from scrub.searches.edge_scores import first_order_effects
from scrub.searches.method import Method
from scrub.searches.path_search import distinct_columns
from scrub.searches.pruned_parts import Anatomy, kept_of, trimmed
from scrub.searches.ranked_edges import (
    Place,
    Places,
    greedy_order,
    on_paths,
    sizes,
    top_order,
)
from scrub.searches.ranking import Beside, Ranking, beside
from scrub.stats.intervals import Interval
from scrub.sweeps.first_order import FIRST_ORDER, INTEGRATED

if TYPE_CHECKING:
    from scrub.circuits.measurements import Measurements
    from scrub.circuits.subject import Subject

ROUNDING = 1e-5
"""Share of the total effect below which effects are rounding, in float32."""
Effects = Float[np.ndarray, "parts samples"]


@frozen(eq=False)
class Ranked:
    """Parts of a model in the order in which circuits take them.

    Attributes:
        parts: edges or nodes, each at its positions.
        effects: of each, to first order.
        places: where edges go on from each other.
        last: what is read last.
        order: numbers of parts.
    """

    subject: Subject
    anatomy: Anatomy
    measured: Measurements
    settings: AttributionSettings
    parts: tuple[Edge | Placed, ...]
    effects: Effects
    places: Places
    last: tuple[Place, ...]
    order: Sequence[int]
    _made: dict[int, Circuit] = field(factory=dict, init=False)

    @property
    def scores(self) -> Float[np.ndarray, " parts"]:
        return self.effects.mean(1)

    def circuit(self, size: int) -> Circuit:
        """Of the first so many parts; of edges those that lie on a path."""
        if size not in self._made:
            self._made[size] = self._circuit(size)
        return self._made[size]

    def _circuit(self, size: int) -> Circuit:
        chosen = [self.parts[number] for number in self.order[:size]]
        edges = tuple(one for one in chosen if isinstance(one, Edge))
        if self.places.columns:
            edges = on_paths(edges, self.last, self.places, self.subject.graph)
        made = Circuit(
            cells=tuple(one for one in chosen if isinstance(one, Placed)),
            edges=edges,
            free=() if "mlps" in self.settings.senders else ("mlps",),
        )
        return trimmed(made, self.anatomy) if made.edges else made

    def recovered(self, several: Sequence[int]) -> list[Interval]:
        """What the circuits of the first so many parts keep, measured together."""
        circuits = [self.circuit(n) for n in several]
        if self.settings.level == "edges":
            kept = [kept_of(one, self.anatomy) for one in circuits]
        else:
            kept = [keeping(one, self.subject.model) for one in circuits]
        self.measured.numbers(kept)
        return [self.measured.recovered(one) for one in kept]

    def chosen(self) -> tuple[int, dict[int, Interval]]:
        """How many of the first parts make the circuit; and what every size that was tried keeps.

        Where the settings say it, no other is tried. Otherwise a grid is, and between its smallest
        size that keeps the share and the one below halves, as if more parts never kept less.
        """
        if self.settings.size is not None or self.settings.threshold is not None:
            size = self._asked()
            return size, dict(zip([size], self.recovered([size]), strict=True))
        grid = sizes(len(self.order))
        found = dict(zip(grid, self.recovered(grid), strict=True))
        enough = [size for size in grid if found[size].mean >= self.settings.keeps]
        high = enough[0] if enough else grid[-1]
        low = max((size for size in grid if size < high), default=0) if enough else high
        while high - low > 1:
            middle = (low + high) // 2
            (found[middle],) = self.recovered([middle])
            if found[middle].mean >= self.settings.keeps:
                high = middle
            else:
                low = middle
        return high, found

    def _asked(self) -> int:
        if self.settings.size is not None:
            return min(self.settings.size, len(self.order))
        large = np.abs(self.scores[list(self.order)]) >= (self.settings.threshold or 0.0)
        below = np.flatnonzero(~large)
        return int(below[0]) if len(below) else len(self.order)

    def curve(self, size: int) -> Iterator[Circuit]:
        """Circuits from that of all parts to that of the first so many."""
        last: Circuit | None = None
        for count in sorted({*sizes(len(self.order)), size}, reverse=True):
            circuit = self.circuit(count)
            if count >= size and circuit and circuit != last:
                yield circuit
                last = circuit


def search(
    subject: Subject, measured: Measurements, settings: AttributionSettings, says: Says
) -> CircuitFound:
    """Rank parts by first-order effects, and measure circuits of the first of them exactly.

    Law: the same settings and measurements give the same circuit. What is approximate is which
    parts come first; what a circuit of them keeps is measured.

    Raises:
        UserError: the metric has no gradient, or none that is not zero.
    """
    log: list[str] = []

    def said(lines: Iterable[str]) -> None:
        for line in lines:
            log.append(line)
            says(line)

    anatomy = Anatomy.of(subject.root, subject.model)
    every = anatomy.edges
    placed = _placed(every, subject, settings)
    asked = tuple(dict.fromkeys((*every, *placed)))
    effects = first_order_effects(measured, asked, settings.steps)
    number = {edge: row for row, edge in enumerate(asked)}
    of_all = effects[[number[edge] for edge in every]]
    made = _ranked(
        subject, anatomy, measured, settings, placed, effects[[number[edge] for edge in placed]]
    )
    _refuse_flat(made)
    names = tuple(map(str, made.parts))
    kind = INTEGRATED if settings.steps else FIRST_ORDER
    ranking = Ranking(kind, names, made.effects, {}, ())
    said(told.largest(ranking, subject.metrics[0].name, settings))
    checks = _beside_exact(made, every, of_all)
    said(told.agreement(checks))
    size, tried = made.chosen()
    circuit = made.circuit(size)
    said(told.sizes(made.circuit, tried, size, settings))
    exact = {name: float(e) for one in checks.values() for name, e in one.pairs}
    kept = {str(one) for one in (*circuit.edges, *circuit.cells)}
    return CircuitFound(
        circuit=circuit,
        method=METHOD.name,
        settings=settings,
        log=tuple(log),
        importance=dict(zip(names, np.abs(made.scores).tolist(), strict=True)),
        curve=tuple(made.curve(size)),
        approximate=True,
        ranking=evolve(ranking, exact=exact, kept=kept),
        everything=size == len(made.order),
    )


def _placed(
    edges: Sequence[Edge], subject: Subject, settings: AttributionSettings
) -> tuple[Edge, ...]:
    """The edges that are ranked: at all positions, or at each of those asked for by itself."""
    ranked = _wanted(edges, settings, subject.graph)
    columns = _columns(subject, settings)
    if not columns:
        return tuple(ranked)
    return tuple(evolve(edge, at=(column,)) for edge in ranked for column in columns)


def _columns(subject: Subject, settings: AttributionSettings) -> tuple[Spec, ...]:
    """The positions that are kept apart; () where there are none."""
    if settings.at == "each":
        specs = {spec for route in subject.root.routes for spec in route.at}
        return distinct_columns(subject.data, specs)
    return () if settings.at == ALL else several(settings.at)


def _wanted(edges: Sequence[Edge], settings: AttributionSettings, graph: Graph) -> list[Edge]:
    """Those between components of the kinds that are asked for; or from such, of nodes."""
    if settings.level == "edges":
        between = set(all_edges(graph, settings.senders))
        return [edge for edge in edges if edge in between]
    components = set(components_of(settings, graph))
    return [edge for edge in edges if edge.writer in components]


def _ranked(
    subject: Subject,
    anatomy: Anatomy,
    measured: Measurements,
    settings: AttributionSettings,
    edges: Sequence[Edge],
    effects: Effects,
) -> Ranked:
    parts: Sequence[Edge | Placed] = edges
    if settings.level == "nodes":
        parts, effects = by_writer(edges, effects)
    columns, graph = _columns(subject, settings), subject.graph
    places = Places.of(columns, subject.data, causal=graph.causal)
    at = either(route.at for route in subject.root.routes)
    last = tuple(places.at(anatomy.last, at))
    order = top_order(effects.mean(1))
    if settings.level == "edges" and settings.choose == "greedy":
        order = greedy_order(edges, effects.mean(1), last, places)
    if columns and not on_paths(edges, last, places, graph) and settings.level == "edges":
        raise UserError(
            f"at={printed(settings.at)}: by edges at these positions alone no path leads from the "
            "embeddings to what the metric reads. Name its position, too, or at=all (--at all)."
        )
    return Ranked(subject, anatomy, measured, settings, tuple(parts), effects, places, last, order)


def _refuse_flat(made: Ranked) -> None:
    """Refuse effects that are nothing but rounding."""
    measured = made.measured
    total = float(np.abs(measured.nothing[0].mean() - measured.original[0].mean()))
    if np.abs(made.scores).max(initial=0.0) > ROUNDING * total:
        return
    raise UserError(
        f"All first-order effects on {made.subject.metrics[0].name} are zero: it has no slope "
        "where gradients are taken, so that nothing is ranked by it. Integrated gradients "
        "(steps=30, on the command line --steps 30) or another metric may tell; pruning and acdc "
        "need no gradient."
    )


def _beside_exact(made: Ranked, edges: Sequence[Edge], effects: Effects) -> dict[str, Beside]:
    """First order beside exact effects: of random edges, and of all heads and MLPs.

    Args:
        edges, effects: of all edges at all positions.
    """
    measured, settings, graph = made.measured, made.settings, made.subject.graph
    model, found = measured.model, dict[str, Beside]()

    def held_against(called: str, parts: Sequence[Edge | Placed], first: Effects) -> None:
        if not parts:
            return
        kept = [
            removing([one])
            if isinstance(one, Placed)
            else keeping(Circuit(edges=tuple(edge for edge in edges if edge != one)), model)
            for one in parts
        ]
        original, nothing = measured.original[0], measured.nothing[0]
        exact = measured.numbers(kept)[0]
        found[called] = beside(list(map(str, parts)), first.mean(1), exact, original, nothing)

    wanted = set(_wanted(edges, settings, graph))
    ranked = [number for number, edge in enumerate(edges) if edge in wanted]
    rng = np.random.default_rng(measured.context.options.seed)
    count = checked_of(settings, len(ranked))
    some = sorted(rng.choice(ranked, count, replace=False).tolist()) if count else []
    held_against("edges drawn at random", [edges[number] for number in some], effects[some])
    writers, by = by_writer(edges, effects)
    components = set(components_of(settings, graph))
    here = [number for number, one in enumerate(writers) if one.cell in components]
    held_against("heads and MLPs", [writers[number] for number in here], by[here])
    return found


METHOD = Method(
    "attribution",
    "edges are ranked by gradients, and circuits of the first are measured (approximate)",
    AttributionSettings,
    search,
    cost,
    problems,
    metrics,
    options={
        "senders": "--from",
        "level": "--level",
        "at": "--at",
        "steps": "--steps",
        "choose": "--choose",
        "keeps": "--keeps",
        "size": "--size",
        "threshold": "--threshold",
        "metric": "--metric",
        "checked": "--checked",
    },
    columns=lambda settings, subject: _columns(subject, settings),
    limits=("keeps", "size", "threshold"),
    approximate=True,
)
