"""ACDC: edges taken out one after the other, from the output backwards.

Automatic Circuit DisCovery of Conmy et al. (2023, "Towards Automated Circuit Discovery for
Mechanistic Interpretability", arXiv 2304.14997, algorithm 1; ArthurConmy/Automatic-Circuit-
Discovery, acdc/TLACDCExperiment.py): of every receiver, the last first, each incoming edge is taken
out for good where the divergence from the whole model grows by less than a threshold. What is cut
comes from the corrupted run, and what reads it is computed anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
from attrs import field, frozen
from jaxtyping import Float

from scrub.circuits.edges import all_edges
from scrub.errors import did_you_mean
from scrub.hypothesis.circuit import Circuit, Edge
from scrub.hypothesis.positions import ALL
from scrub.hypothesis.sites import Sites
from scrub.metrics import Metric, kl
from scrub.model.graph import Graph
from scrub.names import LOGITS, Cell
from scrub.printing import printed
from scrub.searches.circuit_found import CircuitFound, Says, Tried, importance_of
from scrub.searches.greedy import Decision, decided, sweep
from scrub.searches.method import Method
from scrub.searches.pruned_parts import Anatomy, edge_name, edges_part, kept_of, trimmed
from scrub.stats.rounding import number

if TYPE_CHECKING:
    from scrub.circuits.measurements import Measurements
    from scrub.circuits.subject import Subject

SHARE = 0.01
"""The threshold where none is given, as a share of what it costs to take everything out: see
docs/circuit_searches.md."""
KINDS = ("heads", "mlps", "embeddings")
ORDERS = ("backward", "forward", "random")
OWN = "own"
SHOWN = 6
"""Edges that a line of the log names, at most."""


@frozen
class AcdcSettings:
    """How edges are taken out.

    Attributes:
        threshold: how much the metric may grow worse by one edge, in its own units (KL: nats);
            None: 1% of what it costs to take everything out.
        absolute: whether the metric's growing better counts as its growing worse.
        senders: kinds of components whose edges are searched: heads, mlps, embeddings. MLPs that
            are not searched are left free.
        metric: "kl": divergence from the original's distribution over tokens; "own": the
            behaviour's metric; None: "kl" where the behaviour's logits allow it.
        order: of the edges into one receiver: "backward": from the nearest writer to the
            embeddings, "forward", or "random".
        seed: of random orders.
    """

    threshold: float | None = None
    absolute: bool = False
    senders: tuple[str, ...] = field(default=KINDS, converter=tuple)
    metric: str | None = None
    order: str = "backward"
    seed: int = 0


def problems(settings: AcdcSettings) -> list[str]:
    """What makes no sense about them."""
    found = []
    limit = settings.threshold
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, Real)):
        found.append(f"threshold={printed(limit)}. Give a number in the metric's units.")
    elif limit is not None and not limit >= 0:
        found.append(f"threshold={limit}. Give 0 or more, in the metric's units.")
    for kind in settings.senders:
        if kind not in KINDS:
            found.append(f'ACDC takes out no edges of "{kind}". {did_you_mean(str(kind), KINDS)}')
    if "heads" not in settings.senders and "mlps" not in settings.senders:
        found.append("Nothing is named whose edges are taken out. Give heads, mlps or both.")
    elif "embeddings" not in settings.senders:
        found.append("Without edges from the embeddings there is no path. Give embeddings, too.")
    if settings.metric not in (None, "kl", OWN):
        found.append(f"metric={printed(settings.metric)}. Give kl or own (the behaviour's).")
    if settings.order not in ORDERS:
        found.append(f"order={printed(settings.order)}. {did_you_mean(settings.order, ORDERS)}")
    return found


def metrics(own: tuple[Metric, ...], root: Sites, settings: AcdcSettings) -> tuple[Metric, ...]:
    """KL first, where the metrics read the logits at one position; then the behaviour's."""
    divergence = settings.metric == "kl" or (settings.metric is None and one_distribution(root))
    return (kl(), *own) if divergence and own[0].kind != "kl" else own


def one_distribution(root: Sites) -> bool:
    """Whether the root is one distribution over tokens: the logits at a single position."""
    cells = [(cell.site, route.at) for route in root.routes for cell in route.cells]
    ((site, at), *more) = cells
    return not more and site == LOGITS and at != ALL and len(at) == 1


def cost(settings: AcdcSettings, graph: Graph) -> tuple[int, str]:
    """One circuit an edge; fewer where receivers fall out."""
    return len(all_edges(graph, settings.senders)), "edges"


@frozen
class Scale:
    """Which way the metric grows worse, and by how much it may.

    Attributes:
        sign: +1 where larger is worse.
        most: what it costs to take everything out.
        threshold: in the metric's units.
        absolute: whether growing better counts as well.
    """

    name: str
    sign: float
    most: float
    threshold: float
    absolute: bool

    @staticmethod
    def of(measured: Measurements, settings: AcdcSettings) -> Scale:
        difference = float(measured.nothing[0].mean() - measured.original[0].mean())
        most = abs(difference)
        limit = SHARE * most if settings.threshold is None else float(settings.threshold)
        sign = -1.0 if difference < 0 else 1.0
        name = measured.subject.metrics[0].name
        return Scale(name, sign, most, limit, settings.absolute)

    @property
    def said(self) -> str:
        return "changes" if self.absolute else "grows worse"

    def rule(
        self, before: Float[np.ndarray, " samples"], after: Float[np.ndarray, " samples"]
    ) -> tuple[float, bool]:
        cost = self.sign * float(after.mean() - before.mean())
        cost = abs(cost) if self.absolute else cost
        return cost, cost < self.threshold


def search(
    subject: Subject, measured: Measurements, settings: AcdcSettings, says: Says
) -> CircuitFound:
    """Take out edges from the output backwards.

    Law: ACDC is sequential, and what is measured ahead changes no decision; an edge into a receiver
    that nothing reads any more is on no path, and goes without being measured.
    """
    log: list[str] = []

    def said(line: str) -> None:
        log.append(line)
        says(line)

    anatomy = Anatomy.of(subject.root, subject.model)
    circuit = begun(anatomy, settings)
    scale = Scale.of(measured, settings)
    said(
        f"an edge goes where {scale.name} {scale.said} by less than {number(scale.threshold, 4)} "
        f"(without any edge: by {number(scale.most, 3)})"
    )
    rng = np.random.default_rng(settings.seed)

    def values(circuits: Sequence[Circuit]) -> Float[np.ndarray, "circuits samples"]:
        return measured.numbers([kept_of(one, anatomy) for one in circuits])[0]

    tried: list[Tried] = []
    curve = [circuit]
    for reader, edges in _receivers(circuit, anatomy):
        if reader not in anatomy.last and not _read(circuit, reader):
            circuit = _without(circuit, edges)
            continue
        ordered = _ordered(edges, settings, rng)
        parts = [edges_part(edge_name(one), "edges", [one]) for one in ordered]
        done = list(sweep(circuit, parts, values, scale.rule, removed=True))
        circuit = done[-1].circuit
        curve += [one.circuit for one in done if one.removed]
        step = 1 + len({one.sweep for one in tried})
        tried += [decided(one, step) for one in done]
        for line in step_lines(step, reader, done):
            said(line)
    alive = trimmed(circuit, anatomy)
    if gone := len(circuit.edges) - len(alive.edges):
        said(f"{gone:,} edge{'s' * (gone != 1)} that no path from the embeddings takes: left out")
    removed = sum(one.removed for one in tried)
    return CircuitFound(
        circuit=alive,
        method="acdc",
        settings=settings,
        log=tuple(log),
        tried=tuple(tried),
        importance=importance_of(tried),
        curve=tuple(one for one in (*curve, alive) if one),
        everything=removed == 0,
    )


def begun(anatomy: Anatomy, settings: AcdcSettings) -> Circuit:
    """All edges that are searched."""
    wanted = set(all_edges(anatomy.model.graph, settings.senders))
    free = () if "mlps" in settings.senders else ("mlps",)
    return Circuit(edges=tuple(one for one in anatomy.edges if one in wanted), free=free)


def _receivers(circuit: Circuit, anatomy: Anatomy) -> Iterator[tuple[Cell, list[Edge]]]:
    """Each reader with its edges, port by port, the last reader first."""
    order = anatomy.model.graph.order
    searched = frozenset(circuit.edges)
    by: dict[Cell, list[Edge]] = {}
    for edge in anatomy.edges:
        if edge in searched:
            by.setdefault(edge.reader, []).append(edge)
    for reader in sorted(by, key=lambda one: (order[one.site], one.head or 0), reverse=True):
        yield reader, by[reader]


def _read(circuit: Circuit, cell: Cell) -> bool:
    """Whether anything reads what it writes. Of MLPs that are free any does."""
    return bool(circuit.free) or any(edge.writer == cell for edge in circuit.edges)


def _without(circuit: Circuit, edges: Sequence[Edge]) -> Circuit:
    return edges_part("", "edges", edges).without(circuit)


def _ordered(edges: Sequence[Edge], settings: AcdcSettings, rng: np.random.Generator) -> list[Edge]:
    match settings.order:
        case "random":
            return [edges[n] for n in rng.permutation(len(edges))]
        case "forward":
            return list(edges)
        case _:
            return list(reversed(edges))


def step_lines(step: int, reader: Cell, done: Sequence[Decision]) -> Iterator[str]:
    """What was done with the edges into one reader."""
    stayed = sorted((one for one in done if not one.removed), key=lambda one: -one.cost)
    last = done[-1].after if done[-1].removed else done[-1].before
    name = "the output" if reader.site == LOGITS else str(reader)
    yield (
        f"{step}. into {name}: {len(done):,} edges tried, {len(done) - len(stayed):,} removed; "
        f"now {number(float(last.mean()), 4)}"
    )
    if stayed:
        shown = [f"{_short(one.part.name)} {number(one.cost, 4)}" for one in stayed[:SHOWN]]
        more = len(stayed) - SHOWN
        if more > 0:
            shown.append(f"and {more:,} more")
        yield f"   stays    {', '.join(shown)}"


def _short(name: str) -> str:
    """ "head 2.1 into q": an edge without its reader, which the line above names."""
    writer, _, rest = name.partition(" → ")
    _, into, port = rest.partition(" into ")
    return f"{writer}{into}{port}"


METHOD = Method(
    "acdc",
    "edges are taken out one after the other, from the output backwards",
    AcdcSettings,
    search,
    cost,
    problems,
    metrics,
    options={
        "threshold": "--threshold",
        "absolute": "--absolute",
        "senders": "--from",
        "metric": "--metric",
        "order": "--order",
    },
    limits=("threshold",),
)
