"""A claim is planned, drawn and fingerprinted once, whatever is announced, run and diagnosed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import scrub
from scrub import Agree, Generate, Input, Uncond
from scrub.hypothesis.collect import Collected, collect, load
from scrub.runner import planned
from scrub.runner.context import Context
from scrub.runner.diagnoses import Diagnoses
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.options import Options
from scrub.runner.outputs import Outputs
from scrub.runner.planned import Planned, plan_claim, plan_variant
from scrub.runner.prepare import Prepared, prepare
from scrub.runner.progress import Silent
from scrub.runner.session import Session
from scrub.runner.suite import run_claims
from scrub.samplers import Exact
from support.command import ROOT, SUMS


class Calls:
    """Counts calls, by the tree that they are about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trees: dict[str, list[Any]] = {"plan": [], "draw": [], "fingerprint": []}
        planned_by = self._counted("plan", planned.plan)
        drawn_by = self._counted("draw", planned.draw)
        monkeypatch.setattr("scrub.runner.planned.plan", planned_by)
        monkeypatch.setattr("scrub.runner.planned.draw", drawn_by)
        monkeypatch.setattr("scrub.runner.variants.draw", drawn_by)
        of = Fingerprints.of

        def fingerprint(self_: Any, prepared: Prepared, *arguments: Any) -> str:
            self.trees["fingerprint"].append(prepared.tree)
            return of(self_, prepared, *arguments)

        monkeypatch.setattr(Fingerprints, "of", fingerprint)

    def _counted(self, name: str, called: Callable[..., Any]) -> Callable[..., Any]:
        def counted(tree: Any, *arguments: Any, **options: Any) -> Any:
            self.trees[name].append(tree)
            return called(tree, *arguments, **options)

        return counted

    def most(self, name: str) -> int:
        """How often it was called for one tree, at most."""
        return max(Counter(map(id, self.trees[name])).values())


def ready(target: str, **options: Any) -> tuple[list[Prepared], Context]:
    context = Context(Session(), Options(**options))
    claims = prepare(collect([f"{ROOT / target}"]), context.session, context.options)
    return claims, context


@pytest.mark.parametrize("every", [True, None])
def test_claims_and_their_variants_are_planned_drawn_and_fingerprinted_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, every: bool | None
) -> None:
    calls = Calls(monkeypatch)
    claims, context = ready(SUMS, samples=60, alone=True)
    wanted = Diagnoses(nulls=3, conventions=every, specificity=bool(every), blame=bool(every))
    outcome = run_claims(claims, context, Outputs(tmp_path), wanted)
    assert len(outcome.results) == len(claims)
    assert {name: calls.most(name) for name in calls.trees} == dict.fromkeys(calls.trees, 1)
    own = {id(claim.tree) for claim in claims}
    assert own <= {id(tree) for tree in calls.trees["plan"]}
    drawn, fingerprinted = ({id(t) for t in calls.trees[n]} for n in ("draw", "fingerprint"))
    assert own < fingerprinted <= drawn


def test_all_claims_are_planned_before_the_first_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = Calls(monkeypatch)
    claims, context = ready(SUMS, samples=60)
    planned_before: list[int] = []

    class Watching(Silent):
        def advance(self, samples: int) -> None:
            planned_before.append(len(calls.trees["draw"]))

    run_claims(claims, evolve(context, progress=Watching()), Outputs(tmp_path))
    assert planned_before[0] == len(claims)


def test_a_generate_function_makes_each_input_once(tmp_path: Path) -> None:
    sums, made = load(ROOT / SUMS), []

    def flipped(reference: Input, generator: Any) -> Input:
        made.append(reference)
        return reference.but(y=1 - reference.inputs["y"])

    @scrub.claim(data=sums.DATA, metric=sums.ERROR)
    def generated(model: Any) -> scrub.Correspondence:
        """The product carries nothing of y."""
        return sums.product_is(Generate(flipped))

    context = Context(Session(), Options(samples=50))
    claims = prepare([Collected("", generated, sums.MODEL)], context.session, context.options)
    made.clear()  # checking the sampler's laws makes some
    run_claims(claims, context, Outputs(tmp_path), Diagnoses(nulls=None, conventions=None))
    assert len(made) == 50


def test_a_variant_with_the_claims_sites_has_its_plan() -> None:
    (claim,), context = ready(f"{SUMS}::by_hand", samples=40)
    planned_claim = plan_claim(claim, context)

    def sampled(tree: Any, sampler: Any) -> Any:
        children = tuple(sampled(child, sampler) for child in tree.children)
        return evolve(tree, node=evolve(tree.node, sampler=sampler), children=children)

    def variant(tree: Any) -> Planned:
        return plan_variant(planned_claim, evolve(claim, tree=tree), context)

    for sampler in (Exact(), Uncond(), Agree(["out"])):
        assert variant(sampled(claim.tree, sampler)).plan is planned_claim.plan
    fewer = evolve(claim.tree, children=())
    assert variant(fewer).plan is not planned_claim.plan
    assert planned_claim.cost is not None
    assert variant(claim.tree).cost is None
