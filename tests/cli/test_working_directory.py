"""The working directory: outputs lie where a command was started, wherever the user's code goes."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

import scrub as package
from scrub.errors import UserError
from scrub.hypothesis.collect import load
from scrub.runner.options import Options
from scrub.runner.outputs import Outputs, check_outputs
from scrub.runner.partial_results import partial_file
from support.command import ROOT, SUMS, Finished, inside, python, scrub
from support.stoppable import made

CLAIMS = '''
import os
import shutil
import sys
import tempfile
sys.path.insert(0, {hypotheses!r})
from sums import DATA, MODEL, distance, product_is
from scrub import Agree, claim, supported
from scrub.metrics import custom


def leaves(where):
    if where == {place!r}:
        {statement}


class Sampler:
    """Agree, from somewhere else."""

    features = ("x and y",)

    def draw(self, references, randomness):
        leaves("sampler")
        return Agree(self.features).draw(references, randomness)


def measured(value, references):
    leaves("metric")
    return distance(value, references)


METRIC = custom(measured, higher_is_better=False)


@claim(data=DATA, metric=METRIC, expect=supported(above=0.9, below=1.1))
def one(model):
    leaves("claim")
    return product_is(Sampler())


leaves("file")
'''
PLACES = ("file", "claim", "sampler", "metric")
GONE = (
    "error: The working directory cannot be found: No such file or directory. Change into one that "
    "is there.\n"
)
RUN = ("--samples", "400", "--no-diagnose")


def written(folder: Path, place: str, statement: str) -> Path:
    hypotheses = str(ROOT / "tests" / "hypotheses")
    text = CLAIMS.format(hypotheses=hypotheses, place=place, statement=statement)
    (folder / "claims.py").write_text(text, encoding="utf-8")
    return folder


def files(folder: Path) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found if path.suffix != ".pyc"}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def away(tmp_path: Path) -> Path:
    (tmp_path / "away").mkdir()
    return tmp_path / "away"


# The user's code goes elsewhere


@pytest.mark.parametrize("place", PLACES)
def test_outputs_stay(here: Path, away: Path, place: str) -> None:
    written(here, place, f"os.chdir({str(away)!r})")
    outputs = ("--json", "r.json", "--save-run", "../here/runs")
    done = inside("test", "claims.py", *RUN, *outputs, cwd=here)
    assert (done.code, done.err) == (0, "")
    done = inside("plan", "claims.py", "--svg", "p.svg", cwd=here)
    assert (done.code, done.err) == (0, "")
    plot = ("--plot", "w.svg", "--json", "e.json", "--samples", "100")
    done = inside("explain", "claims.py", *plot, cwd=here)
    assert (done.code, done.err) == (0, "")
    records = {"runs/one/run.json", "runs/one/run.safetensors"}
    assert files(here) == {"claims.py", "r.json", "p.svg", "w.svg", "e.json", *records}
    assert files(away) == set()


def test_the_second_file_is_found_from_the_start(here: Path, away: Path) -> None:
    written(here, "file", f"os.chdir({str(away)!r})")
    shutil.copy(here / "claims.py", here / "more.py")
    done = inside(
        "compare", "claims.py", "more.py", "--samples", "50", "--json", "c.json", cwd=here
    )
    assert (done.code, done.err) == (0, "")
    assert files(here) == {"claims.py", "more.py", "c.json"}


def test_a_run_that_goes_away_and_is_stopped_resumes(here: Path, away: Path) -> None:
    """With --json and without; the file is called as the user gave it."""
    place = made(here)
    text = (here / "claims.py").read_text()
    assert "\ncalls = []" in text
    (here / "claims.py").write_text(text.replace("\ncalls", f"\nos.chdir({str(away)!r})\ncalls"))
    arguments = ("-k", "second", "--samples", "300", "--max-memory", "5000", "--no-diagnose")
    for output, partial in (((), ".scrub/"), (("--json", "r.json"), "r.json.partial")):
        done = place.stopped(signal.SIGINT, "second 4", *arguments, *output, LOG=str(place.log))
        assert done.code == 130
        assert f"; what was computed is in {partial}" in done.err
        assert [name for name in files(here) if name.startswith(partial)]
        done = place.run(*arguments, *output)
        assert done.code == 0
        assert done.err.startswith("resuming: ")
        assert not [name for name in files(here) if name.startswith(partial)]
    assert files(away) == set()


def test_what_cannot_be_written_is_called_as_it_was_given(here: Path, away: Path) -> None:
    """The folder goes while the claim runs."""
    (here / "out").mkdir()
    written(here, "metric", f"os.chdir({str(away)!r}); shutil.rmtree({str(here / 'out')!r}, True)")
    done = inside("test", "claims.py", *RUN, "--json", "out/r.json", cwd=here)
    assert done.code == 2
    assert done.err == "error: --json out/r.json: cannot be written: No such file or directory.\n"
    assert "1 claim, all as expected" in done.out
    (here / "out").mkdir()
    done = inside("explain", "claims.py", "--samples", "50", "--plot", "out/w.svg", cwd=here)
    assert done.code == 2
    assert done.err == "error: --plot out/w.svg: cannot be written: No such file or directory.\n"


def test_a_record_that_cannot_be_written_is_called_as_it_was_given(here: Path, away: Path) -> None:
    written(here, "metric", f"os.chdir({str(away)!r})")
    (here / "runs" / "one" / "run.json").mkdir(parents=True)
    done = inside("test", "claims.py", *RUN, "--save-run", "runs", cwd=here)
    assert (done.code, done.out) == (2, "")
    assert "--save-run: runs/one/" in done.err


# Laws of the outputs


def test_outputs_are_taken_from_the_start(
    here: Path, away: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here)
    outputs = check_outputs(Path("r.json"))
    monkeypatch.chdir(away)
    assert outputs.start == here
    with outputs.writing("--json", Path("r.json")) as file:
        assert file == here / "r.json"
    assert outputs.shown(here / "a" / "b") == Path("a/b")
    assert outputs.shown(away / "b") == away / "b"
    (here / "r.json").mkdir()  # such as /dev/stdout: nothing lies beside it
    assert partial_file([], Options(), outputs).parent == Path(".scrub")
    assert partial_file([], Options(), Outputs(away, Path("r.json"))) == Path("r.json.partial")


# It is gone


def in_none(folder: Path, *arguments: str) -> Finished:
    """A command that is started in a directory which is no longer there."""
    code = (
        "import os, sys; os.rmdir(os.getcwd()); sys.path.insert(0, sys.argv.pop(1)); "
        "from scrub.cli.main import main; main()"
    )
    folder.mkdir()
    return python("-c", code, str(ROOT), *arguments, cwd=folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ("test", str(ROOT / SUMS)),
        ("test", "sums.py", "--json", "r.json", "--save-run", "runs"),
        ("check", str(ROOT / SUMS)),
        ("plan", f"{ROOT / SUMS}::conjunction", "--svg", "p.svg"),
        ("show", f"{ROOT / SUMS}::conjunction", "--row", "0"),
        ("explain", f"{ROOT / SUMS}::conjunction", "--plot", "p.svg"),
        ("compare", f"{ROOT / SUMS}::conjunction", f"{ROOT / SUMS}::only_x"),
    ],
)
def test_a_directory_that_is_gone(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = in_none(tmp_path / "gone", *arguments)
    assert (done.code, done.out, done.err) == (2, "", GONE)


def test_help_needs_none(tmp_path: Path) -> None:
    for number, arguments in enumerate((("--help",), ("test", "--help"), ("--version",))):
        done = in_none(tmp_path / str(number), *arguments)
        assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", ["test", "check"])
def test_the_users_code_deletes_it(tmp_path: Path, here: Path, command: str, place: str) -> None:
    """Started elsewhere, so that the file itself stays."""
    written(tmp_path, place, "os.getcwd() and shutil.rmtree(os.getcwd())")
    again = "    try:\n        os.getcwd()\n    except OSError:\n        return\n"
    file = tmp_path / "claims.py"
    text = file.read_text()
    file.write_text(text.replace("def leaves(where):\n", "def leaves(where):\n" + again))
    options = (*RUN, "--json", "r.json") if command == "test" else ()
    done = scrub(command, "../claims.py", *options, cwd=here, PYTHONPATH=str(ROOT))
    if place == "file":
        assert (done.code, done.out, done.err) == (2, "", GONE)
    elif command == "check":
        assert (done.code, done.err) == (0, "")
    else:
        assert done.code == 2
        assert done.err == "error: --json r.json: cannot be written: No such file or directory.\n"
        assert "1 claim, all as expected" in done.out


@pytest.mark.parametrize("statement", ["raise ValueError('no')", "sys.exit(0)"])
@pytest.mark.parametrize("place", PLACES)
def test_errors_say_their_line_though_it_is_gone(
    tmp_path: Path, here: Path, place: str, statement: str
) -> None:
    statement = f"shutil.rmtree(os.getcwd()); {statement}"
    written(tmp_path, place, statement)
    done = scrub("test", "../claims.py", *RUN, cwd=here, PYTHONPATH=str(ROOT))
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    line = (tmp_path / "claims.py").read_text().splitlines().index(f"        {statement}")
    assert f"line {line + 1}" in done.err or f"claims.py:{line + 1}: " in done.err


# From Python


def test_from_python(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sums = load(ROOT / SUMS)
    monkeypatch.chdir(here)
    here.rmdir()
    for call in (package.run, package.explain):
        with pytest.raises(UserError, match=r"^The working directory cannot be found: No such"):
            call(sums.conjunction, samples=50)
    monkeypatch.chdir(tmp_path)
    assert package.run(sums.conjunction, samples=400).passed
    assert os.listdir(tmp_path) == []


def test_only_what_is_asked_for_is_written(here: Path) -> None:
    written(here, "", "pass")
    assert inside("test", "claims.py", *RUN, cwd=here).code == 0
    assert files(here) == {"claims.py"}
    assert inside("test", "claims.py", *RUN, "--json", "r.json", cwd=here).code == 0
    assert len(json.loads((here / "r.json").read_text())["results"]) == 1
