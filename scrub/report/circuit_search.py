"""A circuit that a search has found: on the terminal, and its curve as a picture."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from scrub.hypothesis.arguments import Head
from scrub.hypothesis.circuit import Circuit, Edge
from scrub.hypothesis.positions import At, where
from scrub.names import LOGITS, Cell
from scrub.report.console import claim_line
from scrub.searches.circuit_result import CircuitResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Roles = Mapping[str, Sequence[Head]]


def show_circuit_found(result: CircuitResult, console: Console) -> None:
    """Print the circuit: of each reader what it reads; of a circuit of nodes its nodes."""
    behaviour, roles = result.search.item.behaviour, result.search.seen.model.roles
    console.print(claim_line(behaviour.name, behaviour.says))
    if result.found.approximate:
        console.print("ranked by gradients (approximate); what it recovers is measured")
    for line in circuit_lines(result.circuit, roles):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def circuit_lines(circuit: Circuit, roles: Roles) -> Iterator[str]:
    """ "head 3.0 (name mover) at end, into q ← head 2.0, head 2.1": the last reader first."""
    yield from _edge_lines(circuit, roles) if circuit.edges else _node_lines(circuit, roles)
    if circuit.free:
        yield f"free: {', '.join(circuit.free)}, which read what is in it and are read by it"


def _node_lines(circuit: Circuit, roles: Roles) -> Iterator[str]:
    for placed in reversed(circuit.nodes):
        yield f"{_called(placed.cell, roles)}{where(placed.at)}"


def _edge_lines(circuit: Circuit, roles: Roles) -> Iterator[str]:
    ats: dict[Cell, At] = {one.cell: one.at for one in circuit.nodes}
    for (reader, into), edges in reversed(_by_port(circuit).items()):
        place = where(ats[reader]) if reader in ats else ""
        port = f", into {into}" if into else ""
        writers = ", ".join(f"{one.writer}{_elsewhere(one, ats)}" for one in edges)
        yield f"{_called(reader, roles)}{place}{port} ← {writers}"


def _by_port(circuit: Circuit) -> dict[tuple[Cell, str | None], list[Edge]]:
    found: dict[tuple[Cell, str | None], list[Edge]] = {}
    for edge in circuit.edges:
        found.setdefault((edge.reader, edge.into), []).append(edge)
    return found


def _elsewhere(edge: Edge, ats: Mapping[Cell, At]) -> str:
    """Where an edge is, unless that is where its writer is."""
    return "" if ats.get(edge.writer) == edge.at else where(edge.at)


def _called(cell: Cell, roles: Roles) -> str:
    if cell.site == LOGITS:
        return "the output"
    pair = (cell.name.layer, cell.head)
    named = [role for role, heads in roles.items() if pair in heads]
    return f"{cell} ({', '.join(named)})" if named else str(cell)


def save_curve(result: CircuitResult, file: Path) -> None:
    """Write the picture: the same bytes for the same search. Raises an OSError if that fails."""
    import matplotlib

    drawn = io.BytesIO()
    kind = file.suffix.removeprefix(".").lower()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "scrub"}):
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        curve(result).savefig(drawn, format=kind, metadata=dates.get(kind))
    file.write_bytes(drawn.getvalue())


def curve(result: CircuitResult) -> Figure:
    """What the circuits that the search went through recover, by size, on the rows held out."""
    from matplotlib.figure import Figure

    score, search = result.score, result.search
    of_edges = all(circuit.edges for circuit, _ in score.curve)
    sizes = [len(circuit.edges) if of_edges else len(circuit) for circuit, _ in score.curve]
    points = [one for _, one in score.curve]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(sizes, [one.low for one in points], [one.high for one in points], alpha=0.2)
    axes.plot(sizes, [one.mean for one in points], marker="o")
    if score.beside is not None:
        beside = score.beside.random
        last = len(result.circuit.edges) if of_edges else len(result.circuit)
        axes.plot([last] * len(beside), beside, ".", color="gray", label="random, of its sizes")
        axes.legend()
    axes.invert_xaxis()
    axes.set_xlabel(f"{'edges' if of_edges else 'heads and MLPs'} kept")
    axes.set_ylabel(f"recovered of {score.metric}")
    name = search.item.behaviour.name
    method = f"{result.found.method}{' (approximate)' if result.found.approximate else ''}"
    axes.set_title(f"{name} on {search.seen.model.name}: {method}, on rows held out")
    return figure
