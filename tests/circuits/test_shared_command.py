"""`scrub circuit A.json B.json --on FILE::X,FILE::Y`: what it prints, writes, resumes, refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from scrub.circuits.measurements import Measurements
from scrub.cli.circuit_shared import targets_of
from scrub.errors import UserError
from support.command import Finished, inside
from support.paths import ROOT
from support.web_page import page_in

FILE = """
from scrub.datasets import marks

MODEL = "marks-shared"
a = marks.behaviour("a", 60)
b = marks.behaviour("b", 60)
"""
CIRCUITS = ROOT / "circuits"
BOTH = [str(CIRCUITS / f"marks-shared-{task}.json") for task in "ab"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "two.py").write_text(FILE, encoding="utf-8")
    return tmp_path


def shared(folder: Path, *arguments: str, circuits: list[str] = BOTH) -> Finished:
    few = ("--samples", "20", "--random", "2")
    return inside("circuit", *circuits, *few, *arguments, cwd=folder)


def test_it_prints_its_tables_in_80_columns_writes_them_and_resumes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = ("--on", "two.py::a")
    done = shared(
        folder, *on, "--csv", "s.csv", "--json", "s.json", "--plot", "s.svg", "--html", "s.html"
    )
    assert (done.code, done.err) == (0, "")
    for title in (
        "Each circuit on each behaviour",
        "Beside 2 random circuits of as many nodes per layer",
        "Lost without what two circuits share (&), or one alone has (-)",
        "Under other conventions",
    ):
        assert f"\n{title}" in done.out, title
    assert max(map(len, done.out.splitlines())) <= 80
    said = json.loads((folder / "s.json").read_text(encoding="utf-8"))
    frame = pd.read_csv(folder / "s.csv")
    lost = frame[(frame.section == "tested") & (frame.figure == "lost")].value
    assert lost.tolist() == pytest.approx([row["lost"] for row in said["tested"]])
    assert len(lost) == 2
    page = page_in(folder / "s.html")
    assert "Each circuit on each behaviour" in page.text
    assert len(page.all("img")) == 1
    assert "lost without it" in (folder / "s.svg").read_text(encoding="utf-8")

    # the same command measures nothing again, unless it is told to
    monkeypatch.setattr(Measurements, "_compute", None)
    assert shared(folder, *on).out == done.out
    assert shared(folder, *on, "--fresh").code == 3


def test_what_is_stopped_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Measurements, "_compute", stopped)
    done = shared(folder, "--on", "two.py::a")
    assert done.code == 130
    assert "the same command resumes" in done.err
    assert [path.suffix for path in (folder / ".scrub").glob("*.npz")] == [".npz"]


def test_circuits_that_call_themselves_alike_are_called_by_their_files(folder: Path) -> None:
    said = json.loads(Path(BOTH[0]).read_text(encoding="utf-8"))
    for name in ("one", "two"):
        (folder / f"{name}.json").write_text(json.dumps(said), encoding="utf-8")
    done = shared(folder, "--on", "two.py::a", "--random", "0", circuits=["one.json", "two.json"])
    assert "\none " in done.out
    assert "Beside" not in done.out
    again = shared(folder, "--on", "two.py::a", circuits=["one.json", "one.json"])
    assert again.code == 2
    assert '2 circuits are called "one".' in again.err


def test_what_it_refuses(folder: Path) -> None:
    on = ("--on", "two.py::a")
    separate = str(CIRCUITS / "marks-separate-a.json")
    for arguments, said in (
        ((*on, "--model", "marks-separate"), 'is of model "marks-shared", and the behaviours'),
        (("--on", "two.py::d"), 'There is no behaviour "d".'),
        (("--on", "a"), "--on a: a has no file. Write FILE::a."),
        (("--on", ","), "--on names no behaviour."),
        ((*on, "--sets", "3"), "--sets does not go with"),
        ((*on, "--metric", "loss"), "loss"),
    ):
        done = shared(folder, *arguments)
        assert (done.code, done.out) == (2, ""), arguments
        assert said in done.err
    mixed = shared(folder, *on, circuits=[BOTH[0], separate])
    assert mixed.err.count("\n") == 1
    assert 'Circuit "marks-separate-a" is of model "marks-separate"' in mixed.err
    missing = shared(folder, *on, circuits=["none.json", "neither.json"])
    assert (missing.code, missing.err.count("\n")) == (2, 2)


def test_a_name_goes_with_the_file_before_it() -> None:
    assert targets_of("f.py::x, y,g.py,z") == ["f.py::x", "f.py::y", "g.py", "g.py::z"]
    with pytest.raises(UserError):
        targets_of("x,f.py::y")
