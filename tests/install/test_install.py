"""Both installs, wheel and editable: what is in them, and that they work from anywhere.

Each goes into a fresh virtual environment that sees the packages of the Python that runs the tests
(not its scrub: `.pth` files of theirs are not read). Building needs hatchling from the index.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from support.command import ENVIRONMENT, IOI, SUMS
from support.embedded import OF_TEXT
from support.paths import ROOT

KINDS = ("wheel", "editable")


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def python_of(environment: Path) -> Path:
    return environment / ("Scripts" if os.name == "nt" else "bin") / "python"


def pip(environment: Path, *arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--python", python_of(environment), *arguments]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    if "No matching distribution found for hatchling" in done.stderr:  # offline
        pytest.skip("hatchling cannot be had from the package index")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, and beside it the environment `editable` with the checkout installed."""
    folder = tmp_path_factory.mktemp("installs")
    venv.create(folder / "editable")
    build = ("--no-deps", "--no-build-isolation")
    pip(folder / "editable", "install", "hatchling", "editables")
    pip(folder / "editable", "wheel", *build, "--wheel-dir", folder, ROOT)
    pip(folder / "editable", "install", *build, "--editable", ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module", params=KINDS)
def installed(request: pytest.FixtureRequest, wheel: Path) -> Path:
    """An environment with scrub installed."""
    environment = wheel.parent / request.param
    if request.param == "wheel":
        venv.create(environment)
        pip(environment, "install", "--no-deps", "--no-index", wheel)
    packages = sysconfig.get_path("purelib")
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs = Path(run(python_of(environment), "-c", code, cwd=wheel.parent).strip())
    (theirs / "packages_of_the_tests.pth").write_text(packages + "\n", encoding="utf-8")
    return environment


def files_of(package: Path) -> set[str]:
    return {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_the_wheel_holds_the_package_with_models_roles_and_datasets(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {f"scrub/{name}" for name in files_of(ROOT / "scrub")}
    datasets = {f"scrub/datasets/{name}" for name in files_of(ROOT / "datasets")}
    assert names == (package | datasets) - {"scrub/datasets/__init__.pyi"}  # of a checkout alone
    assert "scrub/py.typed" in names
    weights = ("config.json", "model.safetensors")
    parts = dict.fromkeys(OF_TEXT, (*weights, "roles.toml", "tokenizer.json"))
    seeing = (*weights, "roles.toml", "tokenizer.json", "processor_config.json")
    parts |= dict.fromkeys(("rgb-planted", "rgb-shortcut"), seeing)
    for model, files in {**parts, "parens": weights}.items():
        assert {f"scrub/model/embedded/{model}/{file}" for file in files} <= names
    assert "scrub/model/roles/gpt2.toml" in names
    assert {"scrub/datasets/ioi.py", "scrub/datasets/parens.py"} <= names


def test_datasets_is_no_package_of_ours() -> None:
    """With an `__init__.py` it would shadow Hugging Face's."""
    assert not (ROOT / "datasets" / "__init__.py").exists()


IMPORTS = """
import sys
import scrub
from scrub.datasets import ioi
import transformer_lens
import datasets
assert hasattr(datasets, "load_dataset"), datasets
print(scrub.__file__, ioi.__file__, datasets.__file__, sep="\\n")
"""


def test_imports_from_the_repository_and_from_elsewhere(installed: Path, tmp_path: Path) -> None:
    """transformer_lens imports Hugging Face's datasets, with ours a folder of that name away."""
    editable = installed.name == "editable"
    for here in (ROOT, tmp_path):
        hidden = "" if here is ROOT and not editable else "import transformer_lens\n"
        imports = IMPORTS.replace(hidden, "")  # four seconds, and the same packages in all
        found = run(python_of(installed), "-c", imports, cwd=here).split()
        package, ioi, datasets = (Path(line) for line in found)
        ours = here is ROOT or editable  # `-c` puts the current folder first
        assert (package == ROOT / "scrub" / "__init__.py") == ours
        assert (ioi == ROOT / "datasets" / "ioi.py") == ours
        assert package.is_relative_to(installed) != ours
        assert ioi.is_relative_to(installed) != ours
        assert datasets.parent.parent == Path(sysconfig.get_path("purelib"))


IN_TURN = """
import json, os, runpy, sys
script, *commands = sys.argv[1:]
sys.path[0] = os.path.dirname(script)
for command in commands:
    folder, *arguments = json.loads(command)
    os.chdir(folder)
    sys.argv = [script, *arguments]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        print(folder, ended.code)
"""
"""The script of the command, run by one process as by several: each would import torch."""


def test_the_command_from_the_repository_and_from_elsewhere(
    installed: Path, tmp_path: Path
) -> None:
    command = python_of(installed).with_name("scrub")
    assert run(command, "--version", cwd=tmp_path) == "scrub, version 0.1.0\n"
    claims = (f"{ROOT / IOI}::by_position", f"{ROOT / SUMS}::conjunction")
    commands = [
        [str(ROOT), "check", IOI],
        [str(tmp_path), "test", *claims, "--samples", "400"],
    ]
    texts = map(json.dumps, commands)
    done = run(python_of(installed), "-c", IN_TURN, command, *texts, cwd=tmp_path)
    checked, elsewhere = done.split(f"\n{ROOT} 0\n")
    assert checked.count(": legal (") == 5
    assert "2 claims, all as expected" in elsewhere  # the embedded model's files are found
    assert elsewhere.endswith(f"\n{tmp_path} 0\n")
