"""Circuits on several behaviours: two models of which it is known which parts tasks share.

What is lost is held against replacing values in a forward pass of its own (`marks_evidence`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache

import marks_evidence as evidence
import numpy as np
import pytest
from attrs import evolve
from marks_models import FAMILY
from marks_wiring import marks

import scrub
from hypothesis import given
from hypothesis import strategies as st
from scrub import Circuit, Session, SharedCircuits, edge, embeddings, heads, output
from scrub.circuits.files import read_circuit
from scrub.circuits.shared import Ablated, CircuitOn
from scrub.circuits.sharing import _flipped
from scrub.errors import UserError
from scrub.hypothesis.sites import Head
from scrub.metrics import logit_diff, top_1
from scrub.model.registry import EMBEDDED
from scrub.model.tokenizer import load_tokenizer
from scrub.stats.intervals import Interval
from support.paths import ROOT
from support.wired_files import of_files

SESSION = Session()
RANDOM = 4
SHARED = {"aa", "ab", "ba", "bb", "bc", "cb", "cc"}
"""Of the shared model: whose circuit is needed for what. Of the other: its own alone."""


def circuit(name: str, task: str) -> Circuit:
    return evolve(read_circuit(ROOT / "circuits" / f"{name}-{task}.json"), name=task)


TASKS = {"marks-shared": "abc", "marks-separate": "ac"}


@cache
def on(name: str) -> SharedCircuits:
    return scrub.shared_circuits(
        [circuit(name, task) for task in TASKS[name]],
        [marks.behaviour(task, 200, model=name) for task in TASKS[name]],
        random=RANDOM, samples=50, conventions="own", session=SESSION,
    )  # fmt: skip


def parts(found: SharedCircuits, pair: str) -> Mapping[str, Ablated]:
    """What is lost on each behaviour without a part."""
    return {one.behaviour: one.ablated for one in found.parts if one.name == pair}


@pytest.mark.parametrize("name", ["marks-shared", "marks-separate"])
def test_each_circuit_is_needed_where_its_parts_are_and_enough_for_its_own_alone(
    name: str,
) -> None:
    needed = SHARED if name == "marks-shared" else {"aa", "bb", "cc"}
    for one in on(name).tested:
        own = one.circuit == one.behaviour
        assert one.own == own
        assert one.alone.mean == pytest.approx(float(own), abs=0.02)
        assert (one.alone.low > 0.7) == own
        lost = float(one.circuit + one.behaviour in needed)
        assert one.ablated.lost.mean == pytest.approx(lost, abs=0.02)


def test_without_what_two_circuits_share_both_behaviours_are_lost() -> None:
    found = on("marks-shared")
    for pair in ("ab", "bc"):
        both = parts(found, f"{pair[0]} & {pair[1]}")
        assert set(both) == set(pair)
        for task, ablated in both.items():
            assert ablated.lost.low > 0.7, task
            assert ablated.more is not None
            assert ablated.more.low > 0.2
            assert ablated.among.mean < 0.7
            assert ablated.among.p <= 2 / (1 + RANDOM)
        for one, other in (pair, pair[::-1]):
            alone = parts(found, f"{one} - {other}")
            assert alone[one].lost.low > 0.7
            assert alone[other].lost.mean == pytest.approx(0, abs=0.02)
    for ablated in parts(found, "a & c").values():
        assert math.isnan(ablated.lost.mean)


def test_separate_circuits_share_no_node_and_neither_is_needed_for_the_other() -> None:
    found = on("marks-separate")
    shared = [one for one in found.parts if one.name == "a & c"]
    assert [(one.nodes, one.behaviour) for one in shared] == [((), "a"), ((), "c")]
    assert all(math.isnan(one.ablated.lost.mean) for one in shared)
    assert all(math.isnan(one.ablated.among.p) for one in shared)
    assert parts(found, "a - c")["c"].lost.high < 0.3
    assert parts(found, "c - a")["a"].lost.high < 0.3


def test_random_circuits_of_the_same_size_lose_less() -> None:
    """Not nothing: of 16 heads a layer two are drawn, and often one is the behaviour's."""
    for name in ("marks-shared", "marks-separate"):
        for task in TASKS[name]:
            ablated = on(name).of(task, task).ablated
            assert len(ablated.among.defined) == RANDOM
            assert ablated.more is not None
            assert ablated.more.mean == pytest.approx(
                ablated.lost.mean - ablated.among.mean, abs=1e-6
            )
            assert ablated.among.mean < 0.7
            assert ablated.among.p <= 2 / (1 + RANDOM)


def lost_by_hand(name: str, task: str, nodes: tuple[Head, ...]) -> float:
    """Of the logit difference, where heads at END say what they say in the corrupted copy."""
    tokenizer = load_tokenizer(EMBEDDED / name)
    one = evidence.asked(of_files(FAMILY, name), tokenizer, task, 200, seed=0)
    nothing, whole = one.mean(one.others["marks"][1]), one.mean(one.own)
    return whole * (1 - evidence.kept(one, nodes)) / (whole - nothing)


@pytest.mark.parametrize(("nodes", "task"), [(((0, 2),), "b"), (((0, 2), (1, 5)), "b")])
def test_what_is_lost_is_what_hooks_say(nodes: tuple[Head, ...], task: str) -> None:
    """Of half a role, and of half of two, neither all nor nothing is lost."""
    found = scrub.shared_circuits(
        Circuit.of(heads(list(nodes), at="end")),
        marks.behaviour(task, 200, model="marks-shared"),
        samples=200, random=0, conventions="own", session=SESSION,
    )  # fmt: skip
    (one,) = found.tested
    assert one.circuit == "circuit 1"
    expected = lost_by_hand("marks-shared", task, nodes)
    assert 0.3 < expected < 0.9
    assert one.ablated.lost.mean == pytest.approx(expected, abs=0.03)
    assert one.ablated.more is None
    assert math.isnan(one.ablated.among.p)


def test_other_heads_of_the_same_layers_are_no_circuit() -> None:
    elsewhere = [(0, 5), (0, 6), (1, 0), (1, 1)]
    found = scrub.shared_circuits(
        {"other": Circuit.of(heads(elsewhere, at="end"))},
        marks.behaviour("a", 200, model="marks-shared"),
        samples=60, random=RANDOM, conventions="own", session=SESSION,
    )  # fmt: skip
    ablated = found.of("other", "a").ablated
    assert ablated.lost.high < 0.2
    assert ablated.among.p > 0.3
    assert found.overlap is None


def test_parts_that_cannot_be_said_are_left_out_with_the_reason() -> None:
    finders = [(0, 2), (0, 11)]
    whole, end = Circuit.of(heads(finders)), heads([*finders, (1, 2), (1, 11)], at="end")
    found = scrub.shared_circuits(
        {"everywhere": whole, "at the end": Circuit.of(end)},
        [marks.behaviour(task, 100, model="marks-shared") for task in "ab"],
        samples=30, random=0, conventions="own", session=SESSION,
    )  # fmt: skip
    assert {one.name for one in found.parts} == {
        "everywhere & at the end", "at the end - everywhere",
    }  # fmt: skip
    ((what, why),) = found.left_out
    assert what == "everywhere - at the end"
    assert "positions" in why


def test_of_circuits_of_edges_the_nodes_are_knocked_out() -> None:
    finder, mover = heads([(0, 2), (0, 11)]), heads([(1, 2), (1, 11)])
    edges = Circuit.of_edges(
        edge(embeddings(), finder), edge(embeddings(), mover), edge(mover, output(), at="end"),
        edge(finder, mover, into="q", at="end"),
    )  # fmt: skip
    found = scrub.shared_circuits(
        {"edges": edges}, marks.behaviour("a", 100, model="marks-shared"),
        samples=30, random=2, conventions="own", session=SESSION,
    )  # fmt: skip
    (one,) = found.tested
    assert one.alone.mean == pytest.approx(1, abs=0.02)
    assert one.ablated.lost.mean == pytest.approx(1, abs=0.02)
    assert len(one.ablated.random) == 2


def test_circuits_that_are_nobodys_are_tested_by_every_metric_and_convention() -> None:
    name = "marks-shared"
    metrics = [logit_diff("answer", "if marks"), top_1("answer")]
    found = scrub.shared_circuits(
        [circuit(name, "a"), circuit(name, "b")],
        marks.behaviour("a", 100, model=name, metric=metrics),
        samples=30, random=0, session=SESSION,
    )  # fmt: skip
    assert len(found.tested) == 2 * 2
    assert not any(one.own for one in found.tested)
    assert len(found.parts) == 3 * 2
    assert {one.alone.confidence for one in found.tested} == {1 - 0.05 / 4}
    assert {one.ablated.lost.confidence for one in found.tested} == {1 - 0.05 / 4}
    assert {one.ablated.lost.confidence for one in found.parts} == {1 - 0.05 / 6}
    others = {one.convention for one in found.elsewhere}
    assert len(others) >= 3
    assert found.behaviours[0].conventions[0] == found.tested[0].convention
    assert found.tested[0].convention not in others
    for one in found.elsewhere:
        assert not one.ablated.random
        mine = found.of(one.circuit, one.behaviour, one.metric)
        if one.metric == metrics[0].name:
            assert one.ablated.lost.mean == pytest.approx(mine.ablated.lost.mean, abs=0.05)


def test_what_is_recovered_is_what_scores_say() -> None:
    behaviour = marks.behaviour("a", 200, model="marks-shared")
    scores = scrub.circuit_scores(
        behaviour, circuit("marks-shared", "a"), only=[], samples=50, session=SESSION
    )
    mine = on("marks-shared").of("a", "a")
    first = scores.faithfulness[0]
    assert mine.recovered.mean == pytest.approx(first.recovered.mean, rel=1e-6)
    assert mine.alone.mean == pytest.approx(first.of_ablated.mean, rel=1e-6)


def test_tables_and_the_results_file() -> None:
    found = on("marks-separate")
    frames = found.frames
    assert list(frames) == ["tested", "parts", "overlap"]
    assert len(frames["tested"]) == 4
    assert len(frames["parts"]) == 3 * 2
    tested = frames["tested"].set_index(["circuit", "behaviour"])
    assert tested.loc[("a", "a"), "lost"] == found.of("a", "a").ablated.lost.mean
    assert found.frame.figure.value_counts().to_dict() == {
        "alone": 4, "recovered": 4, "lost": 10, "more": 10,
    }  # fmt: skip
    said = json.loads(found.to_json())
    assert said["schema"] == "scrub.shared-circuits/1"
    assert [one["name"] for one in said["behaviours"]] == ["a", "c"]
    empty = next(row for row in said["parts"] if row["part"] == "a & c")
    assert (empty["lost"], empty["lost_low"], empty["nodes"]) == (None, None, 0)
    assert repr(found).startswith("SharedCircuits(marks-separate, lost: a on a: 1.000 [")


def test_the_picture_has_a_cell_for_each_circuit_and_behaviour() -> None:
    figure = on("marks-separate").plot()
    for axes, values in zip(figure.axes, ("alone", "lost"), strict=True):
        texts = [text.get_text() for text in axes.texts]
        assert [text.startswith("(") for text in texts] == [False, True, True, False]
        assert texts[0] in ("1.00", "0.99", "1.01"), values


def test_random_circuits_are_counted_by_hand() -> None:
    lost = Interval(0.5, 0.4, 0.6)
    ablated = Ablated(lost, random=(0.1, 0.5, 0.9, math.nan)).among
    assert ablated.defined == (0.1, 0.5, 0.9)
    assert (ablated.as_much, ablated.p, ablated.mean) == (2, 0.75, 0.5)
    assert ablated.range == pytest.approx((0.12, 0.88))
    nothing = Ablated(lost).among
    assert math.isnan(nothing.p)
    assert all(map(math.isnan, (nothing.mean, *nothing.range)))


@given(st.lists(st.floats(-5, 5), min_size=5, max_size=5))
def test_an_interval_is_flipped_about_one_half(ends: list[float]) -> None:
    least, low, mean, high, most = sorted(ends)
    found = Interval(mean, low, high, 0.9, least=least, most=most)
    flipped = _flipped(found)
    assert flipped.least <= flipped.low <= flipped.mean <= flipped.high <= flipped.most
    assert flipped.mean == 1 - mean
    again = _flipped(flipped)
    assert np.allclose(
        [again.least, again.low, again.mean, again.high, again.most],
        [least, low, mean, high, most],
    )
    assert again.confidence == 0.9


def refused(*circuits: Circuit, tasks: str = "ab", **options: object) -> list[str]:
    models = {"model": "marks-shared"} | options
    behaviours = [marks.behaviour(task, 20) for task in tasks]  # type: ignore[arg-type]
    with pytest.raises(UserError) as caught:
        scrub.shared_circuits(list(circuits), behaviours, session=SESSION, **models)  # type: ignore[arg-type]
    return [str(problem) for problem in caught.value.problems]


def test_names_that_clash_are_refused() -> None:
    a = circuit("marks-shared", "a")
    twice = marks.behaviour("a", 20)
    assert refused(a, evolve(circuit("marks-shared", "b"), name="a"), tasks="aa") == [
        '2 circuits are called "a". Give each a name of its own: "name" in its file, or '
        "evolve(circuit, name=…).",
        "Behaviour a is given 2 times. Give it once.",
    ]
    with pytest.raises(UserError, match="No circuit is given"):
        scrub.shared_circuits([], [twice], model="marks-shared", session=SESSION)


def test_circuits_of_another_model_are_refused() -> None:
    one, other = circuit("marks-shared", "a"), circuit("marks-separate", "b")
    assert refused(one, other) == [
        'Circuit "b" is of model "marks-separate", and the behaviours are about "marks-shared". '
        'Give circuits of that model; or, if it is one under another name, leave "model" out of '
        "the circuit's file."
    ]
    shape = Circuit.of(heads([(7, 1)], at="end"), heads([(0, 2)], at="edn"))
    (missing, column) = refused(shape, tasks="a")
    assert missing.startswith('Circuit "circuit 1": ')
    assert "layer" in missing
    assert 'no position column "edn". The nearest is "end"' in column


def test_behaviours_of_two_models_are_refused() -> None:
    behaviours = [
        marks.behaviour("a", 20, model="marks-shared"),
        marks.behaviour("b", 20, model="marks-separate"),
    ]
    with pytest.raises(UserError) as caught:
        scrub.shared_circuits([circuit("marks-shared", "a")], behaviours, session=SESSION)
    assert str(caught.value) == (
        'b is about model "marks-separate", and a about "marks-shared". Circuits are tested on '
        "behaviours of one model: give model= (--model on the command line) where all can be "
        "about one."
    )


def test_arguments_that_make_no_sense_are_refused_at_once() -> None:
    a = circuit("marks-shared", "a")
    assert refused(a, random=-1, conventions="al") == [
        "random=-1. Give a whole number, 0 or more.",
        "conventions='al'. The nearest is \"all\"; there are: all, own.",
    ]
    with pytest.raises(UserError) as caught:
        scrub.shared_circuits(["a.json"], ["b"])  # type: ignore[list-item]
    assert len(caught.value.problems) == 2


def test_of_names_what_it_finds() -> None:
    found = on("marks-shared")
    assert isinstance(found.of("a", "b"), CircuitOn)
    with pytest.raises(KeyError):
        found.of("a", "d")
