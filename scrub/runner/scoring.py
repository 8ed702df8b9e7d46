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
    metrics, root = planned.prepared.metrics, draws.nodes[planned.tree.path].frame
    for output in execute(planned.plan, draws, planned.cache, budget, start=start):
        frames = [
            rows.at(rows.index[output.samples]) for rows in (draws.references, root, draws.baseline)
        ]
        yield tuple(_scores(planned.plan, metric, output, *frames) for metric in metrics)


def _scores(
    plan: Plan, metric: Metric, output: Outputs, references: Rows, root: Rows, baseline: Rows
) -> Scores:
    """A metric per reference, three times or four: each value on the positions of its own row."""

    def of(value: Tensor, frame: Rows) -> PerReference:
        return _metric(plan, metric, value, references, output.original, frame)

    return Scores(
        original=of(output.original, references),
        scrubbed=of(output.scrubbed, root),
        baseline=of(output.baseline, baseline),
        before=None if output.before is None else of(output.before, root),
    )


def _metric(
    plan: Plan,
    metric: Metric,
    value: Tensor,
    references: Rows,
    original: Tensor,
    frame: Rows,
) -> PerReference:
    """The metric per reference. Where it reads a few columns, the root is read out here."""
    readout = plan.result.readout
    if readout is None:
        return measure(metric, value, references, original, frame=frame)
    columns = plan.graph.sites[readout].columns
    assert columns is not None
    labels = [references.data.label(name)[references.index] for name in metric.labels]
    ids = torch.tensor(np.stack(labels, axis=1)).to(value.device)
    return measure(metric, columns(value, ids), references, of_labels=True)
