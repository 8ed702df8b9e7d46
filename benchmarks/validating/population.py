"""What a claim's loss recovered is in truth: over all that could be drawn, not on 1,000 samples.

For a wired graph it is enumerated, from the algorithm and the rows alone: nothing of the engine is
used. For other models it is the mean of a large sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from attrs import frozen

from scrub.data.dataset import Dataset
from scrub.draw import draw
from scrub.engine.budget import fit
from scrub.engine.execute import execute
from scrub.engine.plan import plan
from scrub.metrics import measure
from scrub.runner.options import MEMORY
from scrub.runner.prepare import Prepared
from scrub.runner.session import Session
from scrub.samplers import Agree, Differ, Exact, Sampler, Uncond
from validating.claims import Part

KNOWN = 4.0
"""Standard errors by which a population must differ from a number to be told from it: by chance in
less than one of 10,000 claims."""


@frozen
class Operation:
    """What a node computes: a table over the values that come in by its ports.

    Attributes:
        reads: the node that each port reads; the table has an axis for each.
        side: the nodes whose values it passes on, and does not use.
    """

    name: str
    what: str
    reads: Mapping[str, str]
    side: tuple[str, ...]
    table: np.ndarray


@frozen(eq=False)
class Wiring:
    """An algorithm: nodes in an order in which each reads only what stands before it.

    Attributes:
        values: every value is a whole number below this.
    """

    values: int
    operations: Mapping[str, Operation]

    def columns(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What every node computes, row by row."""
        found = dict(inputs)
        for operation in self.operations.values():
            found[operation.name] = operation.table[
                tuple(found[read] for read in operation.reads.values())
            ]
        return found


@frozen
class Population:
    """Loss recovered, and the standard error with which it is known (0: enumerated)."""

    recovered: float
    error: float


def recovered(wiring: Wiring, data: Dataset, root: Part) -> float:
    """Loss recovered over all references and donors, by enumeration.

    The loss is the probability of a wrong answer. The root is `Exact`.
    """
    answer = data.columns[root.sites.routes[0].cells[0].site]
    right = _given_reference(wiring, data, root)[np.arange(len(data)), answer].mean()
    guess = np.square(np.bincount(answer) / len(data)).sum()
    return 1 - (1 - right) / (1 - guess)


def _given_reference(wiring: Wiring, data: Dataset, part: Part) -> np.ndarray:
    """The probability of each value of a part, for every reference: [rows, values]."""
    given_own = _given_own(wiring, data, part)
    differ = part.sampler.differ if isinstance(part.sampler, Differ) else ()
    classes = _classes(Agree(differ) if differ else part.sampler, data)
    sums = np.zeros((classes.max() + 1, wiring.values))
    np.add.at(sums, classes, given_own)
    rows = np.bincount(classes)
    if differ:
        assert len(differ) == 1
        sums, rows = sums.sum(axis=0) - sums, len(data) - rows
    return (sums / rows[:, None])[classes]


def _given_own(wiring: Wiring, data: Dataset, part: Part) -> np.ndarray:
    """The same for every input that the part may have drawn as its own."""
    (cell,) = part.sites.routes[0].cells
    one_hot = np.eye(wiring.values)
    if not part.children:
        return one_hot[data.columns[cell.site]]
    assert part.other == Uncond()
    operation = wiring.operations[cell.site]
    claimed: dict[str, np.ndarray] = {}
    for child in part.children:
        (route,) = child.sites.routes
        for port, read in operation.reads.items():
            if route.cells[0].site == read and (route.into is None or port in route.into):
                claimed[port] = _given_reference(wiring, data, child)
    found = np.zeros((len(data), wiring.values))
    free = [port for port in operation.reads if port not in claimed]
    left = np.stack([data.columns[operation.reads[port]] for port in free]) if free else None
    for index in np.ndindex(operation.table.shape):
        here = dict(zip(operation.reads, index, strict=True))
        chance = np.ones(len(data))
        for port, probabilities in claimed.items():
            chance = chance * probabilities[:, here[port]]
        if left is not None:
            wanted = np.array([here[port] for port in free])
            chance = chance * (left == wanted[:, None]).all(axis=0).mean()
        found[:, operation.table[index]] += chance
    return found


def _classes(sampler: Sampler, data: Dataset) -> np.ndarray:
    """The number of every row's agreement class."""
    if isinstance(sampler, Exact):
        return np.arange(len(data))
    if isinstance(sampler, Uncond):
        return np.zeros(len(data), dtype=np.int64)
    assert isinstance(sampler, Agree)
    table = np.stack([data.feature(name) for name in sampler.features], axis=1)
    return np.unique(table, axis=0, return_inverse=True)[1].ravel()


def sampled(prepared: Prepared, session: Session, *, seed: int, samples: int) -> Population:
    """Loss recovered on a large sample, with its standard error (delta method)."""
    model = session.load(prepared.model, torch.float32, "cpu")
    planned = plan(prepared.tree, model.graph)
    draws = draw(prepared.tree, prepared.data, samples=samples, seed=seed)
    cache = session.cache(model, planned.graph)
    parts = []
    for output in execute(planned, draws, cache, fit(planned, draws, cache, MEMORY)):
        references = draws.references.at(draws.references.index[output.samples])
        values = (output.original, output.scrubbed, output.baseline)
        parts.append([measure(prepared.metric, value, references) for value in values])
    original, scrubbed, baseline = np.concatenate(parts, axis=1)
    gap = baseline - original
    found = float((baseline - scrubbed).mean() / gap.mean())
    residual = (baseline - scrubbed) - found * gap
    return Population(found, float(residual.std() / math.sqrt(samples) / abs(gap.mean())))
