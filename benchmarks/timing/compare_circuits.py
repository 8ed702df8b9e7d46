"""Circuits of edges: the engine beside AutoCircuit's and ACDC's way to run the same circuits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from attrs import evolve, frozen
from torch import Tensor

from scrub.data.dataset import Dataset
from scrub.engine.activations import ActivationCache
from scrub.hypothesis.circuit import Circuit, Edge
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import embeddings, none, output
from scrub.metrics import measure
from scrub.model.graph import Graph
from scrub.samplers import Exact, Uncond
from timing.edge_hooks import corrupted_inputs
from timing.edge_hooks import logits as edge_by_edge
from timing.families import Swept, sweep
from timing.mask_forwards import Patched, masks_of
from timing.ours import Clock, Work, counted, timed
from timing.plain_model import PlainModel, edge_order
from timing.setting import METRIC, Shape
from timing.table import number

T = TypeVar("T")

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Of all edges, as in MIB: the sizes of the circuits that a faithfulness curve is made of."""
AGREE = 1e-4
"""Largest difference of the metric of one reference between two ways, relative to the largest."""


@frozen(eq=False)
class Circuits:
    """Circuits that are run on the same references.

    Attributes:
        layer: the first layer in which one of them differs from the whole model; 0 where none
            keeps to it.
    """

    name: str
    circuits: tuple[tuple[Edge, ...], ...]
    layer: int = 0


@frozen(eq=False)
class Rival:
    """Another way: what it gives for one circuit, [references, outputs]."""

    way: str
    run: Callable[[Sequence[Edge]], Tensor]


@frozen(eq=False)
class Timed:
    """Seconds for all circuits of some work.

    Attributes:
        together: ours, of one plan for all.
        alone: ours, of a plan for each, one after the other, as a search must where the next
            circuit hangs on the last one's number.
        others: by way, seconds.
        bound: seconds of one plain forward for each, at the machine's rate of matrix products.
        off: the largest difference between two ways, relative.
    """

    work: str
    together: float
    alone: float
    others: dict[str, float]
    bound: float
    off: float


def nested(model: PlainModel, seed: int = 0) -> Circuits:
    """Circuits of growing size, each a part of the next, in a random order of the edges."""
    every = edge_order(model)
    order = np.random.default_rng(seed).permutation(len(every))
    sizes = sorted({max(1, round(share * len(every))) for share in SHARES})
    return Circuits(
        f"{len(sizes)} circuits, 0.1% to 100% of {len(every):,} edges",
        tuple(tuple(every[i] for i in order[:size]) for size in sizes),
    )


def candidates(model: PlainModel, most: int) -> Circuits:
    """The whole model without one edge: those into the ports of a layer in the middle."""
    every, layer = edge_order(model), model.layers // 2
    into = [edge for edge in every if edge.reader.name.layer == layer and edge.into is not None]
    index = np.linspace(0, len(into) - 1, min(most, len(into))).round().astype(int)
    chosen = [into[i] for i in dict.fromkeys(index.tolist())]
    return Circuits(
        f"{len(chosen)} of the {len(into)} edges into the heads of layer {layer}, one left out",
        tuple(tuple(edge for edge in every if edge != one) for one in chosen),
        layer,
    )


@frozen(eq=False)
class Bench:
    """What the ways are compared on.

    Attributes:
        rate: operations a second, for the bound.
        repeats: of which the median counts.
        most: circuits with one edge left out.
        clock: the clock's seconds; or the processor's, on one thread of a busy machine.
    """

    graph: Graph
    shape: Shape
    data: Dataset
    references: int
    rate: float
    repeats: int
    most: int
    clock: Clock = time.perf_counter

    def timed(self, run: Callable[[], T]) -> tuple[float, T]:
        """Median seconds, and what the last run gave."""
        return timed(run, self.repeats, self.clock)


def compared(bench: Bench) -> Iterator[Timed]:
    """Every work in every way, one after the other."""
    assert bench.graph.weights is not None
    model = PlainModel(bench.graph.weights)
    for work in (nested(model), candidates(model, bench.most)):
        yield compare(work, model, bench)


def compare(work: Circuits, model: PlainModel, bench: Bench) -> Timed:
    """Some work in every way; asserts that all give the same numbers."""
    hypotheses = tuple(map(_kept, work.circuits))
    every = Work(bench.graph, bench.shape, bench.data, METRIC, bench.references, hypotheses)
    cache = ActivationCache(bench.graph)
    swept = sweep(every, cache)  # also makes the plain values, which the others are given too
    together, _ = bench.timed(lambda: sweep(every, cache))
    alone, _ = bench.timed(lambda: [sweep(every.of([one]), cache) for one in hypotheses])
    run, corrupted = _rows(model, swept[0], bench.data)
    others, offs = {}, []
    for rival in _rivals(work, run, corrupted):
        seconds, values = bench.timed(lambda way=rival: [way.run(one) for one in work.circuits])
        others[rival.way] = seconds
        offs += [_off(value, one) for value, one in zip(values, swept, strict=True)]
    assert max(offs) < AGREE, f"{work.name}: ways differ by {max(offs):.1e}"
    with torch.inference_mode():
        flops, _ = counted(lambda: model(run.tokens, run.ends))
    bound = len(work.circuits) * flops / bench.rate
    return Timed(work.name, together, alone, others, bound, max(offs))


def _kept(circuit: Sequence[Edge]) -> Correspondence:
    """The circuit alone: all else comes from another row."""
    root = InterpNode("logits", Exact(), other=Uncond())
    through = evolve(none, circuit=Circuit(edges=circuit))
    return Correspondence(
        {root: output(at="end"), root.child("kept", Exact()): embeddings(through=through)}
    )


def _rows(model: PlainModel, swept: Swept, data: Dataset) -> tuple[Patched, Tensor]:
    """The references that ours were measured on, and their corrupted tokens."""
    draws = swept.draws
    rows = draws.references.index
    (other,) = [one.frame.index for path, one in draws.nodes.items() if len(path) == 1]
    tokens, corrupted = (torch.tensor(data.inputs["tokens"][index]) for index in (rows, other))
    ends = torch.tensor(data.position("end")[rows])
    return Patched.of(model, tokens, corrupted, ends), corrupted


def _rivals(work: Circuits, run: Patched, corrupted: Tensor) -> Iterator[Rival]:
    inputs = corrupted_inputs(run, corrupted)
    yield Rival("masks", lambda circuit: run.logits(masks_of(run.model, circuit)))
    if work.layer:
        yield Rival(
            "masks, from the layer on",
            lambda circuit: run.logits(masks_of(run.model, circuit), work.layer),
        )
    yield Rival("edge by edge", lambda circuit: edge_by_edge(run, inputs, circuit))


def _off(value: Tensor, ours: Swept) -> float:
    """Largest difference of the metric of one reference, relative to the largest metric."""
    found = measure(METRIC, value[:, None, None], ours.draws.references)
    expected = ours.scores.scrubbed
    return float(np.abs(found - expected).max() / np.abs(expected).max())


HEADINGS = (
    "model", "threads", "work", "ours s", "ours, one by one s", "other way", "other s", "ratio",
    "ratio, one by one", "one forward each s", "off by",
)  # fmt: skip


def lines(row: Timed, shape: Shape, threads: int) -> list[list[str]]:
    """The table's lines of some work, one for every other way."""
    found = []
    mine = [
        f"{shape.layers} layers, {shape.heads} heads, width {shape.d_model}", str(threads),
        row.work, number(row.together), number(row.alone),
    ]  # fmt: skip
    for way, seconds in row.others.items():
        found.append([
            *mine, way, number(seconds), f"{number(seconds / row.together)}x",
            f"{number(seconds / row.alone)}x", number(row.bound), f"{row.off:.0e}",
        ])  # fmt: skip
        mine = [""] * len(mine)
    return found
