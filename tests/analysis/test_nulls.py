"""Nulls: a distribution known by hand, and that they keep types, layers, names and draws."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve

from scrub import (
    Correspondence,
    Dataset,
    Exact,
    InterpNode,
    Uncond,
    claim,
    site,
    supported,
)
from scrub.analysis.nulls import Nulls
from scrub.engine.prediction import RunCost
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.tree import treeify
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.results.diagnosis_json import diagnoses_as_json
from scrub.results.result import Result
from scrub.runner.diagnoses import Diagnoses, cheap, scrubs
from support.command import IOI, SUMS, inside
from support.diagnosed import diagnosed

# A distribution known by hand: out = 3a + 2b + c + d, and the claim keeps b alone

WEIGHTS = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 1.5}
ROWS = list(itertools.product([-1.0, 1.0], repeat=4))
VALUES: dict[str, np.ndarray] = dict(zip(WEIGHTS, np.array(ROWS).T, strict=True))
"""Independent columns: each summand recovers its weight's square over all squares."""


def times(weight: float) -> Callable[..., Any]:
    return lambda value: weight * value


MODEL = graph(
    *(source(name) for name in WEIGHTS),
    *(node(f"w{name}", times(weight), value=name) for name, weight in WEIGHTS.items()),
    node("out", lambda terms: terms, terms=[f"w{name}" for name in WEIGHTS]),
)
TRUE = np.sum([weight * VALUES[name] for name, weight in WEIGHTS.items()], axis=0)
DATA = Dataset("signs", inputs=VALUES, lengths=np.ones(16, dtype=int), columns={"out": TRUE})


def squared(out: Any, references: Any) -> Any:
    return (out.numpy() - references.feature("out")) ** 2


def only(name: str) -> Callable[[Any], Correspondence]:
    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Uncond())
        return Correspondence({out: site("out"), out.child("mine", Exact()): site(f"w{name}")})

    return build


def run(build: Callable[[Any], Correspondence], asked: int, expect: Any = None) -> Result:
    made: Claim = claim(data=DATA, metric=custom(squared), expect=expect)(build)
    return diagnosed(made, MODEL, Diagnoses(nulls=asked), samples=300)


def found(result: Result) -> Nulls:
    assert result.diagnosis is not None
    assert result.diagnosis.nulls is not None
    return result.diagnosis.nulls


def recovered_by_hand(result: Result, name: str) -> float:
    """By keeping one summand of the reference and taking all others from what the root drew."""
    rows, other = result.draws.references.index, result.draws.nodes[("out",)].other
    assert other is not None
    kept = WEIGHTS[name] * (VALUES[name][rows] - VALUES[name][other.index])
    scrubbed = (TRUE[other.index] + kept - TRUE[rows]) ** 2
    return 1 - scrubbed.mean() / result.scores.baseline.mean()


def test_a_distribution_known_by_hand() -> None:
    result = run(only("b"), 20, supported(above=0.3))
    by_hand = {name: recovered_by_hand(result, name) for name in WEIGHTS}
    assert result.recovered.mean == pytest.approx(by_hand.pop("b"))
    nulls = found(result)
    assert sorted(nulls.recovered) == pytest.approx(sorted(by_hand.values()))
    assert nulls.as_high == 1  # a, which weighs more
    assert nulls.share.mean == pytest.approx(1 / 3)
    # Clopper & Pearson, 1 of 3: (1 − low)³ = 0.975, and high by symmetry of 2 of 3
    assert (1 - nulls.share.low) ** 3 == pytest.approx(0.975)
    assert nulls.passing == sum(value >= 0.3 for value in by_hand.values())
    assert nulls.pools == "wa, wc, wd"


def test_where_nothing_has_a_like_it_is_said() -> None:
    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Uncond())
        every = [out.child(name, Exact()) for name in WEIGHTS]
        return Correspondence(
            {out: site("out"), **{child: site(f"w{child.name}") for child in every}}
        )

    nulls = found(run(build, 20))
    assert nulls.recovered == ()
    assert nulls.reason == "there are too few sites like wa, wb, wc, wd to take their place"
    assert np.isnan(nulls.share.mean)


# What counts as doing as well


def test_what_is_not_told_apart_from_the_claim_does_as_well() -> None:
    """a and b weigh the same: which recovers more is chance, and the paired interval says so."""
    weights = {"a": 1.0, "b": 1.0, "c": 0.2}
    alike = graph(
        *(source(name) for name in "abc"),
        *(node(f"w{name}", times(w), value=name) for name, w in weights.items()),
        node("out", lambda terms: terms, terms=["wa", "wb", "wc"]),
    )
    total = VALUES["a"] + VALUES["b"] + 0.2 * VALUES["c"]
    data = evolve(DATA, inputs={name: VALUES[name] for name in "abc"}, columns={"out": total})
    claimed = claim(data=data, metric=custom(squared), expect=supported(above=0.3))(only("b"))
    results = [diagnosed(claimed, alike, Diagnoses(nulls=5), samples=300, seed=s) for s in (6, 9)]
    assert {found(result).as_well for result in results} == {1}
    assert {found(result).as_high for result in results} == {0, 1}


def test_undefined_nulls_reach_the_results_file() -> None:
    """Keeping y of a reference gives sums that keeping x does not, and there the metric is NaN."""
    sums = graph(
        source("x"),
        source("y"),
        node("wx", times(1.0), value="x"),
        node("wy", times(1.0), value="y"),
        node("out", lambda terms: terms, terms=["wx", "wy"]),
    )
    x = np.array([0.0, 1.0])
    data = Dataset(
        "two", inputs={"x": x, "y": 2 * x}, lengths=np.ones(2, dtype=int), columns={"x": x}
    )

    def metric(out: Any, references: Any) -> Any:
        kept = references.feature("x")
        off = np.abs(out.numpy() - 3 * kept)
        return np.where(np.isclose(out.numpy(), np.where(kept == 1, 2, 1)), np.nan, off)

    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Uncond())
        return Correspondence({out: site("out"), out.child("mine", Exact()): site("wx")})

    claimed = claim(data=data, metric=custom(metric), expect=supported(above=0.2))(build)
    result = diagnosed(claimed, sums, Diagnoses(nulls=5), samples=50)
    (null,) = found(result).recovered
    assert math.isnan(null)
    told = json.loads(json.dumps(diagnoses_as_json(result), allow_nan=False))["nulls"]
    assert told["recovered"] == [None]
    assert (told["undefined"], told["as_well"], told["share"]) == (1, 0, None)
    assert told["reason"] == "loss recovered is undefined for all 1"


# When they are scrubbed, and what is said


def test_cheap_is_at_most_double() -> None:
    assert cheap(RunCost(flops=10, plain_flops=190, peak=0))
    assert not cheap(RunCost(flops=10, plain_flops=189, peak=0))
    assert cheap(RunCost(flops=0, plain_flops=0, peak=0))
    assert not cheap(RunCost(flops=10, plain_flops=190, peak=0, keeps_cache=False))


def test_cheap_is_little() -> None:
    assert cheap(RunCost(flops=10**8, plain_flops=10**10, peak=0))
    assert not cheap(RunCost(flops=10**8, plain_flops=10**11, peak=0))


def test_how_many_scrubs_are_announced() -> None:
    dear, free = RunCost(flops=10, plain_flops=0, peak=0), RunCost(flops=0, plain_flops=0, peak=0)
    made = treeify(only("b")(None))
    assert scrubs(made, Diagnoses(nulls=7), dear) == scrubs(made, Diagnoses(nulls=7), free) == 7
    assert scrubs(made, Diagnoses(nulls=None), dear) == 0
    assert scrubs(made, Diagnoses(nulls=None), free) == 20
    assert scrubs(made, Diagnoses(blame=True), dear) == 3  # one swap: the root's other inputs
    assert scrubs(made, Diagnoses(conventions=True, specificity=True), dear) == 6  # nothing agrees
    assert scrubs(made, Diagnoses(conventions=None), dear) == 0
    assert scrubs(made, Diagnoses(conventions=None), free) == 6


def test_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    arguments = (f"{IOI}::by_value", "--samples", "30", "--json", file)
    done = inside("test", *arguments, "--nulls", "3")
    (result,) = json.loads(file.read_text(encoding="utf-8"))["results"]
    told = result["nulls"]
    (recovered,) = told["recovered"]  # 2 of 4 heads in each layer: there is one other choice
    assert told["asked"] == 3
    assert told["as_high"] == (recovered >= result["recovered"]["mean"])
    assert told["passing"] == (recovered >= 0.7)
    printed = " ".join(done.out.split())
    line = f"by_value against nulls: {told['as_well']} of 1 nulls (there are no more) do as well; "
    assert line in printed
    assert "They have other heads of layers 2, 3 instead" in printed
    done = inside("test", *arguments, "--nulls", "0")
    assert "nulls" not in done.out
    assert "nulls" not in json.loads(file.read_text(encoding="utf-8"))["results"][0]
    done = inside("test", f"{SUMS}::conjunction", "--samples", "30", "--nulls", "5")
    said = "no nulls: nothing that it names has a like of the same type in its layer"
    assert f"conjunction against nulls: {said}.\n" in done.out
    assert "nulls" not in inside("test", f"{SUMS}::conjunction", "--samples", "30").out


@pytest.mark.parametrize(("bound", "told"), [(0.1, True), (0.9, False)])
def test_by_default_nothing_is_said_of_claims_that_are_not_supported(
    bound: float, told: bool
) -> None:
    made: Claim = claim(data=DATA, metric=custom(squared), expect=supported(above=bound))(only("b"))
    cheap_one = RunCost(flops=0, plain_flops=0, peak=0)
    usual = Diagnoses(nulls=None, conventions=None)
    result = diagnosed(made, MODEL, usual, cheap_one, samples=300)
    assert (result.judgement.verdict == "supported") == told
    assert result.diagnosis is not None
    assert (result.diagnosis.nulls is not None) == told
    assert (result.diagnosis.conventions is not None) == told
    asked = diagnosed(made, MODEL, Diagnoses(nulls=2, conventions=True), cheap_one, samples=300)
    assert asked.diagnosis is not None
    assert asked.diagnosis.nulls is not None
    assert asked.diagnosis.conventions is not None
