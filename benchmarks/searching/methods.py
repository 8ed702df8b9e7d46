"""Every method, asked for the same: which heads and edges it keeps, and a score of each."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from attrs import evolve, frozen

from scrub.errors import UserError
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.positions import ALL
from scrub.hypothesis.sites import Head, none
from scrub.names import Cell
from scrub.searches.circuit_found import CircuitFound
from scrub.searches.measured import Component, Measured, Receiver
from scrub.searches.method import Method
from scrub.searches.path_search import NothingFoundError, begin
from scrub.searches.pruned_parts import edge_name
from scrub.searches.settings import Settings
from searching.subject import Searched
from searching.truth import EMBEDDING, OUTPUT, PORTS, as_head, head, heads_of, mlp


@frozen
class Outcome:
    """What a method has found.

    Attributes:
        heads, edges: what it keeps; edges at all positions and into one port each.
        head_scores, edge_scores: the larger the more a part matters; what has none is below all.
        measured: circuits, or effects, that were computed.
        refused: why the search gave up; "" where it did not.
    """

    heads: frozenset[Head]
    edges: frozenset[Edge]
    head_scores: Mapping[Head, float]
    edge_scores: Mapping[Edge, float]
    measured: int
    refused: str = ""


def nothing(refused: UserError) -> Outcome:
    """Of a search that gives up: nothing is kept, and nothing has a score."""
    return Outcome(frozenset(), frozenset(), {}, {}, 0, str(refused))


Search = Callable[[Searched], Outcome]


def by_circuit(method: Method, settings: Callable[[float], Any]) -> Search:
    """A search that ends in a circuit.

    Args:
        settings: of what it costs to take everything out, in the units of the first metric.
    """

    def search(searched: Searched) -> Outcome:
        subject, _ = searched.halves()
        chosen = method.metrics(subject.metrics, subject.root, settings(1.0))
        if chosen != subject.metrics:
            subject, _ = searched.halves(chosen)
        measured = searched.measurements(subject)
        most = abs(float(measured.nothing[0].mean() - measured.original[0].mean()))
        before = measured.known
        try:
            found = method.search(subject, measured, settings(most), lambda line: None)
        except UserError as error:
            return nothing(error)
        return outcome_of(found, searched.edges, measured.known - before)

    return search


def outcome_of(found: CircuitFound, every: Iterable[Edge], measured: int) -> Outcome:
    """What a circuit keeps, and how its search ranks heads and edges.

    A head is kept where an edge leads from it, or, in a circuit of nodes, where it is one. Its
    score is its own, or else that of the best edge from it.
    """
    edges = kept_edges(found.circuit.edges)
    scores = {edge: one for edge in every if (one := edge_score(edge, edges, found)) is not None}
    heads = set(heads_of(edges)) or set(found.circuit.heads)
    return Outcome(frozenset(heads), edges, head_scores(scores, found.importance), scores, measured)


def kept_edges(edges: Iterable[Edge]) -> frozenset[Edge]:
    """Edges at whatever positions; those into any port of a head are one into each."""
    return frozenset(
        evolve(edge, into=port, at=ALL)
        for edge in edges
        for port in (
            PORTS if edge.into is None and as_head(edge.reader) is not None else (edge.into,)
        )
    )


def edge_score(edge: Edge, kept: frozenset[Edge], found: CircuitFound) -> float | None:
    """The edge's own importance; of one that went with a node or a port that of what went first.

    None where the search has no number for it.
    """
    own = found.importance.get(edge_name(edge))
    if edge in kept and own is not None:
        return own
    names = (
        edge_name(edge), f"all into {edge.into} of {edge.reader}", str(edge.writer),
        str(edge.reader),
    )  # fmt: skip
    return min((found.importance[name] for name in names if name in found.importance), default=None)


def head_scores(edges: Mapping[Edge, float], own: Mapping[str, float]) -> dict[Head, float]:
    """Of each head its own number, or else the largest of the edges from it."""
    found: dict[Head, float] = {}
    for edge, score in edges.items():
        if (one := as_head(edge.writer)) is not None:
            found[one] = max(score, found.get(one, -math.inf))
    return {one: own.get(str(head(one)), score) for one, score in found.items()}


def by_paths(smallest: float) -> Search:
    """Iterative path patching by direct paths: of heads, MLPs and embeddings."""

    def search(searched: Searched) -> Outcome:
        settings = Settings(
            senders=("heads", "mlps", "embeddings"), at="each", through=none, smallest=smallest
        )
        try:
            state = begin(searched.item, settings, searched.context).run()
        except NothingFoundError as error:
            return nothing(error)
        links = [
            (edge_of(one.sender, to, link.port), abs(one.share))
            for link in state.found.every()
            for one in link.effects
            for to in readers(link.receiver)
        ]
        return of_effects((edge for edge, _ in links), state.measured)

    return search


def of_effects(kept: Iterable[Edge], measured: Iterable[Measured]) -> Outcome:
    """Paths as edges, scored by the share of the total; where there are several, by the largest."""
    scores: dict[Edge, float] = {}
    count = 0
    for one in measured:
        count += len(one.effects)
        for effect in one.effects:
            for to in readers(one.receiver):
                edge = edge_of(effect.sender, to, effect.port)
                share = abs(effect.share) if effect.certain else 0.0
                scores[edge] = max(scores.get(edge, 0.0), share)
    edges = frozenset(kept)
    return Outcome(heads_of(edges), edges, head_scores(scores, {}), scores, count)


def readers(receiver: Receiver) -> tuple[Cell, ...]:
    return tuple(map(cell_of, receiver.components)) or (OUTPUT,)


def edge_of(sender: Component, reader: Cell, port: str) -> Edge:
    return Edge(cell_of(sender), reader, port or None)


def cell_of(component: Component) -> Cell:
    """The cell of a component; of the embeddings that of tokens."""
    match component.kind:
        case "heads":
            return head(component.pair)
        case "mlps":
            return mlp(component.layer)
        case _:
            return EMBEDDING


def at_random(share: float, seed: int) -> Search:
    """A random order of all edges, of which the first share is kept: what chance would do.

    Another order for every behaviour, by its name.
    """

    def search(searched: Searched) -> Outcome:
        every = searched.edges
        random = np.random.default_rng([seed, zlib.crc32(searched.behaviour.name.encode())])
        order = [every[i] for i in random.permutation(len(every))]
        scores = {edge: -float(place) for place, edge in enumerate(order)}
        kept = frozenset(order[: round(share * len(order))])
        return Outcome(heads_of(kept), kept, head_scores(scores, {}), scores, 0)

    return search
