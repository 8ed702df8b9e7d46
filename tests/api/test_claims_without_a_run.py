"""`scrub.plan`, `show`, `check` and `paths` say what commands print; `run_all` judges together."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

import scrub
from scrub import UserError, recovers
from scrub.hypothesis.collect import load
from scrub.printing import html_of
from scrub.report import notebook_bar
from scrub.report.notebook_bar import NotebookBar, shown_in_notebooks
from scrub.runner.progress import SILENT
from support.command import SUMS, inside
from support.paths import ROOT

PIPE = 120
"""Characters of a line in a pipe."""
BY_HAND = f"{SUMS}::by_hand"


@pytest.fixture(scope="module")
def sums() -> ModuleType:
    return load(ROOT / SUMS)


def printed(*arguments: str) -> str:
    lines = inside(*arguments).out.splitlines()
    return "\n".join(line.rstrip() for line in lines).rstrip()


def by_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_they_say_what_the_commands_print(monkeypatch: pytest.MonkeyPatch) -> None:
    by_file(monkeypatch)
    assert scrub.plan(BY_HAND).report(PIPE) == printed("plan", BY_HAND)
    assert scrub.plan(BY_HAND).report(PIPE, verbose=True) == printed("plan", BY_HAND, "-v")
    shown = scrub.show(BY_HAND, row=3, seed=1).report(PIPE)
    assert shown == printed("show", BY_HAND, "--row", "3", "--seed", "1")
    assert str(scrub.check(BY_HAND)) == printed("check", BY_HAND)
    found = scrub.run_all(BY_HAND, samples=50)
    assert without_seconds(found.report(PIPE)) == without_seconds(
        printed("test", BY_HAND, "--samples", "50")
    )


def without_seconds(text: str) -> list[str]:
    """The lines of a report, of the claim's line without its last cell."""
    lines = [line.rstrip() for line in text.splitlines()]
    return [line.rpartition(" ")[0].rstrip() if "by_hand  " in line else line for line in lines]


def test_a_claim_is_as_good_as_its_name(sums: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    by_file(monkeypatch)
    named, given = scrub.show(BY_HAND, row=3), scrub.show(sums.by_hand, row=3)
    assert named.frame.equals(given.frame)
    first, again = scrub.paths(BY_HAND, samples=20), scrub.paths(sums.by_hand, samples=20)
    assert first.frame.equals(again.frame)
    assert len(scrub.plan(sums.by_hand).frame) == len(scrub.plan(BY_HAND).frame) > 0


def test_frames_hold_what_is_drawn(sums: ModuleType) -> None:
    frame = scrub.show(sums.by_hand, row=3).frame
    assert frame["row"].iloc[0] == 3
    assert set(frame["input"]) == {"own", "other"}
    (legal,) = scrub.check(sums.by_hand).frame.to_dict("records")
    assert (legal["claim"], legal["nodes"]) == (
        "by_hand",
        len(scrub.plan(sums.by_hand).tree.walk()),
    )


def test_what_makes_no_sense_is_refused(sums: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    by_file(monkeypatch)
    with pytest.raises(UserError, match=r"scrub\.plan is about one claim, and there are \d+"):
        scrub.plan(SUMS)
    for row in (8, -1):
        with pytest.raises(UserError, match="its rows are 0 to 7"):
            scrub.show(sums.by_hand, row=row)
    nothing: Any = None
    with pytest.raises(UserError, match="row= is None"):
        scrub.show(sums.by_hand, row=nothing)
    with pytest.raises(UserError, match=r"scrub\.check takes a claim, not a int"):
        scrub.check(3)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="There is no such file"):
        scrub.run_all("no/such.py")
    with pytest.raises(UserError, match="nothing"):
        scrub.run(sums.by_hand, samples=20).report(by="nothing")
    with pytest.raises(UserError, match="width= is 0"):
        scrub.run(sums.by_hand, samples=20).report(0)
    with pytest.raises(UserError, match=r"scrub\.run_all takes a claim, not an empty list"):
        scrub.run_all([])


# Together


def test_run_all_is_the_command(sums: ModuleType, tmp_path: Path) -> None:
    names = ("by_hand", "only_x", "anything_goes")
    file = tmp_path / "results.json"
    targets = [f"{SUMS}::{name}" for name in names]
    assert inside("test", *targets, "--samples", "60", "--json", file, "-q").err == ""
    told = json.loads(file.read_text(encoding="utf-8"))["results"]
    found = scrub.run_all([getattr(sums, name) for name in names], samples=60)
    assert found.verdicts == {one["claim"]: one["verdict"] for one in told}
    several = scrub.run([getattr(sums, name) for name in names], samples=60)
    assert several.verdicts == found.verdicts
    assert [one.figure for one in several] == [one.figure for one in found]


def test_results_are_a_sequence_and_found_by_name(sums: ModuleType) -> None:
    found = scrub.run_all([sums.by_hand, sums.only_x], samples=30)
    assert isinstance(found, scrub.Results)
    assert found["only_x"] is found[1] is found[-1] is list(found)[1]
    assert list(found[:1]) == [found[0]]
    assert list(found.frame["claim"]) == ["by_hand", "only_x"]
    assert found.passed == all(one.passed for one in found)
    with pytest.raises(KeyError, match="no claim of the name 'x'"):
        found["x"]


def test_a_verdict_that_its_company_decides_is_said_so(sums: ModuleType) -> None:
    """A bound just inside of the claim's own interval is outside of that of ten claims."""
    alone = scrub.run(sums.by_hand, samples=60, diagnose=False)
    assert isinstance(alone, scrub.Result)
    near = evolve(sums.by_hand, expect=recovers(below=alone.figure.most + 1e-4))
    assert scrub.run(near, samples=60, diagnose=False).verdict == "supported"
    together = scrub.run_all([near] * 10, samples=60, diagnose=False)
    assert together[0].verdict == "inconclusive"
    assert "inconclusive as one of 10 claims" in together.report()
    assert "it would be supported" in together.report()
    assert "as one of 10 claims" in html_of(together)


# Progress


def test_no_bar_unless_asked(sums: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown_in_notebooks(None) is SILENT
    scrub.run(sums.by_hand, samples=20)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
    with pytest.raises(UserError, match="progress= is 'yes'"):
        scrub.Session(progress="yes")  # type: ignore[arg-type]


def test_a_kernel_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    def python_in(config: dict[str, Any]) -> None:
        shell = SimpleNamespace(config=config)
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))

    python_in({"IPKernelApp": {}})
    assert isinstance(shown_in_notebooks(None), NotebookBar)
    assert shown_in_notebooks(False) is SILENT
    python_in({})
    assert shown_in_notebooks(None) is SILENT


def test_a_bar_is_one_line_that_goes(
    sums: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook_bar, "DELAY", 0)
    scrub.run(sums.by_hand, samples=20, session=scrub.Session(progress=True))
    said = capsys.readouterr().err
    assert "ref/s" in said
    assert "\n" not in said
    assert said.split("\r")[-2].strip() == ""


def test_a_bar_ends_where_all_that_was_expected_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = NotebookBar()
    bar.expects(3)
    bar.advance(2)
    assert bar._bar is not None
    bar.advance(1)
    assert bar._bar is None
    with bar, bar:
        bar.expects(1)
        bar.advance(1)
        assert bar._bar is not None
    assert bar._bar is None
