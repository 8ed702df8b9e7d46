"""Fingerprints: which changes make the scores of an earlier run worthless."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import scrub
from scrub.runner import fingerprint
from scrub.runner.fingerprint import Fingerprints, code_hash

SOURCE = Path(scrub.__file__).parent
MODULES = sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package's modules."""
    here = tmp_path_factory.mktemp("package") / "scrub"
    for name in MODULES:
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCE / name, here / name)
    return here


def test_the_whole_package_is_hashed() -> None:
    assert fingerprint.PACKAGE == SOURCE
    assert Fingerprints.of_claims([]).code == code_hash(SOURCE)


def test_a_change_in_any_module_changes_the_fingerprint(copy: Path) -> None:
    """One module at a time, in one test: the hash before is the same for all."""
    before = code_hash(copy)
    assert before == code_hash(SOURCE)
    unseen = []
    for name in MODULES:
        text = (copy / name).read_bytes()
        (copy / name).write_bytes(text + b"\n# changed\n")
        unseen += [name] if code_hash(copy) == before else []
        (copy / name).write_bytes(text)
    assert unseen == []


def test_a_module_that_is_moved_changes_the_fingerprint(copy: Path) -> None:
    before = code_hash(copy)
    (copy / "engine/execute.py").rename(copy / "engine/executes.py")
    assert code_hash(copy) != before
    (copy / "engine/executes.py").rename(copy / "engine/execute.py")
