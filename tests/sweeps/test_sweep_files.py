"""What `scrub patch` prints and writes: table, CSV, heatmap, hypothesis file; how it resumes."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import scrub
from scrub import embeddings, site
from scrub.datasets import ioi
from scrub.engine import budget
from scrub.hypothesis.load_file import load
from scrub.hypothesis.sites import anything
from scrub.report.sweep import show_sweep
from scrub.sweeps import measure, resumable
from scrub.sweeps.heatmap import DIMMED, cells
from support.command import assert_golden, inside
from support.command import scrub as scrub_command
from support.paths import ROOT

FILE = """
from scrub import Uncond
from scrub.datasets import ioi

MODEL = "ioi-planted"
IOI = ioi.behaviour(60)
ANY = ioi.behaviour(60, corrupt=Uncond(), name="any")
"""
PATTERN = """
from scrub import Paired, Zero, behaviour, heads, output
from scrub.datasets import ioi
from scrub.metrics import attention, logit_diff

MODEL = "ioi-planted"
DATA = ioi.prompts(60)


@behaviour(data=DATA, metric=attention(to="io"), corrupt=Paired(ioi.flip(DATA, "both")))
def looks(model):
    return heads([(3, 0)], "pattern", at="end")


@behaviour(data=DATA, metric=logit_diff("io", "s"), corrupt=Zero())
def zero(model):
    return output(at="end")
"""
SMALL = ("--samples", "60")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.py").write_text(FILE, encoding="utf-8")
    return tmp_path


def patched(folder: Path, *arguments: str) -> str:
    done = inside("patch", "b.py::ioi", *SMALL, *arguments, cwd=folder)
    assert (done.code, done.err) == (0, "")
    return done.out


def test_what_it_prints(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = patched(folder, "--at", "end", "--top", "5")
    printed += "\n" + patched(
        folder, "--to", "name mover.q@end", "--corrupt", "--at", "each", "--top", "4"
    )
    printed += "\n" + patched(folder, "--from", "neurons:1", "--top", "3")
    printed += "\n" + patched(folder, "--approximate", "integrated", "--top", "4")
    assert_golden("patch", printed)


def test_a_root_that_is_no_logits_is_called_by_its_name(folder: Path) -> None:
    (folder / "p.py").write_text(PATTERN, encoding="utf-8")
    done = inside("patch", "p.py::looks", *SMALL, "--at", "end", cwd=folder)
    assert done.code == 0, done.err
    assert "\npattern of head 3.0 on ioi-planted, senders restored" in done.out


def test_effects_on_a_virtual_row_say_what_is_in_all_of_them(folder: Path) -> None:
    (folder / "p.py").write_text(PATTERN, encoding="utf-8")
    for way, said in (("--restore", True), ("--corrupt", False)):
        done = inside("patch", "p.py::zero", *SMALL, "--at", "end", way, cwd=folder)
        assert done.code == 0, done.err
        assert ("that alone is part of every effect" in " ".join(done.out.split())) == said


def test_it_fits_into_80_columns() -> None:
    found = scrub.patch(ioi.behaviour(24), model="ioi-planted", samples=24, at="end")
    out = io.StringIO()
    show_sweep(found, Console(file=out, width=80), 4)
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert "head 3.0" in out.getvalue()


def test_many_references_on_few_rows_are_about_these_rows(folder: Path) -> None:
    done = inside("patch", "b.py::ioi", "--samples", "121", "--from", "3.0", cwd=folder)
    assert "\nintervals are about these 60 rows alone, not about fresh ones\n" in done.out
    done = inside("patch", "b.py::ioi", "--samples", "120", "--from", "3.0", cwd=folder)
    assert "rows alone" not in done.out


def test_the_csv_holds_every_effect(folder: Path) -> None:
    patched(folder, "--top", "2", "--csv", "e.csv")
    found = pd.read_csv(folder / "e.csv")
    assert len(found) == 16
    assert set(found) >= {"sender", "layer", "head", "at", "metric", "effect", "low", "high", "n"}


def test_a_heatmap_is_the_same_bytes_every_time(folder: Path) -> None:
    pictures = []
    for name in ("a.svg", "b.svg"):
        patched(folder, "--at", "end", "--plot", name)
        pictures.append((folder / name).read_text(encoding="utf-8"))
    assert pictures[0] == pictures[1]
    assert "restored" in pictures[0]


def test_a_heatmap_dims_what_is_not_told_from_zero() -> None:
    found = scrub.patch(ioi.behaviour(24), model="ioi-planted", samples=24, at="end")
    rows, columns, grid = cells(found)
    assert (rows, columns) == (["0", "1", "2", "3"], ["0", "1", "2", "3"])
    figure = found.plot()
    figure.canvas.draw()
    colours = np.array(figure.axes[0].collections[0].get_facecolor())
    for place, sender in enumerate(grid.ravel()):
        effect = found.effects[0][sender]
        uncertain = effect.low <= 0 <= effect.high
        assert colours[place, 3] == (DIMMED if uncertain else 1.0)
    title = " ".join(figure.axes[0].get_title(loc="left").split())
    assert "logit(io) − logit(s)" in title
    assert "Positive: more of it" in title


def test_other_senders_are_drawn_by_position() -> None:
    found = scrub.patch(
        ioi.behaviour(24), model="ioi-planted", samples=24, at="each", senders="mlps",
        through=anything,
    )  # fmt: skip
    rows, columns, grid = cells(found)
    assert rows == ["MLP 0", "MLP 1", "MLP 2", "MLP 3"]
    assert columns[-1] == "end"
    assert (grid >= 0).sum() == len(found.senders) < grid.size
    figure = found.plot()
    figure.canvas.draw()
    colours = np.array(figure.axes[0].collections[0].get_facecolor())
    assert (colours[grid.ravel() < 0, 3] == 0).all(), "where there is no sender nothing is drawn"


# The hypothesis file


def test_the_saved_file_runs_in_a_process_of_its_own(folder: Path) -> None:
    out = patched(folder, "--at", "end", "--save", "found.py")
    assert out.endswith("saved: scrub test found.py\n")
    done = scrub_command("test", "found.py", "--samples", "60", cwd=folder, PYTHONPATH=str(ROOT))
    assert done.code == 0, done.err
    assert re.search(r"strongest_senders .*supported +supported", done.out)
    text = (folder / "found.py").read_text(encoding="utf-8")
    assert 'heads(model.role("name mover"), at="end")' in text
    assert "from b import IOI" in text


RUFF = Path(sys.executable).with_name("ruff")


@pytest.mark.skipif(not RUFF.exists(), reason="ruff is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ("--at", "end"),
        ("--from", "1.0,1.1", "--at", "each", "--through", "anything", "--corrupt"),
        ("--to", "name mover.q@end", "--at", "end", "--through", "mlps"),
        ("--from", "streams", "--through", "anything", "--at", "end"),
        ("--from", "layers", "--at", "each", "--through", "anything"),
        ("--from", "neurons:2"),
    ],
)
def test_the_saved_file_is_written_as_a_person_would(
    arguments: tuple[str, ...], folder: Path
) -> None:
    patched(folder, *arguments, "--save", "found.py")
    for command in (["check", "--select", "E,F,I,UP,B,RUF100"], ["format", "--check"]):
        done = subprocess.run(
            [RUFF, *command, "--no-cache", "--line-length", "100", "found.py"],
            cwd=folder, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + (folder / "found.py").read_text("utf-8")
    done = inside("test", "found.py", *SMALL, "--no-diagnose", cwd=folder)
    assert done.code == 0, done.err + done.out


def test_a_random_corruption_is_one_for_receiver_and_root(folder: Path) -> None:
    """Two nodes draw it, and would draw two: the file lets them draw together."""
    text = saved_text(folder, to="name mover.v@io", senders=embeddings(at="io"))
    assert text.count('other=Together("corrupted")') == 2


def saved_text(folder: Path, **options: Any) -> str:
    module = load(folder / "b.py")
    found = scrub.patch(module.ANY, samples=60, **options)
    return found.to_hypothesis()


@pytest.mark.parametrize(
    ("way", "done"),
    [("--restore", "With all else corrupted,"), ("--corrupt", "With these senders, all at once,")],
)
def test_the_saved_file_says_what_its_bound_was_read_off(folder: Path, way: str, done: str) -> None:
    patched(folder, "--at", "end", way, "--save", "found.py")
    text = (folder / "found.py").read_text(encoding="utf-8")
    remark = " ".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    assert remark.startswith(done)
    assert re.search(r"corrupted, -?\d\.\d+ \[.+\] of the loss was recovered when this", remark)
    assert remark.endswith("chosen by (60, seed 0): other data is a harsher test.")
    assert max(map(len, text.splitlines())) <= 100


def test_at_most_so_many_senders(folder: Path) -> None:
    module = load(folder / "b.py")
    found = scrub.patch(module.IOI, samples=60, at="end")
    one = found.to_hypothesis(1)
    assert "heads([(3, 0)]" in one
    assert "(3, 1)" not in one


# Resuming

SLOW = '''
from scrub import behaviour, output
from scrub.datasets import ioi
from scrub.metrics import custom, logit_diff

MODEL = "ioi-planted"
DATA = ioi.prompts(60)


def margin(logits, references):
    """Says in a log for how many references it was asked."""
    with open("log.txt", "a") as log:
        print(len(references), file=log)
    return logit_diff("io", "s").function(logits, references)


@behaviour(data=DATA, metric=custom(margin), corrupt=ioi.behaviour(60).corrupt)
def slow(model):
    """It takes its time."""
    return output(at="end")
'''
COMMAND = ("patch", "slow.py::slow", "--samples", "100", "--from", "3.0,3.1")


def asked(folder: Path) -> int:
    log = folder / "log.txt"
    found = sum(map(int, log.read_text().split()))
    log.unlink()
    return found


def test_it_resumes_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    whole = inside(*COMMAND, cwd=tmp_path)
    assert (whole.code, whole.err) == (0, "")
    every = asked(tmp_path)
    monkeypatch.setattr(budget, "LONG", 1)  # chunks of a few samples, as a long run has
    calls: list[int] = []
    at = measure.Members.at

    def stop_in_the_third(self: Any, draws: Any) -> Any:
        calls.append(len(draws.references))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return at(self, draws)

    with monkeypatch.context() as patch:
        patch.setattr(measure.Members, "at", stop_in_the_third)
        done = inside(*COMMAND, cwd=tmp_path)
    assert done.code == 130
    computed = sum(calls[:2])
    assert 0 < computed < 100
    assert done.err.startswith(f"interrupted: {computed} of 100 references computed; they are in ")
    assert list((tmp_path / ".scrub").glob("*.json"))
    asked(tmp_path)
    again = inside(*COMMAND, cwd=tmp_path)
    assert again.code == 0
    assert again.err == f"resuming: {computed} of 100 references were computed\n"
    assert asked(tmp_path) < every
    assert again.out == whole.out
    assert not (tmp_path / ".scrub").exists()


def test_what_another_file_left_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    monkeypatch.setattr(budget, "LONG", 1)
    at, calls = measure.Members.at, []

    def stop(self: Any, draws: Any) -> Any:
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return at(self, draws)

    with monkeypatch.context() as patch:
        patch.setattr(measure.Members, "at", stop)
        assert inside(*COMMAND, cwd=tmp_path).code == 130
    text = SLOW.replace('"io", "s").function', '"s", "io").function')
    (tmp_path / "slow.py").write_text(text, encoding="utf-8")
    done = inside(*COMMAND, cwd=tmp_path)
    assert (done.code, done.err) == (0, "")


def test_a_long_sweep_announces_itself(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(resumable, "estimated_seconds", lambda *_: 3600.0)
    done = inside("patch", "b.py::ioi", *SMALL, cwd=folder)
    assert done.err == (
        "about 60 minutes for 16 senders; Ctrl-C keeps what is computed, and the same command "
        "resumes\n"
    )


def test_a_model_that_has_no_name_is_the_files_own(tmp_path: Path) -> None:
    """The file's MODEL is a graph: the hypothesis file imports it."""
    text = """
from sums import DATA, MODEL

from scrub import Behaviour, Fixed, site
from scrub.metrics import custom

SAME = custom(lambda out, rows: out)
OUT = Behaviour("out", lambda model: site("out"), DATA, SAME, Fixed([7] * 8))
"""
    (tmp_path / "b.py").write_text(text, encoding="utf-8")
    (tmp_path / "sums.py").write_text((ROOT / "tests/hypotheses/sums.py").read_text("utf-8"))
    done = inside("patch", "b.py::out", *SMALL, "--from", "blocks", cwd=tmp_path)
    assert done.code == 2
    found = scrub.patch(load(tmp_path / "b.py").OUT, samples=60, senders=site("z"))
    (tmp_path / "found.py").write_text(found.to_hypothesis(), encoding="utf-8")
    assert "from b import MODEL, OUT" in found.to_hypothesis()
    done = inside("test", "found.py", *SMALL, "--no-diagnose", cwd=tmp_path)
    assert done.code == 0, done.err
