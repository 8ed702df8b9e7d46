"""Random circuits, as Hypothesis strategies: of sites, or of edges, on a model of three layers."""

from __future__ import annotations

from hypothesis import strategies as st
from scrub.hypothesis.circuit import Circuit, Edge, Placed
from scrub.names import EMBED, LOGITS, POS_EMBED, Cell, attention_site, mlp

LAYERS, HEADS = 3, 2
HEAD_CELLS = [Cell(attention_site(n, "z"), h) for n in range(LAYERS) for h in range(HEADS)]
MLP_CELLS = [Cell(mlp(layer)) for layer in range(LAYERS)]
NODES = [*HEAD_CELLS, *MLP_CELLS]
EMBEDDINGS = [Cell(EMBED), Cell(POS_EMBED)]
SOME = st.sets(st.sampled_from(["end", "s2", 1]), min_size=1).map(tuple)
ANY = SOME | st.just("all")


def place(cell: Cell) -> float:
    """Where a component stands in the order of the model."""
    if cell.name.layer is None:
        return -1 if cell.site != LOGITS else LAYERS
    return cell.name.layer + (0.5 if cell.head is None else 0)


PAIRS = [
    (writer, reader)
    for writer in [*EMBEDDINGS, *NODES]
    for reader in [*NODES, Cell(LOGITS)]
    if place(writer) < place(reader)
]


def of_sites(ats: st.SearchStrategy = ANY, most: int = 6) -> st.SearchStrategy[Circuit]:
    """Embeddings are at all positions, where paths end."""
    inner = st.builds(Placed, st.sampled_from(NODES), ats)
    placed = inner | st.sampled_from(EMBEDDINGS).map(Placed)
    return st.lists(placed, max_size=most).map(lambda cells: Circuit(tuple(cells)))


@st.composite
def some_edge(draw: st.DrawFn, ats: st.SearchStrategy = ANY, *, any_port: bool = True) -> Edge:
    writer, reader = draw(st.sampled_from(PAIRS))
    ports = ["q", "k", "v"] if reader.head is not None else [None]
    return Edge(writer, reader, draw(st.sampled_from([*ports, *([None] * any_port)])), draw(ats))


def of_edges(
    ats: st.SearchStrategy = ANY, most: int = 8, *, any_port: bool = True
) -> st.SearchStrategy[Circuit]:
    edges = st.lists(some_edge(ats, any_port=any_port), max_size=most)
    return edges.map(lambda found: Circuit(edges=tuple(found)))
