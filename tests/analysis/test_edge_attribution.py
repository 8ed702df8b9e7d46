"""First-order effects of edges: against a forward pass from two inputs, and hooks on the bridge."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from torch import Tensor

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.two_sources import Writer, two_sources
from oracle.two_sources import edges as edges_of
from scrub.analysis import edge_attribution
from scrub.analysis.attribution import Paths, first_order, root_value
from scrub.analysis.edge_attribution import (
    ROWS_AT_ONCE,
    EdgeAttribution,
    by_writer,
    inlets_of,
)
from scrub.circuits.edges import all_edges
from scrub.data.dataset import Rows, padded_tokens
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.sites import ALL, At, Route, anything
from scrub.model.bridge import graph_of
from scrub.model.forward import batch_of, forward
from scrub.model.graph import Graph
from scrub.names import LOGITS, Cell, attention_site, parse
from scrub.names import mlp as mlp_site
from support import family_models, native_models, tiny_models
from support.edge_effects import ROOT, alike, every_edge, first_orders, measure, near, two_logits
from support.random_data import random_dataset

quick = settings(
    max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
SEEDS = st.integers(0, 2**32 - 1)
MODEL = "2x2"
OracleEdge = tuple[Writer, Writer, str]
the_model = functools.cache(tiny_models.hugging_face_model)


def cell(writer: Writer) -> Cell:
    kind, layer, head = writer
    if layer is None:
        return Cell(kind)
    return Cell(mlp_site(layer)) if head is None else Cell(attention_site(layer, "z"), head)


def made(one: OracleEdge, at: At = ALL) -> Edge:
    return Edge(cell(one[0]), cell(one[1]), one[2], at)


def some_rows(seed: int, name: str = "data", count: int = 3) -> tuple[Rows, Rows]:
    rng = np.random.default_rng(seed)
    data = random_dataset(rng, name)
    both = rng.integers(len(data), size=(2, count))
    return Rows(data, both[0]), Rows(data, both[1])


def by_derivative(edges: list[OracleEdge], references: Rows, other: Rows) -> dict[OracleEdge, Any]:
    """Minus the derivative of the metric by how much of each edge is kept, where all are.

    By the forward pass from two inputs: [samples, width].
    """
    width = references.data.width
    inside, outside = (
        torch.tensor(padded_tokens(r.data, width)[r.index]) for r in (references, other)
    )
    real = torch.arange(width) < torch.tensor(other.data.lengths[other.index])[:, None]
    kept = {one: torch.ones(real.shape, dtype=torch.float64, requires_grad=True) for one in edges}

    def share(*one: Any) -> Tensor:
        return kept.get(one, torch.ones(real.shape, dtype=torch.float64))

    logits = two_sources(the_model(MODEL), share, inside, outside, real)
    end = torch.tensor(other.data.position("end")[other.index])
    total = two_logits(logits[torch.arange(len(end)), end]).sum()
    slopes = torch.autograd.grad(total, list(kept.values()))
    return {one: -slope for one, slope in zip(kept, slopes, strict=True)}


@quick
@given(seed=SEEDS)
def test_it_is_the_derivative_by_how_much_of_an_edge_is_replaced(seed: int) -> None:
    """Of rows of any lengths, at all positions and at some."""
    references, other = some_rows(seed)
    every = edges_of(the_model(MODEL))
    slopes = by_derivative(every, references, other)
    graph = graph_of(tiny_models.bridge(MODEL))
    found = first_orders(graph, tuple(map(made, every)), references, other)
    assert near(found, np.stack([slopes[one].sum(1).numpy() for one in every]))
    placed = first_orders(graph, tuple(made(one, ("a", "b", "end")) for one in every),
                          references, other)  # fmt: skip
    samples = torch.arange(len(other))[:, None]
    columns = [other.data.position(name)[other.index] for name in ("a", "b", "end")]
    where = torch.tensor(np.stack(columns, axis=1))
    assert near(placed, np.stack([slopes[one][samples, where].sum(1).numpy() for one in every]))


@pytest.mark.parametrize("spoil", ["ports", "norm", "frame"])
def test_the_derivative_catches(spoil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports mixed up; a norm taken as linear; the root's position in the reference."""
    references, other = some_rows(7)
    every = edges_of(the_model(MODEL))
    slopes = by_derivative(every, references, other)
    graph = graph_of(tiny_models.bridge(MODEL))
    edges = tuple(map(made, every))
    if spoil == "ports":
        turned = {"q": "k", "k": "v", "v": "q"}
        edges = tuple(evolve(one, into=turned.get(one.into or "", one.into)) for one in edges)
    if spoil == "norm":
        monkeypatch.setattr(EdgeAttribution, "_slope", without_norm)
    if spoil == "frame":
        by_references = functools.partial(root_in, references)
        monkeypatch.setattr(edge_attribution, "root_value", by_references)
    found = first_orders(graph, edges, references, other)
    assert not near(found, np.stack([slopes[one].sum(1).numpy() for one in every]), 1e-3)


def root_in(rows: Rows, graph: Graph, route: Route, values: Any, _: Rows, batch: Any) -> Tensor:
    return root_value(graph, route, values, rows, batch)


def without_norm(self: Any, inlet: Any, slope: Tensor, values: Any, batch: Any) -> Tensor:
    if inlet.leaf in (inlet.site, inlet.stream):
        return slope
    weights = self.graph.weights.blocks[parse(inlet.leaf).layer].attention
    letter = {"q": "query", "k": "key", "v": "value"}[parse(inlet.leaf).part]
    return torch.einsum("nphe,hde->nphd", slope, getattr(weights, letter).weight)


def moved_edge(graph: Graph, one: Edge, references: Rows, other: Rows, by: float) -> Tensor:
    """The metric where a share of one edge is replaced: what one head reads is moved."""
    width = references.data.width
    batch, away = (batch_of(rows, width, graph.device) for rows in (references, other))
    site = graph.sites[one.writer.site]
    start, end = (forward(graph, b, {site.name})[site.name] for b in (batch, away))
    difference = end - start
    if one.writer.head is not None:
        assert site.write is not None
        only = torch.tensor([one.writer.head])
        difference = site.write(difference[:, :, only], only)
    (inlet,) = inlets_of(one.reader, one.into, graph)

    def change(value: Tensor) -> Tensor:
        value = value.expand(-1, -1, inlet.heads, -1).clone()
        value[:, :, one.reader.head or 0] += by * difference[:, :, 0]
        return value

    name = inlet.stream if one.reader.site == LOGITS else inlet.site
    logits = forward(graph, batch, {LOGITS}, edited={name: change})[LOGITS][:, :, 0]
    end_at = torch.tensor(references.data.position("end")[references.index])
    return two_logits(logits[torch.arange(len(end_at)), end_at])


@pytest.mark.parametrize("name", ["neox", "llama", "qwen3", "mistral"])
def test_it_is_what_central_differences_give(name: str) -> None:
    """Rotary positions, several heads on one key, gated MLPs, blocks in parallel, a window."""
    graph = family_models.graph(name)
    references, other = alike(3, family_models.VOCABULARY)
    rng = np.random.default_rng(0)
    every = every_edge(graph)
    edges = tuple(every[n] for n in rng.choice(len(every), 12, replace=False))
    edges += tuple(one for one in every if one.into == "k")[:2]
    found = first_orders(graph, edges, references, other)
    step = 1e-4
    for one, mine in zip(edges, found, strict=True):
        up, down = (moved_edge(graph, one, references, other, by) for by in (step, -step))
        slope = ((up - down) / (2 * step)).numpy()
        assert np.abs(mine - slope).max() < 1e-5 * max(1.0, np.abs(found).max()), one
    assert np.abs(found).max() > 1e-2


def test_without_a_norm_last_edges_have_their_exact_effects() -> None:
    """Into the logits and into values of the last layer, on a linear metric."""
    graph = native_models.graph("bare, no biases")
    references, other = alike(1, native_models.VOCABULARY)

    def linear(root: Tensor) -> Tensor:
        return root[:, 0, 0, 2] - 2 * root[:, 0, 0, 5]

    every = every_edge(graph)
    last = [one for one in every if one.reader.site == LOGITS]
    last += [one for one in every if one.into == "v" and one.reader.name.layer == 1]
    attribution = EdgeAttribution(graph, ROOT, tuple(last), references, other)
    found = attribution.effects(np.arange(3), linear)
    width = 6
    batch = batch_of(references, width, graph.device)
    plain = forward(graph, batch, {LOGITS})[LOGITS][:, 5, 0]
    for one, mine in zip(last, found, strict=True):
        exact = exact_logits(graph, one, references, other) - plain
        assert np.allclose(mine, (exact[:, 2] - 2 * exact[:, 5]).numpy(), atol=1e-9)
    assert np.abs(found).max() > 1e-2


def exact_logits(graph: Graph, one: Edge, references: Rows, other: Rows) -> Tensor:
    values: dict[str, Tensor] = {}
    batch, away = (batch_of(rows, 6, graph.device) for rows in (references, other))
    site = graph.sites[one.writer.site]
    start, end = (forward(graph, b, {site.name})[site.name] for b in (batch, away))
    change = end - start
    if one.writer.head is not None:
        assert site.write is not None
        only = torch.tensor([one.writer.head])
        change = site.write(change[:, :, only], only)
    (inlet,) = inlets_of(one.reader, one.into, graph)

    def put(value: Tensor) -> Tensor:
        values["as read"] = value
        value = value.expand(-1, -1, inlet.heads, -1).clone()
        value[:, :, one.reader.head or 0] += change[:, :, 0]
        return value

    name = inlet.stream if one.reader.site == LOGITS else inlet.site
    return forward(graph, batch, {LOGITS}, edited={name: put})[LOGITS][:, 5, 0]


def graph_called(name: str) -> Graph:
    if name in native_models.KINDS:
        return native_models.graph(name)
    if name in family_models.FAMILIES:
        return family_models.graph(name)
    return graph_of(tiny_models.bridge(name))


@pytest.mark.parametrize(
    "name", [MODEL, "neox", "llama", "qwen3", "attention-only", "no norms both ways"]
)
def test_edges_from_a_writer_add_up_to_its_effect_on_all_paths(name: str) -> None:
    graph = graph_called(name)
    references, other = alike(5, tiny_models.VOCABULARY)
    for at, steps in ((ALL, 0), (ALL, 3), ((1, 3), 0)):
        edges = [evolve(edge, at=at) for edge in all_edges(graph)]
        found = first_orders(graph, tuple(edges), references, other, steps=steps)
        writers, each = by_writer(edges, found)
        cells = [writer.cell for writer in writers]
        sites = list(dict.fromkeys(cell.site for cell in cells))
        paths = Paths(graph, ROOT, (), anything)
        whole = first_order(paths, sites, [at], references, other, measure, steps=steps)
        expected = np.stack([whole[c.site, at][:, c.head or 0] for c in cells])
        assert near(each, expected)


def test_an_edge_without_a_port_is_all_its_ports() -> None:
    graph = graph_of(tiny_models.bridge(MODEL))
    references, other = alike(5, tiny_models.VOCABULARY)
    edges = [one for one in every_edge(graph) if one.reader.head is not None]
    by_port = first_orders(graph, tuple(edges), references, other)
    whole = tuple(dict.fromkeys(evolve(one, into=None) for one in edges))
    expected = [
        sum(mine for one, mine in zip(edges, by_port, strict=True) if evolve(one, into=None) == w)
        for w in whole
    ]
    assert near(first_orders(graph, whole, references, other), np.stack(expected))


def test_samples_are_apart() -> None:
    graph = graph_of(tiny_models.bridge(MODEL))
    references, other = some_rows(2, count=5)
    attribution = EdgeAttribution(graph, ROOT, every_edge(graph), references, other, 2)
    together = attribution.effects(np.arange(5), measure)
    each = [attribution.effects(np.array([sample]), measure) for sample in range(5)]
    assert near(np.concatenate(each, axis=1), together)
    assert attribution.at_once == ROWS_AT_ONCE
    small = evolve(attribution, memory=100_000)
    assert 1 < small.at_once < 5
    assert next(len(some) for some in small.chunks()) == small.at_once
    assert np.concatenate(list(small.chunks())).tolist() == list(range(5))
