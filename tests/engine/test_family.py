"""Families: every member is what its own plan computes, and what members share is computed once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from attrs import evolve
from torch import Tensor

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.engines import ENGINE, graph_of_case, within
from scrub.draw import Draws, NodeDraw
from scrub.engine import merge
from scrub.engine.activations import ActivationCache
from scrub.engine.dependencies import sources
from scrub.engine.family import (
    FamilyOutputs,
    execute_family,
    plan_family,
    readable_after,
    released_after,
)
from scrub.engine.steps import FamilyPlan, SiteStep, Step, StreamStep
from support.difference import difference
from support.families import Family, random_family

TOLERANCE = 1e-9

laws = settings(
    max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
families = st.builds(random_family, st.integers(0, 2**32 - 1), nodes=st.integers(2, 8))


def planned(family: Family) -> FamilyPlan:
    return plan_family(family.trees, graph_of_case(family.case))


def outputs_of(
    plan: FamilyPlan, draws: Draws, chunk: int = 1000, *, keep_cache: bool = True, start: int = 0
) -> list[tuple[FamilyOutputs, dict[int, Tensor]]]:
    budget = within(chunk, keep_cache=keep_cache)
    found = execute_family(plan, draws, ActivationCache(plan.graph), budget, start=start)
    return [(outputs, dict(outputs.members)) for outputs in found]


def scrubbed(plan: FamilyPlan, draws: Draws) -> list[Tensor]:
    ((_, members),) = outputs_of(plan, draws)
    return [members[number] for number in range(len(plan.members))]


@laws
@given(family=families)
def test_every_member_is_what_its_own_plan_computes(family: Family) -> None:
    ((outputs, members),) = outputs_of(planned(family), family.draws())
    assert sorted(members) == list(range(len(family.members)))
    for number, tree in enumerate(family.trees):
        (alone,) = ENGINE.outputs(tree, family.draws(), graph_of_case(family.case))
        assert difference(members[number], alone.scrubbed) < TOLERANCE
        assert difference(outputs.original, alone.original) < TOLERANCE
        assert difference(outputs.baseline, alone.baseline) < TOLERANCE


@laws
@given(family=families)
def test_a_node_draws_in_a_family_what_it_draws_in_its_tree(family: Family) -> None:
    together = family.draws()
    for tree in family.trees:
        for path, alone in family.draws_of(tree).nodes.items():
            drawn = together.nodes[path]
            assert np.array_equal(drawn.own.index, alone.own.index)
            if alone.other is not None and drawn.other is not None:
                assert np.array_equal(drawn.other.index, alone.other.index)


@laws
@given(family=families)
def test_before_is_the_plain_root_on_its_other_input(family: Family) -> None:
    draws = family.draws()
    ((outputs, _),) = outputs_of(planned(family), draws)
    root = family.trees[0].path
    other = draws.nodes[root].other
    if other is None:
        assert outputs.before is None
        return
    leaf = evolve(family.trees[0], children=())
    nodes = {**draws.nodes, root: NodeDraw(other)}  # all of them: rows are as wide as the widest
    moved = Draws(draws.references, draws.baseline, nodes)
    (plain,) = ENGINE.outputs(leaf, moved, graph_of_case(family.case))
    assert outputs.before is not None
    assert difference(outputs.before, plain.scrubbed) < TOLERANCE


@laws
@given(family=families)
def test_no_two_steps_compute_the_same(family: Family) -> None:
    steps = planned(family).steps
    assert len(set(map(_bare, steps))) == len(steps)


def _bare(step: Step) -> Step:
    """A step without what says of what node and along which routes it came."""
    if isinstance(step, SiteStep):
        return evolve(step, node=(), state=frozenset())
    return evolve(step, node=(), routes=frozenset())


@laws
@given(family=families)
def test_the_order_of_the_members_changes_no_bit(family: Family) -> None:
    turned = evolve(family, members=family.members[::-1])
    one, other = (scrubbed(planned(f), f.draws()) for f in (family, turned))
    assert all(map(torch.equal, one, other[::-1]))


@laws
@given(family=families)
def test_chunks_and_cache_change_nothing(family: Family) -> None:
    plan, draws = planned(family), family.draws()
    whole = scrubbed(plan, draws)
    for chunk, keep_cache, start in ((1, True, 0), (2, True, 1), (2, False, 0)):
        parts = outputs_of(plan, draws, chunk, keep_cache=keep_cache, start=start)
        for number, value in enumerate(whole):
            found = torch.cat([members[number] for _, members in parts])
            assert difference(found, value[start:]) < TOLERANCE


@laws
@given(family=families)
def test_each_value_is_let_go_once_and_not_before_its_last_use(family: Family) -> None:
    plan = planned(family)
    gone = {step: after for after, steps in released_after(plan).items() for step in steps}
    assert sorted(gone) == list(range(len(plan.steps)))
    assert sum(map(len, released_after(plan).values())) == len(plan.steps)
    for number, step in enumerate(plan.steps):
        assert all(number <= gone[s.step] for s in sources(step) if s.step is not None)
    for after, members in readable_after(plan).items():
        cells = [cell for member in members for cell in plan.members[member].result.cells]
        read = [source.step for _, source in cells if source.step is not None]
        assert all(step <= after <= gone[step] for step in read)


MUTANTS: dict[str, Callable[[Step], object]] = {
    "reads": lambda step: evolve(step, reads=()) if isinstance(step, SiteStep) else step,
    "patches": lambda step: evolve(step, patches=()) if isinstance(step, StreamStep) else step,
    "base": lambda step: evolve(step, base=None) if isinstance(step, StreamStep) else step,
    "site": lambda step: evolve(step, site="") if isinstance(step, SiteStep) else step,
    "positions": lambda step: evolve(step, at="all"),
}


SEEN_IN = {"positions": (66,)}
"""Of what few families tell, one that does: it is tried first. The others are tried after it."""


@pytest.mark.parametrize("forgotten", MUTANTS)
def test_steps_that_differ_are_not_one(forgotten: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge that does not look at one thing gives some member another's value."""
    blind = MUTANTS[forgotten]
    computed = merge._computed
    monkeypatch.setattr(merge, "_computed", lambda step: computed(blind(step)))
    seeds = (*SEEN_IN.get(forgotten, ()), *reversed(range(100)))
    assert any(map(_differs, map(random_family, seeds))), forgotten


def _differs(family: Family) -> bool:
    draws, graph = family.draws(), graph_of_case(family.case)
    alone = [ENGINE.outputs(tree, draws, graph)[0].scrubbed for tree in family.trees]
    try:
        found = scrubbed(planned(family), draws)
        return any(difference(*pair) > TOLERANCE for pair in zip(found, alone, strict=True))
    except Exception:  # shapes that do not fit are a difference too
        return True
