"""A circuit's own ablations, and shares of performance with their intervals.

All numbers are the metric's, paired by reference. A share is one of mean(original − baseline), what
loss recovered is a share of too: so a difference of two shares is the difference of what two
circuits recover.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from attrs import evolve, frozen
from jaxtyping import Float

from scrub.circuits.greedy import NodeSet
from scrub.circuits.kept import Kept, keeping, removing
from scrub.hypothesis.circuit import Circuit, Placed
from scrub.model.registry import Model
from scrub.stats.intervals import CONFIDENCE, Interval, PerReference
from scrub.stats.scores import Scores
from scrub.stats.shares import share

Numbers = Float[np.ndarray, "sets samples"]


class Measured(Protocol):
    """What `scrub.circuits.measurements.Measurements` gives of circuits."""

    @property
    def original(self) -> Float[np.ndarray, "metrics samples"]: ...
    @property
    def baseline(self) -> Float[np.ndarray, "metrics samples"]: ...
    def numbers(self, kept: Sequence[Kept]) -> Float[np.ndarray, "metrics kept samples"]: ...


@frozen(eq=False)
class Ablations:
    """A circuit C of a model M without some of its nodes, on one list of references.

    Attributes:
        names: of the circuit's nodes, which sets refer to by number.
        of_circuit: sets K of nodes → F(C ∖ K), the circuit without them alone.
        of_model: sets K of nodes → F(M ∖ K), the model without them.
        original: F(M).
        baseline: on an unrelated input.
    """

    names: tuple[str, ...]
    of_circuit: Callable[[Sequence[NodeSet]], Numbers]
    of_model: Callable[[Sequence[NodeSet]], Numbers]
    original: PerReference
    baseline: PerReference

    def recovered(self, numbers: PerReference, confidence: float = CONFIDENCE) -> Interval:
        """What a circuit with these numbers recovers, as loss recovered."""
        return Scores(self.original, numbers, self.baseline).recovered(confidence)

    def difference(
        self, one: PerReference, other: PerReference, confidence: float = CONFIDENCE
    ) -> Interval:
        """How much more one circuit recovers than another, paired by reference."""
        scores = Scores(self.original, one, self.baseline)
        return share(other - one, scores, confidence)

    def shares(self, change: Numbers) -> Float[np.ndarray, " sets"]:
        """Means of differences as shares of performance; what is undefined is worth nothing."""
        defined = ~(np.isnan(self.original) | np.isnan(self.baseline))
        stake = (self.original - self.baseline)[defined].mean()
        with np.errstate(divide="ignore", invalid="ignore"):  # no stake: nothing is worth anything
            found = change[:, defined].mean(-1) / stake
        return np.where(np.isfinite(found), found, 0.0)

    def named(self, nodes: Iterable[int]) -> tuple[str, ...]:
        """The names of nodes, in the circuit's order."""
        return tuple(self.names[node] for node in sorted(nodes))


def ablations(
    measured: Measured, circuit: Circuit, model: Model, nodes: Sequence[Placed], metric: int = 0
) -> Ablations:
    """The ablations of a circuit, by one of the metrics.

    Args:
        nodes: those that may be removed.
    """
    whole = circuit.on(model)

    def of_circuit(sets: Sequence[NodeSet]) -> Numbers:
        kept = [keeping_left(whole, [nodes[node] for node in sorted(one)], model) for one in sets]
        return measured.numbers(kept)[metric]

    def of_model(sets: Sequence[NodeSet]) -> Numbers:
        kept = [removing(nodes[node] for node in sorted(one)) for one in sets]
        return measured.numbers(kept)[metric]

    return Ablations(
        tuple(map(str, nodes)),
        of_circuit,
        of_model,
        measured.original[metric],
        measured.baseline[metric],
    )


def keeping_left(circuit: Circuit, removed: Sequence[Placed], model: Model) -> Kept:
    """What is kept of a circuit without some of its nodes: F(C ∖ K).

    Law: F(C ∖ ∅) is F(C). Of a circuit of edges of which none is left nothing is kept.

    Args:
        circuit: on the model: MLPs that were free stay, whatever is removed.
    """
    left = circuit.without(removed) if removed else circuit
    return None if circuit.edges and not left.edges else keeping(left, model)


def corrected(count: int) -> float:
    """The confidence of each of so many intervals that are to hold together at 95%."""
    return 1 - (1 - CONFIDENCE) / max(count, 1)


def certain(found: Interval) -> bool:
    """Whether it is told from zero."""
    return found.low > 0 or found.high < 0


def magnitude(found: Interval) -> Interval:
    """The absolute value of what an interval is about.

    Law: where the interval holds the truth, this one holds the absolute value of it.
    """
    ends = sorted((abs(found.low), abs(found.high)))
    low = ends[0] if certain(found) else 0.0
    return evolve(found, mean=abs(found.mean), low=low, high=ends[1], least=low, most=ends[1])


def largest(found: Sequence[Interval]) -> Interval:
    """The largest of what intervals are about, each with the same confidence.

    Law: where all of them hold their truths, this one holds the largest truth.
    """
    low, high = max(one.low for one in found), max(one.high for one in found)
    top = max(found, key=lambda one: one.mean)
    return evolve(top, low=low, high=high, least=low, most=high)
