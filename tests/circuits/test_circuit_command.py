"""`scrub circuit FILE::BEHAVIOUR CIRCUIT.json`: what it prints and writes, resumes and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scrub.circuits.measurements import Measurements
from support.command import Finished, inside
from support.web_page import page_in

FILE = """
from scrub.datasets import ioi

MODEL = "ioi-planted"
IOI = ioi.behaviour(40)
"""
CIRCUIT = {
    "schema": "scrub.circuit/1",
    "name": "planted",
    "free": ["mlps"],
    "nodes": [
        {"component": f"{layer}.{head}", "at": [at], "role": role}
        for layer, at, role in (
            (1, "s2", "duplicate token"), (2, "end", "S-inhibition"), (3, "end", "name mover"),
        )
        for head in (0, 1)
    ],
}  # fmt: skip
FEW = ("--samples", "20", "--sets", "1", "--greedy", "1", "--runs", "1", "--random", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.py").write_text(FILE, encoding="utf-8")
    (tmp_path / "c.json").write_text(json.dumps(CIRCUIT), encoding="utf-8")
    return tmp_path


def scored(folder: Path, *arguments: str) -> Finished:
    return inside("circuit", "b.py::ioi", "c.json", *FEW, *arguments, cwd=folder)


def test_it_prints_all_scores_in_80_columns_and_writes_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ("--by", "order", "--orders", "2")
    files = ("--csv", "s.csv", "--json", "s.json", "--plot", "s.svg", "--html", "s.html")
    done = scored(folder, *wanted, *files)
    assert (done.code, done.err) == (0, "")
    for title in (
        "Faithfulness by logit(io) − logit(s)", "The incomplete circuit",
        "Nulls: 2 random circuits of as many nodes per layer\n",
        "Faithfulness by order", "Completeness: ", "Minimality: ", "Curve: ", "Of 2 orders",
    ):  # fmt: skip
        assert f"\n{title}" in done.out, title
    assert max(map(len, done.out.splitlines())) <= 80
    assert "(the\nbehaviour's own)" in re.sub(r" +\n", "\n", done.out)
    said = json.loads((folder / "s.json").read_text(encoding="utf-8"))
    page = page_in(folder / "s.html")
    assert [one.text for one in page.all("summary")] == [
        "Faithfulness", "Nulls", "Parts", "By", "Completeness", "Minimality", "Curve", "Frequency",
    ]  # fmt: skip
    assert "Completeness: |F(C∖K) − F(M∖K)|" in page.text
    assert "weights of ioi-planted, sha256" in page.text
    frame = pd.read_csv(folder / "s.csv")
    whole = frame[(frame.section == "faithfulness") & (frame.figure == "recovered")]
    assert len(whole) == len(said["faithfulness"]) > 5
    assert whole.value.iloc[0] == pytest.approx(said["faithfulness"][0]["recovered"])
    assert "heads kept" in (folder / "s.svg").read_text(encoding="utf-8")

    # the same command measures nothing again, unless it is told to
    monkeypatch.setattr(Measurements, "_compute", None)
    assert scored(folder, *wanted).out == done.out
    assert scored(folder, *wanted, "--fresh").code == 3


def test_what_is_stopped_goes_on_where_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Measurements._compute
    computed: list[tuple[str, str]] = []

    def counted(self: Measurements, new: dict[str, Any]) -> None:
        if len(computed) > 4 and stop:
            raise KeyboardInterrupt
        computed.extend((self.file.path.name if self.file.path else "", one) for one in new)
        real(self, new)

    stop, only = True, ("--only", "parts")
    monkeypatch.setattr(Measurements, "_compute", counted)
    done = scored(folder, *only)
    assert done.code == 130
    assert re.fullmatch(
        r"interrupted: \d+ circuits were measured; they are in .*, and the same command resumes\n",
        done.err,
    )
    stop, before = False, len(computed)
    again = scored(folder, *only)
    assert again.code == 0
    assert 4 < before < len(computed)
    assert len(set(computed)) == len(computed), "nothing is measured twice"
    monkeypatch.setattr(Measurements, "_compute", real)
    assert scored(folder, *only, "--fresh").out == again.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("b.py::ioi",), "0 circuits"),
        (("b.py::ioi", "b.py::ioi", "c.json"), "2 behaviours"),
        (("b.py::ioi", "missing.json"), "missing.json"),
        (("b.py::oii", "c.json"), "ioi"),
        (("b.py::ioi", "c.json", "--by", "ordr"), "order"),
        (("b.py::ioi", "c.json", "--only", "curves"), "curve"),
        (("b.py::ioi", "c.json", "--only", "nulls", "--plot", "s.svg"), "--plot"),
        (("b.py::ioi", "c.json", "--metric", "logit"), "logit"),
        (("b.py::ioi", "c.json", "--save", "b.py"), "--save b.py"),
        (("b.py::ioi", "big.json"), "9.9"),
        (("b.py::ioi", "empty.json"), "empty"),
        (("c.json", "--by", "order"), "--by does not go with circuits by themselves"),
        (("c.json", "--on", "b.py::ioi", "--sets", "1"), "--sets does not go with circuits on sev"),
        (("b.py::ioi", "c.json", "--on", "b.py::ioi"), "with --on behaviours are named there"),
    ],
)
def test_wrong_input_says_what_to_do(folder: Path, arguments: tuple[str, ...], says: str) -> None:
    for name, nodes in (("big", [{"component": "9.9"}]), ("empty", [])):
        said = {"schema": "scrub.circuit/1", "nodes": nodes}
        (folder / f"{name}.json").write_text(json.dumps(said), encoding="utf-8")
    done = inside("circuit", *arguments, cwd=folder)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert says in done.err
    assert "Traceback" not in done.err


def test_what_takes_long_is_announced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Measurements, "seconds", lambda self, count: 60.0 * count)
    done = scored(folder, "--only", "nulls", "--random", "1")
    circuits = done.out.splitlines()[-1]
    assert circuits == "at most 15 circuits were measured"
    assert done.err.startswith("about 15 minutes for 15 circuits; Ctrl-C keeps what is computed")


def test_the_claim_that_it_saves_recovers_the_same(folder: Path) -> None:
    done = scored(
        folder, "--only", "nulls", "--random", "1", "--save", "claim.py", "--csv", "s.csv"
    )
    assert done.out.endswith("saved: scrub test claim.py\n")
    (whole, *_) = pd.read_csv(folder / "s.csv").value
    ran = inside(
        "test", "claim.py::circuit_alone", "--samples", "20", "--no-diagnose", "--json", "r.json",
        cwd=folder,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (result,) = json.loads((folder / "r.json").read_text(encoding="utf-8"))["results"]
    assert result["recovered"]["mean"] == pytest.approx(whole, abs=1e-5)
