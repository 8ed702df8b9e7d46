"""The parts of circuits that are counted when two are compared: nodes, and edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from scrub.hypothesis.circuit import EMBEDDINGS, Circuit
from scrub.hypothesis.circuit_sets import met
from scrub.hypothesis.positions import At
from scrub.names import Cell

EdgePart = tuple[str, int | None, str, int | None, str]
"""Writer (site and head), reader and port; both embeddings are one writer."""
EMBEDDED = "embeddings"
PORTS = ("q", "k", "v")


def leaves_mlps_free(circuits: Sequence[Circuit]) -> bool:
    """Whether any says nothing of MLPs: then they are not compared."""
    return any("mlps" in circuit.free for circuit in circuits)


def nodes_in(circuit: Circuit, *, mlps: bool) -> dict[Cell, At]:
    """Its nodes and where they write, embeddings left out, MLPs too unless they are asked for."""
    return {
        placed.cell: placed.at
        for placed in circuit.nodes
        if placed.cell.site not in EMBEDDINGS and (mlps or not placed.cell.name.of_mlp)
    }


def edges_in(circuit: Circuit, *, mlps: bool) -> frozenset[EdgePart]:
    """Its edges by port, whatever their positions; MLPs' are left out unless they are asked for."""
    return frozenset(_edge_parts(circuit, mlps))


def _edge_parts(circuit: Circuit, mlps: bool) -> Iterator[EdgePart]:
    for edge in circuit.edges:
        if not mlps and (edge.writer.name.of_mlp or edge.reader.name.of_mlp):
            continue
        embedded = edge.writer.site in EMBEDDINGS
        writer = Cell(EMBEDDED) if embedded else edge.writer
        any_port = PORTS if edge.reader.head is not None else ("",)
        for port in any_port if edge.into is None else (edge.into,):
            yield writer.site, writer.head, edge.reader.site, edge.reader.head, port


def size_at(nodes: Mapping[Cell, At]) -> int:
    """How many nodes at positions there are: "all" is one."""
    return sum(map(places, nodes.values()))


def common_at(one: Mapping[Cell, At], other: Mapping[Cell, At]) -> int:
    """How many nodes at positions two circuits have in common."""
    return sum(places(met(at, other[cell])) for cell, at in one.items() if cell in other)


def places(at: At) -> int:
    return 1 if isinstance(at, str) else len(at)
