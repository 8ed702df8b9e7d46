"""Fingerprints: which changes make the scores of an earlier run worthless."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import scrub
from scrub.api import collected_behaviour
from scrub.hypothesis.collect import load
from scrub.runner import fingerprint
from scrub.runner.fingerprint import Fingerprints, code_hash, source_hash
from support.command import SUMS
from support.paths import ROOT

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


def test_what_is_no_module_may_stand_among_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """None keeps a module from being imported; others put objects there."""
    sums: Any = load(ROOT / SUMS)
    before = source_hash(sums.conjunction)
    monkeypatch.setitem(sys.modules, "kept_out", None)
    monkeypatch.setitem(sys.modules, "odd", object())
    assert source_hash(sums.conjunction) == before

    @scrub.behaviour(data=sums.DATA, metric=sums.ERROR, corrupt=scrub.Uncond())
    def right(model: Any) -> Any:
        return scrub.site("out")

    assert collected_behaviour(right).variable == ""


def unseen(package: Path, modules: Iterable[Path]) -> list[Path]:
    """The modules whose change does not change the hash of the package."""
    before = code_hash(package)
    found = []
    for module in modules:
        text = module.read_bytes()
        module.write_bytes(text + b"\n# changed\n")
        found += [module] if code_hash(package) == before else []
        module.write_bytes(text)
    return found


def test_a_change_in_any_module_changes_the_fingerprint(copy: Path) -> None:
    """Each changes that of the package that it lies in, and one of each that of all.

    A hash reads the whole package: of all of it for every module would be 200,000 files.
    """
    assert code_hash(copy) == code_hash(SOURCE)
    packages = sorted({(copy / name).parent for name in MODULES})
    assert {copy, copy / "engine"} < set(packages)
    assert unseen(copy, [*copy.glob("*.py"), *(next(one.glob("*.py")) for one in packages)]) == []
    for package in packages:
        if package != copy:
            assert unseen(package, package.glob("*.py")) == []


def test_a_module_that_is_moved_changes_the_fingerprint(copy: Path) -> None:
    before = code_hash(copy)
    (copy / "engine/execute.py").rename(copy / "engine/executes.py")
    assert code_hash(copy) != before
    (copy / "engine/executes.py").rename(copy / "engine/execute.py")
