"""`scrub.explain`, `scrub.compare` and `scrub.run(…, diagnose=True)`: as commands have it."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from matplotlib.figure import Figure

import scrub
from scrub import UserError
from scrub.hypothesis.collect import load
from support.command import SUMS, inside
from support.paths import ROOT


@pytest.fixture(scope="module")
def sums() -> ModuleType:
    return load(ROOT / SUMS)


@pytest.fixture(scope="module")
def explanation(sums: ModuleType) -> scrub.Explanation:
    return scrub.explain(sums.by_hand, samples=100, rows=2)


def written(folder: Path, *arguments: str) -> dict[str, Any]:
    """The results file of a command."""
    file = folder / "results.json"
    done = inside(*arguments, "--json", file)
    assert done.err == ""
    return json.loads(file.read_text(encoding="utf-8"))


def test_explain_as_on_the_command_line(explanation: scrub.Explanation, tmp_path: Path) -> None:
    arguments = ("explain", f"{SUMS}::by_hand", "--samples", "100", "--rows", "2")
    told = written(tmp_path, *arguments)["results"][0]["blame"]
    assert explanation.blame.total.mean == told["lost"]["mean"]
    frame = explanation.frame
    assert frame["node"].tolist() == [" / ".join(one["node"]) for one in told["swaps"]]
    for kind in ("alone", "last", "in_order"):
        for end, name in (("", "mean"), ("_low", "low"), ("_high", "high")):
            theirs = [one[kind][name] for one in told["swaps"]]
            assert frame[f"lost_{kind}{end}"].tolist() == theirs
    assert frame["lost_in_order"].sum() == pytest.approx(explanation.blame.total.mean)


def test_an_explanation_shows_itself(explanation: scrub.Explanation) -> None:
    lost = explanation.blame.total
    said = f"loses {lost.mean:.3f} [{lost.low:.3f}, {lost.high:.3f}] in 1 swaps)"
    assert repr(explanation) == f"Explanation(by_hand: {said}"
    assert "<th>lost by it alone</th>" in explanation._repr_html_()
    assert f"{lost.mean:.3f} [" in explanation._repr_html_()
    assert isinstance(explanation.plot(), Figure)
    worst = explanation.worst
    assert len(worst) == 2
    assert worst["row"].is_unique
    frame = explanation.result.frame
    assert (worst["scrubbed"] - worst["original"]).max() == (
        frame["scrubbed"] - frame["original"]
    ).max()


def test_compare_as_on_the_command_line(sums: ModuleType, tmp_path: Path) -> None:
    arguments = ("compare", f"{SUMS}::only_x", f"{SUMS}::anything_goes", "--samples", "60")
    (told,) = written(tmp_path, *arguments)["comparisons"]
    found = scrub.compare(
        *(scrub.run(one, samples=60) for one in (sums.only_x, sums.anything_goes))
    )
    assert found.difference.mean == told["difference"]["mean"]
    assert found.frame.loc["first − second", "low"] == told["difference"]["low"]
    assert found.frame["claim"].tolist() == ["only_x", "anything_goes", ""]
    assert "anything_goes" in found._repr_html_()
    assert repr(found).startswith(f"Comparison({found.difference.mean:.3f} [")
    assert repr(found).endswith(f": {found.words})")


def test_diagnosed_as_on_the_command_line(sums: ModuleType, tmp_path: Path) -> None:
    arguments = ("test", f"{SUMS}::only_x", "--samples", "60", "--diagnose")
    (told,) = written(tmp_path, *arguments)["results"]
    found = scrub.run(sums.only_x, samples=60, diagnose=True).diagnosis
    assert found is not None
    assert found.conventions is not None
    assert found.specificity is not None
    assert [one.name for one in found.conventions] == [
        one["convention"] for one in told["conventions"]
    ]
    assert [one.recovered.mean for one in found.specificity] == [
        one["recovered"]["mean"] for one in told["specificity"]
    ]
    assert found.nulls is not None
    assert scrub.run(sums.only_x, samples=60, diagnose=False).diagnosis is None


def test_bad_input(sums: ModuleType) -> None:
    with pytest.raises(UserError, match=r"^scrub\.explain takes a claim, not a function\."):
        scrub.explain(sums.product_is)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r'^scrub\.explain has no option "sample"\. The nearest'):
        scrub.explain(sums.only_x, sample=3)
    with pytest.raises(UserError, match=r"^scrub\.compare takes two results, not a Claim: "):
        scrub.compare(sums.only_x, sums.only_x)
