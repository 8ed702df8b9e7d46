"""A command gives the same bits in every process, whatever order the process gives sets.

Hashes of text hang on `PYTHONHASHSEED`, and up to Python 3.11 that of None on where the interpreter
lies in memory; so sets of either have another order in another process.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scrub import heads, mlps
from support.command import inside, python
from support.paths import ROOT

BEHAVIOURS = '''"""them.py"""

from scrub.datasets import ioi

MODEL = "ioi-planted"
IOI = ioi.behaviour(40)
'''
CIRCUIT, FOUND = (
    ROOT / "circuits" / f"ioi-planted-2{which}.json" for which in ("", "-attribution")
)
CLAIM = f"{ROOT}/hypotheses/ioi_claim3.py::by_value"
COMMANDS = f"""
test {CLAIM} --samples 8 --save-run run --json test.json
explain {CLAIM} --samples 8 --json explain.json
patch them.py::ioi --samples 4 --to 3.0.k --through mlps --csv patch.csv
find them.py::ioi --samples 4 --by pruning --level nodes --at end --circuit it.json --csv it.csv
circuit {CIRCUIT} {FOUND} --json both.json
"""
SCRIPT = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from cli.test_same_bits import printed

print(printed(Path.cwd()), end="")
"""


def printed(folder: Path) -> str:
    """What the commands print in this process."""
    said = [f"{heads([(1, 0)], into=('q', 'k', 'v'), through=mlps)}"]
    for line in COMMANDS.strip().splitlines():
        done = inside(*line.split(), cwd=folder)
        said += [f"$ {line}", done.out, done.err]
    return "\n".join(said)


def made(folder: Path, seed: int | None) -> dict[str, str]:
    """What a process with this seed of hashes prints and writes, but for what it took.

    The bytes of a record's arrays stand as text of one character a byte.

    Args:
        seed: None: this process, whose seed is any.
    """
    folder.mkdir()
    (folder / "them.py").write_text(BEHAVIOURS, encoding="utf-8")
    if seed is None:
        out = printed(folder)
    else:
        said = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed)}
        done = python("-c", SCRIPT, str(ROOT / "tests"), cwd=folder, **said)
        assert (done.code, done.err) == (0, "")
        out = done.out
    files = {
        str(file.relative_to(folder)): file.read_text("latin-1")
        for file in folder.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    every = {"printed": out, **files}
    return {
        name: re.sub(r'("seconds": |  )\d+\.\d+(?=,?\n)', r"\1…", every[name]) for name in every
    }


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return made(tmp_path_factory.mktemp("first") / "it", None)


def test_all_that_is_asked_is_made(first: dict[str, str]) -> None:
    assert "error" not in first["printed"]
    wanted = {"test.json", "explain.json", "patch.csv", "it.csv", "it.json", "both.json"}
    assert wanted | {"run/by_value/run.safetensors"} <= first.keys()


@pytest.mark.parametrize("seed", [1, 2])
def test_another_process_gives_the_same_bits(
    seed: int, first: dict[str, str], tmp_path: Path
) -> None:
    again = made(tmp_path / "it", seed)
    assert again.keys() == first.keys()
    for name in first:
        assert again[name] == first[name], name
