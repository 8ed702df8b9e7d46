"""`scrub tasks` and `scrub tasks NAME`."""

from __future__ import annotations

from pathlib import Path

import pytest

from scrub.cli.main import main
from scrub.report.tasks import _lines
from scrub.runner.tasks import tasks
from support.paths import ROOT


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as finished:
        main(["tasks", *arguments])
    out, err = capsys.readouterr()
    assert isinstance(finished.value.code, int)
    return finished.value.code, out, err


def test_tasks_are_listed_in_lines_of_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys)
    assert code == 0
    lines = [line.rstrip() for line in out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
    assert any(line.startswith("ioi ") for line in lines)


def test_all_of_one_task_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "ioi")
    assert code == 0
    for told in ("s1+1", "prefix_length", 'logit_diff("io", "s")', "ioi-shortcut", "ioi_claim3.py"):
        assert told in out
    assert "A row in the tokens of ioi-planted" in out
    assert "(io Victoria → Eric)" in out


def test_variants_are_told_with_a_row_each(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "comparisons")
    for told in ('kind="antonyms"', "The| opposite| of| fast| is", 'kind="acts"', "object2"):
        assert told in out
    assert out.count("A row in the tokens of comparisons-planted") == 3
    assert out.count("logit_diff(") == 1
    _, out, _ = said(capsys, "greater_than")
    assert "YY is 01: the year 00 alone is less" in out
    assert out.count("its last two digits") == 1


@pytest.mark.parametrize("name", tasks())
def test_a_task_is_told_in_lines_of_80_columns(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(capsys, name)[1].splitlines()
    assert max(map(len, lines)) <= 80
    assert lines == [line.rstrip() for line in lines]


def test_lines_are_broken_between_tokens_and_keep_all() -> None:
    row = "|".join(["Kate", " is", " fast", ".", " Jane"] * 9)
    lines = _lines(row, 30)
    assert "".join(lines) == row
    assert max(map(len, lines)) <= 30
    assert _lines("a word that_is_longer_than_all", 8) == ["a word", "that_is_longer_than_all"]


def test_a_row_is_shown_in_the_tokens_of_another_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert "tokens of ioi-shortcut" in said(capsys, "ioi", "--model", "ioi-shortcut")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["iio"], 'There is no task "iio". The nearest is "ioi"'),
        (["--model", "ioi-planted"], "--model goes with a task"),
        (["rgb", "--model", "ioi-planted"], "needs a model that reads images"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_docs_name_the_command() -> None:
    assert "scrub tasks" in Path(ROOT / "README.md").read_text(encoding="utf-8")
