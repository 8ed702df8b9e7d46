"""`scrub watch`: a real process, whose file and the module beside it are edited."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import scrub
from scrub.datasets import ioi
from scrub.runner.watching import changed, stamps
from support.bad_input import refused
from support.command import ENVIRONMENT, SUMS, Fork
from support.paths import ROOT

BESIDE = "AT_LEAST = 0.6\n"
CLAIM = """
from beside import AT_LEAST

@claim(data=DATA, metric=ERROR, expect=supported(above=AT_LEAST))
def only(model):
    return product_is(Agree("x and y"))
"""


def waited(shown: Callable[[], str], text: str, count: int = 1) -> str:
    """What is shown once it has this text so often."""
    end = time.monotonic() + 60
    while shown().count(text) < count:
        assert time.monotonic() < end, shown()
        time.sleep(0.02)
    return shown()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    (tmp_path / "beside.py").write_text(BESIDE)
    path.write_text((ROOT / SUMS).read_text(encoding="utf-8") + CLAIM)
    return path


@pytest.fixture
def watching(file: Path) -> Iterator[Fork]:
    arguments = ("watch", "mine.py::only", "--samples", "60")
    fork = Fork.of(*arguments, cwd=file.parent, env=ENVIRONMENT)
    yield fork
    if fork.poll() is None:
        os.kill(fork.pid, signal.SIGKILL)


def test_it_runs_again_on_every_change(file: Path, watching: Fork) -> None:
    def printed() -> str:
        path = Path(watching.output.name, "out")
        return path.read_text("utf-8") if path.exists() else ""

    def said() -> str:
        path = Path(watching.output.name, "err")
        return path.read_text("utf-8") if path.exists() else ""

    waited(said, "watching beside.py, mine.py; Ctrl-C ends it")
    assert printed().count("1 claim, all as expected") == 1

    text = file.read_text()
    file.write_text(text.replace("supported(above=AT_LEAST)", "supported(below=AT_LEAST)"))
    waited(said, "mine.py changed")
    waited(printed, "1 claim; not as expected: only")

    file.write_text(text + "\n\ndef broken(:\n")
    waited(said, "Syntax error")
    waited(said, "watching", 3)
    assert said().count("Syntax error") == 1

    replaced = file.with_suffix(".new")  # as editors save: beside, and renamed
    replaced.write_text(text)
    os.replace(replaced, file)
    waited(printed, "1 claim, all as expected", 2)
    waited(said, "watching", 4)

    (file.parent / "beside.py").write_text("AT_LEAST = 1.5\n")
    waited(said, "beside.py changed")
    waited(printed, "not as expected: only", 2)
    waited(said, "watching", 5)

    os.kill(watching.pid, signal.SIGINT)
    out, err = watching.communicate(timeout=30)
    assert watching.returncode == 130
    assert err.endswith("interrupted\n")
    assert out.count("sums.py") == 0


def test_sigterm_ends_it(watching: Fork) -> None:
    err = Path(watching.output.name, "err")
    waited(lambda: err.read_text("utf-8") if err.exists() else "", "watching")
    os.kill(watching.pid, signal.SIGTERM)
    assert watching.communicate(timeout=30)[1].endswith("terminated\n")
    assert watching.returncode == 143


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    assert refused(tmp_path, "watch", "mien.py") == (
        'error: mien.py: There is no such file. The nearest is "mine.py"; there are: mine.py.\n'
    )
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path, "watch", "empty") == (
        "error: There is no Python file in empty, and nothing to watch.\n"
    )
    assert refused(tmp_path, "watch", "mine.py", "-k", "(").startswith('error: -k "(" is not')


def test_data_of_an_equal_recipe_is_kept() -> None:
    """Law: a file that is loaded again has its data, and with it the plain values."""
    session = scrub.Session()
    made = session.describe("ioi-planted")
    first, equal, other = ioi.prompts(20), ioi.prompts(20), ioi.prompts(21)
    data = session.data(first, made)
    for recipe in (equal, other):
        session.recognise(recipe)
    assert session.data(equal, made) is data
    assert session.data(other, made) is not data


def test_a_change_is_told_once_it_has_settled(tmp_path: Path) -> None:
    """Not while a file is being written, nor while it is away."""
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    for path in (first, second):
        path.write_text("1")
    before, looks = stamps([first, second]), []
    steps = [
        lambda: None,
        lambda: second.write_text("22"),
        lambda: second.write_text("333"),
        lambda: second.unlink(),
        lambda: None,
        lambda: second.write_text("4444"),
        lambda: None,
    ]

    def wait(seconds: float) -> None:
        steps[len(looks)]()
        looks.append(seconds)

    assert changed(before, wait) == [second]
    assert len(looks) == len(steps)


def test_a_change_before_the_first_look_is_told(tmp_path: Path) -> None:
    """What is saved while a run is on is newer than what the run read."""
    path = tmp_path / "a.py"
    path.write_text("1")
    before = stamps([path])
    path.write_text("22")
    assert changed(before, lambda seconds: None) == [path]
