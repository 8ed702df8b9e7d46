"""Completeness, minimality and curves of small circuits whose every number is known by hand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from attrs import evolve

from hypothesis import given
from hypothesis import strategies as st
from scrub.circuits.ablations import Ablations, corrected, largest, magnitude
from scrub.circuits.completeness import SetsOf, choose_sets, completeness, random_sets
from scrub.circuits.curve import Order, curve, orders_of, removal_orders
from scrub.circuits.greedy import Growth, NodeSet, grown
from scrub.circuits.minimality import choose_under, minimality
from scrub.circuits.nulls import NullScores
from scrub.errors import UserError
from scrub.stats.intervals import Interval

SAMPLES = 40
NONE: NodeSet = frozenset()
Performance = Callable[[NodeSet], float]


def ablated(nodes: int, circuit: Performance, model: Performance, seed: int = 0) -> Ablations:
    """Of performances 0 to 1 without sets of nodes, each with a little noise per reference."""
    noise = np.random.default_rng(seed).normal(0, 0.01, SAMPLES)

    def numbers(of: Performance) -> Callable[[Sequence[NodeSet]], np.ndarray]:
        return lambda sets: np.array([of(one) * (10 + noise) for one in sets])

    names = tuple(f"node {number}" for number in range(nodes))
    return Ablations(names, numbers(circuit), numbers(model), 10 + noise, np.zeros(SAMPLES))


def additive(weights: Sequence[float]) -> Performance:
    return lambda without: sum(w for node, w in enumerate(weights) if node not in without)


# Greedy sets


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=6), st.integers(0, 6), st.data())
def test_a_greedy_set_is_worth_no_less_than_its_start(
    weights: list[float], steps: int, data: st.DataObject
) -> None:
    nodes = tuple(range(len(weights)))
    start = frozenset(data.draw(st.sets(st.sampled_from(nodes))))
    tried = data.draw(st.one_of(st.none(), st.integers(1, 6)))
    pairs = data.draw(st.dictionaries(st.tuples(st.sampled_from(nodes), st.sampled_from(nodes)),
                                      st.floats(-1, 1), max_size=4))  # fmt: skip

    def value(one: NodeSet) -> float:
        both = sum(w for (a, b), w in pairs.items() if a in one and b in one)
        return sum(weights[node] for node in one) + both

    def worth(asked: Sequence[tuple[int, NodeSet]]) -> np.ndarray:
        return np.array([value(one) for _, one in asked])

    (found,) = grown([Growth(nodes, steps, tried, start=start)], worth)
    assert value(found) >= value(start)
    assert start <= found
    assert len(found - start) <= steps
    if tried is None and steps == 6:  # no single node is worth more
        assert all(value(found | {node}) <= value(found) + 1e-5 for node in nodes)


def test_searches_side_by_side_find_what_each_finds_by_itself() -> None:
    weights = np.random.default_rng(0).normal(size=12)

    def worth(asked: Sequence[tuple[int, NodeSet]]) -> np.ndarray:
        return np.array([sum(weights[node] for node in one) for _, one in asked])

    searches = [Growth(tuple(range(12)), 5, 3, (0, run)) for run in range(4)]
    together = grown(searches, worth)
    assert together == [grown([one], worth)[0] for one in searches]
    assert len(set(together)) > 1, "each draws its own"


def test_a_search_whose_every_node_was_tried_asks_no_more() -> None:
    asked: list[int] = []

    def worth(given: Sequence[tuple[int, NodeSet]]) -> np.ndarray:
        asked.append(len(given))
        return np.zeros(len(given))

    assert grown([Growth((0, 1, 2), 9)], worth) == [NONE]
    assert asked == [1, 3]
    asked.clear()
    assert grown([Growth(tuple(range(5)), 3, tried=2)], worth) == [NONE]
    assert asked == [1, 2, 2, 2], "others may be drawn at the next step"


# Completeness

BACKED_UP = 4
"""Nodes of a circuit; the model has a backup of node 0 that the circuit lacks."""


def circuit_without(without: NodeSet) -> float:
    return additive([0.4, 0.3, 0.2, 0.1])(without)


def model_without(without: NodeSet) -> float:
    backup = 0.35 if 0 in without else 0.0
    return circuit_without(without) + backup


def test_a_backup_outside_of_the_circuit_is_found() -> None:
    half = ablated(BACKED_UP, circuit_without, model_without)
    roles = {"first": frozenset({0}), "rest": frozenset({1, 2, 3})}
    chosen = choose_sets(half, roles, SetsOf(random=0, runs=2), 0)
    assert chosen[frozenset({0})] == ("role", "first = greedy = published (2 times)")
    found = completeness(ablated(BACKED_UP, circuit_without, model_without, 1), chosen)
    assert found.worst.mean == pytest.approx(0.35, abs=1e-9)
    assert found.worst_set.nodes == ("node 0",)
    none, first, rest = found.sets[:3]
    assert (none.kind, none.nodes) == ("none", ())
    assert none.difference.mean == pytest.approx(0)
    assert first.difference.mean == pytest.approx(-0.35)
    assert first.circuit.mean == pytest.approx(0.6)
    assert first.model.mean == pytest.approx(0.95)
    assert rest.distance.mean == pytest.approx(0)
    assert none.difference.confidence == pytest.approx(corrected(len(chosen)))


def test_the_greedy_set_is_the_worst_there_is() -> None:
    """Two nodes back each other up outside of the circuit: each alone shows little."""

    def model(without: NodeSet) -> float:
        return circuit_without(without) + 0.1 * len(without & {1, 3}) ** 2

    half = ablated(BACKED_UP, circuit_without, model)
    chosen = choose_sets(half, {}, SetsOf(random=0, runs=0), 0)
    found = completeness(half, chosen)
    every = [frozenset(s) for n in range(5) for s in itertools.combinations(range(4), n)]
    assert found.worst.mean == pytest.approx(max(model(s) - circuit_without(s) for s in every))
    assert found.worst_set.nodes == ("node 1", "node 3")
    assert found.worst_set.kind == "greedy"


def test_a_mutant_that_looks_at_single_nodes_finds_less() -> None:
    """The oracle of the test above fails where the search stops after one node."""

    def model(without: NodeSet) -> float:
        return circuit_without(without) + 0.1 * len(without & {1, 3}) ** 2

    half = ablated(BACKED_UP, circuit_without, model)
    found = completeness(half, choose_sets(half, {}, SetsOf(random=0, runs=0, steps=1), 0))
    assert found.worst.mean == pytest.approx(0.1)


def test_a_complete_circuit_has_no_distance() -> None:
    half = ablated(BACKED_UP, circuit_without, circuit_without)
    found = completeness(half, choose_sets(half, {}, SetsOf(), 0))
    assert found.worst.mean == 0
    assert (found.worst.low, found.worst.high >= 0) == (0, True)


def test_random_sets_keep_to_their_nodes_and_their_seed() -> None:
    found = random_sets((2, 5, 7), 20, (1, 0))
    assert all(one <= {2, 5, 7} for one in found)
    assert len(set(found)) > 4
    assert random_sets((2, 5, 7), 10, (1, 0)) == found[:10]
    assert random_sets((2, 5, 7), 20, (2, 0)) != found


# Minimality


def backed_up(without: NodeSet) -> float:
    """Nodes 0 and 1 do the same work; 2 does its own; 3 does nothing."""
    return (0.6 if not {0, 1} <= without else 0.0) + (0.0 if 2 in without else 0.4)


def test_a_node_matters_under_the_set_that_takes_its_backup_out() -> None:
    half = ablated(4, backed_up, backed_up)
    roles = {"workers": frozenset({0, 1}), "rest": frozenset({2, 3})}
    chosen = choose_under(half, roles, SetsOf(random=0), 0)
    found = minimality(ablated(4, backed_up, backed_up, 1), chosen, roles)
    assert [one.role for one in found] == ["workers", "workers", "rest", "rest"]
    assert [round(one.alone.mean, 6) for one in found] == [0, 0, 0.4, 0]
    assert [round(one.effect.mean, 6) for one in found] == [0.6, 0.6, 0.4, 0]
    assert [one.matters for one in found] == [True, True, True, False]
    assert found[0].under == ("node 1",)
    assert found[0].kind == "rest of workers"
    pairs = {(node, under) for node, (under, _) in enumerate(chosen)}
    assert found[0].effect.confidence == pytest.approx(
        corrected(len(pairs | {(node, NONE) for node in range(4)}))
    )


def test_the_greedy_set_finds_a_backup_that_no_role_names() -> None:
    half = ablated(4, backed_up, backed_up)
    chosen = choose_under(half, {}, SetsOf(random=0), 0)
    assert chosen[0] == (frozenset({1}), "greedy")
    shallow = choose_under(half, {}, SetsOf(random=0, node_steps=0), 0)
    assert shallow[0] == (NONE, "none"), "the mutant that does not look finds nothing"


# Curves


def test_the_least_important_goes_first() -> None:
    half = ablated(4, additive([0.1, 0.4, 0.2, 0.3]), additive([1]))
    orders = (Order("least"),)
    removed = removal_orders(half, range(4), dict.fromkeys(range(4), 0), orders)
    assert removed == [[NONE, {0}, {0, 2}, {0, 2, 3}, {0, 1, 2, 3}]]
    found = curve(half, half, range(4), orders, removed, (0.9, 0.75, 0.5, 2.0))
    assert [point.size for point in found.points[0]] == [4, 3, 2, 1, 0]
    assert [point.recovered.mean for point in found.points[0]] == pytest.approx(
        [1, 0.9, 0.7, 0.4, 0]
    )
    assert [point.removed for point in found.points[0]] == ["", "node 0", "node 2", "node 3",
                                                            "node 1"]  # fmt: skip
    sizes = {level.share: level.point and level.point.size for level in found.levels}
    assert sizes == {2.0: None, 0.9: 3, 0.75: 3, 0.5: 2}
    assert [level.lost for level in found.levels] == [(), ("node 0",), (), ("node 2",)]


def test_importance_is_measured_again_after_each_removal() -> None:
    """Of two that back each other up, one can go, and then the other cannot."""

    def performance(without: NodeSet) -> float:
        return (0.8 if not {0, 1} <= without else 0.0) + (0.0 if 2 in without else 0.2)

    half = ablated(3, performance, performance)
    layers = {0: 0, 1: 1, 2: 2}
    again, once = removal_orders(half, range(3), layers, (Order("least"), Order("once")))
    assert again == [NONE, {0}, {0, 2}, {0, 1, 2}]
    assert once == [NONE, {0}, {0, 1}, {0, 1, 2}]


def test_orders_by_layer() -> None:
    half = ablated(4, additive([0.1, 0.4, 0.2, 0.3]), additive([1]))
    layers = {0: 0, 1: 0, 2: 1, 3: 1}
    orders = (Order("backwards"), Order("forwards"))
    backwards, forwards = removal_orders(half, range(4), layers, orders)
    assert backwards[1:] == [{2}, {2, 3}, {0, 2, 3}, {0, 1, 2, 3}]
    assert forwards[1:] == [{0}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3}]
    found = curve(half, half, range(4), orders, [backwards, forwards])
    often = found.frequency()
    assert often["node 1"] == {4: 1, 3: 1, 2: 0.5, 1: 0.5, 0: 0}
    assert list(often) == ["node 1", "node 3", "node 0", "node 2"]


def test_an_order_is_what_it_would_be_by_itself() -> None:
    weights = np.random.default_rng(1).normal(size=7).tolist()
    half = ablated(7, additive(weights), additive([1]))
    layers = {node: node // 3 for node in range(7)}
    orders = orders_of("once", 6, 3)
    assert [str(order) for order in orders] == [
        "once", "least", "backwards", "forwards", "random 1", "random 2",
    ]  # fmt: skip
    together = removal_orders(half, range(7), layers, orders)
    for order, found in zip(orders, together, strict=True):
        assert removal_orders(half, range(7), layers, (order,)) == [found]
    assert together[-1] != together[-2]
    with pytest.raises(UserError, match="least"):
        orders_of("lest", 1, 0)


# Intervals


@given(st.floats(-2, 2), st.floats(0, 2), st.floats(-2, 4))
def test_a_magnitude_holds_what_its_interval_holds(low: float, width: float, inside: float) -> None:
    found = Interval(low + width / 2, low, low + width)
    if found.low <= inside <= found.high:
        of = magnitude(found)
        assert of.low <= abs(inside) <= of.high
    assert magnitude(found).low >= 0


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(0, 1), st.floats(0, 1)), min_size=1))
def test_the_largest_holds_the_largest_truth(given_: list[tuple[float, float, float]]) -> None:
    truths = [low + width * place for low, width, place in given_]
    of = largest([Interval(low + width / 2, low, low + width) for low, width, _ in given_])
    assert of.low <= max(truths) <= of.high + 1e-12


def test_what_is_undefined_is_worth_nothing() -> None:
    half = ablated(1, additive([1]), additive([1]))
    holed = evolve(half, original=np.where(np.arange(SAMPLES) < 3, np.nan, half.original))
    change = np.full((1, SAMPLES), 5.0)
    assert holed.shares(change)[0] == pytest.approx(0.5, rel=0.01)
    nothing = evolve(half, original=half.baseline)
    with np.errstate(divide="ignore", invalid="ignore"):
        assert nothing.shares(change)[0] == 0


# Nulls


def test_the_circuit_is_counted_among_its_nulls() -> None:
    recovered = (0.1, 0.9, 0.5, 0.95, math.nan)
    found = NullScores("zero", "loss", "random", 0.9, recovered).among
    assert (found.as_much, found.p) == (2, 3 / 5)
    assert found.mean == pytest.approx(0.6125)
    assert found.range == (pytest.approx(0.13), pytest.approx(0.94625))
    none = NullScores("zero", "loss", "random", 1.0, (0.1,) * 19).among
    assert (none.as_much, none.p) == (0, 1 / 20)
    unknown = NullScores("zero", "loss", "random", math.nan, (0.1,)).among
    assert math.isnan(unknown.p)
    assert math.isnan(NullScores("zero", "loss", "random", 1.0, ()).among.mean)


# What is chosen on one half is reported on the other


MANY = 400
"""References: of fewer the allowance for what is too rare to show is most of an interval."""


def noisy(seed: int) -> Ablations:
    """A complete circuit of ten nodes: without any of them it is the model, but for noise."""
    random = np.random.default_rng(seed)
    noise: dict[NodeSet, np.ndarray] = {}

    def of(sets: Sequence[NodeSet]) -> np.ndarray:
        for one in sets:
            noise.setdefault(one, random.normal(0, 1, MANY))
        return np.array([noise[one] for one in sets])

    names = tuple(map(str, range(10)))
    original = random.normal(5, 0.1, MANY)
    return Ablations(names, of, lambda sets: np.zeros((len(sets), MANY)), original, 0 * original)


def test_the_worst_of_many_sets_is_no_finding_where_there_is_none() -> None:
    """The mutant reports on the rows that chose, by intervals of single sets."""
    honest = mutant = 0
    for seed in range(40):
        seen, held = noisy(seed), noisy(1000 + seed)
        chosen = choose_sets(seen, {}, SetsOf(random=5, steps=2, runs=1, run_steps=2), seed)
        honest += completeness(held, chosen).worst.low > 0
        single = [seen.difference(*both) for both in zip(
            seen.of_circuit(list(chosen)), seen.of_model(list(chosen)), strict=True,
        )]  # fmt: skip
        mutant += any(one.low > 0 or one.high < 0 for one in single)
    assert honest <= 4, "5% of 40 are 2"
    assert mutant >= 20
