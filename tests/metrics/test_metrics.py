"""Several metrics in one run, and metrics that are not defined everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve

import scrub
from scrub import Agree, Uncond, claim, supported
from scrub.data.dataset import Dataset, Rows
from scrub.hypothesis.collect import load
from scrub.metrics import (
    cross_entropy,
    custom,
    distance,
    kl,
    logit_diff,
    measure,
    probability_diff,
    top_1,
)
from support.command import IOI, SUMS, inside
from support.paths import ROOT


@pytest.fixture(scope="module")
def sums() -> ModuleType:
    return load(ROOT / SUMS)


@pytest.fixture(scope="module")
def ioi() -> ModuleType:
    return load(ROOT / IOI)


# What they measure


ROWS = Rows(
    Dataset("d", {"tokens": np.zeros((3, 1), int)}, np.ones(3, int), labels={"a": [0, 1, 2]}),
    np.arange(3),
)
LOGITS = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5], [0.4, 0.2, 0.4]]))


def test_top_1_and_kl_by_hand() -> None:
    value, original = LOGITS[:, None, None], LOGITS[[0, 0, 0]][:, None, None]
    assert measure(top_1("a"), value, ROWS).tolist() == [1, 0, 1]  # a tie is no error
    expected = [
        0.0,
        0.5 * np.log(2) + 0.25 * np.log(1) + 0.25 * np.log(0.5),
        0.5 * np.log(1.25) + 0.25 * np.log(1.25) + 0.25 * np.log(0.625),
    ]
    np.testing.assert_allclose(measure(kl(), value, ROWS, original), expected, atol=1e-7)


def test_distance_by_hand() -> None:
    """Of any root: here two positions of three numbers."""
    original = torch.tensor([[[1.0, 2, 2], [0, 0, 0]], [[0, 0, 3], [4, 0, 0]], [[0] * 3] * 2])
    value = original + torch.tensor(
        [[[0.0, 0, 3], [0, 0, 0]], [[0, 0, 0], [0, 5, 0]], [[1] * 3] * 2]
    )
    found = measure(distance(), value, ROWS, original)
    np.testing.assert_allclose(found[:2], [9 / 9, 25 / 25])
    assert np.isnan(found[2]), "nothing to compare with"
    zeros = measure(distance(), 0 * value, ROWS, original)
    assert zeros[:2].tolist() == [1, 1]
    assert measure(distance(), original, ROWS, original)[:2].tolist() == [0, 0]


# Several in one run


def test_the_first_decides_and_each_is_what_it_is_alone(ioi: ModuleType) -> None:
    first = logit_diff("io", "s")
    several = [first, cross_entropy("io"), probability_diff("io", "s"), top_1("io"), kl()]
    session = scrub.Session()
    together = scrub.run(evolve(ioi.by_value, metric=several), samples=30, session=session)
    assert [other.metric.name for other in together.others] == [m.name for m in several[1:]]
    for i, metric in enumerate(several):
        claimed = evolve(ioi.by_value, metric=metric)
        alone = scrub.run(claimed, samples=30, session=session)
        numbers = together.scores if i == 0 else together.others[i - 1].scores
        for name in ("original", "scrubbed", "baseline"):
            np.testing.assert_allclose(
                getattr(numbers, name), getattr(alone.scores, name), atol=1e-4
            )
        if i == 0:
            assert alone.judgement == together.judgement
    assert (together.others[-1].scores.original == 0).all()
    assert together.others[-1].scores.baseline.mean() > 1


def test_the_engine_runs_once(sums: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    execute = scrub.runner.scoring.execute  # type: ignore[attr-defined]

    def counted(*arguments: Any, **options: Any) -> Any:
        runs.append(1)
        return execute(*arguments, **options)

    monkeypatch.setattr("scrub.runner.scoring.execute", counted)
    scrub.run(
        evolve(sums.anything_goes, metric=[sums.ERROR, custom(sums.constant)]),
        samples=50,
        diagnose=False,
    )
    assert len(runs) == 1


FILE = """
import sys
sys.path.insert(0, {folder!r})
from sums import *

def squared(out, references):
    return (out.numpy() - references.feature("out")) ** 2

def not_where_out_is_2(out, references):
    missing = references.feature("out") == 2
    return np.where(missing, np.nan, distance(out, references))

def not_where_wrong(out, references):
    error = distance(out, references)
    return np.where(error > 0.5, np.nan, error)

@claim(data=DATA, metric=[ERROR, squared, not_where_wrong], expect=supported(above=0.5))
def several(model):
    return product_is(Agree("x"))

@claim(data=DATA, metric=not_where_out_is_2, expect=refuted(below=0.9))
def some_left_out(model):
    return product_is(Uncond())

@claim(data=DATA, metric=not_where_wrong, expect=inconclusive(above=0.9))
def undefined_where_it_fails(model):
    return product_is(Uncond())
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("metrics")
    file = folder / "file.py"
    file.write_text(FILE.format(folder=str((ROOT / SUMS).parent)), encoding="utf-8")
    arguments = ("--samples", "400", "--json", folder / "r.json", "--save-run", folder / "runs")
    done = inside("test", file, "-k", "several or some or where", *arguments)
    assert done.err == ""
    assert done.code == 0, done.out
    results = json.loads((folder / "r.json").read_text(encoding="utf-8"))["results"]
    return done.out, {result["claim"]: result for result in results}, folder / "runs"


def test_others_are_shown_saved_and_decide_nothing(
    run: tuple[str, dict[str, Any], Path],
) -> None:
    out, results, runs = run
    assert "beside it, deciding nothing:" in out
    first, second = results["several"]["other_metrics"]
    assert first["name"] == "squared"
    assert first["recovered"]["low"] < first["recovered"]["mean"] < first["recovered"]["high"]
    assert second["recovered"]["mean"] is None
    assert "not_where_wrong: the metric is not finite everywhere" in out
    record = json.loads((runs / "several" / "run.json").read_text(encoding="utf-8"))
    assert [m["name"] for m in record["other_metrics"]] == ["squared", "not_where_wrong"]


# Not defined everywhere


def test_references_without_a_number_are_left_out_and_counted(
    run: tuple[str, dict[str, Any], Path],
) -> None:
    """The output is 2 in one row of eight, whatever the model computes."""
    out, results, _ = run
    found = results["some_left_out"]
    missing = found["left_out"]
    assert 25 < missing < 80
    assert (
        f"some_left_out: not_where_out_is_2 is NaN for {missing} of 400 references whatever the "
        f"model" in out
    )
    assert found["samples"] == 400
    assert found["loss"]["reason"] is None
    assert found["verdict"] == "refuted"


def test_numbers_that_are_missing_where_the_scrub_fails_are_not_left_out(
    run: tuple[str, dict[str, Any], Path],
) -> None:
    _, results, _ = run
    found = results["undefined_where_it_fails"]
    assert found["left_out"] == 0
    assert found["recovered"]["mean"] is None
    assert found["verdict"] == "inconclusive"
    reason = found["recovered"]["reason"]
    assert reason.startswith("the metric is not finite everywhere (of 400: original 0, scrubbed ")
    assert found["loss"] == {
        "original": 0.0, "scrubbed": None, "baseline": None, "reason": reason
    }  # fmt: skip


def test_the_figures_are_those_of_the_rows_that_are_left(sums: ModuleType) -> None:
    def partly(out: Any, references: Rows) -> Any:
        return np.where(references.feature("x") == 1, np.nan, sums.distance(out, references))

    metric = custom(partly, higher_is_better=False)
    part = scrub.run(evolve(sums.anything_goes, metric=metric), samples=300)
    whole = scrub.run(sums.anything_goes, samples=300)
    here = whole.draws.references.feature("x") == 0
    alone = whole.scores.where(here)
    assert part.scores.means == alone.means
    assert part.recovered == alone.recovered()
    nowhere = scrub.run(
        evolve(sums.anything_goes, metric=lambda out, rows: np.full(len(rows), np.nan)), samples=9
    )
    assert nowhere.recovered.reason == "the metric is NaN for every reference"
    assert nowhere.judgement.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ([], "metric= is an empty list. Give at least one of scrub.metrics."),
        ([custom(len), "loss"], "metric= is of type str. Give one of scrub.metrics, or a"),
        ([custom(len), top_1("out")], 'Metric "top-1 is out": dataset "bits" has no label "out"'),
        (kl(), 'Metric "KL from the original" reads logits at one position'),
    ],
)
def test_metrics_that_make_no_sense(sums: ModuleType, metric: Any, message: str) -> None:
    @claim(data=sums.DATA, metric=metric, expect=supported(above=0.5), model=sums.MODEL)
    def wrong(model: Any) -> Any:
        return sums.product_is(Agree("x"), other=Uncond())

    with pytest.raises(scrub.UserError) as refused:
        scrub.run(wrong)
    assert message in str(refused.value)
