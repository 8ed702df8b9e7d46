"""Imports go one way: the contracts of pyproject.toml, and that they can be broken."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from support.paths import ROOT

CODE = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"


def contracts(root: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the package in this folder."""
    return subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def test_imports_go_one_way() -> None:
    done = contracts(ROOT)
    assert done.returncode == 0, done.stdout


def test_an_import_upwards_is_found(tmp_path: Path) -> None:
    for name in ("scrub", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    with open(tmp_path / "scrub" / "names.py", "a", encoding="utf-8") as file:
        file.write("\n\nimport scrub.engine.plan\n")
    done = contracts(tmp_path)
    assert done.returncode != 0
    assert "scrub.names is not allowed to import scrub.engine" in done.stdout
