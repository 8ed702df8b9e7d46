"""Runs of a hypothesis file that are stopped from outside, once they have come to a place.

The file's metrics say in a log how often they were asked, and wait where they are told to: nothing
here depends on how fast the machine is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from support.command import ENVIRONMENT, Finished, Fork, inside
from support.paths import ROOT

STOPPABLE = '''
import os
import sys
import time
from pathlib import Path

sys.path += [{hypotheses!r}, {tests!r}]
import ioi_claim3
from sums import DATA, distance, product_is
from sums import MODEL as SUMS

from scrub import Uncond, claim
from scrub.metrics import custom

MODEL = "ioi-planted"
calls = []


def watched(name, function):
    """A metric that says how often it was asked, and waits where it is told to."""

    def metric(value, references):
        with open(os.environ["LOG"], "a") as log:
            print(name, len(references), file=log)
        calls.append(name)
        if os.environ.get("WAIT_AT") == f"{{name}} {{calls.count(name)}}":
            Path(os.environ["LOG"]).with_suffix(".waiting").touch()
            time.sleep(100)
        if name == "slow":
            time.sleep(float(os.environ.get("SLEEP", 0)))
        return function(value, references)

    return custom(metric)


@claim(data=DATA, metric=watched("slow", distance), model=SUMS)
def slow(model):
    return product_is(Uncond())


@claim(data=DATA, metric=watched("second", distance), model=SUMS)
def second(model):
    return product_is(Uncond())


@claim(data=ioi_claim3.PROMPTS, metric=watched("ioi", ioi_claim3.METRIC.function))
def ioi(model):
    return ioi_claim3.whole_circuit.build(model)
'''


@frozen
class Place:
    """A folder with the hypothesis file, in which runs are started."""

    folder: Path

    def start(self, *arguments: str, **environment: str) -> Fork:
        command = ("test", "claims.py", *arguments)
        return Fork.of(*command, cwd=self.folder, env=self.environment | environment)

    def start_anew(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The same as `start`, as a process that is no fork."""
        return subprocess.Popen(
            [sys.executable, "-m", "scrub", "test", "claims.py", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # In the background of a shell Ctrl-C is ignored, and what is started there inherits it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *arguments: str, **environment: str) -> Finished:
        """Run the claims to the end."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=120)
        assert process.returncode is not None
        return Finished(process.returncode, out, err)

    def inside(self, *arguments: str, **environment: str) -> Finished:
        """The same as `run`, in this process: imports take most of a command's time."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in ({"LOG": str(self.log)} | environment).items():
                patch.setenv(name, value)
            patch.setattr(sys, "path", list(sys.path))  # the file adds to it
            return inside("test", "claims.py", *arguments, cwd=self.folder)

    def stopped(self, number: int, at: str, *arguments: str, **environment: str) -> Finished:
        """Run until a metric is called as often as `at` says ("second 4"); then stop it."""
        return self.stop(self.start(*arguments, WAIT_AT=at, **environment), number)

    def stop(self, process: Fork | subprocess.Popen[str], number: int) -> Finished:
        """Stop a process once it waits."""
        waiting = self.log.with_suffix(".waiting")
        for _ in range(6000):
            if waiting.exists() or process.poll() is not None:
                break
            time.sleep(0.01)
        assert process.poll() is None, process.communicate(timeout=1)
        waiting.unlink()
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=30)
        assert process.returncode is not None
        return Finished(process.returncode, out, err)

    @property
    def environment(self) -> dict[str, str]:
        return ENVIRONMENT | {"LOG": str(self.log), "PYTHONPATH": str(ROOT)}

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def asked(self) -> dict[str, int]:
        """Values that each metric was asked for since this was asked last."""
        found: dict[str, int] = {}
        for line in self.log.read_text().splitlines():
            name, samples = line.split()
            found[name] = found.get(name, 0) + int(samples)
        self.log.unlink()
        return found

    def json(self, name: str = "r.json") -> dict[str, Any]:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))


def made(folder: Path) -> Place:
    text = STOPPABLE.format(
        hypotheses=str(ROOT / "hypotheses"), tests=str(ROOT / "tests" / "hypotheses")
    )
    (folder / "claims.py").write_text(text, encoding="utf-8")
    return Place(folder)
