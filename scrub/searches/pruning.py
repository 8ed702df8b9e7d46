"""Pruning: nodes, then their positions, then what they read, taken out one after the other.

The iterative pruning of Lan, Torr & Barez (2024, "Towards Interpretable Sequence Continuation",
arXiv 2311.04131; their loop over nodes: apartresearch/seqcont_circuits, loop_node_ablation_fns.py):
starting from the whole model, a part stays out if enough of the performance is left; backward and
forward sweeps until nothing changes. Theirs are of heads and MLPs together, and edges are found by
path patching; here heads come before MLPs, and positions, ports and edges are pruned as nodes are.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve, field, frozen
from jaxtyping import Float

from scrub.circuits.edges import KINDS as EDGE_KINDS
from scrub.circuits.edges import all_edges
from scrub.circuits.kept import keeping
from scrub.errors import did_you_mean
from scrub.hypothesis.arguments import several
from scrub.hypothesis.circuit import Circuit, Placed
from scrub.hypothesis.positions import ALL, Spec
from scrub.model.graph import Graph
from scrub.printing import printed
from scrub.samplers import is_virtual
from scrub.searches.circuit_found import CircuitFound, Says, Tried, importance_of
from scrub.searches.greedy import Decision, Part, Values, decided, sweep
from scrub.searches.method import Method
from scrub.searches.path_search import distinct_columns
from scrub.searches.pruned_parts import (
    Anatomy,
    edge_name,
    edge_parts,
    kept_of,
    node_part,
    port_parts,
    position_parts,
    trimmed,
    with_edges,
)
from scrub.searches.pruning_log import CALLED, frequency_lines, stays_line, sweep_lines
from scrub.stats.rounding import percent

if TYPE_CHECKING:
    from scrub.circuits.measurements import Measurements
    from scrub.circuits.subject import Subject

KEEPS = 0.8
"""Least share of the performance that is left: that of the paper (its threshold is 20%)."""
COSTS = 0.05
"""What a removal may cost, as a share: see docs/circuit_searches.md."""
ORDERS = ("backward", "forward", "least", "random")
LEVELS = ("nodes", "positions", "edges")
KINDS = ("heads", "mlps")


@frozen
class PruningSettings:
    """How a circuit is pruned.

    Attributes:
        senders: what is tried: "heads", "mlps"; MLPs that are not tried are left free.
        keeps: least share of the performance that is left (as loss recovered).
        costs: most that one removal may cost, as such a share; 1: whatever `keeps` allows.
        absolute: whether a removal costs as much where it makes matters better; else what works
            against the behaviour goes for nothing.
        order: of removal: "backward": a sweep from the last layer and one from the first in turn,
            "forward": the other way round, "least": what costs least when a sweep begins comes
            first, "random": another order each sweep.
        orders: in how many orders: the first is `order`, the others are random. The circuit is that
            of the first; of each part it is said in which share of them it stays.
        level: how far it goes: "nodes", "positions" of nodes, or "edges" by port.
        at: positions that nodes are divided into: "each" column of the data, or some.
        seed: of random orders.
    """

    senders: tuple[str, ...] = field(default=KINDS, converter=tuple)
    keeps: float = KEEPS
    costs: float = COSTS
    absolute: bool = False
    order: str = "backward"
    orders: int = 1
    level: str = "edges"
    at: Any = "each"
    seed: int = 0


def problems(settings: PruningSettings) -> list[str]:
    """What makes no sense about them."""
    found = []
    for name, share in (("keeps", settings.keeps), ("costs", settings.costs)):
        if isinstance(share, bool) or not isinstance(share, Real):
            found.append(f"{name}={printed(share)}. Give a share of the performance, such as 0.8.")
        elif name == "keeps" and share > 1:
            found.append(f"keeps={share}: 1 is all of the performance. Give less, such as 0.8.")
    for kind in settings.senders:
        if kind not in KINDS:
            found.append(f'Pruning takes out no "{kind}". {did_you_mean(str(kind), KINDS)}')
    if not settings.senders:
        found.append(f"Nothing is named that is taken out. Give some of: {', '.join(KINDS)}.")
    for name, given, choices in (
        ("order", settings.order, ORDERS),
        ("level", settings.level, LEVELS),
    ):
        if given not in choices:
            found.append(f"{name}={printed(given)}. {did_you_mean(str(given), choices)}")
    whole_number = isinstance(settings.orders, int) and not isinstance(settings.orders, bool)
    if not whole_number or settings.orders < 1:
        found.append(f"orders={printed(settings.orders)}. Give a whole number, 1 or more.")
    return found


def cost(settings: PruningSettings, graph: Graph) -> tuple[int, str]:
    """The nodes of the first sweep. Those that come after it have less to try."""
    writers = {one.writer for one in all_edges(graph)}
    wanted = {EDGE_KINDS[kind] for kind in settings.senders}
    count = sum(graph.sites[cell.site].kind in wanted for cell in writers)
    kinds = " and ".join(CALLED.get(kind, kind) for kind in settings.senders)
    more = "" if settings.orders == 1 else f" of each of {settings.orders} orders"
    return count, f"{kinds} in the first sweep{more}"


def places(settings: PruningSettings, subject: Subject) -> tuple[Spec, ...]:
    """The positions that nodes are divided into."""
    if settings.level == "nodes" or settings.at == ALL:
        return ()
    if settings.at == "each":
        specs = {spec for route in subject.root.routes for spec in route.at}
        return distinct_columns(subject.data, specs)
    return several(settings.at)


@frozen(eq=False)
class _Pruning:
    """A pruning in one order, as far as it is.

    Attributes:
        tried, curve: grow as it goes on: all decisions, and the circuit after each removal.
        stays: what was said last of what stays, by stage.
    """

    subject: Subject
    anatomy: Anatomy
    measured: Measurements
    settings: PruningSettings
    rng: np.random.Generator
    says: Says
    tried: list[Tried] = field(factory=list)
    curve: list[Circuit] = field(factory=list)
    stays: dict[str, str] = field(factory=dict)

    def run(self) -> Circuit:
        """The circuit that is left."""
        subject, settings = self.subject, self.settings
        cells = [cell for kind in settings.senders for cell in self.anatomy.nodes(kind)]
        free = () if "mlps" in settings.senders else ("mlps",)
        circuit = Circuit(cells=tuple(map(Placed, cells)), free=free)
        self.curve.append(circuit)
        stages = (*settings.senders, *(("positions",) if settings.level != "nodes" else ()))
        circuit = self._rounds(circuit, stages)
        if settings.level != "edges" or not circuit.cells:
            return circuit
        circuit = with_edges(circuit, self.anatomy, subject.data)
        return trimmed(self._rounds(circuit, ("ports", "edges")), self.anatomy)

    def _rounds(self, circuit: Circuit, stages: Sequence[str]) -> Circuit:
        """All stages in turn, until none of them changes anything."""
        while True:
            before = circuit
            for stage in stages:
                circuit = self._stage(circuit, stage)
            if circuit == before:
                return circuit

    def _stage(self, circuit: Circuit, stage: str) -> Circuit:
        """Sweep after sweep over parts of one kind, until nothing changes."""
        values = self._values(of_edges=stage in ("ports", "edges"))
        for number in itertools.count():
            parts = self._parts(circuit, stage)
            if not parts:
                return circuit
            ordered, way = self._ordered(parts, circuit, values, number)
            done = []
            for one in sweep(circuit, ordered, values, self._rule, removed=number == 0):
                done.append(one)
                if one.removed:
                    self.curve.append(one.circuit)
            self._note(stage, way, done)
            if not any(one.removed for one in done):
                return circuit
            circuit = done[-1].circuit
        raise AssertionError("a sweep that removes nothing comes at last")

    def _parts(self, circuit: Circuit, stage: str) -> list[Part]:
        """What may be taken out, in the model's order."""
        match stage:
            case "positions":
                columns = places(self.settings, self.subject)
                return [part for one in circuit.cells for part in position_parts(one, columns)]
            case "ports":
                return port_parts(circuit)
            case "edges":
                return edge_parts(circuit)
            case _:
                mine = self.anatomy.nodes(stage)
                return [node_part(one.cell, stage) for one in circuit.cells if one.cell in mine]

    def _ordered(
        self, parts: list[Part], circuit: Circuit, values: Values, number: int
    ) -> tuple[list[Part], str]:
        """The parts in the order of this sweep, and what it is called."""
        order = self.settings.order
        if order == "random":
            return [parts[n] for n in self.rng.permutation(len(parts))], "in random order"
        if order == "least":
            whole_value, *each = values([circuit, *(part.without(circuit) for part in parts)])
            costs = [self._rule(whole_value, one)[0] for one in each]
            return [parts[n] for n in np.argsort(costs, kind="stable")], "the least first"
        backward = (order == "backward") == (number % 2 == 0)
        return (parts[::-1], "backward") if backward else (parts, "forward")

    def _values(self, *, of_edges: bool) -> Values:
        def values(circuits: Sequence[Circuit]) -> Float[np.ndarray, "circuits samples"]:
            kept = [
                kept_of(one, self.anatomy) if of_edges else keeping(one, self.subject.model)
                for one in circuits
            ]
            return self.measured.numbers(kept)[0]

        return values

    def _rule(
        self, before: Float[np.ndarray, " samples"], after: Float[np.ndarray, " samples"]
    ) -> tuple[float, bool]:
        left = share(after, self.measured)
        costs = share(before, self.measured) - left
        costs = abs(costs) if self.settings.absolute else costs
        return costs, costs <= self.settings.costs and left >= self.settings.keeps

    def _note(self, stage: str, way: str, done: Sequence[Decision]) -> None:
        """Say what a sweep did, and keep its decisions."""
        number = 1 + max((one.sweep for one in self.tried), default=0)
        self.tried.extend(decided(one, number) for one in done)
        left = [share(one.after, self.measured) for one in done]
        stays = stays_line(done, left, self.settings)
        new = bool(stays) and stays != self.stays.get(stage)
        self.stays[stage] = stays if not any(one.removed for one in done) else ""
        gone = [one.after for one in done if one.removed]
        now = share(gone[-1] if gone else done[0].before, self.measured)
        for line in sweep_lines(number, stage, way, done, now):
            self.says(line)
        if new and self.stays[stage]:
            self.says(stays)


def share(values: Float[np.ndarray, " samples"], measured: Measurements) -> float:
    """Loss recovered, of means."""
    original, baseline = measured.original[0].mean(), measured.baseline[0].mean()
    return float((values.mean() - baseline) / (original - baseline))


def search(
    subject: Subject, measured: Measurements, settings: PruningSettings, says: Says
) -> CircuitFound:
    """Prune a model to a circuit, in one or several orders.

    Law: the same settings and measurements give the same circuit; a search that is stopped and
    started again measures nothing twice.
    """
    log: list[str] = []

    def said(line: str) -> None:
        log.append(line)
        says(line)

    changes = "changes it by" if settings.absolute else "costs"
    said(
        f"what {changes} {percent(settings.costs)} or less is taken out, as long as "
        f"{percent(settings.keeps)} is left"
    )
    anatomy = Anatomy.of(subject.root, subject.model)
    _refuse_unlike(measured, settings, anatomy)
    found: list[_Pruning] = []
    circuits: list[Circuit] = []
    for number in range(settings.orders):
        chosen = settings if number == 0 else evolve(settings, order="random")
        if settings.orders > 1:
            said(f"order {number + 1} of {settings.orders}: {chosen.order}")
        rng = np.random.default_rng([settings.seed, number])
        found.append(_Pruning(subject, anatomy, measured, chosen, rng, said))
        circuits.append(found[-1].run())
    frequency = frequencies(circuits)
    for line in frequency_lines(frequency, settings.orders):
        said(line)
    first = found[0]
    return CircuitFound(
        circuit=circuits[0],
        method="pruning",
        settings=settings,
        log=tuple(log),
        tried=tuple(first.tried),
        importance=importance_of(first.tried),
        curve=tuple(one for one in first.curve if one),
        frequency=frequency if settings.orders > 1 else {},
        everything=not any(one.removed for one in first.tried),
    )


def _refuse_unlike(measured: Measurements, settings: PruningSettings, anatomy: Anatomy) -> None:
    """Refuse means of rows that are not alike in the positions, before the first sweep.

    Raises:
        UserError: which rows, and what tells them apart.
    """
    columns = places(settings, measured.subject)
    cells = [cell for kind in settings.senders for cell in anatomy.nodes(kind)]
    if columns and cells and is_virtual(measured.convention.other):
        probe = Circuit(cells=(Placed(cells[0], columns),))
        measured.numbers([keeping(probe, anatomy.model)])


def frequencies(circuits: Sequence[Circuit]) -> dict[str, float]:
    """In which share of circuits each node is, and each edge; the most frequent first."""
    counts: Counter[str] = Counter()
    for circuit in circuits:
        counts.update(dict.fromkeys(str(one.cell) for one in circuit.nodes).keys())
        counts.update(dict.fromkeys(map(edge_name, circuit.edges)).keys())
    return {name: count / len(circuits) for name, count in counts.most_common()}


METHOD = Method(
    "pruning",
    "nodes, then positions, then edges are taken out as long as enough is left",
    PruningSettings,
    search,
    cost,
    problems,
    options={
        "senders": "--from",
        "keeps": "--keeps",
        "costs": "--costs",
        "absolute": "--absolute",
        "order": "--order",
        "orders": "--orders",
        "level": "--level",
        "at": "--at",
    },
    columns=places,
    limits=("costs", "keeps"),
)
