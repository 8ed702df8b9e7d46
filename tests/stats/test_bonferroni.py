"""Verdicts of several claims in one run: how often any of them is wrong, and what is said."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from attrs import evolve
from coverage_situations import ordinary

import scrub
from scrub import supported
from scrub.hypothesis.belief import vacuous
from scrub.hypothesis.collect import load
from scrub.results.doubts import doubts
from scrub.stats.bonferroni import family_size
from scrub.stats.ratio import ratio_set
from support.command import SUMS, inside
from support.paths import ROOT

CLAIMS = 20


@pytest.fixture(scope="module")
def sums() -> ModuleType:
    return load(ROOT / SUMS)


def any_wrong(confidence: float) -> float:
    """In how many runs of 20 claims, each as true as its bound, is one supported or refuted?

    All claims of a run have the same references and baseline, and noise of their own.
    """
    rng = np.random.default_rng(3)
    original, scrubbed, baseline = ordinary(rng, (400, 300))
    wrong = np.zeros(400, bool)
    for _ in range(CLAIMS):
        noisy = scrubbed + rng.normal(0, 2, scrubbed.shape)
        low, high = ratio_set(baseline - noisy, baseline - original, confidence)
        wrong |= (low > 0.6) | (high < 0.6)
    return float(wrong.mean())


def test_all_verdicts_are_right_together() -> None:
    """Alone, each is wrong in 5% of runs; of 400 runs 95% must not be missed by 3.5 errors."""
    assert any_wrong(1 - 0.05 / CLAIMS) < 0.05 + 3.5 * 0.011
    assert any_wrong(0.95) > 0.3


def test_what_counts_as_judged(sums: ModuleType) -> None:
    claims = [sums.conjunction, sums.by_hand, evolve(sums.only_x, expect=vacuous())]
    assert family_size(claims) == 1
    assert family_size([*claims, sums.only_x, sums.undefined]) == 3


def test_a_verdict_that_holds_alone_and_not_among_many(sums: ModuleType) -> None:
    result = scrub.run(sums.only_x, samples=1_500, diagnose=False)
    close = evolve(sums.only_x, expect=supported(above=result.recovered.low - 1e-6))
    alone = scrub.run(close, samples=1_500, diagnose=False)
    assert alone.judgement.verdict == "supported"
    assert alone.corrected is None
    many, *_ = scrub.run([close] * CLAIMS, samples=1_500, diagnose=False)
    assert many.recovered == alone.recovered
    assert many.corrected is not None
    assert many.corrected.confidence == 1 - 0.05 / CLAIMS
    assert many.corrected.low < many.recovered.low < many.recovered.high < many.corrected.high
    assert (many.judgement.verdict, many.passed) == ("inconclusive", False)
    assert doubts(many)[0].startswith("inconclusive as one of 20 claims, by its 99.75% interval [")
    assert doubts(many)[0].endswith("; by its own 95% interval it would be supported")


def test_what_has_no_verdict_or_no_bound_is_left_alone(sums: ModuleType) -> None:
    for claim in (sums.by_hand, evolve(sums.by_hand, expect=vacuous())):
        first, *_ = scrub.run([claim, sums.only_x, sums.conjunction], samples=50, diagnose=False)
        assert first.corrected is None


def test_the_report_says_so_where_several_are_judged(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    several = inside("test", SUMS, "--samples", "100", "--json", file)
    assert "Verdicts use 98.75% intervals, so that all 4 hold together at 95%" in several.out
    found = {r["claim"]: r for r in json.loads(file.read_text(encoding="utf-8"))["results"]}
    corrected = found["only_x"]["corrected"]
    assert corrected["confidence"] == 1 - 0.05 / 4
    assert corrected["low"] < found["only_x"]["recovered"]["low"]
    assert found["by_hand"]["corrected"] is None
    one = inside("test", f"{SUMS}::only_x", "--samples", "100")
    assert "together" not in one.out
