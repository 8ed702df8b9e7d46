"""docs/semantics.md shows what the program prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import ROOT, inside
from scrub.commands import prepared_claims
from scrub.data import Rows
from scrub.draw import Draws, draw
from scrub.tree import Occurrence

PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
(CLAIM,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
SHOWN = re.compile(r"\$ scrub show (\S+) --row (\d+)\n(.*?)\n```", flags=re.DOTALL)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    (tmp_path / "order.py").write_text(CLAIM, encoding="utf-8")
    return tmp_path


def without_trailing_space(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines())


def test_the_example_is_what_show_prints(example: Path) -> None:
    ((target, row, shown),) = SHOWN.findall(PAGE)
    found = inside("show", target, "--row", row, cwd=example)
    assert (found.code, found.err) == (0, "")
    assert without_trailing_space(found.out) == shown


def test_the_examples_positions_are_those_of_its_frames(example: Path) -> None:
    ((target, row, _),) = SHOWN.findall(PAGE)
    (claim,) = prepared_claims((str(example / target),), None, "")
    draws = draw(claim.tree, claim.data, samples=1, seed=0, references=[int(row)])
    lines = [
        "| node | `at=` | taken in | at | lands in | at |",
        "| --- | --- | --- | --- | --- | --- |",
        *landings(claim.tree, draws),
    ]
    assert "\n".join(lines) in PAGE


def landings(parent: Occurrence, draws: Draws) -> Iterator[str]:
    """A line for each node below and each of its positions."""
    for child in parent.children:
        frames = [draws.nodes[node.path].frame for node in (child, parent)]
        specs = [spec for route in child.routes for spec in route.at]
        for spec in specs:
            cells = [cell for rows in frames for cell in (start_of(rows), where(rows, spec))]
            yield f"| {child.node.name} | {spec} | {' | '.join(cells)} |"
        yield from landings(child, draws)


def start_of(rows: Rows) -> str:
    return "".join(rows.data.pieces[rows.index[0]][:4]).strip() + " …"


def where(rows: Rows, spec: str | int) -> str:
    position = rows.data.position(spec)[rows.index[0]]
    return f"{position}, {rows.data.pieces[rows.index[0]][position].strip()}"
