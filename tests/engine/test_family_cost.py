"""What a family is predicted to take, held against what it takes; and what sharing saves."""

from __future__ import annotations

from functools import cache as once

import pytest
import torch
from attrs import evolve, frozen
from torch.utils.flop_counter import FlopCounterMode

from oracle.engines import graph_of_case, within
from scrub.data.dataset import Dataset
from scrub.datasets import ioi
from scrub.draw import draw
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import Budget
from scrub.engine.family import execute_family, plan_family
from scrub.engine.family_cost import fit_family, predict_family
from scrub.engine.plan import plan
from scrub.engine.steps import FamilyPlan
from scrub.errors import UserError
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Through, anything, heads, mlp, mlps, none, output
from scrub.hypothesis.tree import Tree, treeify, united
from scrub.model.graph import Graph
from scrub.model.registry import Model
from scrub.runner.session import Session
from scrub.samplers import Exact, Uncond
from support.allocated import Allocated
from support.families import random_family, sender_family

SAMPLES = 300
MEMORY = 35_000_000
"""Bytes: enough for the plain values of all rows, and for some of the samples at once."""


@once
def setting() -> tuple[Model, Dataset]:
    session = Session()
    model = session.load(session.describe("ioi-planted"), torch.float32, "cpu")
    return model, session.data(ioi.prompts(200, seed=0), model)


def senders(through: Through) -> list[Tree]:
    """The heads and MLPs of ioi-planted's first layers to the logits, each from another row."""
    found = []
    for sites in (
        *(heads([(1, head)], through=through) for head in range(4)),
        mlp(0, through=through),
        mlp(1, through=through),
    ):
        root = InterpNode("logits", Exact(), other=Exact())
        sender = root.child("sender", Uncond())
        found.append(treeify(Correspondence({root: output(at="end"), sender: sites})))
    return found


@frozen
class Seen:
    """Predicted over measured."""

    flops: float
    peak: float


def ratios(
    trees: list[Tree],
    graph: Graph,
    data: Dataset,
    budget: Budget,
    samples: int,
    *,
    columns: bool = False,
) -> Seen:
    planned = plan_family(trees, graph, columns=columns)
    draws = draw(united(trees), data, samples=samples, seed=0)
    predicted = predict_family(planned, draws, budget)
    with FlopCounterMode(display=False) as counter, Allocated() as allocated:
        for outputs in execute_family(planned, draws, ActivationCache(planned.graph), budget):
            for _ in outputs.batches():
                pass
            del outputs
    done = counter.get_total_flops()
    return Seen(
        flops=(predicted.flops + predicted.plain_flops) / done if done else 1.0,
        peak=predicted.peak / allocated.peak,
    )


@pytest.mark.parametrize(
    ("through", "columns"),
    [(none, True), (none, False), (mlps, False), (anything, False)],
    ids=["direct, of which columns are read", "direct", "mlps", "anything"],
)
@pytest.mark.parametrize(
    "budget",
    [Budget(SAMPLES, True, 64, 0), Budget(90, False, 64, 0)],
    ids=["at once", "forgetting plain values"],
)
def test_a_family_takes_what_is_predicted(through: Through, columns: bool, budget: Budget) -> None:
    model, data = setting()
    seen = ratios(senders(through), model.graph, data, budget, SAMPLES, columns=columns)
    assert seen.flops == pytest.approx(1, abs=0.02)
    assert seen.peak == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("seed", range(8))
def test_senders_that_are_computed_together_take_the_operations_that_are_predicted(
    seed: int,
) -> None:
    family = sender_family(seed)
    graph, budget = graph_of_case(family.case), evolve(within(50), min_batch=1 + seed)
    seen = ratios(family.trees, graph, family.case.data, budget, 50, columns=True)
    assert seen.flops == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("seed", range(20))
def test_random_families_take_the_operations_that_are_predicted(seed: int) -> None:
    family = random_family(seed)
    graph = graph_of_case(family.case)
    budget = evolve(within(50), min_batch=1 + seed)
    seen = ratios(family.trees, graph, family.case.data, budget, 50)
    assert seen.flops == pytest.approx(1, abs=0.02)


def test_what_members_share_is_planned_once() -> None:
    model, _ = setting()
    trees = senders(anything)
    alone = [len(plan(tree, model.graph).steps) for tree in trees]
    twice = plan_family([*trees, *trees], model.graph)
    assert len(twice.steps) == len(plan_family(trees, model.graph).steps) <= sum(alone)
    assert {member.result for member in twice.members[:6]} == {
        member.result for member in twice.members[6:]
    }


def test_a_memory_that_is_too_small_is_refused_and_one_that_fits_is_kept_to() -> None:
    model, data = setting()
    planned: FamilyPlan = plan_family(senders(anything), model.graph)
    draws = draw(united(senders(anything)), data, samples=SAMPLES, seed=0)
    cache = ActivationCache(planned.graph)
    with pytest.raises(UserError, match="is too little"):
        fit_family(planned, draws, cache, 10_000)
    small = fit_family(planned, draws, cache, MEMORY)
    assert small.chunk < SAMPLES
    with Allocated() as allocated:
        for outputs in execute_family(planned, draws, cache, small):
            for _ in outputs.members:
                pass
            del outputs
    assert allocated.peak <= MEMORY
