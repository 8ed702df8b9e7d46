"""Trees that differ in one head are lowered once, to what each of them is lowered to by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.engines import graph_of_case
from scrub.engine import by_head
from scrub.engine.by_head import lower_family
from scrub.engine.lower import lower
from scrub.engine.specialise import specialise_family
from scrub.engine.steps import SiteStep, Step
from scrub.engine.walks import Walks
from support.families import Family, random_family, sender_family

SEEDS = st.integers(0, 2**32 - 1)
laws = settings(
    max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def computes(step: Step) -> Step:
    """A step, but for how it came about."""
    if isinstance(step, SiteStep):
        return evolve(step, state=frozenset())
    return evolve(step, routes=frozenset())


def differs(of: Family) -> bool:
    trees, graph = specialise_family(of.trees, graph_of_case(of.case))
    walks = Walks.below(trees, graph)
    found = list(lower_family(trees, graph, walks))
    alone = [lower(tree, graph, walks) for tree in trees]
    return any(
        (tuple(map(computes, steps)), result) != (tuple(map(computes, own)), result_of_own)
        for (steps, result), (own, result_of_own) in zip(found, alone, strict=True)
    )


@laws
@given(of=st.builds(sender_family, SEEDS) | st.builds(random_family, SEEDS))
def test_each_tree_has_the_steps_that_it_has_by_itself(of: Family) -> None:
    assert not differs(of)


def lowered(of: Family, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many trees are lowered by themselves."""
    count: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(by_head, "lower", lambda *given: count.append(given) or lower(*given))
        trees, graph = specialise_family(of.trees, graph_of_case(of.case))
        list(lower_family(trees, graph, Walks.below(trees, graph)))
    return len(count)


def test_fewer_are_lowered_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    families = [sender_family(seed) for seed in range(40)]
    assert any(lowered(of, monkeypatch) < len(of.members) for of in families)


MUTANTS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "the first head for all": lambda cell, first, step: step,
    "the head before": lambda cell, first, step: _of(
        evolve(cell, head=max(cell.head - 1, 0)), first, step
    ),
}
_of = by_head._of


@pytest.mark.parametrize("name", MUTANTS)
def test_another_head_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_head, "_of", MUTANTS[name])
    assert any(differs(sender_family(seed)) for seed in range(40))
