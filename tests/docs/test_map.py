"""CONTRIBUTING.md says where things are: its files exist, and it names what uses golden files."""

from __future__ import annotations

import re

from support.command import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`((?:scrub|tests|docs|benchmarks|datasets)/[^`]*)`", PAGE)))


def missing(paths: list[str]) -> list[str]:
    return [path for path in paths if not (ROOT / path).exists()]


def test_what_it_names_exists() -> None:
    assert len(PATHS) > 20
    assert missing(PATHS) == []
    assert missing(["scrub/cli/shared.py", *PATHS]) == ["scrub/cli/shared.py"]


def test_all_users_of_golden_files_are_named() -> None:
    users = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(r"^\s*assert_golden\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert users
    assert users <= set(PATHS)
