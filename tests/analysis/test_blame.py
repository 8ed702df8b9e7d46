"""Blame on graphs where it is known by hand: swaps that add up, make up for each other, back up."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import Correspondence, Dataset, Exact, InterpNode, Uncond, claim, site
from scrub.analysis.blame import (
    Blame,
    Swap,
    keeping,
    swaps,
    worst,
)
from scrub.hypothesis.claim import Claim
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.model.graph import Graph
from scrub.results.result import Result
from scrub.runner.diagnoses import Diagnoses
from scrub.samplers import Fixed
from scrub.stats.intervals import Interval
from scrub.stats.scores import Scores
from support.diagnosed import diagnosed

A, B = np.arange(1.0, 9), np.array([3.0, 1, 4, 1, 5, 9, 2, 6])
ZERO = 8
"""The row in which a and b are 0; no reference is drawn from it that matters: it loses nothing."""
VALUES = {"a": np.append(A, 0), "b": np.append(B, 0)}
TO_ZERO = Fixed([ZERO] * 9)


def same(value: Any) -> Any:
    return value


def model(out: Callable[[Any, Any], Any], left: str = "a", right: str = "b") -> Graph:
    """out(left, right), where each is one of the inputs."""
    return graph(
        source("a"),
        source("b"),
        node("left", same, value=left),
        node("right", same, value=right),
        node("out", out, first="left", second="right"),
    )


def run(
    graph: Graph, build: Callable[[Any], Correspondence], out: Callable[..., Any], **options: Any
) -> Result:
    """The claim's result with blame; the metric is how far the output is from the reference's."""
    data = Dataset(
        "numbers", inputs=VALUES, lengths=np.ones(9, dtype=int), columns={"out": out(**VALUES)}
    )

    def distance(value: Any, references: Any) -> Any:
        return np.abs(value.numpy() - references.feature("out"))

    made: Claim = claim(data=data, metric=custom(distance, higher_is_better=False))(build)
    return diagnosed(made, graph, Diagnoses(blame=True), **{"samples": 100, **options})


def blamed(result: Result) -> Blame:
    assert result.diagnosis is not None
    assert result.diagnosis.blame is not None
    return result.diagnosis.blame


def both_to_zero(model: Any) -> Correspondence:
    """Two leaves, each swapped for the row of zeros."""
    out = InterpNode("out", Exact(), other=Exact())
    left, right = out.child("left", TO_ZERO), out.child("right", TO_ZERO)
    return Correspondence({out: site("out"), left: site("left"), right: site("right")})


def shares(result: Result, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> float:
    """By hand: mean change of the metric over the mean of baseline − original, which is 0."""
    row = result.draws.references.index
    return float(change(VALUES["a"][row], VALUES["b"][row]).mean() / result.scores.baseline.mean())


def means(*intervals: Interval) -> list[float]:
    return [found.mean for found in intervals]


# By hand


def sum_by_hand() -> None:
    """out = a + b: each swap loses its own summand, in whatever order."""
    result = run(model(lambda first, second: first + second), both_to_zero, lambda a, b: a + b)
    left, right = blamed(result).swaps
    assert [left.swap.path, right.swap.path] == [("out", "left"), ("out", "right")]
    a, b = shares(result, lambda a, b: a), shares(result, lambda a, b: b)
    assert means(left.alone, left.last, left.step) == pytest.approx([a, a, a], abs=1e-12)
    assert means(right.alone, right.last, right.step) == pytest.approx([b, b, b], abs=1e-12)
    assert blamed(result).total.mean == pytest.approx(a + b, abs=1e-12)
    assert left.alone.low < a < left.alone.high


def test_a_sum() -> None:
    sum_by_hand()


def test_a_sum_that_is_always_zero_is_undefined() -> None:
    graph = model(lambda first, second: first - second, "a", "a")
    result = run(graph, both_to_zero, lambda a, b: 0 * a)
    assert result.recovered.reason, "the output is always 0: baseline and original are equal"


def difference_by_hand() -> None:
    """out = 2a − a: to zero alone, the first loses 2a and the second a; together they lose a."""
    graph = model(lambda first, second: 2 * first - second, "a", "a")
    result = run(graph, both_to_zero, lambda a, b: a)
    left, right = blamed(result).swaps
    a = shares(result, lambda a, b: a)
    assert means(left.alone, left.last, left.step) == pytest.approx([2 * a, 0, 2 * a], abs=1e-12)
    assert means(right.alone, right.last, right.step) == pytest.approx([a, -a, -a], abs=1e-12)
    assert blamed(result).total.mean == pytest.approx(a, abs=1e-12)


def test_swaps_that_make_up_for_each_other() -> None:
    difference_by_hand()


def test_swaps_that_back_each_other_up() -> None:
    """out = max(a, a): each swap alone loses nothing, and all that is lost last."""
    import torch

    graph = model(lambda first, second: torch.maximum(first, second), "a", "a")
    result = run(graph, both_to_zero, lambda a, b: a)
    left, right = blamed(result).swaps
    a = shares(result, lambda a, b: a)
    assert means(left.alone, left.last, left.step) == pytest.approx([0, a, 0], abs=1e-12)
    assert means(right.alone, right.last, right.step) == pytest.approx([0, a, a], abs=1e-12)
    assert left.alone.low < 0 < left.alone.high  # 100 references do not rule out rare failures


def test_other_inputs_are_a_swap_of_their_own() -> None:
    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=TO_ZERO)
        left = out.child("left", Exact())
        return Correspondence({out: site("out"), left: site("left")})

    result = run(model(lambda first, second: first + second), build, lambda a, b: a + b)
    (loss,) = blamed(result).swaps
    assert loss.swap == Swap(("out",), "other")
    b = shares(result, lambda a, b: b)
    assert means(loss.alone, loss.last, loss.step) == pytest.approx([b, b, b], abs=1e-12)


def test_paths_by_site() -> None:
    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Exact())
        both = out.child("both", TO_ZERO)
        return Correspondence({out: site("out"), both: site("left") | site("right")})

    result = run(model(lambda first, second: first + second), build, lambda a, b: a + b)
    (loss,) = blamed(result).swaps
    a, b = shares(result, lambda a, b: a), shares(result, lambda a, b: b)
    found = {path.route.cells[0].site: means(path.alone, path.last) for path in loss.paths}
    assert found == {
        "left": pytest.approx([a, a], abs=1e-12),
        "right": pytest.approx([b, b], abs=1e-12),
    }


def test_paths_by_port() -> None:
    """2·first − second, both of one site: told apart by the port that a path enters."""
    both = graph(
        source("a"),
        source("b"),
        node("mid", same, value="a"),
        node("out", lambda first, second: 2 * first - second, first="mid", second="mid"),
    )

    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Exact())
        return Correspondence({out: site("out"), out.child("mid", TO_ZERO): site("mid")})

    result = run(both, build, lambda a, b: a)
    (loss,) = blamed(result).swaps
    a = shares(result, lambda a, b: a)
    found = {min(path.route.into or ()): means(path.alone, path.last) for path in loss.paths}
    assert found == {
        "first": pytest.approx([2 * a, 0], abs=1e-12),
        "second": pytest.approx([a, -a], abs=1e-12),
    }


def test_one_path_is_not_divided_nor_paths_that_run_through_each_other() -> None:
    chain = graph(
        source("a"),
        source("b"),
        node("first", same, value="a"),
        node("second", lambda x, y: x + y, x="first", y="b"),
        node("out", same, value="second"),
    )

    def claims(sites: Any) -> Callable[[Any], Correspondence]:
        def build(model: Any) -> Correspondence:
            out = InterpNode("out", Exact(), other=Exact())
            return Correspondence({out: site("out"), out.child("x", TO_ZERO): sites})

        return build

    from scrub import anything

    one = site("second")
    nested = site("second") | site("first", through=anything)
    for sites in (one, nested):
        (loss,) = blamed(run(chain, claims(sites), lambda a, b: a + b)).swaps
        assert loss.paths == ()


# Laws


def test_all_exact_loses_nothing() -> None:
    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Exact())
        left = out.child("left", Exact())
        return Correspondence({out: site("out"), left: site("left")})

    found = blamed(run(model(lambda first, second: first * second), build, lambda a, b: a * b))
    assert (found.total, found.swaps, found.worst) == (Interval(0, 0, 0), (), ())


row_maps = st.lists(st.integers(0, 8), min_size=9, max_size=9).map(Fixed)
samplers = st.one_of(st.builds(Uncond), st.builds(Exact), row_maps)


@given(
    tops=st.tuples(samplers, samplers), below=st.tuples(samplers, samplers), seed=st.integers(0, 9)
)
@settings(deadline=None, max_examples=12)
def test_steps_add_up_to_the_total(
    tops: tuple[Any, Any], below: tuple[Any, Any], seed: int
) -> None:
    def build(model: Any) -> Correspondence:
        out = InterpNode("out", tops[0], other=tops[1])
        left = out.child("left", below[0], other=below[1])
        a = left.child("a", below[1])
        return Correspondence({out: site("out"), left: site("left"), a: site("a")})

    graph = model(lambda first, second: first * second)
    result = run(graph, build, lambda a, b: a * b, seed=seed, samples=30)
    found = blamed(result)
    assert sum(loss.step.mean for loss in found.swaps) == pytest.approx(found.total.mean, abs=1e-9)
    assert found.total.mean == pytest.approx(1 - result.recovered.mean, abs=1e-9)
    if len(found.swaps) == 1:
        (only,) = found.swaps
        assert only.alone == only.last == only.step == found.total


def test_keeping_all_swaps_or_none() -> None:
    result = run(model(lambda first, second: first + second), both_to_zero, lambda a, b: a + b)
    every = swaps(result.tree)
    assert swaps(keeping(result.tree, every)) == every
    assert swaps(keeping(result.tree, ())) == ()
    assert swaps(keeping(result.tree, every[:1])) == every[:1]


# Mutants of which the sum by hand must hear


def _always_all(tree: Any, kept: Collection[Swap]) -> Any:
    return tree


def _the_others(tree: Any, kept: Collection[Swap]) -> Any:
    at_the_root = len(tree.path) == 1  # `keeping` calls itself below, and so the mutant
    return keeping(tree, set(swaps(tree)) - set(kept) if at_the_root else kept)


def _none(tree: Any, kept: Collection[Swap]) -> Any:
    return keeping(tree, ())


def _by_hand() -> None:
    sum_by_hand()
    difference_by_hand()


@pytest.mark.parametrize("mutant", [_always_all, _the_others, _none])
def test_mutants_are_caught(mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrub.analysis.blame.keeping", mutant)
    with pytest.raises(AssertionError):
        _by_hand()


# The rows that lose most


def test_worst_samples_move_towards_the_baseline_and_come_once_a_row() -> None:
    numbers = Scores(
        original=np.array([5.0, 5, 5, 5, 5]),
        scrubbed=np.array([1.0, 2, 9, 0, 4]),
        baseline=np.array([0.0, 0, 0, 0, 9]),
    )
    rows = np.array([7, 8, 9, 7, 3])
    assert worst(numbers, rows, 9) == (3, 1, 4)  # sample 0 is row 7 again; sample 2 gains
    assert worst(numbers, rows, 1) == (3,)
    flipped = Scores(-numbers.original, -numbers.scrubbed, -numbers.baseline)
    assert worst(flipped, rows, 9) == (3, 1, 4)
