"""First-order effects of all edges of tiny models, and what they are of."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from scrub.analysis.edge_attribution import EdgeAttribution, inlets_of
from scrub.data.dataset import Dataset, Rows
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.sites import ALL, At, Route
from scrub.model.graph import Graph
from scrub.names import LOGITS, Cell, parse

ROOT = Route((Cell(LOGITS),), at=("end",))


def two_logits(logits: Tensor) -> Tensor:
    difference = logits[..., 2] - 2 * logits[..., 5]
    return difference + 0.1 * difference**2


def measure(root: Tensor) -> Tensor:
    return two_logits(root[:, 0, 0])


def every_edge(graph: Graph, at: At = ALL) -> tuple[Edge, ...]:
    """Every edge of a transformer's graph, by port."""
    sites = [site for site in graph.sites.values() if reads_and_writes(site.name)]
    readers = [cell for site in sites for cell in site.cells()]
    found: list[Edge] = []
    for reader in readers:
        for port in graph.read_by[graph.sites[reader.site].group]:
            (inlet,) = inlets_of(reader, port, graph)
            for writer in graph.writers(inlet.stream):
                found += [Edge(c, reader, port, at) for c in graph.sites[writer].cells()]
    return tuple(found)


def reads_and_writes(name: str) -> bool:
    return parse(name).is_z or parse(name).part == "mlp" or name == LOGITS


def first_orders(
    graph: Graph, edges: tuple[Edge, ...], references: Rows, other: Rows, **more: Any
) -> np.ndarray:
    attribution = EdgeAttribution(graph, ROOT, edges, references, other, **more)
    return attribution.effects(np.arange(len(references)), measure)


def alike(seed: int, vocabulary: int) -> tuple[Rows, Rows]:
    """Rows of one length."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, vocabulary, (6, 6))
    columns = {"end": np.full(6, 5), "a": rng.integers(0, 3, 6)}
    data = Dataset("alike", inputs={"tokens": tokens}, lengths=np.full(6, 6), positions=columns)
    return Rows(data, np.array([0, 1, 2])), Rows(data, np.array([3, 4, 5]))


def near(found: np.ndarray, expected: np.ndarray, limit: float = 1e-9) -> bool:
    assert found.shape == expected.shape
    return bool(np.abs(found - expected).max() <= limit * np.abs(expected).max())
