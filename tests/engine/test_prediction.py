"""What a run is predicted to do, held against what it does: operations and bytes."""

from __future__ import annotations

from functools import cache as once
from typing import Any

import pytest
import torch
from attrs import evolve, frozen
from torch.utils.flop_counter import FlopCounterMode

from oracle.engines import graph_of_case, within
from scrub.data.dataset import Dataset
from scrub.draw import Draws, draw
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import Budget
from scrub.engine.execute import execute
from scrub.engine.plan import plan
from scrub.engine.prediction import predict
from scrub.hypothesis.collect import collect
from scrub.hypothesis.tree import Tree, treeify
from scrub.model.graph import Graph
from scrub.runner.options import Options
from scrub.runner.prepare import prepare
from scrub.runner.session import Session
from support.allocated import Allocated
from support.generator import numbered_case

SAMPLES = 400


@frozen
class Seen:
    """Predicted over measured."""

    flops: float
    peak: float


def ratios(tree: Tree, graph: Graph, draws: Draws, budget: Budget, *, columns: bool) -> Seen:
    planned = plan(tree, graph, columns=columns)
    predicted = predict(planned, draws, budget)
    with FlopCounterMode(display=False) as counter, Allocated() as allocated:
        for output in execute(planned, draws, ActivationCache(planned.graph), budget):
            del output
    done = counter.get_total_flops()
    return Seen(
        flops=(predicted.flops + predicted.plain_flops) / done if done else 1.0,
        peak=predicted.peak / allocated.peak,
    )


@once
def claims() -> dict[str, Any]:
    session = Session()
    options = Options(samples=SAMPLES)
    found = prepare(collect(("hypotheses/ioi_claim3.py",)), session, options)
    return {p.claim.name: (p, session.load(p.model, torch.float32, "cpu")) for p in found}


@pytest.mark.parametrize("columns", [True, False], ids=["label columns", "all logits"])
@pytest.mark.parametrize(
    "budget",
    [Budget(SAMPLES, True, 64, 0), Budget(150, True, 16, 0), Budget(90, False, 64, 0)],
    ids=["at once", "in chunks", "forgetting plain values"],
)
@pytest.mark.parametrize("name", ["by_position", "whole_circuit"])
def test_a_claim_does_what_is_predicted(name: str, budget: Budget, columns: bool) -> None:
    prepared, model = claims()[name]
    draws = draw(prepared.tree, prepared.data, samples=SAMPLES, seed=0)
    seen = ratios(prepared.tree, model.graph, draws, budget, columns=columns)
    assert seen.flops == pytest.approx(1, abs=0.01)
    assert seen.peak == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("seed", range(30))
def test_random_hypotheses_take_the_operations_that_are_predicted(seed: int) -> None:
    """Every family, port and sampler; no splits, whose projections are not counted apart."""
    case = numbered_case(seed)
    data: Dataset = case.data
    tree = treeify(case.correspondence)
    draws = draw(tree, data, samples=50, seed=seed)
    budget = evolve(within(50), min_batch=1 + seed)
    seen = ratios(tree, graph_of_case(case), draws, budget, columns=False)
    assert seen.flops == pytest.approx(1, abs=0.01)


def test_what_samples_share_is_counted_once() -> None:
    """The prediction must not be that of samples that have nothing in common."""
    prepared, model = claims()["by_position"]
    planned = plan(prepared.tree, model.graph)
    few = draw(prepared.tree, prepared.data, samples=100, seed=0)
    many = draw(prepared.tree, prepared.data, samples=3_000, seed=0)
    budget = Budget(3_000, True, 64, 0)
    less, more = predict(planned, few, budget), predict(planned, many, budget)
    assert more.plain_flops < 10 * less.plain_flops
    assert more.flops < 30 * less.flops
