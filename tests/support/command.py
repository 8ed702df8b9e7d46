"""Runs the command line, and holds what it prints against golden files.

As a subprocess (`python`), as a fork of one that has imported torch (`scrub`), or where only the
answer matters in this process (`inside`): importing torch takes two seconds, and transformer_lens
four.

To write the golden files anew: `SCRUB_UPDATE_GOLDEN=1 pytest tests/cli/test_cli.py`; read the diff.
"""

from __future__ import annotations

import functools
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

from attrs import frozen

from support.paths import ROOT

GOLDEN = ROOT / "tests" / "cli" / "golden"
SUMS = "tests/hypotheses/sums.py"
IOI = "hypotheses/ioi_claim3.py"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}

AT_THE_START = {"PYTHONIOENCODING", "PYTHONUNBUFFERED", "PYTHONWARNINGS"}
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
    if environment.keys() & AT_THE_START:
        return python("-m", "scrub", *map(str, arguments), cwd=cwd, **environment)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        for file in (out, err):
            file.touch()
        request = {
            "arguments": [*map(str, arguments)],
            "cwd": str(cwd),
            "environment": ENVIRONMENT | environment,
            "out": str(out),
            "err": str(err),
        }
        server = _fork_server()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(f"{json.dumps(request)}\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return Finished(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


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
