"""docs/semantics.md shows what the program prints, and what is written elsewhere leads to it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scrub.cli.shared import prepared_claims
from scrub.data.dataset import Rows
from scrub.draw import Draws, draw
from scrub.hypothesis.tree import Occurrence
from support.command import inside
from support.paths import ROOT

PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
(CLAIM,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
SHOWN = re.compile(r"\$ scrub show (\S+) --row (\d+)\n(.*?)\n```", flags=re.DOTALL)
TEXT_FILES = (".md", ".py", ".toml", ".txt", ".yaml", ".yml")


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
    (claim,) = prepared_claims((str(example / target),), "")
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
