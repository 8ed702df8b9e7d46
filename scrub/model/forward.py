"""Which values of a graph a computation reads, and in which order."""

from __future__ import annotations

from collections.abc import Container, Iterable

import torch
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.model.graph import Graph, Site, Stream


def needed(graph: Graph, names: Iterable[str], known: Container[str] = ()) -> list[str]:
    """These sites and streams and all unknown ones that they read, in the graph's order."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        read = reads(graph.values[name])
        waiting.update(source for source in read if source not in found and source not in known)
    return sorted(found, key=graph.order.__getitem__)


def reads(value: Site | Stream) -> list[str]:
    """Names of what a site or stream reads."""
    if isinstance(value, Site):
        return [port.source for port in value.ports]
    return [*([value.base] if value.base else []), *value.writers]


def head_indices(heads: tuple[int | None, ...], graph: Graph) -> Tensor:
    """Indices of heads as a tensor; empty for a site without heads."""
    return torch.tensor([h for h in heads if h is not None], dtype=torch.int64, device=graph.device)


def all_positions(rows: Rows, graph: Graph, name: str, width: int) -> Tensor:
    """The indices of all positions of a site: int64 [rows, positions]."""
    count = graph.span(name, width)
    return torch.arange(count, device=graph.device).expand(len(rows), count)
