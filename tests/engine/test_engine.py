"""The engine against the reference evaluator, and the laws of the semantics: random hypotheses."""

from __future__ import annotations

import functools

import pytest
import torch
from attrs import evolve
from torch import Tensor

from hypothesis import HealthCheck, given, settings
from oracle.engines import (
    ENGINE,
    MUTANTS,
    VIRTUAL_MUTANTS,
    Engine,
    graph_of_case,
    mutated,
    within,
)
from scrub.draw import Draws, draw
from scrub.engine.activations import ActivationCache
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.tree import Tree, treeify
from scrub.reference import evaluate, evaluate_graph
from scrub.samplers import Exact, Uncond
from support.difference import difference
from support.generator import Case, numbered_case, random_hypotheses
from support.resampling import resampled

TOLERANCE = 1e-9
"""Relative to the largest output, in float64 (docs/semantics.md, Laws)."""
EXAMPLES = 1_000
"""Cases in which a mutant is looked for; a mutant that is caught is caught within some 100."""
PARTS = 4
"""Tests that share the comparison, so that two processes can."""

laws = settings(
    max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def drawn(case: Case) -> tuple[Tree, Draws]:
    tree = treeify(case.correspondence)
    return tree, draw(tree, case.data, samples=case.samples, seed=case.seed)


@pytest.mark.parametrize("part", range(PARTS))
@settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(case=random_hypotheses())
def test_engine_equals_reference_evaluator(part: int, case: Case) -> None:
    _, draws = drawn(case)
    expected = evaluate(case.correspondence, draws, case.bridge)
    assert difference(ENGINE.scrub(case, draws), expected) < TOLERANCE


@laws
@given(case=random_hypotheses())
def test_engine_equals_the_evaluator_on_the_graph(case: Case) -> None:
    _, draws = drawn(case)
    expected = evaluate_graph(case.correspondence, draws, graph_of_case(case))
    assert difference(ENGINE.scrub(case, draws), expected) < TOLERANCE


@laws
@given(case=random_hypotheses())
def test_all_exact_equals_the_plain_model(case: Case) -> None:
    exact = resampled(case, lambda node: (Exact(), Exact()))
    tree, draws = drawn(exact)
    (output,) = ENGINE.outputs(tree, draws, graph_of_case(case))
    assert difference(output.scrubbed, output.original) < TOLERANCE


@laws
@given(case=random_hypotheses())
def test_root_uncond_equals_the_baseline_on_the_same_draws(case: Case) -> None:
    alone = {node: s for node, s in case.correspondence.sites.items() if not node.parents}
    single = resampled(
        evolve(case, correspondence=Correspondence(alone)), lambda node: (Uncond(), Exact())
    )
    tree, draws = drawn(single)
    draws = evolve(draws, baseline=draws.nodes[tree.path].own)
    (output,) = ENGINE.outputs(tree, draws, graph_of_case(case))
    assert torch.equal(output.scrubbed, output.baseline)


@laws
@given(case=random_hypotheses())
def test_the_order_of_writing_changes_no_bit(case: Case) -> None:
    _, draws = drawn(case)
    backwards = Correspondence(dict(reversed(case.correspondence.sites.items())))
    turned = evolve(case, correspondence=backwards)
    _, again = drawn(turned)
    assert torch.equal(ENGINE.scrub(case, draws), ENGINE.scrub(turned, again))


@laws
@given(case=random_hypotheses())
def test_the_same_run_gives_the_same_bits(case: Case) -> None:
    _, draws = drawn(case)
    assert torch.equal(ENGINE.scrub(case, draws), ENGINE.scrub(case, draws))


@laws
@given(case=random_hypotheses())
def test_chunks_and_cache_change_nothing(case: Case) -> None:
    tree, draws = drawn(case)
    whole = ENGINE.scrub(case, draws)
    planned = ENGINE.plan(tree, graph_of_case(case))
    warm = ActivationCache(planned.graph)
    warm.fill(draws.baseline, max(rows.data.width for rows in draws.rows()), ["resid_pre.1"])
    for budget in (within(1), within(2), within(100), within(2, keep_cache=False)):
        outputs = ENGINE.execute(planned, draws, warm, budget)
        assert difference(torch.cat([o.scrubbed for o in outputs]), whole) < TOLERANCE


@laws
@given(case=random_hypotheses())
def test_single_precision_is_within_its_tolerance(case: Case) -> None:
    _, draws = drawn(case)
    expected = evaluate(case.correspondence, draws, case.bridge)
    found = ENGINE.scrub(case, draws, dtype=torch.float32)
    assert difference(found, expected) < 1e-4


@pytest.mark.parametrize("name", [*MUTANTS, *VIRTUAL_MUTANTS])
def test_every_mutant_is_caught(name: str) -> None:
    """An engine with one changed line differs from the reference evaluator on some random case."""
    mutant = mutated(name)
    assert any(_differs(mutant, seed) for seed in range(EXAMPLES)), name


def _differs(mutant: Engine, seed: int) -> bool:
    draws, right = _right(seed)
    return difference(mutant.scrub(numbered_case(seed), draws), right) > TOLERANCE


@functools.cache
def _right(seed: int) -> tuple[Draws, Tensor]:
    """The engine's value, which is the reference evaluator's by the property above."""
    case = numbered_case(seed)
    _, draws = drawn(case)
    return draws, ENGINE.scrub(case, draws)
