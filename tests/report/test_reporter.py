"""Reporters: what they get, when, and that docs/extend/reporter.md shows one that works."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

import scrub
from scrub.errors import UserError
from scrub.hypothesis.collect import load
from scrub.report.reporter import Reporter, finish
from scrub.report.results_file import ResultsFile
from scrub.report.terminal import TerminalReporter
from scrub.results.result import Result
from scrub.runner.outputs import Outputs
from support.command import ROOT, SUMS

PAGE = (ROOT / "docs" / "extend" / "reporter.md").read_text(encoding="utf-8")


@frozen
class Recorder:
    """Keeps its calls, and may raise in the last one."""

    name: str = ""
    calls: list[Any] = field(factory=list)
    error: Exception | None = None

    def claim_finished(self, result: Result) -> None:
        self.calls.append((self.name, result.claim.name))

    def run_finished(self, results: Sequence[Result], *, stopped: bool) -> None:
        self.calls.append((self.name, [result.claim.name for result in results], stopped))
        if self.error:
            raise self.error


@pytest.fixture(scope="module")
def sums() -> Any:
    return load(ROOT / SUMS)


@pytest.fixture(scope="module")
def result(sums: Any) -> Result:
    return scrub.run(sums.by_hand, samples=50)


def test_claims_are_reported_in_order_and_then_the_run(sums: Any) -> None:
    recorder = Recorder()
    results = scrub.run([sums.only_x, sums.by_hand], samples=50, reporters=[recorder])
    assert recorder.calls == [
        ("", "only_x"),
        ("", "by_hand"),
        ("", ["only_x", "by_hand"], False),
    ]
    assert [r.claim.name for r in results] == ["only_x", "by_hand"]


def test_a_claim_is_reported_before_the_next_one_runs(sums: Any) -> None:
    class StopError(Exception):
        """Ends the run."""

    class Stops(Recorder):
        def claim_finished(self, result: Result) -> None:
            super().claim_finished(result)
            raise StopError

    recorder = Stops()
    with pytest.raises(StopError):
        scrub.run([sums.only_x, sums.by_hand], samples=50, reporters=[recorder])
    assert recorder.calls == [("", "only_x")]


def test_each_reporter_is_called_though_one_before_it_raises(result: Result) -> None:
    calls: list[Any] = []
    full, closed = OSError("full"), BrokenPipeError("closed")
    reporters = [Recorder("a", calls, full), Recorder("b", calls, closed), Recorder("c", calls)]
    with pytest.raises(BrokenPipeError, match="closed"):
        finish(reporters, [result], stopped=True)
    assert calls == [(name, ["by_hand"], True) for name in "abc"]


def test_the_two_reporters_of_scrub_test(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = Outputs(tmp_path, json=Path("results.json"))
    reporters: list[Reporter] = [ResultsFile(outputs, seed=0), TerminalReporter()]
    for reporter in reporters:
        reporter.claim_finished(result)
    assert capsys.readouterr().out == ""
    finish(reporters, [result], stopped=True)
    assert "by_hand" in capsys.readouterr().out
    assert not (tmp_path / "results.json").exists()
    finish(reporters, [result], stopped=False)
    assert "by_hand" in capsys.readouterr().out
    (entry,) = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["results"]
    assert entry["claim"] == "by_hand"


def test_what_is_no_reporter_is_refused_before_anything_runs(sums: Any) -> None:
    wrong: list[tuple[Any, str]] = [
        (Recorder(), "reporters= is of type Recorder. Give a list of objects with the methods"),
        ([Recorder], r"reporters= holds the class Recorder. Give an object: Recorder\(…\)."),
        ([Recorder(), print], "reporters= holds an object of type builtin_function_or_method."),
    ]
    for reporters, message in wrong:
        with pytest.raises(UserError, match=message):
            scrub.run(sums.by_hand, samples=50, reporters=reporters)


def test_the_page_shows_what_its_reporter_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "page.py"
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    script.write_text("\n\n".join(blocks), encoding="utf-8")
    with chdir(tmp_path):
        runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out == "movers_copy: supported\n"
    written = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert f"```\n{written}```\n" in PAGE
