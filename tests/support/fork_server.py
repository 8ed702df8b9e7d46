"""Runs commands in forks of a process that has imported torch, so that each need not do so again.

A command is a process of its own, with streams, environment, working directory and exit code as any
other; only what is imported before is there already. What tests of imports, signals or terminals
need is a process from the start (`support.command.python`).

A request is a line of JSON on standard input: arguments, cwd, environment and the files that take
the output. The answer is a line with the exit code, which is negative where a signal ended it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import sys
from typing import Any

LIBRARIES = ("torch", "pandas", "scipy.stats")
PACKAGES = ("cli", "runner", "results", "report", "engine", "analysis", "sweeps")
"""What the commands import at one time or another."""


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


def become(request: dict[str, Any]) -> None:
    """What is left of this process is the command."""
    for number, name in enumerate((os.devnull, request["out"], request["err"])):
        file = os.open(name, os.O_RDWR)
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    more = request["environment"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [os.getcwd(), *filter(None, more)]
    sys.argv = ["scrub", *request["arguments"]]
    runpy.run_module("scrub", run_name="__main__", alter_sys=True)


def serve() -> dict[str, Any] | None:
    """Answer requests until there are no more; in the fork that answers one, that one."""
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            return request
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
    return None


if __name__ == "__main__":
    load()
    if asked := serve():
        become(asked)
