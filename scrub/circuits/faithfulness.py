"""Faithfulness: what a circuit alone recovers, under every convention and in every form of it.

A circuit's score hangs on what the rest of the model is computed on, on whether edges or nodes are
kept, and on whether MLPs that it says nothing of run (Miller, Chughtai & Saunders 2024,
"Transformer Circuit Faithfulness Metrics are not Robust", arXiv 2407.08734). So none of them is
left out, and what cannot be computed says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import evolve, frozen

from scrub.circuits.ablations import corrected, keeping_left
from scrub.circuits.edges import all_edges
from scrub.circuits.groups import positions_of, roles_of
from scrub.circuits.kept import digest, keeping
from scrub.circuits.measurements import Measurements
from scrub.data.partition import by_kind, parts_by
from scrub.hypothesis.circuit import Circuit, Placed
from scrub.model.registry import Model
from scrub.stats.intervals import CONFIDENCE, Interval, PerReference
from scrub.stats.scores import Scores
from scrub.stats.shares import share


@frozen
class Faithfulness:
    """What a circuit alone does, in one form, under one convention, by one metric.

    Attributes:
        value: F(C), the metric's mean, in its units.
        recovered: (F(C) − baseline) / (F(M) − baseline): what `scrub test` says of its claim.
        of_ablated: (F(C) − F(∅)) / (F(M) − F(∅)), of what is lost where all is knocked out.
    """

    convention: str
    form: str
    metric: str
    value: float
    recovered: Interval
    of_ablated: Interval


@frozen
class Part:
    """A circuit without some of its nodes, under the behaviour's own convention.

    Attributes:
        kind: what they have in common: "role" or "position".
        recovered: by the circuit without them.
        lost: with them, as a share of performance; holds together with those of all other parts.
    """

    kind: str
    name: str
    nodes: tuple[str, ...]
    recovered: Interval
    lost: Interval


@frozen
class OfValue:
    """What a circuit recovers on references with one value of a column.

    Attributes:
        recovered: its interval holds by itself, not together with those of other values.
    """

    value: Any
    metric: str
    references: int
    recovered: Interval


@frozen
class Size:
    """How large a circuit is, and of how many.

    Attributes:
        nodes: without embeddings; of heads and MLPs of the model.
        edges: by port, an edge into any port of a head counting as three; 0 where none are known.
    """

    nodes: int
    of_nodes: int
    heads: int
    of_heads: int
    edges: int = 0
    of_edges: int = 0


def size_of(circuit: Circuit, model: Model) -> Size:
    graph = model.graph
    mlps = sum((site.kind, site.part) == ("mlp", "mlp") for site in graph.sites.values())
    heads = len(model.all_heads())
    found = Size(len(circuit), heads + mlps, len(circuit.heads), heads)
    if not circuit.edges:
        return found
    here = {(graph.component(e.writer), graph.component(e.reader), e.into) for e in circuit.edges}
    every = all_edges(graph)
    kept = 0
    for edge in every:
        ends = graph.component(edge.writer), graph.component(edge.reader)
        kept += any((*ends, into) in here for into in (None, edge.into))
    return evolve(found, edges=kept, of_edges=len(every))


def forms_of(circuit: Circuit, model: Model) -> Mapping[str, Circuit]:
    """A circuit as it is given, then by its nodes where it has edges, and without its free MLPs."""
    kind, free = "edges" if circuit.edges else "nodes", ", MLPs free" if circuit.free else ""
    found = {f"{kind}{free}": circuit}
    if circuit.edges:
        found[f"nodes{free}"] = circuit.of_sites()
    if circuit.free:
        out = {
            name.replace(free, ", MLPs out"): evolve(one, free=()) for name, one in found.items()
        }
        found |= out
    apart: dict[str, str] = {}
    for name, one in found.items():
        apart.setdefault(digest(keeping(one, model)), name)
    return {name: found[name] for name in apart.values()}


def faithfulness(measured: Measurements, forms: Mapping[str, Circuit]) -> tuple[Faithfulness, ...]:
    """What every form of a circuit does under one convention, by every metric."""
    kept = [keeping(one, measured.model) for one in forms.values()]
    numbers = measured.numbers(kept)
    found = []
    for row, metric in enumerate(measured.subject.metrics):
        ends = measured.original[row], measured.baseline[row], measured.nothing[row]
        for form, values in zip(forms, numbers[row], strict=True):
            recovered = Scores(ends[0], values, ends[1]).recovered()
            of_ablated = Scores(ends[0], values, ends[2]).recovered()
            name = measured.convention.name
            mean = _mean(values)
            found.append(Faithfulness(name, form, metric.name, mean, recovered, of_ablated))
    return tuple(found)


def _mean(values: PerReference) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def parts_of(measured: Measurements, circuit: Circuit, nodes: Sequence[Placed]) -> tuple[Part, ...]:
    """The incomplete circuits beside the complete: without each role, and each position."""
    whole = circuit.on(measured.model)
    groups: list[tuple[str, str, tuple[Placed, ...]]] = [
        ("role", role, tuple(nodes[number] for number in sorted(members)))
        for role, members in roles_of(circuit, nodes).items()
    ]
    groups += [("position", at, placed) for at, placed in positions_of(nodes).items()]
    left = [keeping_left(whole, placed, measured.model) for *_, placed in groups]
    complete, *numbers = measured.numbers([keeping(whole, measured.model), *left])[0]
    original, baseline = measured.original[0], measured.baseline[0]
    confidence = corrected(len(groups))
    found = []
    for (kind, name, placed), values in zip(groups, numbers, strict=True):
        scores = Scores(original, values, baseline)
        lost = share(values - complete, scores, confidence)
        found.append(Part(kind, name, tuple(map(str, placed)), scores.recovered(), lost))
    return tuple(found)


def by_column(measured: Measurements, circuit: Circuit, column: str) -> tuple[OfValue, ...]:
    """What the circuit recovers on the references of each value of a column, by every metric.

    Raises:
        UserError: the data has no such column.
    """
    numbered, values = parts_by(measured.references.feature(column))
    numbers = measured.numbers([keeping(circuit, measured.model)])
    found = []
    for number, value in sorted(enumerate(values), key=lambda part: by_kind(part[1])):
        for row, metric in enumerate(measured.subject.metrics):
            every = Scores(measured.original[row], numbers[row, 0], measured.baseline[row])
            scores = every.where(numbered == number)
            recovered = scores.recovered(CONFIDENCE)
            found.append(OfValue(value, metric.name, int(scores.defined.sum()), recovered))
    return tuple(found)
