"""Nulls: random circuits of the same sizes per layer, scored as the circuit is.

On IOI in GPT-2 small, 12.5% of random sets of 26 heads recover over 70% of the logit difference
where MLPs run free: a score is worth what it stands above such circuits.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from scrub.circuits.among import Among
from scrub.circuits.kept import keeping
from scrub.circuits.measurements import Measurements
from scrub.hypothesis.circuit import Circuit
from scrub.stats.scores import Scores


@frozen
class NullScores:
    """Where a circuit's score lies among those of random circuits.

    Attributes:
        kind: "random"; or "connected": on paths from the embeddings to the logits.
        circuit: what the circuit recovers.
        recovered: what each random circuit does; NaN where that is undefined.
        reason: why there are none.
    """

    convention: str
    metric: str
    kind: str
    circuit: float
    recovered: tuple[float, ...]
    reason: str = ""

    @property
    def among(self) -> Among:
        """The circuit's among those of the random ones."""
        return Among(self.circuit, self.recovered)


def null_kinds(circuit: Circuit) -> tuple[str, ...]:
    """Kinds of random circuits: of sites all are connected, which have all edges among them."""
    return ("random", "connected") if circuit.edges else ("random",)


def null_scores(
    measured: Measurements, circuit: Circuit, random: Sequence[Circuit], kind: str
) -> tuple[NullScores, ...]:
    """The circuit among random ones under one convention, by every metric."""
    model = measured.model
    numbers = measured.numbers([keeping(one, model) for one in (circuit, *random)])
    found = []
    for row, metric in enumerate(measured.subject.metrics):
        ends = measured.original[row], measured.baseline[row]
        own, *others = (
            Scores(ends[0], values, ends[1]).recovered().mean for values in numbers[row]
        )
        found.append(NullScores(measured.convention.name, metric.name, kind, own, tuple(others)))
    return tuple(found)
