"""A claim that its file says is not about the model: not run, not counted, said with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import scrub
from oracle import results_schema
from scrub.errors import UserError
from scrub.hypothesis.claim import Claim
from scrub.results.doubts import doubts
from support.command import ROOT, Finished, assert_golden, inside

WHY = "the graph has no induction heads"
TEXT = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests" / "hypotheses")!r})
from scrub import Agree, claim, not_applicable, raises, refuted, supported
from scrub.metrics import custom
from sums import DATA, ERROR, MODEL, constant, product_is

METRICS = [ERROR, custom(constant)]


def if_asked(model, *roles):
    missing = [role for role in roles if role not in model.roles]
    return not_applicable(f"the graph has no {{missing[0]}} heads") if missing else None


@claim(data=DATA, metric=METRICS, expect=supported(above=0.9, below=1.1))
def before(model):
    \"\"\"Induction heads carry x.\"\"\"
    return if_asked(model, "induction") or product_is(Agree("x"))


@claim(data=DATA, metric=ERROR, expect=supported(above=0.9, below=1.1))
def conjunction(model):
    \"\"\"The product carries x and y, and nothing more.\"\"\"
    return if_asked(model) or product_is(Agree("x and y"))


@claim(data=DATA, metric=ERROR, expect=raises(by=1))
def after(model):
    \"\"\"Name movers raise it.\"\"\"
    return not_applicable("there are no\\n  name movers.")


@claim(data=DATA, metric=ERROR, expect=refuted(below=0.9))
def refuses(model):
    \"\"\"It comes out otherwise than expected.\"\"\"
    return product_is(Agree("x and y"))


@claim(data=DATA, metric=ERROR)
def silent(model):
    \"\"\"Nothing is expected of it.\"\"\"
    return not_applicable("it has none")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "claims.py"
    path.write_text(TEXT)
    return path


def run(file: Path, *arguments: str) -> Finished:
    return inside("test", "claims.py", *arguments, cwd=file.parent)


def results(file: Path, *arguments: str) -> list[dict[str, Any]]:
    run(file, *arguments, "--json", "r.json")
    text = (file.parent / "r.json").read_text()
    assert results_schema.wrong(text) == []
    return json.loads(text)["results"]


def test_the_report_says_why_and_counts_it_apart(file: Path) -> None:
    done = run(file, "-k", "not refuses", "--samples", "200")
    assert (done.code, done.err) == (0, "")
    assert_golden("test_not_applicable", done.out)


@pytest.mark.parametrize(
    ("keyword", "code"), [("before or conjunction", 0), ("before or refuses", 1), ("before", 5)]
)
def test_the_others_decide_the_exit_code(file: Path, keyword: str, code: int) -> None:
    assert run(file, "-k", keyword).code == code


def test_a_run_of_none_says_so(file: Path) -> None:
    done = run(file, "-k", "before or after")
    assert done.code == 5
    assert done.out.splitlines()[-1] == "2 claims, none applicable: nothing was tested"


def test_in_the_results_file_it_has_the_keys_of_its_kind_and_no_figures(file: Path) -> None:
    before, conjunction, after, silent = results(file, "-k", "not refuses")
    assert [r["claim"] for r in (before, conjunction, after, silent)] == [
        *("before", "conjunction", "after", "silent")
    ]
    for one in (before, after, silent):
        assert (one["verdict"], one["passed"], one["samples"]) == ("not applicable", None, 0)
    assert before["reason"] == f"not applicable: {WHY}"
    assert before["notes"] == [before["reason"]]
    assert conjunction.keys() - before.keys() <= {"nulls", "conventions"}
    assert before.keys() <= conjunction.keys()
    assert (before["recovered"]["mean"], before["other_metrics"][0]["left_out"]) == (None, 0)
    assert (after["kind"], after["believed"], after["figure"]["mean"]) == (
        *("effect", "raises by 1", None),
    )
    assert (before["expected"], silent["expected"]) == ("supported", None)


def test_verdicts_are_corrected_for_those_that_are_judged(file: Path) -> None:
    (_, conjunction) = results(file, "-k", "before or conjunction")
    assert conjunction["corrected"] is None


def test_nothing_is_drawn_or_run_for_it(file: Path) -> None:
    """The others' numbers are those of a run without it; its record is not there."""
    (alone,) = results(file, "-k", "conjunction")
    found = results(file, "-k", "not refuses", "--save-run", "record")
    same = {k: v for k, v in found[1].items() if k != "seconds"}
    assert same == {k: v for k, v in alone.items() if k != "seconds"}
    assert [path.name for path in (file.parent / "record").iterdir()] == ["conjunction"]


def test_a_stopped_run_keeps_it_and_resumes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scrub.runner import suite

    stop = suite.scrub_claim

    def stopped(planned: Any, context: Any) -> Any:
        if planned.prepared.claim.name == "refuses":
            raise KeyboardInterrupt
        return stop(planned, context)

    monkeypatch.setattr(suite, "scrub_claim", stopped)
    done = run(file, "--json", "r.json")
    assert done.code == 130
    assert "3 of 5 claims finished" in done.err
    partial = (file.parent / "r.json.partial").read_text()
    assert results_schema.wrong(partial) == []
    monkeypatch.undo()
    resumed = run(file, "--json", "r.json")
    assert "resuming: 1 of 2 claims was computed before" in resumed.err
    assert [r["verdict"] for r in json.loads((file.parent / "r.json").read_text())["results"]] == [
        *("not applicable", "supported", "not applicable", "supported", "not applicable")
    ]


@pytest.mark.parametrize("command", [("check",), ("plan",), ("show", "--row", "3"), ("explain",)])
def test_other_commands_leave_it_out_and_say_so(file: Path, command: tuple[str, ...]) -> None:
    done = inside(command[0], "claims.py", *command[1:], cwd=file.parent)
    assert done.code == 0
    assert f"claims.py::before: not applicable to graph: {WHY}\n" in done.err
    assert "conjunction" in done.out
    assert "before" not in done.out
    alone = inside(command[0], "claims.py::before", *command[1:], cwd=file.parent)
    assert (alone.code, alone.err) == (
        *(5, f"error: claims.py::before: Not applicable to graph: {WHY}.\n"),
    )


def test_comparisons_leave_it_out(file: Path) -> None:
    done = inside("compare", "claims.py", "claims.py", "--samples", "50", cwd=file.parent)
    assert done.code == 0
    assert f"claims.py::before: not applicable to graph: {WHY}\n" in done.err
    assert "before" not in done.out
    alone = inside("compare", "claims.py::before", "claims.py::conjunction", cwd=file.parent)
    assert alone.code == 5
    assert WHY in alone.err


# From Python


def claims_of(file: Path) -> list[Claim]:
    from scrub.hypothesis.collect import collect

    return [item.claim for item in collect([str(file)])]


class Recorded:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def claim_finished(self, result: Any) -> None:
        self.told.append(f"{result.claim.name} {result.judgement.verdict} {result.recovered.mean}")

    def run_finished(self, results: Any, *, stopped: bool) -> None:
        self.told.append(f"{len(results)} {stopped}")


def test_from_python_it_is_a_result_without_figures(file: Path) -> None:
    before, conjunction, after, *_ = claims_of(file)
    reporter = Recorded()
    found = scrub.run([before, after], samples=20, reporters=[reporter])
    assert reporter.told == [
        *("before not applicable nan", "after not applicable nan", "2 False"),
    ]
    assert [one.passed for one in found] == [None, None]
    one = scrub.run(before, samples=20)
    assert isinstance(one, scrub.Inapplicable)
    assert doubts(one) == [f"not applicable: {WHY}"]
    assert one.summary["reason"].tolist() == [WHY]
    assert repr(one) == f"Inapplicable(before: {WHY})"
    other = scrub.run(conjunction, samples=20)
    for call in (lambda: scrub.compare(one, other), lambda: scrub.explain(before, samples=20)):
        with pytest.raises(UserError, match=r"not applicable to graph.*no induction heads"):
            call()


@pytest.mark.parametrize("reason", ["", " . ", None, 3])
def test_a_reason_is_needed(reason: Any) -> None:
    with pytest.raises(UserError, match="say why the claim does not apply"):
        scrub.not_applicable(reason)


def test_the_reason_is_a_clause() -> None:
    assert scrub.not_applicable("it has\n no heads.").reason == "it has no heads"


def test_the_function_itself_is_refused(file: Path) -> None:
    file.write_text(TEXT.replace('return not_applicable("it has none")', "return not_applicable"))
    done = run(file, "-k", "silent")
    assert done.code == 2
    assert "It returns the function not_applicable itself. Call it with the reason" in done.err
