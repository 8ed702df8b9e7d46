"""Areas under a curve of faithfulness: CPR and CMD of the Mechanistic Interpretability Benchmark.

Mueller et al. 2025 ("MIB: A Mechanistic Interpretability Benchmark", arXiv 2504.13151), as their
code has it (hannamw/MIB-circuit-track, `evaluate_area_under_curve`). A method that ranks parts of a
model gives a circuit of every size. Its faithfulness f = (F(C) − F(∅)) / (F(M) − F(∅)), of means
over references, is taken at ten sizes and joined by straight lines over the share of parts:

- CPR, the integrated circuit performance ratio, is the area under f: more is better, above 1 too;
- CMD, the integrated circuit–model distance, is the area between f and 1: less is better.

The lines begin at a share of 0.001, so that a method whose every circuit is the whole model has a
CPR of 0.999. Circuits of edges are *weighted* by their edges; whole components write all they have,
so that the weight of an edge is 1 (of circuits of neurons it would be less, and there are none
here).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from attrs import frozen
from jaxtyping import Float

from scrub.circuits.edges import all_edges
from scrub.circuits.kept import Kept, keeping
from scrub.hypothesis.circuit import Circuit
from scrub.model.graph import Graph
from scrub.names import LOGITS
from scrub.stats.intervals import CONFIDENCE, Interval
from scrub.stats.scores import Scores

if TYPE_CHECKING:
    import pandas as pd

    from scrub.circuits.measurements import Measurements

SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""The sizes at which the benchmark looks, as shares of all parts."""


@frozen(eq=False)
class Areas:
    """A ranking's areas.

    Attributes:
        counts: how many parts were taken at each of `SHARES`.
        edges: weighted edges of each circuit, after parts on no path were left out.
        faithfulness: of each circuit.
        cpr: with its interval: the curve's sizes are fixed, so that it is a ratio of paired means.
        cmd: of means; it has no interval, since it is no mean.
    """

    counts: tuple[int, ...]
    edges: tuple[int, ...]
    faithfulness: tuple[float, ...]
    cpr: Interval
    cmd: float

    @property
    def frame(self) -> pd.DataFrame:
        """One row a size. Columns: share, count, edges, faithfulness."""
        import pandas as pd

        rows = zip(SHARES, self.counts, self.edges, self.faithfulness, strict=True)
        return pd.DataFrame(rows, columns=["share", "count", "edges", "faithfulness"])


def areas(
    measured: Measurements,
    circuit_of: Callable[[int], Circuit],
    count: int,
    *,
    metric: int = 0,
    confidence: float = CONFIDENCE,
) -> Areas:
    """The areas of a ranking, by exact measurements of its circuits.

    Laws: CPR and CMD add up to 0.999 where no circuit does better than the model; a ranking whose
    circuits do better everywhere has the larger CPR.

    Args:
        circuit_of: the circuit of the first so many parts of the ranking; the empty circuit keeps
            nothing.
        count: how many parts are ranked.

    Raises:
        UserError: as `Measurements.numbers`.
    """
    counts = tuple(int(share * count) for share in SHARES)
    circuits = [circuit_of(one) for one in counts]
    kept: list[Kept] = [keeping(one, measured.model) if one else None for one in circuits]
    numbers = measured.numbers(kept)[metric]
    original, nothing = measured.original[metric], measured.nothing[metric]
    weights = trapezoids(SHARES)
    under = nothing + weights @ (numbers - nothing)
    faithfulness = _faithfulness(numbers, original, nothing)
    return Areas(
        counts,
        tuple(weighted_edges(one, measured.model.graph) for one in circuits),
        tuple(faithfulness.tolist()),
        Scores(original, under, nothing).recovered(confidence),
        float(weights @ np.abs(1 - faithfulness)),
    )


def trapezoids(shares: Sequence[float]) -> Float[np.ndarray, " shares"]:
    """By how much each value counts in the area under the straight lines between them."""
    steps = np.diff(np.asarray(shares, dtype=float))
    return (np.append(steps, 0.0) + np.insert(steps, 0, 0.0)) / 2


def weighted_edges(circuit: Circuit, graph: Graph) -> int:
    """The edges of a circuit; of one of sites those among them, from embeddings, and to the logits.

    At whatever positions: an edge at two of them counts once.
    """
    if circuit.edges or not circuit:
        return len({(one.writer, one.reader, one.into) for one in circuit.edges})
    there = {one.cell for one in circuit.cells}
    kinds = graph.sites
    return sum(
        (edge.writer in there or kinds[edge.writer.site].kind == "embedding")
        and (edge.reader in there or edge.reader.site == LOGITS)
        for edge in all_edges(graph)
    )


def _faithfulness(
    numbers: Float[np.ndarray, "sizes samples"],
    original: Float[np.ndarray, " samples"],
    nothing: Float[np.ndarray, " samples"],
) -> Float[np.ndarray, " sizes"]:
    """NaN where the model does as it does with all knocked out."""
    stake = original.mean() - nothing.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (numbers.mean(1) - nothing.mean()) / stake
    return np.where(stake == 0, np.nan, found)
