"""README's examples as a user pastes them into files; `test_code_blocks.py` runs them as is."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.code_blocks import python_of
from support.command import fork, inside
from support.paths import ROOT

BLOCKS = [block.text for block in python_of((ROOT / "README.md").read_text(encoding="utf-8"))]
RECIPE = "DATA = ioi.prompts(200)\n"
DATASET = """
from scrub import Dataset

ENDS = [1, 1, 1, 2, 2, 3, 3, 3, 3]
DATA = Dataset("mine", {"x": np.arange(9)}, np.ones(9), {"end_position": ENDS})
"""


def block(word: str) -> str:
    (found,) = (block for block in BLOCKS if word in block)
    return found


def test_the_claim(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(block("@claim("))
    done = inside("check", "mine.py", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "mine.py::by_position: legal (3 nodes on ioi-planted, data: " in done.out


@pytest.mark.parametrize("data", ["recipe", "dataset"])
def test_a_sampler_of_ones_own(data: str, tmp_path: Path) -> None:
    """The two blocks in one file keep all laws, on data that a user has at hand."""
    own, tests = block("class SameLength"), block("TestSameLength")
    if data == "dataset":
        assert RECIPE in tests
        tests = tests.replace(RECIPE, DATASET).replace(', model="ioi-planted"', "")
    (tmp_path / "test_mine.py").write_text(f"{own}\n\n{tests}")
    done = fork("-m", "pytest", "test_mine.py", "-p", "no:cacheprovider", cwd=tmp_path)
    assert done.code == 0, done.out
    assert "9 passed" in done.out
    assert "skipped" not in done.out


def test_a_sampler_of_ones_own_on_the_command_line(tmp_path: Path) -> None:
    claim, own = block("@claim("), block("class SameLength")
    mine = claim.replace('Agree("io_is_first")', "SameLength()")
    (tmp_path / "mine.py").write_text(f"{own}\n\n{mine}")
    done = inside("check", "mine.py", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "  SameLength(end_position): agreement, reach, uniformity, marginals, independence" in (
        done.out.splitlines()
    )
