"""`scrub find --by attribution` and `scrub.find(by="attribution")`: approximate, and marked so."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import scrub
from scrub.circuits.measurements import Measurements
from scrub.datasets import ioi
from support.command import inside

FILE = """
from scrub.datasets import ioi

MODEL = "ioi-planted"
IOI = ioi.behaviour(80)
"""
ASKED = ("find", "b.py::ioi", "--by", "attribution", "--samples", "12", "--steps", "0",
         "--size", "20", "--checked", "3")  # fmt: skip


def test_the_command_says_what_is_approximate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.py").write_text(FILE, encoding="utf-8")
    files = ("--circuit", "c.json", "--csv", "c.csv", "--plot", "c.svg")
    done = inside(*ASKED, *files, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert "ranked by gradients (approximate); what it recovers is measured" in lines
    assert any(line.startswith("approximate: 532 edges ranked") for line in lines)
    assert any("on the 40 rows held out it recovers" in line for line in lines)
    circuit = scrub.read_circuit(tmp_path / "c.json")
    assert circuit.source.endswith("(approximate)")
    parts = pd.read_csv(tmp_path / "c.csv")
    assert len(parts) == 532
    assert parts["exact"].notna().sum() == 3
    assert set(parts.loc[parts["kept"], "part"]) == set(map(str, circuit.edges))
    assert "attribution (approximate)" in (tmp_path / "c.svg").read_text(encoding="utf-8")

    # gradients are taken anew, and nothing is measured again
    monkeypatch.setattr(Measurements, "_compute", None)
    again = inside(*ASKED, cwd=tmp_path)
    assert again.code == 0, again.err
    assert done.out.startswith(again.out)


def test_in_python() -> None:
    found = scrub.find(
        ioi.behaviour(80), by="attribution", model="ioi-planted", samples=12, level="nodes",
        steps=0, senders="heads", size=6,
    )  # fmt: skip
    assert len(found.circuit.heads) == 6
    assert found.circuit.free == ("mlps",)
    assert found.found.approximate
    assert list(found.frame) == ["part", "first_order", "low", "high", "exact", "kept"]
    assert found.frame["kept"].sum() == 6
    assert found.frame["exact"].notna().all()
    with pytest.raises(scrub.UserError, match='The nearest is "top"'):
        scrub.find(ioi.behaviour(80), by="attribution", model="ioi-planted", choose="tops")
