"""Parts are taken out one after the other, whatever is measured ahead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hypothesis import given
from hypothesis import strategies as st
from scrub import Circuit, heads
from scrub.searches.greedy import Decision, Part, sweep

WHOLE = Circuit.of(heads([(layer, head) for layer in range(3) for head in range(4)]))


def without(*cells: object) -> Part:
    def take(circuit: Circuit) -> Circuit:
        return Circuit(cells=tuple(one for one in circuit.cells if one.cell not in cells))

    return Part(" and ".join(map(str, cells)), "heads", take)


PARTS = [without(one.cell) for one in WHOLE.cells]
LAYERS = [without(*(one.cell for one in WHOLE.cells[at : at + 4])) for at in (0, 4, 8)]
WEIGHTS = st.lists(st.integers(-3, 9), min_size=12, max_size=12)
PAIRS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=4)


class Counted:
    """A metric: a weight of each head, and some that two heads have only together."""

    def __init__(self, weights: Sequence[int], pairs: Sequence[tuple[int, int]]) -> None:
        self.weights = dict(zip([one.cell for one in WHOLE.cells], weights, strict=True))
        cells = list(self.weights)
        self.pairs = [(cells[one], cells[other]) for one, other in pairs]
        self.asked: list[Circuit] = []

    def __call__(self, circuits: Sequence[Circuit]) -> list[np.ndarray]:
        self.asked += circuits
        return [np.array([self.of(circuit)]) for circuit in circuits]

    def of(self, circuit: Circuit) -> float:
        there = {one.cell for one in circuit.cells}
        both = sum(5 for one, other in self.pairs if {one, other} & there)
        return float(sum(self.weights[cell] for cell in there) + both)


def rule(before: np.ndarray, after: np.ndarray) -> tuple[float, bool]:
    cost = float(before.mean() - after.mean())
    return cost, cost < 3


def one_by_one(metric: Counted, parts: Sequence[Part]) -> tuple[list[tuple[Part, bool]], Circuit]:
    circuit, decided = WHOLE, []
    for part in parts:
        trial = part.without(circuit)
        if trial == circuit:
            continue
        goes = metric.of(circuit) - metric.of(trial) < 3
        decided.append((part, goes))
        circuit = trial if goes else circuit
    return decided, circuit


@given(WEIGHTS, PAIRS, st.booleans(), st.integers(1, 8), st.permutations([*PARTS, *LAYERS]))
def test_what_is_measured_ahead_changes_no_decision(
    weights: list[int],
    pairs: list[tuple[int, int]],
    removed: bool,
    at_once: int,
    parts: list[Part],
) -> None:
    metric = Counted(weights, pairs)
    found = list(sweep(WHOLE, parts, metric, rule, removed=removed, at_once=at_once))
    decided, circuit = one_by_one(metric, parts)
    assert [(one.part, one.removed) for one in found] == decided
    assert found[-1].circuit == circuit
    for one in found:
        assert one.cost == one.before[0] - one.after[0]


@given(WEIGHTS, PAIRS)
def test_one_at_a_time_measures_each_part_once(
    weights: list[int], pairs: list[tuple[int, int]]
) -> None:
    metric = Counted(weights, pairs)
    list(sweep(WHOLE, PARTS, metric, rule, removed=True, at_once=1))
    assert len(metric.asked) == len(PARTS) + 1


def test_where_all_go_as_expected_nothing_is_measured_in_vain() -> None:
    metric = Counted([0] * 12, [])
    found = list(sweep(WHOLE, PARTS, metric, rule, removed=True))
    assert all(one.removed for one in found)
    assert len(metric.asked) == len(PARTS) + 1
    assert not found[-1].circuit.cells


def test_a_part_that_is_gone_is_passed_over() -> None:
    metric = Counted([0] * 12, [])
    found = list(sweep(WHOLE, [PARTS[0], PARTS[0], PARTS[1]], metric, rule, removed=True))
    assert [one.part for one in found] == PARTS[:2]


def test_a_mutant_that_keeps_what_was_measured_on_a_wrong_expectation_is_caught() -> None:
    """Of two heads that stand in for each other one stays; measured apart both would go."""
    metric = Counted([0] * 12, [(0, 1)])
    found = list(sweep(WHOLE, PARTS[:2], metric, rule, removed=False, at_once=2))
    assert [one.removed for one in found] == [True, False]

    def apart(decisions: list[Decision]) -> list[bool]:
        whole = metric.of(WHOLE)
        return [whole - metric.of(one.part.without(WHOLE)) < 3 for one in decisions]

    assert apart(found) == [True, True]
