"""Pages of tasks: what they print from Python is what their functions return."""

from __future__ import annotations

import functools
import re
import runpy
import tempfile
from pathlib import Path

import pytest

from support.code_blocks import blocks, write_modules
from support.paths import ROOT

TASKS = ROOT / "docs" / "tasks"
PAGES = {
    name: (TASKS / name).read_text(encoding="utf-8") for name in ("contractions.md", "edits.md")
}
PRINTED = [
    pytest.param(name, called[1], block.text.partition("\n")[2], id=f"{name}:{block.line}")
    for name, page in PAGES.items()
    for block in blocks(page)
    if (called := re.match(r">>> print\((.*)\)\n", block.text))
]


@functools.cache
def names(page: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        (file,) = write_modules(PAGES[page], Path(folder))
        return runpy.run_path(str(file))


def test_the_pages_print_something() -> None:
    assert len(PRINTED) >= 8


@pytest.mark.parametrize(("page", "call", "shown"), PRINTED)
def test_it_is_printed_as_shown(page: str, call: str, shown: str) -> None:
    assert str(eval(call, names(page))) + "\n" == shown
