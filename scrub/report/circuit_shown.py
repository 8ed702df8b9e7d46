"""A circuit on the terminal: its nodes by role and position, its edges by what they join."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.hypothesis.circuit import EMBEDDINGS, Circuit
from scrub.hypothesis.components import names_of
from scrub.hypothesis.positions import At
from scrub.names import LOGITS, Cell
from scrub.report.columns import Column, table
from scrub.report.console import titled

WIDTH = 80
"""Columns of the report, also on a wider terminal: its texts are lists of short names."""
EVERYWHERE = "all"
NONE = "–"


def show_circuit(circuit: Circuit, console: Console, width: int | None = None) -> None:
    """Print a circuit: what it is called and of, its size, its nodes and edges."""
    width = min(console.width, WIDTH) if width is None else width
    console.print(titled(circuit.name or "circuit", f": {size_in_words(circuit)}"), width=width)
    if circuit.model:
        console.print(Text(f"of {circuit.model}"), width=width)
    if circuit.source:
        console.print(Text(circuit.source), width=width)
    console.print()
    console.print(_nodes(circuit, width), highlight=False)
    if circuit.edges:
        console.print()
        console.print(_edges(circuit, width), highlight=False)


def size_in_words(circuit: Circuit) -> str:
    """ "26 heads, 2 MLPs, 40 edges; MLPs free"."""
    heads = len(circuit.heads)
    mlps = sum(placed.cell.name.of_mlp for placed in circuit.nodes)
    others = len(circuit) - heads - mlps
    sizes = {"head": heads, "MLP": mlps, "other site": others, "edge": len(circuit.edges)}
    words = [f"{count:,} {name}{'s' * (count != 1)}" for name, count in sizes.items() if count]
    return (", ".join(words) or "empty") + ("; MLPs free" if circuit.free else "")


def _nodes(circuit: Circuit, width: int) -> Table:
    """A row a role and position; first what has a role."""
    grouped: dict[tuple[str, At], list[Cell]] = {}
    for placed in circuit.nodes:
        for role in roles_of(placed.cell, circuit):
            grouped.setdefault((role, placed.at), []).append(placed.cell)
    order = [*circuit.roles, NONE]
    rows = sorted(grouped, key=lambda row: order.index(row[0]))
    named = [", ".join(names_of(grouped[row])) for row in rows]
    columns = [
        Column("nodes", named, fold=True),
        Column("at", [_where(at) for _, at in rows]),
    ]
    if circuit.roles:
        columns.insert(0, Column("role", [role for role, _ in rows]))
    return table(columns, width)


def roles_of(cell: Cell, circuit: Circuit) -> list[str]:
    """The roles of a node; a dash where it has none."""
    return [role for role, cells in circuit.roles.items() if cell in cells] or [NONE]


def _edges(circuit: Circuit, width: int) -> Table:
    """How many edges join what: roles where nodes have some, or kinds of components."""
    counts: dict[tuple[str, str, str], dict[At, int]] = {}
    for edge in circuit.edges:
        key = _end(edge.writer, circuit), _end(edge.reader, circuit), edge.into or "any"
        at = counts.setdefault(key, {})
        at[edge.at] = at.get(edge.at, 0) + 1
    rows = list(_ports_joined(counts))
    return table(
        [
            Column("from", [row[0] for row in rows], fold=True),
            Column("to", [row[1] for row in rows], fold=True),
            Column("into", [row[2] for row in rows]),
            Column("at", [row[3] for row in rows]),
            Column("edges", [f"{row[4]:,}" for row in rows], right=True),
        ],
        width,
    )


def _ports_joined(
    counts: dict[tuple[str, str, str], dict[At, int]],
) -> Iterator[tuple[str, str, str, str, int]]:
    """Rows of one writer, reader and position with all their ports."""
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    for (writer, reader, port), ats in counts.items():
        for at, count in ats.items():
            ports = found.setdefault((writer, reader, _where(at)), {})
            ports[port] = ports.get(port, 0) + count
    for (writer, reader, at), ports in found.items():
        by = "" if set(ports) == {"any"} else ", ".join(ports)
        yield writer, reader, by or NONE, at, sum(ports.values())


def _end(cell: Cell, circuit: Circuit) -> str:
    """What an end of an edge is called."""
    if cell.site in EMBEDDINGS:
        return "embeddings"
    if cell.site == LOGITS:
        return "logits"
    named = roles_of(cell, circuit)
    if named != [NONE]:
        return ", ".join(named)
    return "heads" if cell.head is not None else "MLPs" if cell.name.of_mlp else str(cell)


def _where(at: At) -> str:
    return EVERYWHERE if isinstance(at, str) else ", ".join(map(str, at))
