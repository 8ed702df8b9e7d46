"""Runs commands in forks of a process that has imported torch, so that each need not do so again.

A command is a process of its own, with streams, environment, working directory and exit code as any
other, and Ctrl-C interrupts it; only what is imported before is there already. What tests of
imports or terminals need is a process from the start (`support.command.python`).

A request is a line of JSON on standard input, and so is its answer. To start a command: arguments,
cwd, environment, and the files that take the output, null for one that is closed; they are open
when the answer comes, which is its pid. To ask for its exit code: `{"pid": …, "flags": of
waitpid}`; the answer is negative where a signal ended it, and null where it has not ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import sys
from typing import Any, TextIO

LIBRARIES = ("torch", "pandas", "scipy.stats")
PACKAGES = ("cli", "runner", "results", "report", "engine", "analysis", "sweeps")
"""What the commands import at one time or another."""
STREAMS = ("stdin", "stdout", "stderr")


def load() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    for package in PACKAGES:
        path = importlib.import_module(f"scrub.{package}").__path__
        for module in pkgutil.walk_packages(path, f"scrub.{package}."):
            importlib.import_module(module.name)
    assert sys.modules["torch"].get_num_threads() == 1, "threads do not survive a fork"
    assert not {"transformers", "transformer_lens", "matplotlib"} & set(sys.modules)
    gc.freeze()  # so that a fork's collector does not copy all of this
    gc.set_threshold(20_000, 20, 50)  # as in conftest.py


def opened(request: dict[str, Any]) -> list[int | None]:
    """Standard input, output and error."""
    files = [os.open(os.devnull, os.O_RDONLY)]
    for name in (request["out"], request["err"]):
        files.append(None if name is None else os.open(name, os.O_WRONLY | os.O_CREAT))
    return files


def as_at_the_start(number: int, like: TextIO) -> TextIO:
    """A standard stream as Python makes it of a file that is open when it starts."""
    mode, buffering = "r" if number == 0 else "w", 1 if number == 2 else -1
    coded = {"encoding": like.encoding, "errors": like.errors}
    return open(number, mode, buffering, **coded, closefd=False)


def become(request: dict[str, Any], files: list[int | None]) -> None:
    """What is left of this process is the command."""
    for number, (name, file) in enumerate(zip(STREAMS, files, strict=True)):
        if file is None:
            os.close(number)
        else:
            os.dup2(file, number)
            os.close(file)
        stream = None if file is None else as_at_the_start(number, getattr(sys, name))
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests are behind
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    more = request["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [os.getcwd(), *filter(None, more)]
    sys.argv = ["scrub", *request["arguments"]]
    runpy.run_module("scrub", run_name="__main__", alter_sys=True)


def serve() -> None:
    """Answer requests until there are no more; in the fork that answers one, become that one."""
    for line in sys.stdin:
        request = json.loads(line)
        if "pid" in request:
            ended, status = os.waitpid(request["pid"], request["flags"])
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            files = opened(request)
            answer = os.fork()
            if answer == 0:
                become(request, files)
                return
            for file in files:
                if file is not None:
                    os.close(file)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    load()
    serve()
