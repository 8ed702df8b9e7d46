"""`scrub find`: what it prints and writes, how it resumes and is steered, what it refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from scrub.searches import path_search
from scrub.searches.measured import Measured, Receiver
from support.bad_input import refused
from support.code_blocks import blocks, not_printed
from support.command import Finished, inside
from support.paths import ROOT
from support.web_page import page_in

FILE = '''
from scrub import Exact, Uncond, behaviour, output
from scrub.datasets import ioi
from scrub.metrics import logit_diff

MODEL = "ioi-planted"
IOI = ioi.behaviour(80)
ANY = ioi.behaviour(80, corrupt=Uncond(), name="any")


@behaviour(data=ioi.prompts(40), metric=logit_diff("io", "s"))
def one_way(model):
    """Nobody says how it is corrupted."""
    return output(at="end")
'''
SMALL = ("--samples", "40", "--at", "s2,end")
RUFF = Path(sys.executable).with_name("ruff")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.py").write_text(FILE, encoding="utf-8")
    return tmp_path


def found(folder: Path, *arguments: str) -> Finished:
    return inside("find", "b.py::ioi", *SMALL, *arguments, cwd=folder)


def test_it_ends_in_a_hypothesis_that_a_person_would_have_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = found(
        folder,
        "--save",
        "f.py",
        "--plot",
        "t.svg",
        "--csv",
        "f.csv",
        "--log",
        "l.txt",
        "--html",
        "p.html",
    )
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("saved: scrub test f.py   (on the rows that are held out)\n")
    assert "1. to the output: 17 senders tried" in done.out
    assert "└── duplicate token at s2, attending to s1\n" in done.out
    log = (folder / "l.txt").read_text(encoding="utf-8")
    assert done.out.startswith(log)
    assert len(pd.read_csv(folder / "f.csv")) == 7
    page = page_in(folder / "p.html")
    assert "duplicate token at s2, attending to s1" in page.text
    assert page.all("pre")[0].text == " ".join(log.split())
    assert len(page.all("tr")) > 7
    picture = (folder / "t.svg").read_text(encoding="utf-8")
    assert "S-inhibition" in picture
    assert re.search(r"into q: 2.0 \d", picture)
    text = (folder / "f.py").read_text(encoding="utf-8")
    assert 's_inhibition: heads(model.role("S-inhibition"), at="end", into="q"' in text
    assert "HELD_OUT = held_out(IOI, seed=0)" in text
    page = (ROOT / "docs" / "searches.md").read_text(encoding="utf-8")
    (shown,) = (block.text for block in blocks(page) if block.text.startswith("    root = "))
    assert not_printed(shown, text) == []
    if RUFF.exists():
        for command in (["check", "--select", "E,F,I,UP,B,RUF100"], ["format", "--check"]):
            ran = subprocess.run(
                [RUFF, *command, "--no-cache", "--line-length", "100", "f.py"],
                cwd=folder, capture_output=True, text=True,
            )  # fmt: skip
            assert ran.returncode == 0, ran.stdout + text
    ran = inside("test", "f.py::needed", "--samples", "40", "--no-diagnose", cwd=folder)
    assert ran.code == 0, ran.err + ran.out
    assert "the half held out" in ran.out

    # the same command, and one that is steered, measure nothing that was measured before
    monkeypatch.setattr(path_search, "measure", None)
    again = found(folder)
    assert done.out.startswith(again.out)
    steered = found(folder, "--drop", "1.0,1.1,2.0,2.1", "--smallest", "0.2")
    assert steered.code == 2
    assert "empties the group that sends to heads 3.0, 3.1 at end" in steered.err
    merged = found(folder, "--merge", "--keep", "3.0")
    assert merged.out.replace("kept however small, where away from zero: 3.0\n", "") == again.out
    monkeypatch.undo()

    # where new receivers come between those that were measured, none is lost, and none told twice
    more = found(folder, "--smallest", "0.01", "--log", "more.txt")
    assert more.out.startswith((folder / "more.txt").read_text(encoding="utf-8"))
    assert more.out.count("senders tried") > done.out.count("senders tried")

    # what was measured of another file is not taken for this one's
    (folder / "b.py").write_text(FILE.replace("behaviour(80)", "behaviour(90)"), encoding="utf-8")
    asked = []
    monkeypatch.setattr(path_search, "measure", lambda *given: asked.append(given))
    assert found(folder).code == 3
    assert len(asked) == 1


def test_a_search_that_is_stopped_goes_on_where_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = path_search.measure

    def stopped(sweep: Any, receiver: Receiver, *rest: Any) -> Measured:
        asked.append(str(receiver))
        if len(asked) == 2:
            raise KeyboardInterrupt("stopped here")
        return real(sweep, receiver, *rest)

    monkeypatch.setattr(path_search, "measure", stopped)
    only = ("--at", "end", "--drop", "2.0")
    done = found(folder, *only)
    assert (done.code, done.err) == (130, "interrupted: stopped here\n")
    again = found(folder, *only)
    assert again.code == 0
    assert again.out.startswith(done.out)
    assert asked[:3] == ["the output", "heads 3.0, 3.1 at end", "heads 3.0, 3.1 at end"]


def test_what_is_damaged_is_measured_again(folder: Path) -> None:
    assert found(folder, "--smallest", "0.9").code == 1
    (state,) = (folder / ".scrub").glob("*.json")
    state.write_text("{", encoding="utf-8")
    done = found(folder, "--smallest", "0.9")
    assert f".scrub/{state.name} cannot be resumed from: it is damaged." in done.err
    assert state.read_text(encoding="utf-8") != "{"


def test_nothing_found(folder: Path) -> None:
    done = found(folder, "--smallest", "0.9", "--save", "f.py", "--html", "none.html")
    assert done.code == 1
    assert " ".join(done.err.split()) in page_in(folder / "none.html").text
    assert re.search(
        r"Nothing is found: of 17 senders the largest effect is that of head 3.0 at end, [\d.]+% "
        r"of the total; the smallest that is kept is 90%",
        done.err,
    )
    assert not (folder / "f.py").exists()


REFUSALS = {
    "a head that the model lacks": (
        ("b.py::ioi", "--keep", "9.9"),
        "error: b.py::ioi: keep=9.9: there is no such head. The model has layers 0 to 3 with heads "
        "0 to 3 each. The nearest is 3.3.\n",
    ),
    "no corruption": (
        ("b.py::one_way",),
        "error: b.py::one_way: It does not say how its inputs are corrupted, and a sweep needs it. "
        "Give corrupt= a sampler, such as Uncond() or Paired(a flipped copy of the data).\n",
    ),
    "an unknown column": (
        ("b.py::ioi", "--at", "s3"),
        'error: b.py::ioi: Dataset "80 ioi prompts, mixed order, seed 0, the half searched" has no '
        'position column "s3". There are: start, io, s1, s1+1, s2, end.\n',
    ),
    "a place from which nothing goes": (
        ("b.py::ioi", "--at", "5"),
        "error: b.py::ioi: None of the 17 senders (embeddings, heads) leads to the receiver logits "
        "through mlps: they come after it, or at positions that it does not read. Give other "
        "positions: at= (--at).\n",
    ),
    "a place that cannot import it": (
        ("b.py::ioi", "--save", "b.py"),
        "error: --save b.py: the behaviour itself stands there. Give another file.\n",
    ),
    "both ways": (
        ("b.py::ioi", "--split", "--merge"),
        "error: split= and merge= of all heads exclude each other: leave one out.\n",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refused(case: str, folder: Path) -> None:
    arguments, said = REFUSALS[case]
    assert refused(folder, "find", *arguments, "--samples", "8") == said
