"""The command line: output against golden files, exit codes, files, progress.

To write the golden files anew: `SCRUB_UPDATE_GOLDEN=1 pytest tests/cli/test_cli.py`; read the diff.
"""

from __future__ import annotations

import json
import math
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from attrs import frozen

from scrub.cli.options import Size
from support.command import (
    ENVIRONMENT,
    IOI,
    SUMS,
    Finished,
    Fork,
    assert_golden,
    inside,
    scrub,
)
from support.paths import ROOT

EXPECTED_OF_IOI = {
    "by_value": "refuted",
    "by_position": "supported",
    "by_absolute_position": "refuted",
    "by_distance_to_end": "refuted",
    "whole_circuit": "supported",
}


@frozen
class Run:
    """A finished `scrub test` and the results file that it wrote."""

    done: Finished
    results: dict[str, Any]
    folder: Path

    def claim(self, name: str) -> dict[str, Any]:
        (found,) = (r for r in self.results["results"] if r["claim"] == name)
        return found


def run_test(folder: Path, *arguments: str, command: Callable[..., Finished] = inside) -> Run:
    file = folder / "results.json"
    done = command("test", *arguments, "--json", file)
    return Run(done, json.loads(file.read_text(encoding="utf-8")), folder)


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_test(tmp_path_factory.mktemp("sums"), SUMS, "--samples", "200", command=scrub)


@pytest.fixture(scope="module")
def ioi(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("ioi")
    arguments = (IOI, "--samples", "150", "--save-run", str(folder / "runs"))
    return run_test(folder, *arguments)


# What is printed


def test_a_table_that_needs_no_manual(sums: Run) -> None:
    assert sums.done.err == ""
    assert sums.done.code == 1  # only_x is inconclusive, and the file expects it supported
    assert_golden("test_sums", sums.done.out)


def test_verbose_and_by(tmp_path: Path) -> None:
    run = run_test(tmp_path, f"{SUMS}::by_hand", "--samples", "200", "-v", "--by", "x and y")
    assert run.done.code == 0
    assert_golden("test_sums_verbose", run.done.out)
    alone = {n["name"]: n["recovered_alone"] for n in run.claim("by_hand")["nodes"]}
    assert alone["product"]["mean"] == alone["out"]["mean"] == 1
    assert alone["x"]["mean"] == run.claim("by_hand")["recovered"]["mean"] < 1


def test_quiet_says_nothing() -> None:
    done = inside("test", f"{SUMS}::only_x", "--samples", "200", "-q")
    assert (done.code, done.out, done.err) == (1, "", "")


def test_check_plan_and_show() -> None:
    assert_golden("check", _fine(inside("check", SUMS, IOI)))
    assert_golden("plan", _fine(inside("plan", f"{IOI}::whole_circuit")))
    assert_golden("show", _fine(inside("show", f"{IOI}::whole_circuit", "--row", "3")))


def test_plan_with_every_step() -> None:
    out = _fine(inside("plan", f"{SUMS}::by_hand", "-v"))
    steps = [line.split()[0] for line in out.splitlines() if re.match(r" +\d+ ", line)]
    assert steps == [str(i) for i in range(len(steps))] != []


def _fine(done: Finished) -> str:
    assert done.err == ""
    assert done.code == 0
    return done.out


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("1", 1),
        ("64000000", 64_000_000),
        ("64MB", 64_000_000),
        ("64 mb", 64_000_000),
        ("1.5GiB", 3 * 2**29),
        ("2kib", 2048),
        ("0", None),
        ("0.1", None),
        ("-1", None),
        ("1e6", None),
        ("64M", None),
        ("GB", None),
        ("٣MB", None),
    ],
)
def test_sizes(given: str, size: int | None) -> None:
    if size is None:
        with pytest.raises(click.BadParameter):
            Size().convert(given, None, None)
    else:
        assert Size().convert(given, None, None) == size


def test_help_names_every_option() -> None:
    shown = inside("test", "--help").out
    options = "model samples precision seed device dtype max-memory by json save-run nulls diagnose"
    for option in [*(f"--{name} " for name in options.split()), "-k ", "-q, ", "-v, "]:
        assert option in shown
    top = inside("--help").out
    for command in ("test", "show", "check", "plan", "explain", "compare"):
        assert re.search(rf"(?m)^  {command}  .*\.$", top), "a command whose help is cut short"


def test_the_console_script_is_the_module() -> None:
    script = Path(sys.executable).with_name("scrub")
    if not script.exists():
        pytest.skip("scrub is not installed beside this Python")
    shown = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == inside("--version").out


# The results file


def test_results_file_has_the_schema(sums: Run, ioi: Run) -> None:
    for run, samples in ((sums, 200), (ioi, 150)):
        assert run.results["schema"] == "scrub.results/1"
        assert run.results["seed"] == 0
        assert "partial" not in run.results
        for result in run.results["results"]:
            _check_schema(result, samples)
    assert [r["claim"] for r in ioi.results["results"]] == list(EXPECTED_OF_IOI)


def _check_schema(result: dict[str, Any], samples: int) -> None:
    """These fields, of these types; what is undefined is null, with a reason."""
    assert result["kind"] == "scrub"
    assert (ROOT / result["file"]).is_file()
    for name in ("claim", "model"):
        assert isinstance(result[name], str)
    assert result["samples"] == samples
    for part, names in (("loss", "original scrubbed baseline"), ("recovered", "mean low high")):
        values = [result[part][name] for name in names.split()]
        assert all(v is None or (isinstance(v, float) and math.isfinite(v)) for v in values)
        assert (None in values) == bool(result[part]["reason"])
    assert result["recovered"]["confidence"] == 0.95
    verdicts = ("supported", "refuted", "inconclusive", "vacuous")
    if result["expected"] is None:
        assert result["verdict"] is None
        assert result["reason"]
    else:
        assert result["verdict"] in verdicts
        assert result["expected"] in verdicts
        assert result["passed"] is (result["verdict"] == result["expected"])
    assert isinstance(result["seconds"], float)
    for node in result["nodes"]:
        assert isinstance(node["name"], str)
        assert isinstance(node["donors_distinct"], float)


def test_numbers_that_can_be_computed_by_hand(sums: Run) -> None:
    """The population's figures lie in the intervals, and the verdicts follow from those."""
    population = {"conjunction": 1, "anything_goes": 5 / 11, "only_x": 7 / 11, "by_hand": 3 / 11}
    for name, value in population.items():
        found = sums.claim(name)["recovered"]
        assert abs(found["mean"] - value) <= found["high"] - found["low"]  # 4 standard errors
    assert sums.claim("only_x")["verdict"] == "inconclusive"
    assert sums.claim("anything_goes")["verdict"] == "refuted"
    undefined = sums.claim("undefined")
    assert undefined["recovered"]["mean"] is None
    assert undefined["verdict"] == "inconclusive"
    assert undefined["passed"] is True


def test_the_embedded_models_claims(ioi: Run) -> None:
    assert ioi.done.err == ""
    assert ioi.done.code == 0
    for name, verdict in EXPECTED_OF_IOI.items():
        assert ioi.claim(name)["verdict"] == ioi.claim(name)["expected"] == verdict
        record = ioi.folder / "runs" / name
        assert sorted(path.name for path in record.iterdir()) == ["run.json", "run.safetensors"]
    assert re.search(r"by_position .* ≥ 0\.7 +supported +supported", ioi.done.out)
    assert ioi.done.out.endswith("\n5 claims, all as expected\n")


def test_another_model_by_its_directory(tmp_path: Path) -> None:
    directory = ROOT / "scrub" / "model" / "embedded" / "ioi-shortcut"
    claim = f"{IOI}::by_position"
    run = run_test(tmp_path, claim, "--model", str(directory), "--samples", "20")
    assert run.claim("by_position")["model"] == str(directory)
    assert run.done.code == (0 if run.claim("by_position")["passed"] else 1)
    assert "original" in run.done.out


def test_two_files_with_a_claim_of_one_name_keep_their_records_apart(tmp_path: Path) -> None:
    twin = tmp_path / "twin.py"
    twin.write_text((ROOT / SUMS).read_text(encoding="utf-8"), encoding="utf-8")
    done = inside(
        "test", f"{SUMS}::by_hand", f"{twin}::by_hand", "--samples", "9", "--save-run", tmp_path
    )
    assert done.code == 0
    records = sorted(path.parent.relative_to(tmp_path) for path in tmp_path.rglob("run.json"))
    assert records == [Path("sums/by_hand"), Path("twin/by_hand")]


# Options


def test_the_same_command_gives_the_same_bits_and_another_seed_others(
    sums: Run, tmp_path: Path
) -> None:
    again = run_test(tmp_path, SUMS, "--samples", "200", "--max-memory", "5000")
    other = run_test(tmp_path, SUMS, "--samples", "200", "--seed", "1")
    for result in [*sums.results["results"], *again.results["results"]]:
        result.pop("seconds", None)
    assert again.results == sums.results
    assert other.results["seed"] == 1
    assert other.claim("by_hand")["loss"] != sums.claim("by_hand")["loss"]


def test_precision_stops_early_or_runs_to_the_end(tmp_path: Path) -> None:
    wide = run_test(tmp_path, f"{SUMS}::only_x", "--samples", "4000", "--precision", "0.09")
    found = wide.claim("only_x")
    assert found["samples"] < 4000
    assert found["recovered"]["high"] - found["recovered"]["low"] <= 0.18
    never = run_test(tmp_path, f"{SUMS}::only_x", "--samples", "450", "--precision", "1e-9")
    assert never.claim("only_x")["samples"] == 450


# Exit codes


def test_no_claim_found(tmp_path: Path) -> None:
    (tmp_path / "none.py").write_text("CLAIMS = []\n")
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (("none.py",), "No claim found in none.py. Decorate a function with @claim(…)."),
        (("empty",), "No claim found in empty. Decorate a function with @claim(…)."),
        (
            (ROOT / SUMS, "-k", "of_value"),
            f'No claim in {ROOT / SUMS} matches -k "of_value". '
            "There are: conjunction, anything_goes, only_x, undefined, by_hand.",
        ),
    ):
        for command in ("test", "check"):
            done = inside(command, *arguments, cwd=tmp_path)
            assert (done.code, done.out, done.err) == (5, "", f"error: {message}\n")


def test_our_own_fault_shows_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr("scrub.runner.prepare.prepare_all", broken)
    done = inside("check", SUMS)
    assert done.code == 3
    assert done.err.startswith("Traceback (most recent call last):")
    assert done.err.endswith(
        "AssertionError: a bug\nThis is a fault of scrub, not of your file. Please report it.\n"
    )


INTERRUPTED = """
import signal
import sys
sys.path.insert(0, {folder!r})
from sums import *

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it

def interrupted(value, references):
    signal.raise_signal(signal.SIGINT)

@claim(data=DATA, metric=interrupted)
def zuletzt(model):
    return product_is(Uncond())
"""


def test_ctrl_c_reports_what_was_finished(tmp_path: Path) -> None:
    file = tmp_path / "stopped.py"
    file.write_text(INTERRUPTED.format(folder=str(ROOT / "tests" / "hypotheses")))
    arguments = (file, "--samples", "100", "--json", tmp_path / "r.json")
    done = scrub("test", *arguments, "-k", "conjunction or zuletzt")
    partial = tmp_path / "r.json.partial"
    kept = f"what was computed is in {partial}, and the same command resumes"
    assert (done.code, done.err) == (130, f"interrupted: 1 of 2 claims finished; {kept}\n")
    assert re.search(r"conjunction .* supported", done.out)
    results = json.loads(partial.read_text())
    assert results["partial"] is True
    assert [result["claim"] for result in results["results"]] == ["conjunction"]
    partial.unlink()
    done = inside("test", *arguments, "-k", "zuletzt")
    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")
    assert not partial.exists()


# Terminals and pipes


TERMINAL = ENVIRONMENT | {"TERM": "xterm", "COLUMNS": "150"}


def forked(*arguments: str, err: str) -> Fork:
    return Fork.of(*arguments, cwd=ROOT, env=TERMINAL, err=err)


def _on_a_terminal(*arguments: str) -> Iterator[str]:
    """What a program writes to its standard error, where that is a terminal."""
    ours, theirs = pty.openpty()
    process = forked(*arguments, err=os.ttyname(theirs))
    os.close(theirs)
    try:
        while chunk := os.read(ours, 4096):
            yield chunk.decode("utf-8", errors="replace")
    except OSError:  # how Linux says that the other end was closed
        pass
    finally:
        os.close(ours)
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_progress_on_a_terminal_and_silence_when_quiet(sums: Run) -> None:
    arguments = ("test", f"{SUMS}::conjunction", "--samples", "500")
    shown = re.sub(r"\x1b\[[\d;?]*\w", "", "".join(_on_a_terminal(*arguments)))
    assert "loading the model" in shown
    assert "conjunction: " in shown, "and what is computed of it"
    assert "1,000 of 1,000 references" in shown  # as claimed, and with any input
    assert re.search(r"references\s+(\d+:\d\d:\d\d|-:--:--)", shown), "no time left"
    assert "".join(_on_a_terminal(*arguments, "-q")) == ""
    assert sums.done.err == ""  # in a pipe


def test_a_pipe_that_closes_or_takes_ascii_is_no_fault() -> None:
    done = scrub("test", f"{SUMS}::conjunction", "--samples", "400", PYTHONIOENCODING="ascii")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"\? 0\.9, \? 1\.1 +supported", done.out)
    ours, theirs = os.pipe()
    pipe = f"/proc/{os.getpid()}/fd/{theirs}"
    process = Fork.of("check", SUMS, cwd=ROOT, env=ENVIRONMENT, out=pipe)
    os.close(theirs)
    os.close(ours)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 141
