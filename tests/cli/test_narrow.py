"""Explain and compare on narrow terminals: no claim, node or interval is cut short or left out."""

from __future__ import annotations

import io

import pytest
from attrs import evolve
from rich.console import Console

import scrub
from scrub.hypothesis.collect import load
from scrub.report.blame import show_blame
from scrub.report.comparison import show_comparisons
from scrub.results.comparison import compare
from scrub.results.result import Result
from scrub.stats.rounding import interval
from support.command import ROOT, SUMS

LONG = "_".join(["which", "of", "the", "two", "names", "comes", "first", "before", "the", "end"])


def printed(width: int) -> Console:
    return Console(file=io.StringIO(), width=width)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def result() -> Result:
    sums = load(ROOT / SUMS)
    found = scrub.explain(sums.only_x, samples=100, rows=0).result
    return evolve(found, claim=evolve(found.claim, name=LONG))


@pytest.mark.parametrize("width", [120, 80, 60, 40])
def test_explain(result: Result, width: int) -> None:
    console = printed(width)
    show_blame(result, console)
    lines = text(console).splitlines()
    assert max(map(len, lines)) <= width
    assert result.diagnosis is not None
    assert result.diagnosis.blame is not None
    (lost,) = result.diagnosis.blame.swaps
    (row,) = (line for line in lines if line.startswith("  product"))
    assert interval(lost.alone) in row
    assert ("lost last" in text(console)) == (width == 120)


@pytest.mark.parametrize("width", [120, 80, 60, 50])
def test_compare(result: Result, width: int) -> None:
    console = printed(width)
    found = compare(result, result)
    show_comparisons([found], console)
    lines = text(console).splitlines()
    assert max(map(len, lines)) <= width
    (start,) = (n for n, line in enumerate(lines) if line.startswith("claim"))
    assert interval(found.difference) in lines[start + 1]
    at = min(lines[start].index(head) for head in ("first", "second") if head in lines[start])
    assert "".join(line[:at].strip() for line in lines[start + 1 :]) == LONG
