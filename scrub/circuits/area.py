"""Areas by which a ranking of edges is scored: CPR and CMD of the circuits that it gives.

As in the Mechanistic Interpretability Benchmark (Mueller et al. 2025, arXiv 2504.13151): circuits
of the first 0.1% to 100% of the edges; faithfulness f is 0 where all is knocked out and 1 of the
whole model. The *integrated circuit performance ratio* CPR is the area under f, of which more is
better; the *integrated circuit-model distance* CMD the area of |1 − f|, of which less is. Areas are
by trapezoids over shares, from 0.001 to 1, as in the benchmark's `evaluate_area_under_curve`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen
from jaxtyping import Float

from scrub.circuits.kept import Kept, keeping
from scrub.circuits.measurements import Measurements
from scrub.hypothesis.circuit import Circuit, Edge

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Of all edges: the sizes of the circuits. At 0.1% of few edges a circuit is empty."""


@frozen
class Areas:
    """How faithful the circuits of a ranking are.

    Attributes:
        sizes: edges of each circuit, rounded down.
        faithfulness: of each: (F(C) − F(∅)) / (F(M) − F(∅)), of means over references.
    """

    sizes: tuple[int, ...]
    faithfulness: tuple[float, ...]

    @property
    def cpr(self) -> float:
        """Area under the faithfulness: 0.999 where all circuits are as the model is."""
        return _trapezoids(np.array(self.faithfulness))

    @property
    def cmd(self) -> float:
        """Area between the faithfulness and 1, on either side: 0 where all are as the model is."""
        return _trapezoids(np.abs(1 - np.array(self.faithfulness)))


def areas_of(measured: Measurements, order: Sequence[Edge], *, metric: int = 0) -> Areas:
    """The areas of a ranking of edges, the most important first.

    Args:
        order: all edges of the model that count.

    Laws: at 100% the faithfulness is that of all edges; what stands behind the last that any size
    but 100% takes changes nothing.

    Raises:
        UserError: as `Measurements.numbers`.
    """
    sizes = tuple(int(share * len(order)) for share in SHARES)
    model = measured.subject.model
    kept: list[Kept] = [
        keeping(Circuit(edges=tuple(order[:size])), model) if size else None for size in sizes
    ]
    values = measured.numbers(kept)[metric].mean(axis=-1)
    nothing = measured.nothing[metric].mean()
    found = (values - nothing) / (measured.original[metric].mean() - nothing)
    return Areas(sizes, tuple(map(float, found)))


def _trapezoids(values: Float[np.ndarray, " sizes"]) -> float:
    return float((np.diff(SHARES) * (values[1:] + values[:-1]) / 2).sum())
