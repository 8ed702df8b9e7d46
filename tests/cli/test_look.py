"""`scrub look`: what it prints at each width, what it writes, and what it refuses."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from scrub import Session, observe
from scrub.datasets import ioi
from scrub.model.registry import embedded_names
from scrub.report.observation import columns_of, show_observation
from support.bad_input import refused
from support.command import inside, scrub

FILE = """
from scrub.datasets import ioi

MODEL = "ioi-shortcut"
IOI = ioi.behaviour(30)
"""
SEEN = ("attention", "copying", "tokens", "lens", "attribution", "ov", "components")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.py").write_text(FILE, encoding="utf-8")
    (tmp_path / "story.txt").write_text("Alice met a quokka and Bob. Bob met Alice.")
    return tmp_path


@pytest.mark.parametrize("what", SEEN)
def test_everything_can_be_looked_at_printed_drawn_and_written(what: str, folder: Path) -> None:
    arguments = ("look", "ioi-planted", "b.py::ioi", "--what", what, "--top", "3")
    files = ("--csv", "seen.csv", "--plot", "seen.svg")
    done = inside(*arguments, *files, cwd=folder)
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 120
    assert "ioi-planted" in done.out, "the model is the command's, not the file's"
    assert len(pd.read_csv(folder / "seen.csv")) >= 3
    assert b"<svg" in (folder / "seen.svg").read_bytes()


def test_a_picture_has_the_same_bytes_for_the_same_figures(folder: Path) -> None:
    arguments = ("look", "ioi-planted", "--what", "tokens", "--of", "name mover", "--plot")
    for name in ("one.svg", "other.svg"):
        assert inside(*arguments, name, cwd=folder).code == 0
    assert (folder / "one.svg").read_bytes() == (folder / "other.svg").read_bytes()


def test_all_heads_at_one_glance(folder: Path) -> None:
    done = inside("look", "ioi-planted", "b.py", "--csv", "seen.csv", cwd=folder)
    assert (done.code, done.err) == (0, "")
    frame = pd.read_csv(folder / "seen.csv")
    assert len(frame) == 16
    wanted = {"copying", "negative", "previous_token", "duplicate_token", "induction", "adds"}
    assert wanted | {"to io", "to s1", "to s2"} <= set(frame.columns)
    assert "name mover" in done.out


def test_what_does_not_apply_is_said_and_the_rest_is_shown() -> None:
    done = inside("look", "parens")
    assert done.code == 0
    assert 'copying, negative: This does not apply to model "parens"' in done.out
    assert "copying  " not in done.out.splitlines()[3]
    assert "induction" in done.out.splitlines()[3]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_what_is_too_wide_is_left_out_and_said(width: int) -> None:
    seen = observe.attention(ioi.behaviour(20, model="ioi-planted"), session=Session())
    out = io.StringIO()
    show_observation(seen, Console(file=out, width=width), top=4)
    printed = out.getvalue()
    assert max(map(len, printed.splitlines())) <= width
    columns = [column.name for column in columns_of(seen.frame)]
    assert len(columns) == 11
    (header,) = [line for line in printed.splitlines() if line.startswith("component")]
    left_out = printed.partition("left out for want of width: ")[2].partition(";")[0]
    hidden = left_out.replace("\n", " ").split(", ") if left_out else []
    assert bool(hidden) == (width == 40)
    assert all((name in hidden) != (f" {name} " in f" {header} ") for name in columns[3:4])
    assert "4 of 96 rows, the largest by attention" in " ".join(printed.split())


def test_in_a_pipe_of_ascii() -> None:
    done = scrub(
        "look", "ioi-planted", "--what", "tokens", "--of", "name mover", PYTHONIOENCODING="ascii"
    )
    assert (done.code, done.err) == (0, "")
    assert "head 3.0" in done.out


WHATS = "attention, copying, next, tokens, lens, attribution, ov, components, congruence."
REFUSED = {
    ("ioi-planted", "--what", "atention"): (
        f'--what atention: The nearest is "attention"; there are: {WHATS}'
    ),
    ("ioi-plantd",): (
        'There is no model "ioi-plantd". The nearest is "ioi-planted"; there are: '
        f"{', '.join(embedded_names())}."
    ),
    ("b.py::ioi",): (
        "b.py::ioi is a file, and the model comes first: scrub look ioi-planted b.py::ioi."
    ),
    ("ioi-planted", "b.py::ioo"): (
        'b.py: There is no behaviour "ioo". The nearest is "ioi"; there are: ioi.'
    ),
    ("ioi-planted", "--what", "lens"): (
        "--what lens looks at a behaviour. Name one: scrub look ioi-planted FILE::BEHAVIOUR "
        "--what lens."
    ),
    ("ioi-planted", "--what", "ov", "--text", "story.txt"): "--text goes with --what tokens.",
    ("ioi-planted", "--text", "story.txt"): (
        '--text story.txt does not apply to model "ioi-planted": its tokenizer does not cover 1 of '
        '8 words: "quokka". Give a text in words that it knows.'
    ),
    ("ioi-planted", "--text", "absent.txt"): (
        "--text absent.txt: cannot be read: No such file or directory."
    ),
    ("ioi-planted", "b.py", "--what", "attribution", "--at", "io,s1"): (
        "at= (--at) is io, s1, and this looks at one position. Give one."
    ),
    ("ioi-planted", "--what", "copying", "--at", "io"): (
        "at= (--at) says where in prompts, and a model has none. Give a behaviour."
    ),
    ("ioi-planted", "--what", "ov", "--of", "mlp:2"): (
        "mlp:2: only attention heads have OV circuits. Give heads, such as 9.9,9.6, or a role."
    ),
    ("ioi-planted", "--what", "congruence"): (
        "Congruence compares neurons with a direction of the logits. Name a word, or two for a "
        'difference: words=["short", "tall"] (--direction short,tall).'
    ),
    ("ioi-planted", "--csv", "seen.txt"): "--csv seen.txt: give a file that ends in .csv.",
}


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], folder: Path) -> None:
    assert refused(folder, "look", *arguments) == f"error: {REFUSED[arguments]}\n"
