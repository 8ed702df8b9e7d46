"""docs/semantics.md says which positions are meant, and what is written elsewhere leads to it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scrub.cli.claims import prepared_claims
from scrub.data.dataset import Rows
from scrub.draw import Draws, draw
from scrub.hypothesis.tree import Occurrence
from support.code_blocks import shown_on, write_modules
from support.paths import ROOT

PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
TEXT_FILES = (".md", ".py", ".toml", ".txt", ".yaml", ".yml")


def test_the_examples_positions_are_those_of_its_frames(tmp_path: Path) -> None:
    (shown,) = shown_on(PAGE)
    (command, target, _, row) = shown.arguments
    assert command == "show"
    write_modules(PAGE, tmp_path)
    (claim,) = prepared_claims((str(tmp_path / target),), "")
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


def repository_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout of the repository")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name.endswith(TEXT_FILES)]


def test_nothing_cites_a_text_that_the_repository_does_not_hold() -> None:
    cited = re.compile(r"\bdesign(\.md)?\s+§|\bdesign\.md", flags=re.IGNORECASE)
    here = Path(__file__).resolve()
    found = {
        str(path.relative_to(ROOT)): cited.findall(path.read_text(encoding="utf-8"))
        for path in repository_files()
        if path.resolve() != here and path.is_file()
    }
    assert {name: cites for name, cites in found.items() if cites} == {}


def test_sections_that_are_cited_are_there() -> None:
    headings = set(re.findall(r"^#+ (.*)$", PAGE, flags=re.MULTILINE))
    cited = {
        (str(path.relative_to(ROOT)), name)
        for path in repository_files()
        if path.is_file()
        for name in re.findall(r"docs/semantics\.md, ([A-Z]\w+)", path.read_text("utf-8"))
    }
    assert len(cited) > 5
    assert {(path, name) for path, name in cited if name not in headings} == set()
