"""Claims about effects, whole: their numbers by hand, verdicts, vacuity, and their reports."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import scrub
from oracle.results_schema import wrong
from scrub import (
    Agree,
    Claim,
    Correspondence,
    Exact,
    InterpNode,
    Mean,
    Paired,
    Uncond,
    UserError,
    Zero,
    anything,
    lowers,
    raises,
    refuted,
    site,
    supported,
    unchanged,
)
from scrub.analysis import vacuity
from scrub.data.dataset import Dataset
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.report.console import terminal
from scrub.report.terminal import show
from scrub.results.comparison import compare
from scrub.results.diagnosis_json import diagnoses_as_json
from scrub.results.doubts import doubts
from scrub.results.json import as_json
from scrub.samplers import Sampler

MODEL = graph(
    source("x"),
    source("y"),
    source("one"),
    node("twice", lambda a: 2 * a, a="x"),
    node("dead", lambda a: 0 * a, a="one"),
    node("out", lambda terms: terms, terms=["twice", "y", "dead"]),
)
"""out = 2x + y + 0·one."""
X, Y = np.arange(8) % 4, np.arange(8) // 4
DATA = Dataset(
    "numbers",
    {"x": X, "y": Y, "one": np.ones(8, int)},
    np.ones(8, dtype=int),
    columns={"x": X, "y": Y, "even": X % 2, "pair": X},
)
"""The two rows of a pair have one x, and y 0 and 1."""
OUT = custom(lambda out, references: out, higher_is_better=True)
HALF = custom(lambda out, references: out / 2, higher_is_better=True)


def made(
    expect: Any,
    child: Sampler,
    other: Sampler,
    where: str = "twice",
    metric: Any = OUT,
    name: str = "hypothesis",
) -> Claim:
    def hypothesis(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=other)
        below = out.child("below", child)
        return Correspondence({out: site("out"), below: site(where, through=anything)})

    return Claim(name, hypothesis, DATA, metric, expect, MODEL)


def run(*given: Any, samples: int = 200, **more: Any) -> scrub.Result:
    return scrub.run(made(*given, **more), samples=samples, diagnose=False)


# By hand


def test_restoring_is_what_the_child_brings() -> None:
    """The model on another row, with the reference's 2x in it."""
    found = run(raises(by=0.1), Exact(), Uncond())
    reference, other = found.draws.references.index, found.draws.nodes["out",].other
    assert other is not None
    before = 2 * X[other.index] + Y[other.index]
    after = 2 * X[reference] + Y[other.index]
    frame = found.frame
    assert frame["before"].tolist() == before.tolist()
    assert frame["scrubbed"].tolist() == after.tolist()
    assert found.kind == "effect"
    assert found.effect is not None
    assert found.effect.mean == pytest.approx((after - before).mean())
    assert (found.before, found.after) == (
        pytest.approx(before.mean()),
        pytest.approx(after.mean()),
    )
    assert np.isnan(found.recovered.mean)


def test_corrupting_is_what_the_child_takes_away() -> None:
    """The reference with its partner's y: 1 where it was 0, and the other way round."""
    found = run(unchanged(within=1), Paired("pair"), Exact(), "y", samples=400)
    reference = found.draws.references.index
    changed = found.scores.scrubbed - found.scores.original
    assert changed.tolist() == (1 - 2 * Y[reference]).tolist()
    assert (found.scores.before == found.scores.original).all()
    assert found.judgement.verdict == "supported"
    assert run(raises(by=0.5), Paired("pair"), Exact(), "y").judgement.verdict == "refuted"


def test_a_claim_that_expects_nothing_of_an_effect_is_as_before() -> None:
    found = run(supported(above=0.5), Exact(), Exact())
    assert (found.kind, found.effect, found.before, found.after) == ("scrub", None, None, None)
    assert "before" not in found.frame
    assert found.figure == found.recovered


# Verdicts


@pytest.mark.parametrize(
    ("expect", "verdict"),
    [
        (raises(by=1), "refuted"),
        (lowers(by=1), "supported"),
        (unchanged(within=1), "refuted"),
        (unchanged(within=9), "supported"),
    ],
)
def test_each_belief(expect: Any, verdict: str) -> None:
    """A row with x = 0 in place of the reference lowers 2x by 3 on average."""
    zero = scrub.Fixed([0] * 8)
    found = run(expect, zero, Exact(), samples=400)
    assert found.judgement.verdict == verdict
    assert found.passed == (verdict == "supported")
    turned = run(refuted(expect), zero, Exact(), samples=400)
    assert turned.judgement.verdict == verdict
    assert turned.passed == (verdict == "refuted")


# What could not have failed


@pytest.mark.parametrize(
    ("child", "other", "where", "reason"),
    [
        (Exact(), Exact(), "twice", vacuity.ALL_EXACT),
        (Paired("pair"), Paired("pair"), "y", vacuity.NOTHING_PUT_IN),
        (Exact(), Uncond(), "dead", vacuity.SAME_VALUES),
        (Exact(), Paired("pair"), "dead", vacuity.SAME_VALUES),
        (Uncond(), Exact(), "dead", vacuity.SAME_VALUES),
        (Mean("even"), Mean("even"), "y", vacuity.NOTHING_PUT_IN),
        (Zero(), Zero(), "y", vacuity.NOTHING_PUT_IN),
    ],
)
def test_vacuous(child: Sampler, other: Sampler, where: str, reason: str) -> None:
    found = run(unchanged(within=1), child, other, where)
    assert (found.judgement.verdict, found.judgement.vacuous) == ("vacuous", reason)


@pytest.mark.parametrize(
    ("child", "other", "effect"),
    [
        (Exact(), Zero(), 2 * X),
        (Exact(), Mean("even"), 2 * X - 2 * (1 + X % 2)),
        (Mean("even"), Zero(), 2 * (1 + X % 2)),
        (Zero(), Mean("even"), -2 * (1 + X % 2)),
        (Mean("y"), Mean("even"), 1 - 2 * (X % 2)),
        (Zero(), Uncond(), None),
    ],
)
def test_values_that_no_input_has_are_put_in_or_put_into(
    child: Sampler, other: Sampler, effect: np.ndarray | None
) -> None:
    """By hand: the mean of x among the even is 1, among the odd 2, of all 3/2."""
    found = run(unchanged(within=5), child, other)
    if effect is None:
        drawn = found.draws.nodes["out",].other
        assert drawn is not None
        expected = -2 * X[drawn.index]
    else:
        expected = effect[found.draws.references.index]
    np.testing.assert_allclose(found.frame["scrubbed"] - found.frame["before"], expected)
    assert found.judgement.verdict == "supported"
    said = [one for one in doubts(found) if one.startswith("before is what ")]
    assert len(said) == isinstance(other, Zero | Mean)


def test_a_feature_is_put_to_the_test_by_any_input_in_its_place() -> None:
    """x decides all of 2x, and whether x is even does not; nothing decides nothing."""
    exact = run(unchanged(within=0.1), Agree("x"), Exact(), samples=400)
    assert exact.judgement.verdict == "supported"
    assert exact.with_any_input is not None
    assert exact.with_any_input.low < -0.1 or exact.with_any_input.high > 0.1
    idle = run(unchanged(within=0.9), Agree("even"), Exact(), "y", samples=2_000)
    assert idle.judgement.verdict == "vacuous"
    assert idle.judgement.vacuous.startswith(
        "with any input in place of those that agree on even, the effect is"
    )


def test_a_donor_that_is_written_down_states_no_feature() -> None:
    """Any other row lowers by as much: the claim could have failed all the same."""
    found = run(lowers(by=1), scrub.Fixed([0] * 8), Exact(), samples=400)
    assert found.judgement.verdict == "supported"
    assert found.support.states == ()
    stated = run(supported(above=0.1), scrub.Fixed([0] * 8), Exact())
    assert stated.support.states == ("below",)


# What reports them


def test_an_effect_of_exactly_zero_says_what_it_rests_on() -> None:
    found = run(unchanged(within=0.5), Agree("x"), Exact(), samples=400)
    assert (found.figure.low, found.figure.high) == (0, 0)
    assert any(doubt.startswith("no effect in any of 400 references") for doubt in doubts(found))


def both() -> list[scrub.Result]:
    claims = [
        made(raises(by=0.1), Exact(), Uncond(), metric=[OUT, HALF], name="restoring"),
        made(unchanged(within=2), Agree("even"), Exact(), name="by_even"),
        made(supported(above=0.1), Agree("even"), Exact(), name="recovering"),
    ]
    return scrub.run(claims, samples=400, diagnose=True)


def test_the_results_file_is_what_its_page_says() -> None:
    results = both()
    found = as_json(results, 0)
    for entry, result in zip(found["results"], results, strict=True):
        entry |= diagnoses_as_json(result)
    assert wrong(json.dumps(found)) == []
    restoring, by_even, recovering = found["results"]
    assert [r["kind"] for r in found["results"]] == ["effect", "effect", "scrub"]
    assert restoring["recovered"] is None
    assert restoring["recovered_reason"]
    assert restoring["effect"]["mean"] == pytest.approx(restoring["after"] - restoring["before"])
    assert restoring["other_metrics"][0]["effect"]["mean"] == pytest.approx(
        restoring["effect"]["mean"] / 2
    )
    assert restoring["bounds"]["above"] == 0.1
    assert by_even["believed"] == "within ±2"
    assert "nulls" in by_even or by_even["verdict"] != "supported"
    assert "effect" not in recovering


def spoilt(found: dict[str, Any], name: str) -> None:
    first = found["results"][0]
    if name == "recovered":
        first["recovered"] = first["effect"]
    elif name == "kind":
        first["kind"] = "scrub"
    elif name == "after":
        first["after"] += 1.0
    else:
        del first[name]


@pytest.mark.parametrize("name", ["recovered", "kind", "after", "figure", "before", "believed"])
def test_the_checker_finds_what_is_wrong(name: str) -> None:
    found = as_json([run(raises(by=0.1), Exact(), Uncond())], 0)
    assert wrong(json.dumps(found)) == []
    spoilt(found, name)
    assert wrong(json.dumps(found)) != []


def test_the_terminal_has_a_table_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    show(both(), evolve_width(), by="even", verbose=True, diagnoses=True)
    out = capsys.readouterr().out
    assert "effect [95%]" in out
    assert "recovered [95%]" in out
    assert "raises by 0.1" in out
    head = next(line for line in out.splitlines() if "before" in line)
    assert head.split()[:4] == ["claim", "before", "after", "original"]


def evolve_width() -> Any:
    console = terminal()
    console.width = 160
    return console


def test_a_result_shows_itself() -> None:
    found = run(raises(by=0.1), Exact(), Uncond())
    assert "effect" in repr(found)
    assert "<th>effect [95%]</th>" in found._repr_html_()
    assert list(found.summary["before"]) == [found.before]


def test_two_effects_are_compared_by_reference() -> None:
    first = run(raises(by=0.1), Exact(), Uncond())
    second = run(raises(by=0.1), Exact(), Uncond(), "y")
    found = compare(first, second)
    by_hand = first.scores.scrubbed - second.scores.scrubbed
    assert found.paired
    assert found.difference.mean == pytest.approx(by_hand.mean())
    assert found.figure == "effect"
    assert "effect" in found.frame
    assert compare(first, first).difference.high == 0
    with pytest.raises(UserError, match=r"is about an effect, .* about loss recovered"):
        compare(first, run(supported(above=0.5), Agree("x"), Exact()))


def test_the_larger_of_two_effects_is_higher() -> None:
    zero, most = scrub.Fixed([0] * 8), scrub.Fixed([3] * 8)
    found = compare(run(lowers(by=1), most, Exact()), run(lowers(by=1), zero, Exact()))
    assert found.words == "the first is higher"


# What is not asked of an effect


def test_what_splits_loss_recovered_is_refused_in_a_sentence() -> None:
    effect = made(raises(by=0.1), Exact(), Uncond())
    with pytest.raises(UserError, match=r'"raises by 0\.1", of an effect\. scrub explain'):
        scrub.explain(effect, samples=20)
    with pytest.raises(UserError, match=r"is about loss recovered\. Leave it out"):
        scrub.run(effect, samples=20, fresh=2)


def test_conventions_that_move_the_start_are_left_out() -> None:
    found = scrub.run(
        made(unchanged(within=2), Agree("even"), Uncond()), samples=400, diagnose=True
    )
    assert found.diagnosis is not None
    assert found.diagnosis.conventions is not None
    reasons = {one.name: one.problem for one in found.diagnosis.conventions}
    assert "the effect is measured from" in reasons["other inputs: the node's own"]
    assert found.diagnosis.specificity is None


# Precision is in the metric's units


def test_a_run_stops_once_the_effect_is_known_so_closely() -> None:
    claim = made(raises(by=0.1), Exact(), Uncond())
    wide = scrub.run(claim, samples=6_400, precision=0.5, diagnose=False)
    close = scrub.run(claim, samples=6_400, precision=0.12, diagnose=False)
    assert wide.samples < close.samples
    assert wide.figure.half_width <= 0.5
    looks = evolve(wide.figure, looks=1)
    assert looks.level < wide.figure.level
