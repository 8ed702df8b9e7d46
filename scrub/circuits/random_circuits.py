"""Random circuits of the same size: what a score is to be compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from attrs import evolve, frozen

from scrub.circuits.check import check_circuit
from scrub.errors import UserError
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.circuit_sets import Cells, Edges
from scrub.hypothesis.components import BOTH
from scrub.hypothesis.edges import Edge, Placed
from scrub.model.graph import Graph
from scrub.model.registry import Model
from scrub.names import EMBED, LOGITS, POS_EMBED, Cell

EXCHANGES = 10
"""Exchanges that are tried for each edge of a connected circuit. On circuits of 52 and 130 edges of
a model of four layers with four heads each, threefold, tenfold and thirtyfold give each edge as
often, to within the noise of 400 circuits."""
Kind = tuple[str, str, str | None]
"""Edges that may take each other's place: of the same layers, kinds and port."""
Ends = tuple[int | None, int | None]
"""The heads of an edge's writer and reader."""


def random_circuits(
    circuit: Circuit, model: Model, count: int, *, seed: int, connected: bool = False
) -> list[Circuit]:
    """Circuits of a model that are as large as one, kind by kind and layer by layer.

    *Of sites*: each node is another head of its layer, drawn without replacement, at the positions
    of the node that it stands for. Embeddings and MLPs, of which a layer has one, stay.
    *Of edges*: each edge is another from the same layer and kind to the same layer and kind, into
    the same port, at the same positions.

    Laws: each has as many nodes (edges) of each kind per layer and position as the circuit; the
    first so many are the same whatever their count.

    Args:
        connected: of edges, only such that every node lies on a path from the embeddings to the
            logits: from heads exchanged within layers, by exchanges of single edges that leave it
            so. A circuit of sites has all edges among its nodes, and its random ones are connected
            where it is.

    Raises:
        UserError: the model does not have what the circuit names; or a connected one is asked of a
            circuit that has a node on no such path.
    """
    check_circuit(circuit, model)
    explicit = circuit if circuit.free else circuit.on(model)
    draw = _Drawing(model.graph, explicit, connected=connected and bool(explicit.edges))
    draw.refuse_unconnected()
    bare = evolve(explicit, roles={}, source="", model=circuit.model or model.name)
    made = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        edges = draw.edges(rng)
        made.append(
            evolve(bare, cells=draw.cells(rng), edges=edges, name=f"random circuit {number + 1}")
        )
    return made


def dangling(edges: Iterable[Edge]) -> tuple[Cell, ...]:
    """The nodes that lie on no path from the embeddings to the logits along these edges.

    Edges of a model have no cycles, so that a node is on such a path if it and all before and
    behind it are read and read something.
    """
    left = list(edges)
    named = dict.fromkeys(cell for edge in left for cell in (edge.writer, edge.reader))
    while True:
        written = {edge.reader for edge in left} | {Cell(EMBED), Cell(POS_EMBED)}
        read = {edge.writer for edge in left} | {Cell(LOGITS)}
        kept = [edge for edge in left if edge.writer in written and edge.reader in read]
        if len(kept) == len(left):
            there = {cell for edge in left for cell in (edge.writer, edge.reader)}
            return tuple(cell for cell in named if cell not in there)
        left = kept


@frozen
class _Drawing:
    """Draws the nodes and edges of random circuits like one."""

    graph: Graph
    circuit: Circuit
    connected: bool

    def refuse_unconnected(self) -> None:
        cells = dangling(self.circuit.edges) if self.connected else ()
        if cells:
            listed = ", ".join(map(str, cells[:6])) + (", …" if len(cells) > 6 else "")
            raise UserError(
                f"The circuit is not connected itself: on no path from the embeddings to the "
                f"logits lie {listed}. Take them out: circuit.without(…)."
            )

    def cells(self, rng: np.random.Generator) -> Cells:
        by_site: dict[str, list[Placed]] = {}
        for placed in self.circuit.cells:
            by_site.setdefault(placed.cell.site, []).append(placed)
        found: list[Placed] = []
        for site, nodes in by_site.items():
            chosen = rng.permutation(self._numbers(site))[: len(nodes)]
            found += [
                evolve(node, cell=Cell(site, None if head < 0 else int(head)))
                for node, head in zip(nodes, chosen, strict=True)
            ]
        return tuple(found)

    def edges(self, rng: np.random.Generator) -> Edges:
        by_kind, pairs = _by_kind(_by_port(self.circuit.edges, self.graph))
        if self.connected:
            state = _Exchanging.begun(self._relabelled(by_kind, rng), self._sizes(by_kind))
            state.exchange(rng, EXCHANGES)
            drawn = {kind: list(ends) for kind, ends in state.there.items()}
        else:
            drawn = {kind: self._ends(kind, len(edges), rng) for kind, edges in by_kind.items()}
        found: list[Edge] = []
        for (writer, reader, into), chosen in drawn.items():
            stood_for = [edge.at for edge in by_kind[writer, reader, into]]
            writers = [BOTH[0].site, BOTH[1].site] if writer in pairs else [writer]
            for (start, end), at in zip(chosen, stood_for, strict=True):
                cells = [Cell(site, start) for site in writers]
                read = [Edge(cell, Cell(reader, end), into) for cell in cells]
                found += [evolve(edge, at=at) for edge in read]
        return tuple(found)

    def _ends(self, kind: Kind, count: int, rng: np.random.Generator) -> list[Ends]:
        """So many different edges of a kind."""
        starts, ends = (self._heads(site) for site in kind[:2])
        chosen = rng.choice(len(starts) * len(ends), size=count, replace=False)
        return [(starts[n // len(ends)], ends[n % len(ends)]) for n in chosen]

    def _relabelled(
        self, by_kind: Mapping[Kind, Sequence[Edge]], rng: np.random.Generator
    ) -> dict[Kind, list[Ends]]:
        """The same edges with the heads of each layer exchanged."""
        sites = dict.fromkeys(site for kind in by_kind for site in kind[:2])
        instead = {
            site: dict(zip(heads, (heads[n] for n in rng.permutation(len(heads))), strict=True))
            for site in sites
            for heads in [self._heads(site)]
        }
        return {
            kind: [
                (instead[kind[0]][edge.writer.head], instead[kind[1]][edge.reader.head])
                for edge in edges
            ]
            for kind, edges in by_kind.items()
        }

    def _sizes(self, kinds: Iterable[Kind]) -> dict[Kind, tuple[list[int | None], ...]]:
        return {kind: (self._heads(kind[0]), self._heads(kind[1])) for kind in kinds}

    def _heads(self, site: str) -> list[int | None]:
        """The head numbers of a site; [None] where it has none."""
        heads = self.graph.sites[site].heads if site in self.graph.sites else None
        return [None] if heads is None else list(range(heads))

    def _numbers(self, site: str) -> list[int]:
        return [-1 if head is None else head for head in self._heads(site)]


_PAIR = "embeddings"
_PAIRED = frozenset({_PAIR})
"""Both embeddings as one writer, where a circuit names them together."""


def _by_kind(edges: Edges) -> tuple[dict[Kind, list[Edge]], frozenset[str]]:
    """Edges by kind; those from both embeddings as one, if all of theirs are, and its name."""
    every = set(edges)
    embedded = [edge for edge in edges if edge.writer in BOTH]
    paired = all(evolve(e, writer=cell) in every for e in embedded for cell in BOTH)
    found: dict[Kind, list[Edge]] = {}
    for edge in edges:
        is_second = paired and edge.writer == BOTH[1]
        writer = _PAIR if paired and edge.writer in BOTH else edge.writer.site
        if not is_second:
            found.setdefault((writer, edge.reader.site, edge.into), []).append(edge)
    return found, _PAIRED if paired else frozenset()


def _by_port(edges: Edges, graph: Graph) -> Edges:
    """Edges into any port port by port, where others of their layers are: none is drawn twice."""
    ends = {(e.writer.site, e.reader.site) for e in edges if e.into is not None}
    found: list[Edge] = []
    for edge in edges:
        mixed = edge.into is None and (edge.writer.site, edge.reader.site) in ends
        group = graph.sites[edge.reader.site].group
        found += [evolve(edge, into=p) for p in sorted(graph.read_by[group])] if mixed else [edge]
    return tuple(found)


@frozen(eq=False)
class _Exchanging:
    """Edges of which one at a time is exchanged for another of its kind, all nodes connected.

    A walk with symmetric steps over the connected sets of edges with so many of each kind.
    """

    sizes: Mapping[Kind, tuple[list[int | None], ...]]
    there: dict[Kind, list[Ends]]
    order: list[tuple[Kind, int]]
    known: dict[Kind, set[Ends]]
    leaving: dict[tuple[str, int | None], int]
    entering: dict[tuple[str, int | None], int]

    @classmethod
    def begun(
        cls,
        there: dict[Kind, list[Ends]],
        sizes: Mapping[Kind, tuple[list[int | None], ...]],
    ) -> _Exchanging:
        leaving: dict[tuple[str, int | None], int] = {}
        entering: dict[tuple[str, int | None], int] = {}
        for (writer, reader, _), every in there.items():
            for start, end in every:
                leaving[writer, start] = leaving.get((writer, start), 0) + 1
                entering[reader, end] = entering.get((reader, end), 0) + 1
        order = [(kind, number) for kind, ends in there.items() for number in range(len(ends))]
        known = {kind: set(ends) for kind, ends in there.items()}
        return cls(sizes, there, order, known, leaving, entering)

    def exchange(self, rng: np.random.Generator, times: int) -> None:
        """Try so many exchanges for each edge."""
        tries = times * len(self.order)
        picks = rng.integers(len(self.order), size=tries)
        shares = rng.random((tries, 2))
        for pick, (one, two) in zip(picks, shares, strict=True):
            kind, number = self.order[pick]
            starts, ends = self.sizes[kind]
            new = (starts[int(one * len(starts))], ends[int(two * len(ends))])
            if new not in self.known[kind]:
                self._exchange(kind, number, new)

    def _exchange(self, kind: Kind, number: int, new: Ends) -> None:
        """Put another edge in the place of one, if all nodes are connected then."""
        old = self.there[kind][number]
        self._count(kind, old, -1)
        self._count(kind, new, 1)
        places = [(kind[0], old[0]), (kind[1], old[1]), (kind[0], new[0]), (kind[1], new[1])]
        if all(map(self._is_connected, places)):
            self.there[kind][number] = new
            self.known[kind] -= {old}
            self.known[kind] |= {new}
        else:
            self._count(kind, new, -1)
            self._count(kind, old, 1)

    def _count(self, kind: Kind, ends: Ends, change: int) -> None:
        leaves, enters = (kind[0], ends[0]), (kind[1], ends[1])
        self.leaving[leaves] = self.leaving.get(leaves, 0) + change
        self.entering[enters] = self.entering.get(enters, 0) + change

    def _is_connected(self, place: tuple[str, int | None]) -> bool:
        """Whether a node is read and reads something, or is not there at all."""
        read = place[0] == LOGITS or self.leaving.get(place, 0) > 0
        reads = place[0] in (*_PAIRED, EMBED, POS_EMBED) or self.entering.get(place, 0) > 0
        there = self.leaving.get(place, 0) + self.entering.get(place, 0) > 0
        return (read and reads) or not there
