"""The report at several widths: what a terminal shows first, and what a narrow one leaves out."""

from __future__ import annotations

import io

import pytest
from attrs import evolve
from rich.console import Console

import scrub
from hypothesis import given
from hypothesis import strategies as st
from scrub.hypothesis.collect import load
from scrub.report.claims_table import LEFT_OUT, MEANS
from scrub.report.columns import Column, table
from scrub.report.node_details import show_details
from scrub.report.terminal import show
from scrub.results.doubts import doubts
from scrub.results.result import Result
from scrub.stats.rounding import interval
from support.command import ROOT, SUMS, assert_golden

WIDTHS = {"80": 80, "100": 100, "160": 160}


def printed(
    results: list[Result], width: int, *, terminal: bool = True, details: bool = False
) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None)
    show(results, console)
    for result in results if details else []:
        show_details(result, console)
    return file.getvalue()


@pytest.fixture(scope="module")
def results() -> list[Result]:
    sums = load(ROOT / SUMS)
    claims = [sums.conjunction, sums.only_x, sums.by_hand]
    return [evolve(scrub.run(claim, samples=200), seconds=0.0) for claim in claims]


@pytest.fixture(scope="module")
def detailed() -> Result:
    return evolve(scrub.run(load(ROOT / SUMS).by_hand, samples=200, alone=True), seconds=0.0)


@pytest.mark.parametrize("name", WIDTHS)
def test_on_a_terminal(results: list[Result], detailed: Result, name: str) -> None:
    text = printed(results, WIDTHS[name]) + printed([detailed], WIDTHS[name], details=True)
    assert max(map(len, text.splitlines())) <= WIDTHS[name]
    assert_golden(f"layout_{name}", text)


def test_in_a_pipe(results: list[Result], detailed: Result) -> None:
    text = printed(results, 120, terminal=False)
    assert_golden("layout_pipe", text + printed([detailed], 120, terminal=False, details=True))


@pytest.mark.parametrize("width", [*WIDTHS.values(), 60])
def test_verdicts_and_doubts_come_before_figures(results: list[Result], width: int) -> None:
    """Every doubt is printed once, above the table, and below its own claim's verdict."""
    lines = printed(results, width).splitlines()
    heads = [n for n, line in enumerate(lines) if line.startswith("claim ")]
    above = " ".join(line.strip() for line in lines[: heads[0]])
    for result in results:
        assert f"{result.claim.name}: " in above
        for doubt in doubts(result):
            assert above.count(doubt) == 1


@pytest.mark.parametrize("width", range(56, 132, 4))
def test_claim_interval_and_verdict_are_in_every_table(results: list[Result], width: int) -> None:
    lines = printed(results, width, terminal=False).splitlines()
    for result in results:
        (row,) = (line for line in lines if line.startswith(f"{result.claim.name} "))
        assert interval(result.figure) in row
        assert (result.judgement.verdict or "–") in row


def test_columns_go_in_the_order_that_is_written_down(results: list[Result]) -> None:
    """Law: what a width leaves out is the beginning of the order."""
    names = [name.split("\n")[-1] for name in LEFT_OUT[MEANS]]
    seen = []
    for width in range(130, 50, -1):
        lines = printed(results, width, terminal=False).splitlines()
        (head,) = (line for line in lines if line.startswith("claim"))
        gone = [name not in head.split("claim")[1] for name in names]
        assert gone == sorted(gone, reverse=True)
        seen.append(sum(gone))
    assert seen == sorted(seen)
    assert {0, 1, 2} <= set(seen)


@given(
    st.lists(st.text("abc ", min_size=1, max_size=40), min_size=1, max_size=3),
    st.integers(min_value=0, max_value=20),
    st.integers(min_value=30, max_value=140),
)
def test_only_what_says_so_is_cut_short(texts: list[str], least: int, width: int) -> None:
    texts = [text.strip() or "a" for text in texts]
    columns = [
        Column("whole", texts),
        Column("short", texts, least=least),
        Column("goes", texts, drop=1),
    ]
    shown = table(columns, width)
    cells = {str(c.header): [t.plain for t in c._cells] for c in shown.columns}  # type: ignore[union-attr]
    assert cells["whole"] == texts
    assert cells.get("goes", texts) == texts
    for cut, text in zip(cells["short"], texts, strict=True):
        assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1].rstrip()))
        assert cut == text or (least and len(cut) >= min(least, len(text)) - 1)
    taken = sum(max(map(len, (name, *column))) + 2 for name, column in cells.items()) - 2
    if any(cut != text for cut, text in zip(cells["short"], texts, strict=True)):
        assert taken <= max(width, 0) or "goes" not in cells


def test_a_cut_that_is_not_made_is_seen() -> None:
    """The mutant: a table that cuts nothing is wider than its terminal."""
    long = ["x" * 50]
    cut, whole = (
        table([Column("a", long, least=least), Column("b", ["y" * 20])], 50) for least in (10, 0)
    )
    assert [len(t.plain) for t in cut.columns[0]._cells] == [28]  # type: ignore[union-attr]
    assert [len(t.plain) for t in whole.columns[0]._cells] == [50]  # type: ignore[union-attr]
