"""Members that differ in one head are computed together, and each is what its own plan computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from attrs import evolve
from torch import Tensor

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.engines import graph_named, graph_of_case, within
from scrub.engine import compute, family, stack
from scrub.engine.activations import ActivationCache
from scrub.engine.execute import execute
from scrub.engine.family import TOGETHER, execute_family, plan_family
from scrub.engine.plan import plan
from scrub.engine.steps import FamilyPlan, StreamStep
from scrub.model.graph import Site, Where
from support.difference import difference
from support.families import Family, sender_family
from support.tiny_models import SHAPES

TOLERANCE = 1e-9
SEEDS = st.integers(0, 2**32 - 1)

laws = settings(
    max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def planned(of: Family) -> FamilyPlan:
    return plan_family(of.trees, graph_of_case(of.case), columns=True)


def roots(of: Family, chunk: int = 1000) -> list[Tensor]:
    """The members' roots, as they come in batches."""
    whole, parts = planned(of), []
    for outputs in execute_family(
        whole, of.draws(), ActivationCache(whole.graph), within(chunk, keep_cache=chunk > 2)
    ):
        found = {}
        for batch in outputs.batches():
            assert len(batch.members) <= TOGETHER
            each = batch.value.chunk(len(batch.members), dim=2)
            found |= dict(zip(batch.members, each, strict=True))
        parts.append([found[number] for number in range(len(whole.members))])
    return [torch.cat(values) for values in zip(*parts, strict=True)]


def alone(of: Family) -> list[Tensor]:
    """The members' roots, each from a plan of its own."""
    found = []
    for tree in of.trees:
        own = plan(tree, graph_of_case(of.case), columns=True)
        (outputs,) = execute(own, of.draws(), ActivationCache(own.graph), within(1000))
        found.append(outputs.scrubbed)
    return found


def together(of: Family) -> list[int]:
    """How many members each first step of a stack computes."""
    steps = planned(of).steps
    return [s.stacked for s in steps if isinstance(s, StreamStep) and s.stacked > 1]


@laws
@given(of=st.builds(sender_family, SEEDS))
def test_every_sender_is_what_its_own_plan_computes(of: Family) -> None:
    assert all(difference(*pair) < TOLERANCE for pair in zip(roots(of), alone(of), strict=True))


@laws
@given(of=st.builds(sender_family, SEEDS))
def test_the_order_of_the_members_changes_no_bit(of: Family) -> None:
    turned = evolve(of, members=of.members[::-1])
    assert all(map(torch.equal, roots(of), roots(turned)[::-1]))


@laws
@given(of=st.builds(sender_family, SEEDS))
def test_chunks_and_cache_change_nothing(of: Family) -> None:
    whole = roots(of)
    for chunk in (1, 5):
        pairs = zip(roots(of, chunk), whole, strict=True)
        assert all(difference(*pair) < TOLERANCE for pair in pairs)


def test_most_families_of_senders_have_stacks_of_all_sizes() -> None:
    sizes = [together(sender_family(seed)) for seed in range(60)]
    assert sum(map(bool, sizes)) > 30
    assert {size for found in sizes for size in found} == {2, 3, 4}


def test_at_most_so_many_are_together(monkeypatch: pytest.MonkeyPatch) -> None:
    five = next(of for of in map(sender_family, range(1000)) if together(of) == [4])
    right = roots(five)
    monkeypatch.setattr(family, "TOGETHER", 3)
    assert together(five) == [3]
    assert all(difference(*pair) < TOLERANCE for pair in zip(roots(five), right, strict=True))


@pytest.mark.parametrize("name", SHAPES)
def test_entries_of_a_site_that_says_so_are_computed_apart(name: str) -> None:
    graph = graph_named(name, torch.float64)
    sites = [site for site in graph.sites.values() if site.entrywise]
    assert {"logits_in", "logits_normed"} <= {site.name for site in sites}
    for site in sites:
        value = torch.randn(2, 3, 4, _size(graph.values[site.ports[0].source]), dtype=graph.dtype)
        where = Where(torch.zeros(0, dtype=torch.int64), torch.arange(3).expand(2, -1))
        whole = site.apply({site.ports[0].name: value}, where)
        each = [site.apply({site.ports[0].name: one}, where) for one in value.split(1, dim=2)]
        assert difference(whole, torch.cat(each, dim=2)) < TOLERANCE


def _size(value: Any) -> int:
    return value.size(3) if isinstance(value, Site) else value.size


def _plain_twice(real: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def read(chunk: Any, read: Any, step: Any, samples: Any) -> Tensor:
        value = real(chunk, read, step, samples)
        plain = real(chunk, evolve(read, difference=None), step, samples)
        return value + plain if step.stacked > 1 else value

    return read


def _everywhere(step: Any) -> Any:
    if isinstance(step, StreamStep):
        step = evolve(step, patches=tuple(evolve(patch, at="all") for patch in step.patches))
    return evolve(step, at="all")


MUTANTS: dict[str, tuple[Any, str, Callable[[Any], Any]]] = {
    "heads in another order": (
        stack,
        "_together",
        lambda real: (
            lambda chains, steps: list(
                zip(chains[0], dict(real([chains[0], *chains[:0:-1]], steps)).values(), strict=True)
            )
        ),
    ),
    "entries of another member": (
        compute,
        "difference_of",
        lambda real: lambda written, entry: real(written.roll(1, dims=2), entry),
    ),
    "what a head writes row by row is that of another": (
        compute,
        "write_each",
        lambda real: lambda *given: real(*given).roll(1, dims=2),
    ),
    "roots of another member": (
        stack,
        "_found",
        lambda real: (
            lambda result, place, entries: real(
                result,
                place,
                {root: (step, max(1 - entry, 0)) for root, (step, entry) in entries.items()},
            )
        ),
    ),
    "the plain stream is added twice": (compute, "_read_stream", _plain_twice),
    "steps at other positions are alike": (
        stack,
        "_but_for_the_head",
        lambda real: lambda chain, steps: real(chain, [_everywhere(step) for step in steps]),
    ),
    "what others read is stacked": (stack, "Counter", lambda real: lambda of: real(set(of))),
    "several heads are one": (
        stack,
        "_patched_head",
        lambda real: (
            lambda step, graph: real(
                evolve(step, patches=tuple(evolve(p, heads=p.heads[:1]) for p in step.patches))
                if isinstance(step, StreamStep)
                else step,
                graph,
            )
        ),
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_are_noticed(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, wrong = MUTANTS[mutant]
    monkeypatch.setattr(module, name, wrong(getattr(module, name)))
    assert any(map(_differs, map(sender_family, range(100))))


def _differs(of: Family) -> bool:
    try:
        return any(difference(*pair) > TOLERANCE for pair in zip(roots(of), alone(of), strict=True))
    except Exception:  # shapes that do not fit are a difference too
        return True
