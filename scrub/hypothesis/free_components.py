"""What a circuit means on one model: components that it says nothing of, and embeddings."""

from __future__ import annotations

from typing import Any

from scrub.hypothesis.circuit_sets import Cells, Edges, nodes_of
from scrub.hypothesis.edges import Edge, Placed, order
from scrub.names import EMBED, LOGITS, POS_EMBED, Cell


def with_free_mlps(cells: Cells, edges: Edges, graph: Any) -> tuple[Cells, Edges]:
    """The circuit in which every MLP of a model reads what is in it, and is read by all of it.

    Without edges: every MLP, at all positions. With edges: from every node, where it writes, every
    embedding and every earlier MLP into every MLP; from every MLP into every later node, by any
    port, and into the logits.

    Args:
        graph: the model's (`scrub.model.graph.Graph`). Nodes that it does not have get no edges.
    """
    mlps = _written(graph, "mlp")
    if not edges:
        return (*cells, *map(Placed, mlps)), ()
    nodes = [placed for placed in nodes_of(cells, edges) if placed.cell.site in graph.sites]
    into = (*nodes, *map(Placed, _written(graph, "embedding")), *map(Placed, mlps))
    onto = dict.fromkeys((*(placed.cell for placed in nodes), *mlps, Cell(LOGITS)))
    read = [(p, mlp) for mlp in mlps for p in into if _reads(mlp, p.cell, graph)]
    written = [(mlp, cell) for cell in onto for mlp in mlps if _reads(cell, mlp, graph)]
    more = (Edge(placed.cell, mlp, None, placed.at) for placed, mlp in read)
    return cells, (*edges, *more, *(Edge(mlp, cell) for mlp, cell in written))


def with_embeddings_of(cells: Cells, edges: Edges, graph: Any) -> tuple[Cells, Edges]:
    """The circuit without a position embedding that the model does not have."""
    if POS_EMBED in graph.sites or EMBED not in graph.sites:
        return cells, edges
    absent = Cell(POS_EMBED)
    return (
        tuple(placed for placed in cells if placed.cell != absent),
        tuple(edge for edge in edges if edge.writer != absent),
    )


def _written(graph: Any, kind: str) -> list[Cell]:
    """The components of a kind, as what they write to a stream."""
    cells = (cell for written in graph.writing.values() for cell in written)
    found = {cell for cell in cells if graph.sites[cell.site].kind == kind}
    return sorted(found, key=order)


def _reads(reader: Cell, writer: Cell, graph: Any) -> bool:
    """Whether the model has an edge from one to the other, by some port."""
    if reader.site not in graph.sites:
        return False
    streams = graph.read_by[graph.sites[reader.site].group].values()
    component = graph.component(writer)
    return any(component in graph.written[name] for names in streams for name in names)
