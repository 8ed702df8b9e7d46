"""The benchmark of verdicts: what is marked of a claim, whether that is so, and what is counted."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from attrs import evolve
from validating.claims import Part, Planted, Told
from validating.falsehoods import UNREFUTABLE, falsehoods
from validating.marks import Mark, alike, marks
from validating.page import written
from validating.page_marks import surviving
from validating.population import Population
from validating.survivors import compared, why
from validating.trial import BOUND, Tried
from validating.wired_graphs import wired_graph
from validating.wired_transformers import ragged_transformer

import scrub
from scrub.data.dataset import Dataset
from scrub.results.result import Result
from scrub.runner.session import Session
from scrub.samplers import Agree


@functools.cache
def graph() -> Planted:
    """An algorithm each of whose nodes matters."""
    for seed in range(20):
        planted = wired_graph(np.random.default_rng(seed), "graph")
        exact, (truth,) = planted.exact, planted.truths
        assert exact is not None
        places = [place for place, _ in truth.walk() if place]
        coarse = [told[0].part for told in falsehoods(planted, truth, "coarser")]
        lost = [exact(truth.put(place, None)) for place in places if len(place) == 1]
        if len(places) >= 3 and max([*lost, *map(exact, coarse)]) < 0.8:
            return planted
    raise AssertionError


def population(part: Part) -> Population:
    exact = graph().exact
    assert exact is not None
    return Population(exact(part), 0.0)


def result_of(told: Told) -> Result:
    return scrub.run(graph().claim(told.part, BOUND), session=Session(), seed=0)


def marks_of(told: Told) -> tuple[Mark, ...]:
    return marks(told, result_of(told), population(told.part), BOUND, population)


@pytest.mark.parametrize("kind", UNREFUTABLE)
def test_what_no_scrub_can_refute_is_marked_at_the_mistake_and_rightly(kind: str) -> None:
    (truth,) = graph().truths
    (told, *_), *_ = falsehoods(graph(), truth, kind)
    found = marks_of(told)
    assert any(mark.here and mark.kind == kind for mark in found)
    for mark in found:
        assert mark.right
        assert mark.population > 0.95


def test_a_true_claim_each_of_whose_nodes_matters_is_not_marked() -> None:
    (truth,) = graph().truths
    assert marks_of(Told("true", "", truth)) == ()


def test_a_mark_is_wrong_where_the_claim_changed_as_it_says_recovers_less() -> None:
    """The mutant: a population in which what is marked does matter."""
    (truth,) = graph().truths
    for kind in UNREFUTABLE:
        (told, *_), *_ = falsehoods(graph(), truth, kind)
        result, whole = result_of(told), population(told.part)
        found = marks(told, result, whole, BOUND, lambda part: Population(BOUND - 0.01, 0.0))
        assert found
        assert not any(mark.right for mark in found)
        unknown = marks(told, result, whole, BOUND, lambda part: Population(BOUND - 0.01, 0.1))
        assert all(mark.right for mark in unknown)  # as far as is known


def test_finer_means_that_little_is_lost_not_that_the_bound_is_met() -> None:
    (truth,) = graph().truths
    (told, *_), *_ = falsehoods(graph(), truth, "finer")
    result, whole = result_of(told), population(told.part)
    for lost, right in ((0.04, True), (0.06, False)):
        changed = Population(whole.recovered - lost, 0.0)
        found = marks(told, result, whole, BOUND, lambda part, it=changed: it)
        assert [mark.right for mark in found if mark.kind == "finer"] == [right]


def alike_with(renamed: str) -> bool:
    """A head's feature, or what it reads, under another name: is the pair named?"""
    torch.set_num_threads(1)
    planted = ragged_transformer(np.random.default_rng(1), "ragged")
    (truth,) = planted.truths
    place = next(place for place, part in truth.walk() if place and len(part.children) == 1)
    part = truth.at(place)
    assert isinstance(part.sampler, Agree)
    (feature,) = part.sampler.features
    same = planted.data.columns[feature] + 10
    planted = evolve(planted, data=planted.data.with_columns(same=same))
    wrong = evolve(part, sampler=Agree((renamed,) if renamed == "same" else (feature, renamed)))
    told = Told("feature", "", truth.put(place, wrong), truth, place)
    result = scrub.run(planted.claim(told.part, BOUND), session=Session(), seed=0)
    assert result.judgement.verdict == "supported"
    return alike(told, result)


def test_a_wrong_node_whose_feature_divides_the_rows_as_anothers_is_known_by_the_result() -> None:
    assert alike_with("same")
    assert not alike_with("t0")


# How a mistake can be without effect

ROWS = Dataset(
    "rows",
    inputs={"x": np.arange(6.0)},
    lengths=np.ones(6, dtype=np.int64),
    columns={
        "f": [0, 0, 1, 1, 2, 2],
        "renamed": list("bbccaa"),
        "finer": [0, 1, 2, 2, 3, 3],
        "coarser": [0, 0, 0, 0, 1, 1],
        "other": [0, 1, 0, 1, 0, 1],
    },
)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("renamed", "renamed divides these rows as f does: only rows in which they differ tell"),
        ("finer", "finer determines f in these rows"),
        ("coarser", "f determines coarser, and the rest of it is not needed"),
        ("other", ""),
    ],
)
def test_two_features_are_compared_by_how_they_divide_the_rows(said: str, words: str) -> None:
    assert compared(ROWS, ["f"], [said]) == words


def test_why_is_said_of_the_node_that_is_wrong() -> None:
    (truth,) = graph().truths
    child = evolve(truth.children[0], sampler=Agree("f"))
    story = evolve(truth, children=(child, *truth.children[1:]))
    wrong = evolve(child, sampler=Agree("renamed"))
    told = Told("feature", "", story.put((0,), wrong), story, (0,))
    assert "only rows in which they differ" in why(ROWS, told, 1.0)
    missing = Told("missing", "", story.put((0,), None), story)
    assert why(ROWS, missing, 0.97) == "what is left out is worth 0.0300 in these rows"
    added = Told("idle", "", evolve(story, children=(*story.children, child)), story, (2,))
    assert why(ROWS, added, 1.0) == ""
    assert why(ROWS, Told("true", "", story), 1.0) == ""


# What is counted

IDLE = Mark("idle", "n", "", True, 1.0, True)


def one(kind: str, population: float, verdict: str, *found: Mark, near: bool = False) -> Tried:
    return Tried(
        "graphs", "graph 0", kind, "what", population, 0.0, population, population - 0.01,
        population + 0.01, verdict, near, None, found,
    )  # fmt: skip


def test_the_page_counts_what_is_near_the_bound_supported_and_marked() -> None:
    page = written(
        [
            one("true", 1.0, "supported"),
            one("true", 1.0, "supported", evolve(IDLE, right=False, population=0.5)),
            one("node", 0.2, "refuted"),
            one("half-right", 0.85, "inconclusive", near=True),
            one("half-right", 0.87, "supported", near=True),
            one("idle", 1.0, "supported", IDLE),
            one("finer", 1.0, "supported"),
        ],
        "command",
        60.0,
    )
    assert "100.0% supported (≥ 99%), 50.0% marked wrongly (< 1%)" in page
    assert "| false, refutable | 1 | 0 | 1 | 0 | 0 | 0 | 100.0% refuted (≥ 95%) |" in page
    assert "| false, not refutable | 2 | 2 | 0 | 0 | 0 | 1 |  |" in page
    assert "2 false claims have a population of 0.8 to 0.9" in page
    assert "50.0% of them are supported" in page
    assert "*Of all 5 false claims* 3 are supported (60.0%)" in page
    assert "marked are 2 (40.0%)" in page
    assert "| graph 0 | what | 1.0000 | idle n | 0.5000 |" in page


def test_survivors_that_rows_can_tell_and_nothing_marks_are_counted() -> None:
    page = surviving(
        [
            one("idle", 1.0, "supported", IDLE),
            one("finer", 1.0, "supported"),
            one("feature", 1.0, "supported"),
            one("feature", 0.95, "supported"),
            one("feature", 0.2, "refuted"),
        ]
    )
    assert "can tell from the truth (3), 2 are supported and not marked" in page
    assert "one by one (3)" in page


def test_marks_do_not_hang_on_the_order_of_children() -> None:
    """The place of a mistake is told by names, and siblings are ordered by name in the tree."""
    (truth,) = graph().truths
    backwards = evolve(truth, children=truth.children[::-1])
    (told, *_), *_ = falsehoods(graph(), backwards, "finer")
    assert any(mark.here for mark in marks_of(told))
