"""What virtual rows cost: the rows that they are made of are computed, and they are held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np
from attrs import frozen

from scrub.data.dataset import Rows
from scrub.data.virtual import Averages, Filled
from scrub.engine.cost import held_by_pass, value_bytes
from scrub.engine.plain_cost import passes_flops
from scrub.engine.steps import Plan, Variable
from scrub.engine.virtual import Given, is_mean
from scrub.engine.wanted import Wanted, masks_of, passes_for

SUMS = 3
"""Times what a mean takes that it takes while it is summed up: in float64, and the mean itself."""


@frozen
class GivenCost:
    """What the virtual rows of a plan take.

    Attributes:
        means: bytes of all means, which stay in the cache.
        others: bytes of all other virtual rows.
        sample: bytes of those, where each sample draws others.
        forward: bytes per row of a forward pass that makes them.
    """

    means: int = 0
    others: int = 0
    sample: int = 0
    forward: int = 0


def given_cost(plan: Plan, inputs: Mapping[Variable, Rows], given: Sequence[Given]) -> GivenCost:
    """What virtual rows take in a run on these inputs."""
    width = max(rows.data.width for rows in inputs.values())

    def size(names: Set[str]) -> int:
        return value_bytes(plan.graph, names, width)

    others = [v for v in plan.virtual if v in inputs and not is_mean(inputs[v])]
    return GivenCost(
        means=sum(len(rows) * size(names) for rows, names in given if is_mean(rows)),
        others=sum(len(rows) * size(names) for rows, names in given if not is_mean(rows)),
        sample=sum(size(plan.reads.get(variable, frozenset())) for variable in others),
        forward=max(
            (
                held_by_pass(plan.graph, names, width) + SUMS * size(names) * is_mean(rows)
                for rows, names in given
            ),
            default=0,
        ),
    )


def given_flops(
    plan: Plan, given: Sequence[Given], stored: Sequence[Wanted], width: int, at_once: int
) -> int:
    """Operations for the rows that virtual rows are made of.

    Args:
        stored: rows whose plain values are stored before.
        at_once: rows, virtual or not, that are computed at once.
    """

    def of(rows: Rows, names: Set[str]) -> int:
        passes = passes_for(plan.graph, names, masks_of(stored, rows), len(rows))
        return passes_flops(plan.graph, passes, width)

    return sum(
        of(batch, names)
        for rows, names in given
        for some in _batches(rows, at_once)
        for batch in _batches(made_of(some, at_once), at_once)
    )


def _batches(rows: Rows, at_once: int) -> Iterator[Rows]:
    """Rows, as many at a time."""
    for start in range(0, len(rows), at_once):
        yield rows.at(rows.index[start : start + at_once])


def made_of(rows: Rows, at_once: int) -> Rows:
    """The rows whose plain values virtual rows are made of."""
    given = rows.data.given
    assert given is not None
    if isinstance(given, Averages):
        return Rows(given.source, np.flatnonzero(np.isin(given.class_of, rows.index)))
    if isinstance(given, Filled):  # one of each batch tells what shape a value has
        return Rows(given.source, rows.index[::at_once])
    return Rows(given.source, rows.index)
