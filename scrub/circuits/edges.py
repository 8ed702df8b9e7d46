"""All edges of a model: what each component's port reads, from which writers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scrub.hypothesis.circuit import Edge
from scrub.model.graph import Component, Graph
from scrub.names import LOGITS, Cell

KINDS = {"heads": "attention", "mlps": "mlp", "embeddings": "embedding"}
"""Kinds of writers, and what a graph calls them."""


def all_edges(
    graph: Graph, kinds: Sequence[str] = ("heads", "mlps", "embeddings")
) -> tuple[Edge, ...]:
    """Every edge of a model at all positions, by port: into heads by q, k and v.

    Readers come in the model's order, the logits last; of one reader port by port, writers in the
    model's order. Readers are of these kinds too, but for the logits.

    Law: the circuit of all edges recovers everything.
    """
    wanted = {KINDS[kind] for kind in kinds}
    every = writers(graph)
    found: list[Edge] = []
    for reader in _readers(graph, wanted):
        ports = graph.read_by[graph.sites[reader.site].group]
        for port in _in_order(ports):
            into = port if len(ports) > 1 else None
            read = {one for stream in ports[port] for one in graph.written[stream]}
            found += [
                Edge(cell, reader, into)
                for component, cell in every.items()
                if component in read and graph.sites[cell.site].kind in wanted
            ]
    return tuple(found)


def writers(graph: Graph) -> dict[Component, Cell]:
    """Each component that writes to a stream, as what it writes, in the model's order."""
    cells = {cell for stream in graph.streams for cell in graph.writing[stream]}
    ordered = sorted(cells, key=lambda cell: (graph.order[cell.site], cell.head or 0))
    return {graph.component(cell): cell for cell in ordered}


def _readers(graph: Graph, wanted: set[str]) -> Iterator[Cell]:
    """What each component that reads a stream computes of it: what it writes, or the logits."""
    for component, cell in writers(graph).items():
        if graph.read_by[component[0]] and graph.sites[cell.site].kind in wanted:
            yield cell
    if LOGITS in graph.sites:
        yield Cell(LOGITS)


def _in_order(ports: dict[str, tuple[str, ...]]) -> list[str]:
    """Queries before keys before values."""
    usual = {"q": 0, "k": 1, "v": 2}
    return sorted(ports, key=lambda port: (usual.get(port, len(usual)), port))
