"""Outputs that cannot be written: refused before anything runs, or said and nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scrub.errors import UserError
from scrub.results.atomic_write import write_whole
from scrub.runner.outputs import check_outputs
from support.command import ENVIRONMENT, SUMS, inside
from support.paths import ROOT

CLAIM = f"{ROOT / SUMS}::conjunction"
RUN = ("test", CLAIM, "--samples", "400", "--no-diagnose")
LONG = "x" * 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.svg").mkdir()
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("kept")
    (tmp_path / "a.json").symlink_to("b.json")
    (tmp_path / "b.json").symlink_to("a.json")
    (tmp_path / "away.json").symlink_to("nowhere/r.json")
    return tmp_path


# Refused at once

JSON = {
    "nowhere/r.json": "there is no folder nowhere. Create it first.",
    "file/r.json": "there is no folder file. Create it first.",
    "folder": "this is a folder. Give a file.",
    "a.json": "cannot be written: Too many levels of symbolic links. Give another file.",
    "a.json/r.json": "cannot be written: Too many levels of symbolic links. Give another file.",
    f"{LONG}.json": "cannot be written: File name too long. Give another file.",
    "claims.py": "give a file that ends in .json.",
}
SVG = {
    "nowhere/t.svg": "there is no folder nowhere. Create it first.",
    "folder.svg": "this is a folder. Give a file.",
    "t.png": "give a file that ends in .svg.",
    "tree": "give a file that ends in .svg.",
}
PLOT = {
    "w.jpg": "give a file that ends in .svg, .png, .pdf.",
    "nowhere/w.svg": "there is no folder nowhere. Create it first.",
}
PAGE = {
    "nowhere/r.html": "there is no folder nowhere. Create it first.",
    "folder.html": "this is a folder. Give a file.",
    "r.json": "give a file that ends in .html, .htm.",
    f"{LONG}.html": "cannot be written: File name too long. Give another file.",
}
JUNIT = {
    "nowhere/r.xml": "there is no folder nowhere. Create it first.",
    "r.html": "give a file that ends in .xml.",
}
RECORD = {
    "file": "cannot be written. Give another folder.",
    "file/runs": "cannot be written. Give another folder.",
    "a.json": "cannot be written: Too many levels of symbolic links. Give another folder.",
    LONG: "cannot be written: File name too long. Give another folder.",
}


@pytest.mark.parametrize("given", JSON)
def test_results(folder: Path, given: str) -> None:
    done = inside(*RUN, "--json", given, cwd=folder)
    assert (done.code, done.out, done.err) == (2, "", f"error: --json {given}: {JSON[given]}\n")


@pytest.mark.parametrize("given", ["t.png", "tree", "nowhere/t.svg", "folder.svg"])
def test_trees(folder: Path, given: str) -> None:
    done = inside("plan", CLAIM, "--svg", given, cwd=folder)
    assert (done.code, done.out, done.err) == (2, "", f"error: --svg {given}: {SVG[given]}\n")


@pytest.mark.parametrize("given", PLOT)
def test_plots(folder: Path, given: str) -> None:
    done = inside("explain", CLAIM, "--plot", given, cwd=folder)
    assert (done.code, done.out, done.err) == (2, "", f"error: --plot {given}: {PLOT[given]}\n")


@pytest.mark.parametrize("given", PAGE)
def test_pages(folder: Path, given: str) -> None:
    refused = (2, "", f"error: --html {given}: {PAGE[given]}\n")
    for command in (RUN, ("patch", CLAIM), ("find", CLAIM), ("find", CLAIM, "--by", "acdc"),
                    ("circuit", "a.json"), ("circuit", CLAIM, "a.json"),
                    ("circuit", "a.json", "--on", CLAIM)):  # fmt: skip
        done = inside(*command, "--html", given, cwd=folder)
        assert (done.code, done.out, done.err) == refused


@pytest.mark.parametrize("given", JUNIT)
def test_files_for_ci(folder: Path, given: str) -> None:
    done = inside(*RUN, "--junit", given, cwd=folder)
    assert (done.code, done.out, done.err) == (2, "", f"error: --junit {given}: {JUNIT[given]}\n")


@pytest.mark.parametrize("given", RECORD)
def test_records(folder: Path, given: str) -> None:
    done = inside(*RUN, "--save-run", given, cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: --save-run {given}: {RECORD[given]}\n"


def test_all_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UserError) as refused:
        check_outputs(Path("folder"), Path("file"), plot=Path("w.jpg"), svg=Path("t.png"))
    assert len(refused.value.problems) == 4


def test_links_lead_where_they_lead(folder: Path) -> None:
    done = inside(*RUN, "--json", "away.json", cwd=folder)
    there = folder / "nowhere"
    assert done.err == f"error: --json away.json: there is no folder {there}. Create it first.\n"
    there.mkdir()
    assert inside(*RUN, "--json", "away.json", cwd=folder).code == 0
    assert json.loads((there / "r.json").read_text())["results"]
    assert (folder / "away.json").is_symlink()
    assert sorted(os.listdir(there)) == ["r.json"]


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="no folder that root cannot write")
def test_a_folder_in_which_nothing_can_be_put(folder: Path) -> None:
    done = inside(*RUN, "--json", "/proc/sys/r.json", "--save-run", "/proc/sys/runs", cwd=folder)
    assert done.code == 2
    assert len(done.err.splitlines()) == 2
    assert "cannot be written" in done.err


# What only shows when it is written


def limited(folder: Path, blocks: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that can write no file of more than so many KiB, as on a disk that is full."""
    words = " ".join([sys.executable, "-m", "scrub", *arguments])
    return subprocess.run(
        ["bash", "-c", f"ulimit -f {blocks}; {words}"],
        cwd=folder,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_full_disk_costs_no_report_and_leaves_the_old_results(folder: Path) -> None:
    (folder / "r.json").write_text("old")
    done = limited(folder, 1, *RUN, "--json", "r.json")
    assert done.returncode == 2
    assert done.stderr == "error: --json r.json: cannot be written: File too large.\n"
    assert "1 claim, all as expected" in done.stdout
    assert (folder / "r.json").read_text() == "old"
    assert not [name for name in os.listdir(folder) if name.startswith(".scrub")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_page_on_a_full_disk_costs_no_report(folder: Path) -> None:
    for option, name in (("--html", "r.html"), ("--junit", "r.xml")):
        (folder / name).symlink_to("/dev/full")
        done = inside(*RUN, option, name, cwd=folder)
        assert (done.code, done.err) == (
            2,
            f"error: {option} {name}: cannot be written: No space left on device.\n",
        )
        assert "1 claim, all as expected" in done.out


def test_a_record_on_a_full_disk(folder: Path) -> None:
    done = limited(folder, 1, *RUN, "--save-run", "runs")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "--save-run: runs/conjunction/run.safetensors cannot be written: " in done.stderr
    assert "File too large" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert os.listdir(folder / "runs" / "conjunction") == []


@pytest.mark.parametrize("way", ["conjunction", "conjunction/run.json", "conjunction/x"])
def test_something_in_a_records_way(folder: Path, way: str) -> None:
    runs = folder / "runs"
    if way == "conjunction":
        runs.mkdir()
        (runs / way).write_text("in the way")
    elif way.endswith("run.json"):
        (runs / way).mkdir(parents=True)
    else:
        (runs / "conjunction").mkdir(parents=True)
        (runs / way).write_text("beside")
    done = inside(*RUN, "--save-run", "runs", cwd=folder)
    if way == "conjunction/x":
        assert done.code == 0
        assert sorted(os.listdir(runs / "conjunction")) == ["run.json", "run.safetensors", "x"]
        return
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert "--save-run: " in done.err
    assert "cannot be written: " in done.err


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    text = "a claim about \udc80, \U0001f9e0 and é"
    write_whole(tmp_path / "r.json", json.dumps({"name": text}, ensure_ascii=False))
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == {"name": text}


def test_a_loop_of_links_is_an_error_of_the_system(folder: Path) -> None:
    with pytest.raises(OSError, match="symbolic links"):
        write_whole(folder / "a.json", "text")
