"""What two random circuits would have in common, kind by kind and layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Int

from scrub.circuits.parts import EMBEDDED, EdgePart, places
from scrub.hypothesis.circuit_sets import met
from scrub.hypothesis.positions import At
from scrub.model.graph import Graph
from scrub.names import Cell

Counts = Int[np.ndarray, " draws"]


def heads_of(site: str, graph: Graph) -> int:
    """Of how many components a site is the output."""
    return 1 if site == EMBEDDED else graph.sites[site].heads or 1


def common_nodes(
    one: Iterable[Cell], other: Iterable[Cell], graph: Graph, draws: int, rng: np.random.Generator
) -> Counts:
    """In how many nodes random ones of the other's size per layer meet one's."""
    first, second = (Counter(cell.site for cell in cells) for cells in (one, other))
    sizes = {site: heads_of(site, graph) for site in first}
    return _met(first, second, sizes, draws, rng)


def shares_of(nodes: Iterable[Cell], graph: Graph) -> dict[str, float]:
    """Of each site the share of its components that are in a circuit.

    That is the chance of each to be in a random circuit of the same sizes per layer.
    """
    counts = Counter(cell.site for cell in nodes)
    return {site: count / heads_of(site, graph) for site, count in counts.items()}


def common_edges(
    one: Iterable[EdgePart],
    other: Iterable[EdgePart],
    graph: Graph,
    draws: int,
    rng: np.random.Generator,
) -> Counts:
    """The same of edges, as many from each layer and kind into each layer, kind and port."""
    first, second = (Counter((e[0], e[2], e[4]) for e in edges) for edges in (one, other))
    sizes = {kind: heads_of(kind[0], graph) * heads_of(kind[1], graph) for kind in first}
    return _met(first, second, sizes, draws, rng)


def _met(
    first: Counter, second: Counter, sizes: Mapping, draws: int, rng: np.random.Generator
) -> Counts:
    """Of each kind so many drawn without replacement from so many, and how many of one's are.

    In one order of the kinds, whatever order their set has: draws follow each other.
    """
    found = np.zeros(draws, dtype=np.int64)
    for kind in sorted(sizes, key=str):
        inside, drawn = first[kind], second[kind]
        if drawn:
            found += rng.hypergeometric(inside, sizes[kind] - inside, drawn, size=draws)
    return found


def common_at(
    one: Mapping[Cell, At],
    other: Mapping[Cell, At],
    graph: Graph,
    draws: int,
    rng: np.random.Generator,
) -> Counts:
    """In how many nodes at positions random ones meet one's, each where the other's node stands."""
    found = np.zeros(draws, dtype=np.int64)
    for site in dict.fromkeys(cell.site for cell in other):
        here: list[At] = [at for cell, at in other.items() if cell.site == site]
        there: list[At] = [one.get(cell, ()) for cell in graph.sites[site].cells()]
        meets = np.array([[places(met(at, spot)) for spot in there] for at in here])
        shuffled = rng.random((draws, len(there))).argsort(axis=1)[:, : len(here)]
        found += meets[np.arange(len(here)), shuffled].sum(axis=1)
    return found
