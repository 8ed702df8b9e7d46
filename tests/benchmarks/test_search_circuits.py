"""The benchmark of circuit searches: what it takes for the truth is true, and it counts right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from attrs import evolve
from searching.methods import Outcome, at_random, kept_edges, of_effects
from searching.planted import known_planted
from searching.scoring import area, counted
from searching.shuffled import Wired, known_wired, right, shuffled, truth_of, wired_of
from searching.subject import Searched
from searching.truth import EMBEDDING, OUTPUT, as_head, head, heads_of, mlp
from validating.wired_transformers import columns_of, matching_text
from validating.wiring import Copier, Design, wired

from scrub.circuits.edges import all_edges
from scrub.circuits.kept import keeping
from scrub.hypothesis.circuit import Circuit, Edge
from scrub.searches.measured import Component, Effect, Measured, Receiver
from scrub.stats.intervals import Interval

# Truth

BY_HAND = Design(
    symbols=4,
    heads={
        (0, 0): Copier("back", 1), (0, 1): Copier("at", 2), (0, 2): Copier("back", 2),
        (0, 3): Copier("at", 4), (1, 0): Copier("match", 0), (1, 1): Copier("at", 5, copies=2),
        (1, 2): Copier("at", 3), (1, 3): Copier("at", 6, copies=0),
    },
    reads=(( 1, 0), (1, 1)),
    answers=np.arange(16).reshape(4, 4) % 4,
    decides="pair",
)  # fmt: skip
"""Head 1.0 looks for its token where 0.0 wrote it; 1.1 copies what 0.2 copied; an MLP decides."""


def edges_by_hand() -> set[Edge]:
    return {
        Edge(mlp(1), OUTPUT),
        Edge(head((1, 0)), mlp(1)),
        Edge(head((1, 1)), mlp(1)),
        Edge(EMBEDDING, head((1, 0)), "q"),
        Edge(head((0, 0)), head((1, 0)), "k"),
        Edge(EMBEDDING, head((1, 0)), "v"),
        Edge(head((0, 2)), head((1, 1)), "v"),
        Edge(EMBEDDING, head((0, 0)), "v"),
        Edge(EMBEDDING, head((0, 2)), "v"),
    }


def test_the_truth_of_a_design_by_hand() -> None:
    every = all_edges(wired(BY_HAND, np.random.default_rng(0)))
    truth = truth_of(BY_HAND, every)
    assert truth.edges == edges_by_hand()
    assert truth.heads == {(1, 0), (1, 1), (0, 0), (0, 2)}
    assert len(truth.every_head) == 8
    # Into 4 heads by 3 ports from the embedding; of layer 1 also from 4 heads and an MLP;
    # into the MLPs from what stands before; into the logits from all 11.
    assert len(truth.every_edge) == 4 * 3 + 5 + 4 * 3 * 6 + 10 + 11


def moved(by: dict[tuple[int, int], tuple[int, int]], edge: Edge) -> Edge:
    writer, reader = as_head(edge.writer), as_head(edge.reader)
    return evolve(
        edge,
        writer=edge.writer if writer is None else head(by[writer]),
        reader=edge.reader if reader is None else head(by[reader]),
    )


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_heads_do_the_same_and_are_the_truth_shuffled(seed: int) -> None:
    design = shuffled(BY_HAND, np.random.default_rng(seed))
    orders = np.random.default_rng(seed)
    by = {
        (layer, h): (layer, int(to))
        for layer in (0, 1)
        for h, to in enumerate(orders.permutation(4))
    }
    text = matching_text(BY_HAND, np.random.default_rng(9))
    before, after = columns_of(BY_HAND, text), columns_of(design, text)
    for old, new in by.items():
        assert (after[f"{new[0]}.{new[1]}"] == before[f"{old[0]}.{old[1]}"]).all()
    assert (after["answer"] == before["answer"]).all()
    every = all_edges(wired(design, np.random.default_rng(0)))
    assert truth_of(design, every).edges == {moved(by, edge) for edge in edges_by_hand()}


@pytest.mark.parametrize("seed", range(4))
def test_a_shuffled_model_answers_as_its_data_says(seed: int) -> None:
    one = wired_of(seed)
    behaviour, _ = known_wired(seed).make()
    data, corrupted = behaviour.data, behaviour.corrupt.pair
    assert right(behaviour.model, one.text, data.label("answer")) >= 0.95
    # The check can fail: answers of another row are no answers.
    assert right(behaviour.model, one.text, np.roll(data.label("answer"), 1)) < 0.9
    assert (corrupted.label("answer") == data.label("other")).all()
    assert (corrupted.label("answer") != data.label("answer")).all()
    assert (corrupted.lengths == data.lengths).all()


def recovered(seed: int, edges: frozenset[Edge]) -> float:
    searched = Searched.of(*known_wired(seed).make(), samples=60)
    _, held = searched.halves()
    measured = searched.measurements(held)
    return measured.recovered(keeping(Circuit(edges=tuple(edges)), held.model)).mean


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_the_true_edges_are_enough_and_all_others_are_not(seed: int) -> None:
    behaviour, truth = known_wired(seed).make()
    every = frozenset(all_edges(behaviour.model))
    positions = every - truth.every_edge
    assert {edge.writer.site for edge in positions} == {"pos_embed"}
    assert recovered(seed, truth.edges | positions) > 0.9
    assert recovered(seed, every - truth.edges) < 0.1


def test_the_truth_of_planted_models_is_that_of_their_cards() -> None:
    _, truth = known_planted("ioi-planted").make()
    movers, inhibition, duplicate = [(3, 0), (3, 1)], [(2, 0), (2, 1)], [(1, 0), (1, 1)]
    assert truth.heads == {*movers, *inhibition, *duplicate}
    assert truth.edges == {
        *(Edge(head(one), OUTPUT) for one in movers),
        *(Edge(head(one), head(to), "q") for one in inhibition for to in movers),
        *(Edge(head(one), head(to), "v") for one in duplicate for to in inhibition),
    }
    # 6 pairs of layers, 4 heads each, 3 ports; 16 heads to the logits
    assert len(truth.every_edge) == 6 * 16 * 3 + 16
    _, second = known_planted("ioi-planted-2").make()
    assert len(second.heads) == 10
    assert Edge(head((1, 0)), head((2, 2)), "k") in second.edges
    assert Edge(head((5, 1)), OUTPUT) in second.edges


# Scores


def test_the_area_by_hand() -> None:
    every = set("abcde")
    scores = {"a": 5.0, "b": 4.0, "c": 3.0, "d": 2.0, "e": 1.0}
    assert area(scores, {"a", "b"}, every) == 1
    assert area(scores, {"d", "e"}, every) == 0
    # true a and d: a above b, c and e; d above e alone: 4 of 6 pairs
    assert area(scores, {"a", "d"}, every) == pytest.approx(4 / 6)
    assert area(dict.fromkeys(every, 1.0), {"a", "d"}, every) == 0.5
    # without a score: below all others, and among themselves a tie
    assert area({"a": 0.0}, {"a", "d"}, every) == pytest.approx((3 + 3 / 2) / 6)
    assert math.isnan(area(scores, every, every))


def test_precision_and_recall_by_hand() -> None:
    one = counted({"a", "b", "z"}, {"a", "c"}, set("abcd"))
    assert (one.precision, one.recall) == (0.5, 0.5)  # z is in no truth, and counts for nothing
    assert math.isnan(counted(set(), {"a"}, {"a", "b"}).precision)


def complement(searched: Searched) -> Outcome:
    """A search that finds exactly what is not true."""
    edges = searched.truth.every_edge - searched.truth.edges
    heads = searched.truth.every_head - searched.truth.heads
    return Outcome(heads, edges, dict.fromkeys(heads, 1.0), dict.fromkeys(edges, 1.0), 0)


def test_a_search_that_finds_the_complement_scores_below_chance() -> None:
    behaviour, truth = known_wired(0).make()
    found = complement(Searched.of(behaviour, truth, samples=2))
    assert area(found.edge_scores, truth.edges, truth.every_edge) == 0
    assert area(found.head_scores, truth.heads, truth.every_head) == 0
    assert counted(found.edges, truth.edges, truth.every_edge).precision == 0


def test_random_orders_of_two_models_are_not_the_same() -> None:
    orders = []
    for seed in (3, 7):  # both have the same edges
        behaviour, truth = known_wired(seed).make()
        searched = Searched.of(behaviour, truth, samples=2)
        orders.append(at_random(0.05, 0)(searched).edges)
    assert orders[0] != orders[1]


def test_a_random_order_scores_as_chance_does() -> None:
    areas = []
    behaviour, truth = known_wired(0).make()
    searched = Searched.of(behaviour, truth, samples=2)
    for seed in range(200):
        found = at_random(0.1, seed)(searched)
        areas.append(area(found.edge_scores, truth.edges, truth.every_edge))
        assert len(found.edges) == round(0.1 * len(searched.edges))
    # the statistic's standard deviation is about √((n+1)/(12·6·104)) = 0.12
    assert abs(np.mean(areas) - 0.5) < 5 * 0.12 / math.sqrt(200)


# What searches give, as edges


def test_an_edge_into_any_port_is_one_into_each() -> None:
    a, b = head((0, 1)), head((1, 2))
    found = kept_edges([Edge(a, b, None, ("end",)), Edge(a, mlp(1)), Edge(b, OUTPUT)])
    assert found == {
        *(Edge(a, b, port) for port in "qkv"), Edge(a, mlp(1)), Edge(b, OUTPUT),
    }  # fmt: skip
    assert heads_of(found) == {(0, 1), (1, 2)}


def test_paths_as_edges_by_hand() -> None:
    def effect(sender: Component, at: str, port: str, share: float, low: float = 0.1) -> Effect:
        return Effect(sender, at, port, Interval(share, low, 1.0), share)

    mover, other = Component("heads", 3, 0), Component("heads", 2, 1)
    measured = [
        Measured(
            Receiver(),
            (effect(mover, "end", "", 0.5), effect(mover, "s2", "", 0.2),
             effect(other, "end", "", 0.9, low=-0.1)),
            Interval(1, 1, 1),
        ),
        Measured(
            Receiver((mover,), "end"), (effect(other, "end", "q", -0.4),), Interval(1, 1, 1)
        ),
    ]  # fmt: skip
    found = of_effects([Edge(head((3, 0)), OUTPUT)], measured)
    assert found.edge_scores == {
        Edge(head((3, 0)), OUTPUT): 0.5,
        Edge(head((2, 1)), OUTPUT): 0.0,  # not told from zero
        Edge(head((2, 1)), head((3, 0)), "q"): 0.4,
    }
    assert found.head_scores == {(3, 0): 0.5, (2, 1): 0.4}
    assert (found.heads, found.measured) == ({(3, 0)}, 4)


def test_wirings_differ_from_seed_to_seed() -> None:
    def said(one: Wired) -> str:
        return repr(sorted(one.design.heads.items())) + repr(one.design.reads)

    assert len({said(wired_of(seed)) for seed in range(8)}) == 8
