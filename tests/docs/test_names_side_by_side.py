"""docs/coming_from.md: what scrub calls things there can be written so."""

from __future__ import annotations

import ast
import inspect
import re

import pytest

import scrub
from scrub.hypothesis import splits
from support.paths import ROOT

PAGE = (ROOT / "docs/coming_from.md").read_text(encoding="utf-8")
OURS = [row.split(" | ", 1)[1] for row in PAGE.splitlines() if row.startswith("|") and "`" in row]
NAMES = vars(splits) | {name: getattr(scrub, name) for name in scrub.__all__} | {"scrub": scrub}


def calls(code: str) -> list[ast.Call]:
    """The calls of a piece of code; `…` stands for an argument. None where it is no Python."""
    try:
        tree = ast.parse(code.replace("…", "..."), mode="eval")
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def fits(call: ast.Call) -> str:
    """Why a call cannot be made; "" if it can."""
    try:
        function = eval(ast.unparse(call.func), dict(NAMES))
        given = {word.arg: ... for word in call.keywords if word.arg}
        inspect.signature(function).bind(*call.args, **given)
    except (NameError, AttributeError, TypeError) as error:
        return f"{ast.unparse(call)}: {error}"
    return ""


def test_calls_can_be_made() -> None:
    found = [call for row in OURS for code in re.findall(r"`([^`]+)`", row) for call in calls(code)]
    assert len(found) > 20
    methods = ("node", "anything", "Circuit")  # of values, not of the package
    ours = [call for call in found if not ast.unparse(call.func).startswith(methods)]
    assert [problem for problem in map(fits, ours) if problem] == []


@pytest.mark.parametrize("wrong", ["residual(9)", "heads(part=1)", "scrub.pach(1)"])
def test_a_wrong_call_is_found(wrong: str) -> None:
    (call,) = calls(wrong)
    assert fits(call)
