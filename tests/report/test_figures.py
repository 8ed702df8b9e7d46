"""Numbers and tables as people read them: no negative zero, no contradiction, nothing cut short."""

from __future__ import annotations

import io
import math
import re

import pytest
from rich.console import Console
from rich.text import Text

from hypothesis import given
from hypothesis import strategies as st
from scrub.report.columns import GAP, Column, table
from scrub.stats.intervals import Interval
from scrub.stats.rounding import (
    MORE_DIGITS,
    interval,
    number,
    percent,
)

finite = st.floats(-5, 5)


@given(finite, st.integers(0, 6))
def test_nothing_that_rounds_to_zero_is_negative(value: float, digits: int) -> None:
    shown = number(value, digits)
    assert float(shown) == round(value, digits)
    assert not (shown.startswith("-") and float(shown) == 0)


def test_numbers_by_hand() -> None:
    assert (number(-0.0004), number(-0.0006), number(0.0)) == ("0.000", "-0.001", "0.000")
    assert (percent(0.95), percent(0.99), percent(0.9975)) == ("95%", "99%", "99.75%")


def test_intervals_by_hand() -> None:
    assert interval(Interval(0.91, 0.89, 0.93)) == "0.910 [0.890, 0.930]"
    assert interval(Interval(-0.0001, -0.0004, 0.0004)) == "0.000 [0.000, 0.000]"
    assert interval(Interval(math.nan, -math.inf, math.inf)) == "undefined"
    assert interval(Interval(0.5, -math.inf, math.inf)) == "0.500 [unbounded]"


def test_an_end_that_rounds_to_the_bound_shows_on_which_side_it_lies() -> None:
    just_below = Interval(0.8, 0.69996, 0.9)
    assert interval(just_below, (0.7,)) == "0.80000 [0.69996, 0.90000]"
    assert interval(Interval(0.8, 0.7004, 0.9), (0.7,)) == "0.8000 [0.7004, 0.9000]"
    assert interval(Interval(0.8, 0.7, 0.9), (0.7, None)) == "0.800 [0.700, 0.900]"


@given(finite, finite, finite)
def test_what_is_shown_agrees_with_the_verdict(low: float, high: float, bound: float) -> None:
    """Law: an end lies on the same side of the bound as it is, down to the last digit shown."""
    low, high = min(low, high), max(low, high)
    shown = interval(Interval((low + high) / 2, low, high), (bound,))
    ends = re.search(r"\[(.*), (.*)\]", shown)
    assert ends
    for end, seen in zip((low, high), map(float, ends.groups()), strict=True):
        if abs(end - bound) > 10**-MORE_DIGITS:
            assert (seen >= bound) == (end >= bound)


# Tables


def printed(columns: list[Column], width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(table(columns, width))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


COLUMNS = [
    Column("claim", ["by_position", "[red]all"], fold=True),
    Column("original", ["1.000", "2.000"], right=True, drop=2),
    Column("interval", ["1.000 [0.995, 1.004]", "0.104 [0.036, 0.170]"]),
    Column("verdict", [Text("supported", style="green"), "inconclusive"]),
    Column("seconds", ["0.1", "12.0"], right=True, drop=1),
]


def test_all_that_fits() -> None:
    assert printed(COLUMNS, 80) == [
        "claim        original  interval              verdict       seconds",
        "by_position     1.000  1.000 [0.995, 1.004]  supported         0.1",
        "[red]all        2.000  0.104 [0.036, 0.170]  inconclusive     12.0",
    ]


def test_columns_go_in_their_turn() -> None:
    heads = [printed(COLUMNS, width)[0].split() for width in (66, 65, 57, 56)]
    assert heads == [
        ["claim", "original", "interval", "verdict", "seconds"],
        ["claim", "original", "interval", "verdict"],
        ["claim", "original", "interval", "verdict"],
        ["claim", "interval", "verdict"],
    ]


@given(
    names=st.lists(st.text("abc_", min_size=1, max_size=30), min_size=1, max_size=4),
    width=st.integers(46, 120),
)
def test_nothing_is_ever_cut_short(names: list[str], width: int) -> None:
    rows = len(names)
    columns = [
        Column("claim", names, fold=True),
        Column("interval", ["-0.1234 [-0.5678, 0.9012]"] * rows),
        Column("verdict", ["inconclusive"] * rows),
        Column("seconds", ["1.0"] * rows, right=True, drop=1),
    ]
    lines = printed(columns, width)
    assert max(map(len, lines)) <= width
    assert sum("-0.1234 [-0.5678, 0.9012]" in line for line in lines) == rows
    assert sum("inconclusive" in line for line in lines) == rows
    room = max(len(line) for line in lines)
    assert room >= 25 + 12 + GAP
    if not re.search("seconds", lines[0]):
        claims = "".join(line[: lines[0].index("interval")].strip() for line in lines[1:])
        assert claims == "".join(names)


@pytest.mark.parametrize("width", [100, 80, 60])
def test_a_table_of_no_rows(width: int) -> None:
    (head,) = printed([Column("claim", []), Column("verdict", [])], width)
    assert head == "claim  verdict"
