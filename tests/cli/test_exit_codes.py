"""Exit codes mean what they say, whatever the user's code and the standard streams do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.command import ENVIRONMENT, SUMS, Fork, inside, scrub
from support.paths import ROOT

CLAIMS = '''
import sys
sys.path.insert(0, {folder!r})
import numpy as np
from sums import *
from scrub import Generate
from scrub.model.arithmetic import graph, node, source

class Stop(BaseException):
    """No Exception, as pytest's skip is none."""

def ends(*arguments, **named):
    {statement}

def measured(value, references):
    return ends()

class Sampler:
    def draw(self, references, randomness):
        ends()

BROKEN = graph(source("x"), source("y"), source("z"), node("product", ends, first="x", second="y"),
               node("out", lambda terms: terms, terms=["product", "z"]))
'''
WHERE = {
    "building": "@claim(data=DATA, metric=ERROR)\ndef building(model):\n    ends()\n",
    "data": "@claim(data=ends, metric=ERROR)\ndef data(model):\n    return product_is(Uncond())\n",
    "metric": (
        "@claim(data=DATA, metric=measured)\ndef metric(model):\n    return product_is(Uncond())\n"
    ),
    "sampler": (
        "@claim(data=DATA, metric=ERROR)\ndef sampler(model):\n    return product_is(Sampler())\n"
    ),
    "generator": (
        "@claim(data=DATA, metric=ERROR)\n"
        "def generator(model):\n    return product_is(Generate(ends))\n"
    ),
    "graph": (
        "@claim(data=DATA, metric=ERROR, model=BROKEN)\n"
        "def graph(model):\n    return product_is(Uncond())\n"
    ),
}
SAID = {
    "building": "Building it failed in line {line}: {error}.",
    "data": "Making the data failed in line {line}: {error}.",
    "metric": 'Metric "measured" failed in line {line} of claims.py on a value of shape [8]: '
    "{error}. It gets the root's value and the references.",
    "sampler": 'node "product": Sampler Sampler failed in line {line} of claims.py: {error}.',
    "generator": 'node "product": Generate(ends): for row 0 of dataset "bits" it failed in line '
    "{line} of claims.py: {error}. It is called as function(reference, generator).",
    "graph": 'Node "product" of the graph failed in line {line} of claims.py: {error}.',
}
STATEMENTS = {
    "sys.exit(0)": "SystemExit: 0",
    "sys.exit()": "SystemExit",
    "raise SystemExit(1)": "SystemExit: 1",
    "raise Stop('enough')": "Stop: enough",
    "raise GeneratorExit": "GeneratorExit",
}


def written(folder: Path, statement: str, *claims: str) -> Path:
    text = CLAIMS.format(folder=str(ROOT / "tests" / "hypotheses"), statement=statement)
    file = folder / "claims.py"
    file.write_text(text + "\n".join(claims), encoding="utf-8")
    return file


def expected(place: str, file: Path, statement: str) -> str:
    line = file.read_text().splitlines().index(f"    {statement}") + 1
    said = SAID[place].format(line=line, error=STATEMENTS[statement])
    where = f"{file.name}::{place}"
    return f"error: {where} · {said}\n" if said.startswith("node") else f"error: {where}: {said}\n"


# The user's code ends nothing


@pytest.mark.parametrize("place", WHERE)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_code_that_exits_is_a_mistake_of_the_users(
    tmp_path: Path, place: str, statement: str
) -> None:
    file = written(tmp_path, statement, WHERE[place])
    done = inside("test", f"claims.py::{place}", "--samples", "8", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err == expected(place, file, statement)


@pytest.mark.parametrize("command", ["check", "plan", "show", "explain"])
def test_every_command_says_so(tmp_path: Path, command: str) -> None:
    for place in ("building", "data", "sampler"):
        file = written(tmp_path, "sys.exit(0)", WHERE[place])
        arguments = [command, f"claims.py::{place}", *(["--row", "0"] if command == "show" else [])]
        done = inside(*arguments, cwd=tmp_path)
        assert (done.code, done.out) == (2, "")
        assert done.err == expected(place, file, "sys.exit(0)")


def test_all_claims_that_exit_are_named_at_once(tmp_path: Path) -> None:
    names = ("building", "data", "sampler")
    file = written(tmp_path, "sys.exit(0)", *(WHERE[name] for name in names))
    done = inside("check", "claims.py", cwd=tmp_path)
    assert done.code == 2
    assert done.err == "".join(expected(name, file, "sys.exit(0)") for name in names)


@pytest.mark.parametrize("statement", ["raise Stop('enough')", "raise GeneratorExit"])
def test_a_file_that_raises_while_it_loads(tmp_path: Path, statement: str) -> None:
    file = written(tmp_path, statement, "ends()\n")
    line = file.read_text().splitlines().index("ends()") + 1
    for command in ("test", "check"):
        done = inside(command, "claims.py", cwd=tmp_path)
        assert (done.code, done.out) == (2, "")
        error = STATEMENTS[statement]
        line = file.read_text().splitlines().index(f"    {statement}") + 1
        assert done.err == f"error: claims.py:{line}: Loading it failed: {error}.\n"


def test_ctrl_c_in_the_users_code_is_an_interrupt(tmp_path: Path) -> None:
    for place in WHERE:
        written(tmp_path, "raise KeyboardInterrupt", WHERE[place])
        done = inside("test", f"claims.py::{place}", "--samples", "8", cwd=tmp_path)
        assert (done.code, done.out, done.err) == (130, "", "interrupted\n"), place


def test_an_exit_where_nobody_looks_for_one_is_no_success(tmp_path: Path) -> None:
    odd = "class Odd:\n    def __fspath__(self):\n        sys.exit(0)\n    __str__ = __fspath__\n"
    written(tmp_path, "pass", odd, "MODEL = Odd()\n", WHERE["metric"])
    done = inside("check", "claims.py::metric", cwd=tmp_path)
    assert done.code == 2
    assert done.err.startswith("error: claims.py::metric: ")


def test_standard_output_that_the_users_code_closes(tmp_path: Path) -> None:
    written(tmp_path, "pass", "sys.stdout.close()")
    done = scrub("check", "claims.py::conjunction", cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: Standard output cannot be written: the user's code closed it.\n"


# Standard output


def in_shell(*arguments: str, to: str, **environment: str) -> tuple[int, str]:
    """A command with standard output as the shell makes it; its exit code and errors.

    A process from the start, of commands that load no torch: the others are forks.
    """
    words = " ".join([sys.executable, "-m", "scrub", *arguments, to])
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=ROOT,
        env=ENVIRONMENT | environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


def forked(*arguments: str, **streams: str | None) -> Fork:
    return Fork.of(*arguments, cwd=ROOT, env=ENVIRONMENT, **streams)


def finished(process: Fork) -> tuple[int | None, str]:
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


HOLDS = f"{SUMS}::conjunction"
NO_READER = "| true > /dev/null; exit ${PIPESTATUS[0]}"
FULL = "error: Standard output cannot be written: No space left on device.\n"


@pytest.mark.parametrize(
    ("arguments", "to", "code", "errors"),
    [
        (("--help",), ">&-", 0, ""),
        (("--help",), "> /dev/full", 2, FULL),
        (("--help",), "> /dev/full 2> /dev/full", 2, ""),
        (("test", "--help"), ">&- 2>&-", 0, ""),
        (("test", "nowhere.py"), "2> /dev/full", 2, ""),
        (("test", "--nonsense"), "2> /dev/full", 2, ""),
        (("test", "nowhere.py"), "2>&-", 2, ""),
    ],
)
def test_what_is_not_printed_changes_no_code(
    arguments: tuple[str, ...], to: str, code: int, errors: str
) -> None:
    assert in_shell(*arguments, to=to) == (code, errors)


def test_a_failed_claim_and_a_quiet_one_where_nothing_can_be_printed() -> None:
    failed = forked("test", f"{SUMS}::only_x", "--samples", "200", out=None)
    assert finished(failed) == (1, "")
    holds = forked("test", HOLDS, "--samples", "400", out=None)
    assert finished(holds) == (0, "")
    quiet = forked("test", HOLDS, "--samples", "400", "-q", out="/dev/full", err=None)
    assert finished(quiet) == (0, "")


def test_a_reader_that_stops_reading() -> None:
    assert in_shell("test", "--help", to=NO_READER) == (141, "")


@pytest.mark.parametrize("lines", [0, 1])
def test_a_reader_that_stops_reading_a_fork(lines: int) -> None:
    ours, theirs = os.pipe()
    process = forked("test", SUMS, "--samples", "99", out=f"/proc/{os.getpid()}/fd/{theirs}")
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        for _ in range(lines):
            pipe.readline()
    code, errors = finished(process)
    assert errors == ""
    assert code in ((1, 141) if lines else (141,))  # it may have read all of it


@pytest.mark.parametrize(("to", "code", "errors"), [(NO_READER, 141, ""), ("> /dev/full", 2, FULL)])
def test_without_a_buffer_it_is_the_same(to: str, code: int, errors: str) -> None:
    assert in_shell("plan", "--help", to=to, PYTHONUNBUFFERED="1") == (code, errors)


def test_without_a_buffer_a_fork_is_the_same() -> None:
    unbuffered = {"cwd": ROOT, "env": ENVIRONMENT | {"PYTHONUNBUFFERED": "1"}}
    assert finished(Fork.of("plan", HOLDS, out="/dev/full", **unbuffered)) == (2, FULL)
    ours, theirs = os.pipe()
    os.close(ours)
    process = Fork.of("plan", HOLDS, out=f"/proc/{os.getpid()}/fd/{theirs}", **unbuffered)
    os.close(theirs)
    assert finished(process) == (141, "")


def test_a_report_that_cannot_be_printed_costs_no_results(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    arguments = ("test", HOLDS, "--samples", "99", "--json", str(file))
    assert finished(forked(*arguments, out="/dev/full")) == (2, FULL)
    assert '"partial"' not in file.read_text()
    assert sorted(os.listdir(tmp_path)) == ["r.json"]


def test_usage_errors_of_click_exit_with_2() -> None:
    for arguments in (
        (),
        ("test",),
        ("tset",),
        ("test", SUMS, "--samples", "many"),
        ("show", SUMS),
    ):
        done = inside(*arguments)
        assert (done.code, done.out) == (2, "")
        assert "Usage: scrub" in done.err


def test_help_and_version_exit_with_0() -> None:
    for arguments in (("--help",), ("test", "-h"), ("--version",)):
        assert inside(*arguments).code == 0
    assert scrub("--version").out.startswith("scrub, version ")
