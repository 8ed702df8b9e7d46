"""Check a claim's metrics and belief against its root and its data."""

from __future__ import annotations

import numpy as np

from scrub.data.dataset import Dataset
from scrub.errors import Problems, did_you_mean
from scrub.hypothesis.belief import Belief
from scrub.hypothesis.sites import ALL, Route
from scrub.hypothesis.tree import Occurrence
from scrub.metrics import DISTANCE, OWN, Metric
from scrub.model.graph import Graph
from scrub.names import LOGITS


def check_effect(belief: Belief | None, tree: Occurrence, problems: Problems) -> None:
    """An effect is what the nodes below the root change on its other input: it needs both."""
    if belief is not None and belief.is_effect and tree.is_leaf:
        problems.add(
            f'The belief "{belief.words}" is about what is changed on the root\'s other input, and '
            "the root has no children, so no other input.",
            "Give the root other=… and a child: root.child(name, sampler).",
            node=tree.node.name,
        )


def check_metric(
    metric: Metric,
    tree: Occurrence,
    data: Dataset,
    graph: Graph,
    problems: Problems,
) -> None:
    """A metric's columns are in the data, and the root is what it reads."""
    route = tree.routes[0]
    for column in metric.positions:
        if column not in data.positions:
            problems.add(
                f'Metric "{metric.name}": dataset "{data.name}" has no position column "{column}".',
                did_you_mean(column, data.positions),
            )
    for label in metric.labels:
        if label not in data.labels:
            problems.add(
                f'Metric "{metric.name}": dataset "{data.name}" has no label "{label}".',
                did_you_mean(label, data.labels),
            )
        elif graph.outputs is not None and graph.vocabulary is not None:
            ids = data.labels[label]
            # What is no token either was refused with the data.
            wrong = np.flatnonzero((ids >= graph.outputs) & (ids < graph.vocabulary))
            if len(wrong):
                problems.add(
                    f'Metric "{metric.name}": label "{label}" is {ids[wrong[0]]} in row {wrong[0]} '
                    f"({len(wrong):,} rows are like it); the model gives logits 0 to "
                    f"{graph.outputs - 1}.",
                    "Give a label among the model's outputs.",
                )
    one_position = route.at != ALL and len(route.at) == 1
    if metric.positions:
        if not one_position or any(cell.name.part != "pattern" for cell in route.cells):
            problems.add(
                f'Metric "{metric.name}" reads the pattern of heads at one position, and the root '
                f"stands for {_root_in_words(route)}.",
                'Give the root heads([(layer, head)], "pattern", at="end").',
                node=tree.node.name,
            )
    elif metric.kind not in (OWN, DISTANCE) and (route.cells[0].site != LOGITS or not one_position):
        problems.add(
            f'Metric "{metric.name}" reads logits at one position, and the root stands for '
            f"{_root_in_words(route)}.",
            'Use output(at="end"), or a metric of your own.',
            node=tree.node.name,
        )


def _root_in_words(route: Route) -> str:
    at = "all positions" if route.at == ALL else ", ".join(map(str, route.at))
    return f"{route.cells[0]} at {at}"
