"""Which claims are chosen: `-k` expressions, and `PATH::CLAIM`."""

from __future__ import annotations

import re

import pytest

from scrub.errors import UserError
from scrub.hypothesis.keywords import selector
from support.command import SUMS, inside


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("", "by_value by_position by_absolute_position whole"),
        ("position", "by_position by_absolute_position"),
        ("position and not absolute", "by_position"),
        ("value or whole", "by_value whole"),
        ("by_* and not (value or absolute)", "by_position"),
        ("not by", "whole"),
        ("w?ole", "whole"),
        ("while", ""),
    ],
)
def test_keyword_expressions(expression: str, names: str) -> None:
    selects = selector(expression)
    every = ("by_value", "by_position", "by_absolute_position", "whole")
    assert " ".join(filter(selects, every)) == names


@pytest.mark.parametrize("expression", ["a b", "and", "a or", "(a", "a (b)", "()", "not"])
def test_keywords_that_are_no_expression(expression: str) -> None:
    with pytest.raises(UserError, match="is not an expression"):
        selector(expression)


def test_keyword_and_claim_on_the_command_line() -> None:
    listed = [
        re.findall(r"::(\w+): legal", inside("check", *arguments).out)
        for arguments in ((SUMS, "-k", "un* or by"), (f"{SUMS}::only_x", f"{SUMS}::by_hand", SUMS))
    ]
    assert listed[0] == ["undefined", "by_hand"]
    assert listed[1] == ["only_x", "by_hand", "conjunction", "anything_goes", "undefined"]
