"""docs/tasks/edits.md: what it prints from Python is what its functions return."""

from __future__ import annotations

import re
import runpy

import pytest

from support.code_blocks import blocks, write_modules
from support.paths import ROOT

PAGE = (ROOT / "docs" / "tasks" / "edits.md").read_text(encoding="utf-8")
PRINTED = {
    called[1]: block.text.partition("\n")[2]
    for block in blocks(PAGE)
    if (called := re.match(r">>> print\((.*)\)\n", block.text))
}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    (file,) = write_modules(PAGE, tmp_path_factory.mktemp("page"))
    return runpy.run_path(str(file))


def test_the_page_prints_something() -> None:
    assert len(PRINTED) >= 5


@pytest.mark.parametrize("call", PRINTED)
def test_it_is_printed_as_shown(call: str, names: dict[str, object]) -> None:
    assert str(eval(call, names)) + "\n" == PRINTED[call]
