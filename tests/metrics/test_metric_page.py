"""docs/extend/metric.md: its example runs, and what it says is refused is refused."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import scrub
from scrub.hypothesis.collect import load
from scrub.metrics import custom
from support.command import ROOT, SUMS, inside

PAGE = (ROOT / "docs" / "extend" / "metric.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "page.py"
    file.write_text("\n".join(BLOCKS), encoding="utf-8")
    return file


def test_the_example_runs_as_expected(page: Path) -> None:
    done = inside("test", str(page), "--samples", "300", "--no-diagnose")
    assert (done.code, done.err) == (0, "")
    assert "log_odds" in done.out


def test_both_forms_of_the_metric_are_one(page: Path) -> None:
    module: Any = load(page)
    results = [
        scrub.run(
            evolve(module.by_position, metric=metric),
            model=module.MODEL,
            samples=40,
            diagnose=False,
        )
        for metric in (custom(module.log_odds, higher_is_better=True), module.LOG_ODDS)
    ]
    assert results[0].scores.scrubbed.tolist() == results[1].scores.scrubbed.tolist()
    missing = evolve(module.LOG_ODDS, labels=("nobody",))
    with pytest.raises(scrub.UserError, match="nobody"):
        scrub.run(evolve(module.by_position, metric=missing), model=module.MODEL, samples=40)


@pytest.fixture
def sums() -> ModuleType:
    return load(ROOT / SUMS)


def run(sums: ModuleType, function: Any) -> Any:
    return scrub.run(
        evolve(sums.anything_goes, metric=custom(function)), samples=50, diagnose=False
    )


REFUSED = {
    "another length": lambda out, references: np.zeros(3),
    "a single number": lambda out, references: 1.0,
    "text": lambda out, references: ["a"] * len(references),
    "complex numbers": lambda out, references: out.numpy() + 1j,
    "None": lambda out, references: None,
    "an exception": lambda out, references: 1 / 0,
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_page_says_is_refused(sums: ModuleType, case: str) -> None:
    with pytest.raises(scrub.UserError, match='Metric "<lambda>"'):
        run(sums, REFUSED[case])


def test_direction_changes_no_verdict(sums: ModuleType) -> None:
    metrics = [custom(sums.distance, higher_is_better=which) for which in (True, False, None)]
    metrics.append(custom(lambda out, references: -sums.distance(out, references)))
    found = [
        scrub.run(evolve(sums.anything_goes, metric=metric), samples=50, diagnose=False)
        for metric in metrics
    ]
    assert len({result.recovered for result in found}) == 1


def test_nan_in_all_three_runs_is_left_out_and_in_some_is_not(sums: ModuleType) -> None:
    def on_some(out: Any, references: Any) -> Any:
        missing = references.feature("out") == 2
        return np.where(missing, np.nan, sums.distance(out, references))

    def where_wrong(out: Any, references: Any) -> Any:
        error = sums.distance(out, references)
        return np.where(error > 0.5, np.nan, error)

    some, wrong = run(sums, on_some), run(sums, where_wrong)
    assert 0 < (~some.scores.defined).sum() < 50
    assert np.isfinite(some.recovered.mean)
    assert np.isnan(wrong.recovered.mean)
