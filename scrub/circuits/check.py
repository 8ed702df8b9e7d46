"""Check a circuit against a model and data: all that these lack, at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import evolve

from scrub.checks.circuits import check_passed
from scrub.checks.structure import check_cells
from scrub.data.dataset import Dataset
from scrub.errors import Problem, Problems, UserError, did_you_mean
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.correspondence import InterpNode
from scrub.hypothesis.cycles import cycle_among, cycle_in_words
from scrub.hypothesis.positions import Spec
from scrub.hypothesis.sites import Route, Through
from scrub.model.registry import Model
from scrub.names import EMBED, LOGITS, Cell
from scrub.samplers import Exact

LISTED = 6
"""Nodes that the model does not have, told one by one, at most."""


def check_circuit(circuit: Circuit, model: Model, data: Dataset | None = None) -> None:
    """Refuse a circuit that is not one of this model and data.

    Law: what passes can be kept to by a path from the logits to the embeddings, if any path can.

    Args:
        data: whose position columns it names; None: they are not looked at.

    Raises:
        UserError: it is empty or has a cycle; or with each layer, head and edge that the model
            does not have, and each position that the data does not have, and the nearest.
    """
    problems = Problems()
    if not circuit:
        problems.add("it is empty, and names neither nodes nor edges.")
    cycle = cycle_among(circuit.edges)
    if cycle:
        problems.add(cycle_in_words(cycle), "Take out the edge that the model does not have.")
    problems.extend(_of_model(circuit.on(model), model))
    if data is not None:
        problems.extend(_of_data(circuit, data))
    if problems.found:
        called = f'Circuit "{circuit.name}"' if circuit.name else "The circuit"
        raise UserError(*(evolve(p, what=f"{called}: {p.what}") for p in problems.found))


def _of_model(circuit: Circuit, model: Model) -> list[Problem]:
    """What the model does not have."""
    kept = Through("none", circuit=circuit)
    route = Route((Cell(EMBED if EMBED in model.graph.sites else LOGITS),), through=kept)
    node = InterpNode("circuit", Exact())
    sites, edges = Problems(), Problems()
    check_cells(node, route, model.graph, sites)
    check_passed(node, route, model.graph, edges)
    lacking = [evolve(problem, node="") for problem in sites.found if problem.what]
    more = [Problem(f"{len(lacking) - LISTED:,} more nodes are none of the model's.")]
    found = [*lacking[:LISTED], *(more if len(lacking) > LISTED else [])]
    found += [evolve(problem, node="") for problem in edges.found]
    if found and circuit.model and circuit.model != model.name:
        found.append(
            Problem(f'It says that it is of model "{circuit.model}", and this is "{model.name}".')
        )
    return found


def _of_data(circuit: Circuit, data: Dataset) -> Iterator[Problem]:
    """Positions that the data does not have."""
    for spec in specs_of(circuit):
        if isinstance(spec, str) and spec not in data.positions:
            yield Problem(
                f'dataset "{data.name}" has no position column "{spec}".',
                did_you_mean(spec, data.positions),
            )
        elif isinstance(spec, int) and not 0 <= spec < data.width:
            yield Problem(
                f'position {spec} is outside dataset "{data.name}": its rows have positions 0 to '
                f"{data.width - 1}.",
                f"The nearest is {min(max(spec, 0), data.width - 1)}.",
            )


def specs_of(circuit: Circuit) -> tuple[Spec, ...]:
    """The position columns and indices that a circuit names, each once."""
    ats = [one.at for one in (*circuit.cells, *circuit.edges)]
    named: Iterable[Spec] = (spec for at in ats if not isinstance(at, str) for spec in at)
    return tuple(dict.fromkeys(named))
