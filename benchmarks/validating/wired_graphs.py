"""Random graphs that compute a known algorithm, and the claims that tell it.

Six inputs and a few nodes, each a known function of one or two of them: a sum modulo V, a
comparison, a lookup, a copy. Each also carries something that nobody needs: beside the ports that
it computes from, a node has a port "side", and passes on what comes in there as a second number,
which no node's function reads. So donors that agree on what a node computes do differ at its site.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrub.data.dataset import Dataset, Rows
from scrub.hypothesis.sites import Sites, site
from scrub.metrics import Metric, custom
from scrub.model.arithmetic import graph, node, source
from scrub.model.graph import Graph
from scrub.samplers import Agree
from validating.claims import ROOT, Part, Planted, stated, with_coarser, with_half_right
from validating.population import Operation, Wiring, recovered

ROWS = 200
"""Rows of the data: enough that an agreement class of two ternary features has twenty."""
INPUTS = tuple(f"x{i}" for i in range(6))
OUT = "out"
MOST = 0.7
"""The output's most frequent value in at most so many rows, so that a random row differs often."""


def wired_graph(random: np.random.Generator, name: str) -> Planted:
    """A random algorithm, as a model with data and the claim that tells all of it."""
    while True:
        wiring = _wiring(random)
        columns = wiring.columns({x: random.integers(wiring.values, size=ROWS) for x in INPUTS})
        if _varied(wiring, columns):
            break
    inputs = {x: np.stack([columns[x], random.integers(10, size=ROWS)], axis=1) for x in INPUTS}
    features = (*INPUTS, *wiring.operations)
    data = Dataset(name, inputs=inputs, lengths=np.ones(ROWS, dtype=np.int64), columns=columns)
    truth = _story(wiring, OUT)
    data = with_coarser(data, features, random)
    data = with_half_right(data, stated([truth]), features, random.spawn(1)[0])
    return Planted(
        group="graphs",
        name=name,
        model=graph_of(wiring, INPUTS),
        data=data,
        metric=ERROR,
        truths=(truth,),
        features=tuple(f for f in features if f != OUT),
        elsewhere=lambda parent, child: _elsewhere(wiring, parent, child),
        idle=tuple(site(s, into="side") for s in wiring.operations[OUT].side),
        exact=lambda part: recovered(wiring, data, part),
    )


def wrong(value: Tensor, references: Rows) -> Any:
    """1 where what comes out is not the reference's answer, else 0."""
    return (value[..., 0].numpy() != references.feature(OUT)).astype(float)


ERROR: Metric = custom(wrong, higher_is_better=False)


def _operation(
    name: str, before: tuple[str, ...], values: int, random: np.random.Generator
) -> Operation:
    """A random function of one or two of the nodes before it; the last ones are likelier."""
    a, b = np.arange(values)[:, None], np.arange(values)[None]
    tables = {
        "sum": (a + b) % values,
        "comparison": (a > b).astype(int),
        "equality": (a == b).astype(int),
        "maximum": np.maximum(a, b),
        "lookup": random.integers(values, size=(values, values)),
        "copy": np.arange(values),
    }
    what = str(random.choice(list(tables)))
    likely = np.linspace(1, 3, len(before))
    count = tables[what].ndim
    read = [str(r) for r in random.choice(before, count, replace=False, p=likely / likely.sum())]
    rest = [other for other in before if other not in read]
    side = [str(other) for other in random.choice(rest, 2, replace=False)]
    if random.random() < 0.6:
        side.append(str(random.choice(read)))
    ports = dict(zip("ab", read, strict=False))
    return Operation(name, what, ports, tuple(sorted(side)), tables[what])


def _wiring(random: np.random.Generator) -> Wiring:
    values = int(random.integers(2, 5))
    names: tuple[str, ...] = INPUTS
    operations: dict[str, Operation] = {}
    for name in (*(f"n{i}" for i in range(random.integers(4, 7))), OUT):
        operations[name] = _operation(name, names, values, random)
        names = (*names, name)
    return Wiring(values, operations)


def _varied(wiring: Wiring, columns: Mapping[str, np.ndarray]) -> bool:
    """Whether the output varies, and has a story: it reads another node."""
    most = np.bincount(columns[OUT]).max() / ROWS
    return most <= MOST and any(
        r in wiring.operations for r in wiring.operations[OUT].reads.values()
    )


def graph_of(wiring: Wiring, inputs: Iterable[str]) -> Graph:
    """The algorithm as a model of these inputs."""

    def function(operation: Operation) -> Any:
        table = torch.tensor(operation.table, dtype=torch.float64)

        def compute(side: Tensor, **read: Tensor) -> Tensor:
            index = tuple(read[port][:, 0].long() for port in operation.reads)
            return torch.stack([table[index], side.sum(1)], dim=1)

        return compute

    nodes = [node(o.name, function(o), **o.reads, side=o.side) for o in wiring.operations.values()]
    return graph(*(source(x) for x in inputs), *nodes)


def _story(wiring: Wiring, name: str) -> Part:
    """What the node of this name does, down to the inputs."""
    operation = wiring.operations[name]
    return Part(name, ROOT, site(name), _below(wiring, operation))


def _below(wiring: Wiring, operation: Operation) -> tuple[Part, ...]:
    return tuple(
        Part(
            f"{read} by {port}",
            Agree(read),
            site(read, into=port),
            _below(wiring, wiring.operations[read]) if read in wiring.operations else (),
        )
        for port, read in operation.reads.items()
    )


def _elsewhere(wiring: Wiring, parent: Part, child: Part) -> Iterator[tuple[str, Sites]]:
    """Another node that the parent reads, or another port by which it reads this one."""
    operation = wiring.operations[parent.sites.routes[0].cells[0].site]
    here = child.sites.routes[0].cells[0].site
    for other in operation.side:
        if other == here:
            yield "port", site(here, into="side")
        else:
            kind = "position" if here in INPUTS and other in INPUTS else "node"
            yield kind, site(other, into="side")
