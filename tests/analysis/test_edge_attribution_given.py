"""First-order effects of putting in values that no input has: means and zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from scrub import Mean, Zero
from scrub.analysis.edge_attribution import inlets_of
from scrub.data.dataset import Rows
from scrub.draw import KeyedRandomness, donors
from scrub.hypothesis.circuit import Edge
from scrub.model.bridge import graph_of
from scrub.model.forward import batch_of, forward
from scrub.model.graph import Graph
from scrub.names import LOGITS, Cell
from support import tiny_models
from support.edge_effects import every_edge, first_orders, two_logits
from support.random_data import random_dataset

MODEL = "2x2"


@pytest.mark.parametrize("sampler", [Zero(), Mean("shape")])
def test_values_that_are_given_stand_in_the_place_of_an_input(sampler: Any) -> None:
    graph = graph_of(tiny_models.bridge(MODEL))
    data = random_dataset(np.random.default_rng(4), "data", shapes=3)
    references = Rows(data, np.array([0, 1, 2, 5]))
    other = donors(sampler, references, KeyedRandomness(0, (), 4), ("root",))
    edges = every_edge(graph)
    found = first_orders(graph, edges, references, other)
    slopes = first_orders_of_ones(graph, edges, references)
    for number, one in enumerate(edges):
        change = given_change(graph, one.writer, references, sampler)
        assert np.allclose(found[number], (change * slopes[one]).sum((1, 2)), rtol=0, atol=1e-8)
    assert np.abs(found).max() > 1e-2


def given_change(graph: Graph, writer: Cell, references: Rows, sampler: Any) -> np.ndarray:
    """By how much a writer's contribution differs from what is given, [n, positions, d]."""
    data = references.data
    every = Rows(data, np.arange(len(data)))
    value = forward(graph, batch_of(every, data.width, graph.device), {writer.site})[writer.site]
    site = graph.sites[writer.site]
    if writer.head is not None:
        assert site.write is not None
        value = site.write(value[:, :, [writer.head]], torch.tensor([writer.head]))
    plain = value[:, :, 0].numpy()
    if isinstance(sampler, Zero):
        return -plain[references.index]
    shape = data.columns["shape"]
    means = {s: plain[shape == s].mean(0) for s in np.unique(shape)}
    return np.stack([means[shape[row]] - plain[row] for row in references.index])


def first_orders_of_ones(
    graph: Graph, edges: tuple[Edge, ...], references: Rows
) -> dict[Edge, np.ndarray]:
    """The metric's gradient at what each edge's reader reads, [n, positions, d]."""
    batch = batch_of(references, references.data.width, graph.device)
    end = torch.tensor(references.data.position("end")[references.index])
    found = {}
    for one in edges:
        (inlet,) = inlets_of(one.reader, one.into, graph)
        leaf: list[Tensor] = []

        def change(value: Tensor, heads: int = inlet.heads, leaf: list[Tensor] = leaf) -> Tensor:
            leaf.append(value.expand(-1, -1, heads, -1).clone().requires_grad_())
            return leaf[0] if heads > 1 else leaf[0] + 0

        name = inlet.stream if one.reader.site == LOGITS else inlet.site
        with torch.enable_grad():
            logits = forward(graph, batch, {LOGITS}, edited={name: change})[LOGITS][:, :, 0]
            total = two_logits(logits[torch.arange(len(end)), end]).sum()
        (slope,) = torch.autograd.grad(total, leaf)
        found[one] = slope[:, :, one.reader.head or 0].numpy()
    return found
