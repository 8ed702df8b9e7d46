"""What virtual rows cost: the rows that they are made of are computed, and they are held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

import numpy as np
from attrs import frozen

from scrub.data.dataset import Rows
from scrub.data.virtual import Averages, Filled
from scrub.engine.activation_store import identity_of
from scrub.engine.cost import held_by_pass, plain_flops, value_bytes
from scrub.engine.steps import Plan, Variable
from scrub.engine.virtual import Given, is_mean, values_read

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
    read = values_read(plan)

    def size(names: Set[str]) -> int:
        return value_bytes(plan.graph, names, width)

    others = [v for v in plan.virtual if v in inputs and not is_mean(inputs[v])]
    return GivenCost(
        means=sum(len(rows) * size(names) for rows, names in given if is_mean(rows)),
        others=sum(len(rows) * size(names) for rows, names in given if not is_mean(rows)),
        sample=sum(size(read.get(variable, frozenset())) for variable in others),
        forward=max(
            (
                held_by_pass(plan.graph, names, width) + SUMS * size(names) * is_mean(rows)
                for rows, names in given
            ),
            default=0,
        ),
    )


def sized(plan: Plan, given: Sequence[Given], width: int) -> list[tuple[Rows, dict[str, int]]]:
    """Virtual rows, with the bytes per row of each value that is made of them."""
    graph = plan.graph
    return [
        (rows, {name: value_bytes(graph, [name], width) for name in names}) for rows, names in given
    ]


def given_flops(
    plan: Plan, given: Sequence[Given], stored: Sequence[Rows], width: int, at_once: int
) -> int:
    """Operations for the rows that virtual rows are made of.

    Args:
        stored: rows whose plain values are stored before.
        at_once: virtual rows that are made at once.
    """
    known = {identity_of(rows.data): rows.index for rows in stored}

    def of(rows: Rows, names: Set[str]) -> int:
        have = np.isin(rows.index, known.get(identity_of(rows.data), ())).sum()
        anew = plain_flops(plan.graph, names, width)
        from_stored = plain_flops(plan.graph, names - plan.plain, width, plan.plain)
        return int(have * from_stored + (len(rows) - have) * anew)

    return sum(of(made_of(rows, at_once), names) for rows, names in given)


def made_of(rows: Rows, at_once: int) -> Rows:
    """The rows whose plain values virtual rows are made of."""
    given = rows.data.given
    assert given is not None
    if isinstance(given, Averages):
        return Rows(given.source, np.flatnonzero(np.isin(given.class_of, rows.index)))
    if isinstance(given, Filled):  # one of each batch tells what shape a value has
        return Rows(given.source, rows.index[::at_once])
    return Rows(given.source, rows.index)
