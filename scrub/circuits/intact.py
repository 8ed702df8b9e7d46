"""What a knock-out leaves intact: components all of whose inputs are kept, all the way down.

Where the inputs that stand in for what is knocked out are as long as the references, such a
component's value is the model's own on the reference: a row of the activation cache. So a path may
end there instead of going on to the embeddings, and nothing below is computed again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import evolve

from scrub.circuits.edges import writers
from scrub.circuits.kept import Kept
from scrub.draw import Draws
from scrub.engine.gates import edges_of
from scrub.engine.passing import passage
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.positions import ALL
from scrub.hypothesis.sites import Through
from scrub.model.graph import Component, Graph
from scrub.names import Cell

Opens = Callable[[Component, str, Component], bool]
"""Whether a reader takes by a port what a writer writes, at all positions."""


def frames_are_alike(draws: Draws) -> bool:
    """Whether every input that is drawn is as long as its sample's reference."""
    references = draws.references
    wanted = references.data.lengths[references.index]
    drawn = (rows for node in draws.nodes.values() for rows in (node.own, node.other))
    return all(
        rows is None or np.array_equal(rows.data.lengths[rows.index], wanted) for rows in drawn
    )


def ended_early(kept: Kept, graph: Graph) -> tuple[tuple[Cell, ...], Kept]:
    """The cells at which paths may end beside the embeddings, and the ways that are left.

    Law: on frames that are alike the tree with a leaf of these and the embeddings, by these ways,
    has the values of the tree with a leaf of the embeddings by the ways that were kept.
    """
    if kept is None:
        return (), None
    cells = _intact(_opens(kept, graph), graph)
    if kept.circuit is None or not kept.circuit.edges:
        cells = tuple(cell for cell in cells if passage(kept, cell, graph).everywhere)
    if not cells:
        return (), kept
    ended = {graph.component(cell) for cell in cells}
    circuit = kept.circuit
    if circuit is not None and circuit.edges:
        edges = tuple(e for e in circuit.edges if graph.component(e.reader) not in ended)
        if not edges:  # none leads to the root: a way without edges would be the direct one
            return (), kept
        return cells, evolve(kept, circuit=Circuit(edges=edges))
    if circuit is not None:
        left = tuple(one for one in circuit.cells if graph.component(one.cell) not in ended)
        kept = evolve(kept, circuit=Circuit(cells=left) if left else None)
    return cells, evolve(kept, never=(*kept.never, *cells))


def _opens(kept: Through, graph: Graph) -> Opens:
    circuit = kept.circuit
    if circuit is not None and circuit.edges:
        edges = edges_of(circuit, graph)
        return lambda reader, port, writer: edges.get((reader, port), {}).get(writer) == ALL
    passed = {
        component: graph.sites[cell.site].kind == "embedding"
        or passage(kept, cell, graph).everywhere
        for component, cell in writers(graph).items()
    }
    return lambda reader, port, writer: passed[writer]


def _intact(opens: Opens, graph: Graph) -> tuple[Cell, ...]:
    """The components, but for embeddings, that read all they read as it is, and are read."""
    intact: set[Component] = set()
    found: list[Cell] = []
    for component, cell in writers(graph).items():
        ports = graph.read_by[component[0]]
        if not ports:
            intact.add(component)
            continue
        if all(
            writer in intact and opens(component, port, writer)
            for port, streams in ports.items()
            for stream in streams
            for writer in graph.written[stream]
        ):
            intact.add(component)
            found.append(cell)
    return tuple(found)
