"""First-order effects of edges on what a search measures, on its own draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from scrub.analysis.attribution import Paths, plain_root
from scrub.analysis.edge_attribution import EdgeAttribution
from scrub.circuits.measurements import ROOT
from scrub.hypothesis.circuit import Edge
from scrub.hypothesis.sites import Route, anything
from scrub.sweeps.first_order import differentiable

if TYPE_CHECKING:
    from torch import Tensor

    from scrub.analysis.attribution import Measure
    from scrub.circuits.measurements import Measurements


def first_order_effects(
    measured: Measurements, edges: Sequence[Edge], steps: int
) -> Float[np.ndarray, "edges samples"]:
    """What taking out each edge does to the first metric, to first order, in its units.

    Args:
        steps: inputs of integrated gradients; 0: the gradient on the references.

    Raises:
        UserError: the metric has no gradient.
    """
    subject, draws, graph = measured.subject, measured.draws, measured.model.graph
    progress, samples = measured.context.progress, len(draws.references)
    other = draws.nodes[ROOT,].other
    assert other is not None, "the root has a child"
    (root,) = subject.root.routes
    memory = measured.context.options.max_memory
    attribution = EdgeAttribution(graph, root, tuple(edges), draws.references, other, steps, memory)
    progress.says(f"{subject.item.behaviour.name}: gradients")
    progress.expects(samples)
    found = np.zeros((len(edges), samples))
    for some in attribution.chunks():
        found[:, some] = attribution.effects(some, _measure(measured, root, some))
        progress.advance(len(some))
    return found


def _measure(measured: Measurements, root: Route, samples: np.ndarray) -> Measure:
    """The first metric of the root's value on some samples, with its gradient."""
    metric, references = measured.subject.metrics[0], measured.draws.references
    references = references.at(references.index[samples])
    original: Tensor | None = None
    if metric.compares:
        original = plain_root(Paths(measured.model.graph, root, (), anything), references)
    return lambda value: differentiable(metric, value, references, original)
