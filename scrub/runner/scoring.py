"""Execute a plan, and measure each metric per reference on what it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.engine.budget import Budget
from scrub.engine.execute import Outputs, execute
from scrub.engine.steps import Plan
from scrub.metrics import Metric, measure
from scrub.runner.planned import Planned
from scrub.stats.intervals import PerReference
from scrub.stats.scores import Scores


def scored_chunks(
    planned: Planned, draws: Draws, budget: Budget, start: int = 0
) -> Iterator[tuple[Scores, ...]]:
    """The scores of each chunk of samples, metric by metric.

    Args:
        start: the first sample that is computed.

    Raises:
        UserError: a metric of the user's fails.
    """
    metrics = planned.prepared.metrics
    for output in execute(planned.plan, draws, planned.cache, budget, start=start):
        references = draws.references.at(draws.references.index[output.samples])
        yield tuple(_scores(planned.plan, metric, output, references) for metric in metrics)


def _scores(plan: Plan, metric: Metric, output: Outputs, references: Rows) -> Scores:
    """A metric per reference, three times or four."""
    measured = measuring(plan, metric, references, output.original)
    return Scores(
        original=measured(output.original),
        scrubbed=measured(output.scrubbed),
        baseline=measured(output.baseline),
        before=None if output.before is None else measured(output.before),
    )


def measuring(
    plan: Plan, metric: Metric, references: Rows, original: Tensor
) -> Callable[[Tensor], PerReference]:
    """The function from a value of a plan's root to the metric per reference."""
    measured = measuring_several(plan, metric, references, original)
    return lambda value: measured(value, 1)[0]


def measuring_several(
    plan: Plan, metric: Metric, references: Rows, original: Tensor
) -> Callable[[Tensor, int], list[PerReference]]:
    """The function to the metric per reference from values of a plan's root, side by side on the
    axis of cells, and how many they are.

    Where the metric reads a few columns, it reads them out of all these roots at once: the columns'
    weights, which are the references', are looked up once, and come from memory once.
    """

    def each(several: Tensor, count: int) -> tuple[Tensor, ...]:
        return several.split(several.shape[2] // count, dim=2)

    readout = plan.result.readout
    if readout is None:
        return lambda several, count: [
            measure(metric, value, references, original) for value in each(several, count)
        ]
    columns = plan.graph.sites[readout].columns
    assert columns is not None
    labels = [references.data.label(name)[references.index] for name in metric.labels]
    read = columns(torch.tensor(np.stack(labels, axis=1)).to(original.device))

    return lambda several, count: [
        measure(metric, value, references, of_labels=True) for value in each(read(several), count)
    ]
