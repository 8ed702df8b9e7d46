"""Runs the command line, and holds what it prints against golden files.

As a subprocess (`python`), as a fork of one that has imported torch (`scrub`, and `fork` for other
Python), or where only the answer matters in this process (`inside`): importing torch takes two
seconds, and transformer_lens four.

To write the golden files anew: `SCRUB_UPDATE_GOLDEN=1 pytest tests/cli/test_cli.py`; read the diff.
"""

from __future__ import annotations

import functools
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Self

from attrs import define, frozen

from support.paths import ROOT

GOLDEN = ROOT / "tests" / "cli" / "golden"
SUMS = "tests/hypotheses/sums.py"
IOI = "hypotheses/ioi_claim3.py"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}

SCRUB = ("-m", "scrub")
AT_THE_START = {"PYTHONHASHSEED", "PYTHONWARNINGS"}
"""Variables that a Python process reads as it starts, which a fork does no more."""


@frozen
class Finished:
    """A command that ran to its end."""

    code: int
    out: str
    err: str


def python(*arguments: str, cwd: Path = ROOT, **environment: str) -> Finished:
    """Run this Python; the further keywords are environment variables."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=ENVIRONMENT | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def scrub(*arguments: str | Path, cwd: Path = ROOT, **environment: str) -> Finished:
    """Run `scrub` with these arguments."""
    return fork(*SCRUB, *map(str, arguments), cwd=cwd, **environment)


def fork(
    *arguments: str, cwd: Path = ROOT, largest_file: int | None = None, **environment: str
) -> Finished:
    """As `python`, of a process that has imported torch and scrub.

    Args:
        largest_file: the most bytes that it can write to a file, as on a disk that is full.
    """
    assert not environment.keys() & AT_THE_START
    env = ENVIRONMENT | environment
    process = Fork.of(*arguments, cwd=cwd, env=env, program=(), largest_file=largest_file)
    out, err = process.communicate(timeout=300)
    assert process.returncode is not None
    return Finished(process.returncode, out, err)


@define
class Fork:
    """A running `scrub`, a fork of a process that has imported torch. As `subprocess.Popen`.

    Attributes:
        output: holds the files `out` and `err` that take its output; the folder goes with this.
    """

    pid: int
    output: tempfile.TemporaryDirectory[str]
    returncode: int | None = None

    @classmethod
    def of(
        cls,
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str],
        program: Sequence[str] = SCRUB,
        largest_file: int | None = None,
        **streams: str | None,
    ) -> Self:
        """Start it.

        Args:
            program: what is run of Python, before the arguments.
            largest_file: as in `fork`.
            streams: for `out` and `err` other files than those in `output`; None: closed.
        """
        output = tempfile.TemporaryDirectory()
        files = {name: str(Path(output.name, name)) for name in ("out", "err")} | streams
        request = {
            "arguments": [*program, *arguments],
            "cwd": str(cwd),
            "environment": dict(env),
            "largest_file": largest_file,
        }
        pid = _answer(request | files)
        assert pid is not None
        return cls(pid, output)

    def poll(self) -> int | None:
        """Its exit code if it has ended."""
        if self.returncode is None:
            self.returncode = _answer({"pid": self.pid, "flags": os.WNOHANG})
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """What it has printed by its end; it is killed if that does not come in time."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            time.sleep(0.01)
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired("scrub", timeout)
        files = (Path(self.output.name, name) for name in ("out", "err"))
        out, err = (file.read_text("utf-8") if file.exists() else "" for file in files)
        return out, err


def _answer(request: Mapping[str, Any]) -> int | None:
    server = _fork_server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{json.dumps(request)}\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


@functools.cache
def _fork_server() -> subprocess.Popen[str]:
    """Ends with this process, which holds the other end of its standard input."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "support" / "fork_server.py")],
        cwd=ROOT,
        env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def inside(*arguments: str | Path, cwd: Path = ROOT) -> Finished:
    """Run `scrub` with these arguments in this process."""
    from scrub.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    code = None
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        try:
            main(list(map(str, arguments)), prog_name="scrub")
        except SystemExit as finished:
            code = finished.code
    assert isinstance(code, int)
    return Finished(code, out.getvalue(), err.getvalue())


def assert_golden(name: str, text: str) -> None:
    """The text is that of `golden/NAME.txt`, but for seconds, costs and trailing spaces."""
    text = re.sub(r"(?m)(?<= )\d+\.\d$", lambda m: "x.x".rjust(len(m[0])), text)
    text = re.sub(r"[\d.]+ \w?(FLOP|B)\b", r"… \1", text)
    text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("SCRUB_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
