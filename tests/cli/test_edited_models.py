"""Edited models wherever a model is given: in a file, in Python, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import scrub
from scrub import edited, heads, zero
from scrub.datasets import ioi
from scrub.errors import UserError
from support.command import IOI, inside
from support.paths import ROOT

EDITS = """
from scrub import edited, heads, swap, zero
from scrub.datasets import ioi

without_3_0 = edited("ioi-planted", zero(heads([(3, 0)])))
lacking = edited("ioi-planted", zero(heads([(4, 0)])))
MODEL = edited("ioi-planted", swap(heads([(3, 0)]), heads([(3, 2)])))
ioi = ioi.behaviour(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "edits.py").write_text(EDITS, encoding="utf-8")
    return tmp_path


CLAIM = f"{ROOT / IOI}::by_position"


def test_a_variable_of_a_file_is_a_model(folder: Path) -> None:
    hashes = {}
    for model in ("ioi-planted", "edits.py::without_3_0"):
        record = folder / model.replace("::", "-")
        inside(
            "test", CLAIM, "--model", model, "--samples", "20", "--no-diagnose",
            "--save-run", str(record), cwd=folder,
        )  # fmt: skip
        (run,) = record.rglob("run.json")
        recorded = json.loads(run.read_text(encoding="utf-8"))["model"]
        hashes[recorded["name"]] = recorded["weights_sha256"]
    assert list(hashes) == ["ioi-planted", "ioi-planted, edited: zero head 3.0"]
    assert len(set(hashes.values())) == 2


def test_a_file_names_it_as_its_model(folder: Path) -> None:
    done = inside("patch", "edits.py", "--samples", "20", "--top", "2", cwd=folder)
    assert (done.code, done.err) == (0, "")
    about, _, table = done.out.partition("edited: swap head 3.0 and head 3.2, ")
    assert about.endswith("logits on ioi-planted, ")
    assert "head 3.2" in table
    assert "head 3.0" not in table


def test_look_takes_a_variable_of_a_file(folder: Path) -> None:
    about = ("edits.py::ioi", "--what", "lens", "--at", "end")
    done = inside("look", "edits.py::without_3_0", *about, cwd=folder)
    assert (done.code, done.err) == (0, "")
    assert "ioi on ioi-planted, edited: zero head 3.0" in done.out


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("edits.py::without_3_1", 'no "without_3_1" in edits.py. The nearest is "without_3_0"'),
        ("nowhere.py::x", "there is no file nowhere.py"),
        ("edits.py::ioi", "of type Behaviour, which is no model"),
        ("edits.py::lacking", "has no head 4.0: it has heads 0.0 to 3.3. The nearest is 3.0"),
    ],
)
def test_what_is_no_model_is_said(model: str, message: str, folder: Path) -> None:
    done = inside("check", CLAIM, "--model", model, cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_python_takes_an_edited_model() -> None:
    session, given = scrub.Session(), edited("ioi-planted", zero(heads([(3, 0)])))
    behaviour = ioi.behaviour(40)
    whole, without = (
        scrub.patch(behaviour, model=model, samples=40, session=session).frame.set_index("sender")
        for model in ("ioi-planted", given)
    )
    assert abs(without.loc["head 3.0", "effect"]) < 1e-6 < whole.loc["head 3.0", "effect"]


def test_a_file_is_written_of_a_model_that_it_can_name_alone() -> None:
    given = edited("ioi-planted", zero(heads([(3, 0)])))
    sweep = scrub.patch(ioi.behaviour(40), model=given, samples=40)
    with pytest.raises(UserError, match=r"zero head 3\.0\), and a file cannot name it"):
        sweep.to_hypothesis()


def test_what_was_computed_of_an_edited_model_is_kept_apart() -> None:
    """In one session: plain activations are a model's, not a directory's."""
    session = scrub.Session()
    behaviour, edits = ioi.behaviour(30), zero(heads([(3, 1)]))
    models = ("ioi-planted", edited("ioi-planted", edits), edited("ioi-planted"))
    totals = [
        scrub.patch(behaviour, model=model, samples=30, session=session).frame for model in models
    ]
    assert totals[0].equals(totals[2])
    assert not totals[0].equals(totals[1])
