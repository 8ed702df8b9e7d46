"""docs/tasks: what pages print from Python is what their functions return."""

from __future__ import annotations

import functools
import re
import runpy
from collections.abc import Callable

import pytest

from support.code_blocks import blocks, write_modules
from support.paths import ROOT

PAGES = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs" / "tasks").glob("*.md"))
}
PRINTED = {
    (name, called[1]): block.text.partition("\n")[2]
    for name, page in PAGES.items()
    for block in blocks(page)
    if (called := re.match(r">>> print\((.*)\)\n", block.text))
}


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, object]]:
    @functools.cache
    def of(page: str) -> dict[str, object]:
        (file,) = write_modules(PAGES[page], tmp_path_factory.mktemp("page"))
        return runpy.run_path(str(file))

    return of


def test_pages_print_something() -> None:
    assert sum(name == "edits.md" for name, _ in PRINTED) >= 5


@pytest.mark.parametrize(("page", "call"), PRINTED)
def test_it_is_printed_as_shown(
    page: str, call: str, names: Callable[[str], dict[str, object]]
) -> None:
    assert str(eval(call, names(page))) + "\n" == PRINTED[page, call]
