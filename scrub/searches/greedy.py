"""Take out one part after the other, as long as a rule allows it, and measure many at once.

Whether a part may go depends on which went before it, so that the decisions are made one after the
other. What is measured is not: while a decision is awaited, the next parts are measured as if it
were known (all are expected to go, or all to stay), and what was measured on a wrong expectation is
thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import frozen
from jaxtyping import Float
from numpy import ndarray

from scrub.hypothesis.circuit import Circuit
from scrub.searches.circuit_found import Tried

AT_ONCE = 32
"""Parts that are measured at once, at most: a wrong expectation throws away 31 measurements."""

Values = Callable[[Sequence[Circuit]], Iterable[Float[ndarray, " samples"]]]
"""The metric of each circuit, per reference."""


@frozen
class Part:
    """Something that may be taken out of a circuit.

    Attributes:
        name: as reports call it.
        stage: of what kind it is.
        without: the circuit without it; the same circuit where it is not in it.
    """

    name: str
    stage: str
    without: Callable[[Circuit], Circuit]


@frozen(eq=False)
class Decision:
    """A part that was tried.

    Attributes:
        circuit: what is left after the decision.
        cost: as the rule has it.
        after: the metric without the part, whether it was taken out or not.
    """

    part: Part
    circuit: Circuit
    before: Float[ndarray, " samples"]
    after: Float[ndarray, " samples"]
    cost: float
    removed: bool


Rule = Callable[[Float[ndarray, " samples"], Float[ndarray, " samples"]], tuple[float, bool]]
"""From the metric before and after: what the removal costs, and whether it is allowed."""


def sweep(
    circuit: Circuit,
    parts: Sequence[Part],
    values: Values,
    rule: Rule,
    *,
    removed: bool,
    at_once: int = AT_ONCE,
) -> Iterator[Decision]:
    """Try each part once, in this order.

    Law: neither `removed` nor `at_once` changes a decision; they change how much is measured.
    A part that is not in the circuit when its turn comes is passed over.

    Args:
        removed: whether the next parts are expected to go; else they are expected to stay.
    """
    before: Float[ndarray, " samples"] | None = None
    start, ahead = 0, 1
    while start < len(parts):
        tried, trials, expected = [], [], circuit
        end = start
        while end < len(parts) and len(tried) < ahead:
            trial = parts[end].without(expected)
            end += 1
            if trial == expected:  # nothing of it is left
                continue
            tried.append(end - 1)
            trials.append(trial)
            expected = trial if removed else circuit
        known = [circuit] if before is None else []
        measured = list(values([*known, *trials]))
        if before is None:
            before = measured.pop(0)
        for place, trial, after in zip(tried, trials, measured, strict=True):
            cost, goes = rule(before, after)
            kept = before
            if goes:
                circuit, before = trial, after
            yield Decision(parts[place], circuit, kept, after, cost, goes)
            if goes != removed:  # what comes after it was passed over or measured in vain
                end, ahead = place + 1, max(1, ahead // 2)
                break
        else:
            ahead = min(2 * ahead, at_once)
        start = end


def decided(one: Decision, sweep: int) -> Tried:
    """A decision as a row of the search's frame."""
    means = float(one.before.mean()), float(one.after.mean())
    return Tried(one.part.stage, sweep, one.part.name, *means, one.cost, one.removed)
