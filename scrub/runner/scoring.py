"""Execute a plan, and measure each metric per reference on what it computes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.engine.budget import Budget
from scrub.engine.execute import Outputs, execute
from scrub.engine.steps import Plan
from scrub.metrics import Metric, measure
from scrub.model.graph import Graph
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
    for output in execute(planned.plan, draws, planned.cache, budget, start=start):
        references = draws.references.at(draws.references.index[output.samples])
        metrics = planned.prepared.metrics
        yield tuple(_scores(planned.plan, metric, output, references) for metric in metrics)


def _scores(plan: Plan, metric: Metric, output: Outputs, references: Rows) -> Scores:
    """A metric per reference, three times."""
    values = (output.original, output.scrubbed, output.baseline)
    read = plan.graph, plan.result.readout
    return Scores(*(measured(*read, metric, v, references, output.original) for v in values))


def measured(
    graph: Graph,
    readout: str | None,
    metric: Metric,
    value: Tensor,
    references: Rows,
    original: Tensor,
) -> PerReference:
    """The metric per reference. Where it reads a few columns, the root is read out here.

    Args:
        readout: the site whose columns are still to be read (see `scrub.engine.steps.Result`).
    """
    if readout is None:
        return measure(metric, value, references, original)
    columns = graph.sites[readout].columns
    assert columns is not None
    labels = [references.data.label(name)[references.index] for name in metric.labels]
    ids = torch.tensor(np.stack(labels, axis=1)).to(value.device)
    return measure(metric, columns(value, ids), references, of_labels=True)
