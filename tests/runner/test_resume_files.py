"""Kept numbers hang on the files that the user's code reads; finished results stay."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scrub.hypothesis.collect import collect
from scrub.runner.opened_files import digest, recorded, so_far
from support.stoppable import Place, made

SMALL = ("--samples", "300", "--max-memory", "5000", "--no-diagnose", "--json", "r.json")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return made(tmp_path)


# What was finished stays until something new is


def test_stopping_a_command_that_was_finished_leaves_its_results(place: Place) -> None:
    arguments = ("-k", "second", *SMALL)
    assert place.inside(*arguments).code == 0
    finished = (place.folder / "r.json").read_bytes()
    place.asked()
    done = place.stopped(signal.SIGINT, "second 4", *arguments)
    assert done.code == 130
    assert (place.folder / "r.json").read_bytes() == finished
    kept = place.json("r.json.partial")["kept"][0]["samples"]
    assert 0 < kept < 300
    place.asked()
    done = place.inside(*arguments)
    assert done.err == f"resuming: {kept} of 300 references of second were computed before\n"
    assert place.asked() == {"second": 24 + 3 * (300 - kept)}
    assert not (place.folder / "r.json.partial").exists()
    assert "partial" not in place.json()


# Files that the claims read


def test_a_file_that_changed_in_one_row_is_found_out(place: Place) -> None:
    """Eight samples that are computed again see it in one run of four."""
    file = place.folder / "claims.py"
    reads = "lambda v, r: distance(v, r) + np.load('table.npy')[r.index]"
    text = file.read_text().replace('watched("second", distance)', f'watched("second", {reads})')
    file.write_text("import numpy as np\n" + text, encoding="utf-8")
    table = place.folder / "table.npy"
    with table.open("wb") as opened:
        write_table(opened, [0.0] * 8)
    place.stopped(signal.SIGINT, "second 4", "-k", "second", *SMALL)
    assert place.json("r.json.partial")["kept"]
    place.asked()
    with table.open("wb") as opened:
        write_table(opened, [0.0] * 7 + [1e-3])
    done = place.inside("-k", "second", *SMALL)
    assert done.err == (
        f"r.json.partial cannot be resumed from: {table}, which the claims read, has changed. "
        "Everything is computed anew.\n"
    )
    assert place.asked() == {"second": 900}
    resumed = place.json()["results"][0]["loss"]
    place.inside("-k", "second", *SMALL[:-1], "fresh.json")
    assert resumed == place.json("fresh.json")["results"][0]["loss"]


def write_table(opened: object, numbers: list[float]) -> None:
    import numpy as np

    np.save(opened, np.array(numbers))  # type: ignore[arg-type]


READS = {
    "open": "open('t.csv').read()",
    "pathlib": "pathlib.Path('t.csv').read_text()",
    "os.open": "os.open('t.csv', os.O_RDONLY)",
    "bytes": "open(b't.csv').read()",
    "numpy": "np.loadtxt('t.csv')",
    "pandas": "pd.read_csv('t.csv')",
    "torch": "torch.load('t.pt')",
    "pickle": "pickle.load(open('t.pkl', 'rb'))",
    "json in a thread": "pool(1).submit(read).result()",
    "to and fro": "open('t.csv', 'r+').read()",
}
WRITES = {
    "write": "open('t.csv', 'w').write('1')",
    "append": "open('t.csv', 'a').write('1')",
    "touch": "pathlib.Path('t.csv').touch()",
    "look": "os.path.exists('t.csv')",
    "installed": "open(np.__file__).read()",
    "process": "open('/proc/self/status').read()",
}
LOADS = """
import os, pathlib, pickle
from concurrent.futures import ThreadPoolExecutor as pool
import numpy as np, pandas as pd, torch
import scrub

def read():
    return open('t.csv').read()

{code}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    import pickle

    import torch

    (tmp_path / "t.csv").write_text("1")
    (tmp_path / "t.pkl").write_bytes(pickle.dumps(1))
    torch.save(torch.ones(1), tmp_path / "t.pt")
    monkeypatch.chdir(tmp_path)
    with recorded():
        yield tmp_path


def loaded(folder: Path, code: str) -> dict[str, str]:
    """What is recorded while a file with this code is loaded, by name."""
    (folder / "f.py").write_text(LOADS.format(code=code))
    with pytest.raises(Exception, match="No claim"):
        collect(["f.py"])
    read = so_far().items()  # and of the system's files the time zone, when pandas is imported
    return {Path(path).name: content for path, content in read if Path(path).parent == folder}


@pytest.mark.parametrize("how", READS)
def test_what_is_read_is_recorded(folder: Path, how: str) -> None:
    (found,) = loaded(folder, READS[how]).items()
    assert found == (found[0], digest(found[0]))
    assert found[0].startswith("t.")
    assert found[1]


@pytest.mark.parametrize("how", WRITES)
def test_what_is_only_written_is_not(folder: Path, how: str) -> None:
    assert loaded(folder, WRITES[how]) == {}


def test_modules_and_what_they_read_and_files_that_are_not_there(folder: Path) -> None:
    (folder / "helper.py").write_text("TEXT = open('t.csv').read()\n")
    missing = "try:\n    open('absent.csv')\nexcept OSError:\n    pass\n"
    code = f"def f():\n    import helper\nf()\n{missing}"
    expected = {"helper.py", "t.csv", "absent.csv"}
    for _ in range(2):  # the second time from the compiled file
        found = loaded(folder, code)
        assert set(found) == expected
        assert found["absent.csv"] == ""
    (folder / "absent.csv").write_text("")
    assert digest("absent.csv") != ""


def test_the_first_content_counts_and_other_runs_do_not(folder: Path) -> None:
    before = digest("t.csv")
    code = "open('t.csv').read()\nopen('t.csv', 'w').write('2')\nopen('t.csv').read()\n"
    assert loaded(folder, code) == {"t.csv": before} != {"t.csv": digest("t.csv")}
    with recorded():
        assert so_far() == {}
    assert len(so_far()) == 1


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    code = "os.open('pipe', os.O_RDONLY | os.O_NONBLOCK)"
    assert loaded(folder, code) == {"pipe": ""}
