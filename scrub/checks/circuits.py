"""Check what a path may pass: sites where they write, and edges that the model has."""

from __future__ import annotations

from collections.abc import Iterator

from scrub.errors import Problems, did_you_mean
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.correspondence import InterpNode
from scrub.hypothesis.positions import ALL
from scrub.hypothesis.sites import Route
from scrub.model.graph import Graph
from scrub.names import Cell

LISTED = 6
"""Edges of one circuit that are told one by one, at most."""


def check_passed(node: InterpNode, route: Route, graph: Graph, problems: Problems) -> None:
    """What a route may pass at single positions can be passed there; edges are the model's."""
    for placed in (*route.through.passed, *route.through.barred):
        site = graph.sites.get(placed.cell.site)
        if placed.at != ALL and site is not None and placed.cell in site.cells():
            for what, fix in _not_passed(placed.cell, graph):
                problems.add(what, fix, node=node.name)
    circuit = route.through.circuit
    found = [said for edge in circuit.edges for said in _no_edge(edge, graph)] if circuit else []
    for what, fix in found[:LISTED]:
        problems.add(what, fix, node=node.name)
    if len(found) > LISTED:
        problems.add(
            f"{len(found) - LISTED:,} more edges of its circuit are none of the model's.",
            node=node.name,
        )


def _not_passed(cell: Cell, graph: Graph) -> Iterator[tuple[str, str]]:
    """Why a path cannot pass a site at some positions only."""
    site = graph.sites[cell.site]
    if not site.positions:
        yield f"{cell} has no positions.", "Leave out at=."
    elif not graph.outer_ports[site.group]:
        yield (
            f"No path passes {cell}, which reads nothing: paths end there.",
            "Say where by the at= of the node that claims it.",
        )
    elif graph.component(cell) not in _writing(graph):
        yield f"No path passes {cell}: nothing reads what it computes.", "Leave it out."
    elif not _is_output(cell, graph):
        yield (
            f"A path passes {_whole(cell, graph)} at the positions at which it writes, and {cell} "
            "is not what it writes.",
            "Name it whole; where a head's keys are read from the stream is said by a circuit of "
            'edges: Circuit.of_edges(edge(writer, reader, into="k", at=…), …).',
        )


def _writing(graph: Graph) -> frozenset[tuple[str, int | None]]:
    """The components that write to a stream."""
    return frozenset().union(*graph.written.values())


def _is_output(cell: Cell, graph: Graph) -> bool:
    """Whether a site is what its component writes."""
    writers = {writer for stream in graph.streams.values() for writer in stream.writers}
    return cell.site in writers | {graph.sites[writer].output for writer in writers}


def _whole(cell: Cell, graph: Graph) -> Cell:
    """What the component of a cell writes."""
    group, head = graph.component(cell)
    for stream in graph.streams.values():
        for writer in stream.writers:
            if graph.sites[writer].group == group:
                return Cell(writer, head)
    return cell


def _no_edge(edge: Edge, graph: Graph) -> Iterator[tuple[str, str]]:
    """Why an edge is none of the model's; nothing where it is."""
    if edge.writer.site not in graph.sites or edge.reader.site not in graph.sites:
        return
    said = f"{edge.writer} → {edge.reader}"
    group = graph.sites[edge.reader.site].group
    ports = graph.read_by[group]
    if not ports:
        yield f"{said}: {edge.reader} reads nothing.", "Give a head, an MLP or the logits."
        return
    if edge.into is not None and edge.into not in ports:
        yield (
            f'{said}: {edge.reader} has no port "{edge.into}" by which it reads.',
            did_you_mean(edge.into, sorted(ports)),
        )
        return
    writer = graph.component(edge.writer)
    if writer not in _writing(graph):
        yield f"{said}: nothing reads what {edge.writer} computes.", "Give a head or an MLP."
        return
    for into in sorted(ports) if edge.into is None else [edge.into]:
        if any(writer in graph.written[stream] for stream in ports[into]):
            break
    else:
        back = f"edge({_in_code(edge.reader)}, {_in_code(edge.writer)})"
        after = graph.order[edge.writer.site] > graph.order[edge.reader.site]
        yield (
            f"{said}: the model has no such edge; "
            + (f"{edge.writer} comes after it." if after else f"{edge.reader} does not read it."),
            f"Is it {back}?" if after else "Name a writer that it reads.",
        )
    spread = graph.sites[edge.writer.site].positions
    if edge.at != ALL and not spread:
        yield f"{said}: {edge.writer} has no positions.", "Leave out at=."


def _in_code(cell: Cell) -> str:
    """A site as a user writes it in an edge."""
    layer = cell.name.layer
    if layer is not None and cell.head is not None:
        return f"heads([({layer}, {cell.head})])"
    return f"mlp({layer})" if cell.name.of_mlp else f'site("{cell.site}")'
