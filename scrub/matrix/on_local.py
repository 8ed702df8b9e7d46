"""`--on local`: processes of this machine, one per GPU or thread budget."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from attrs import field, frozen

from scrub.matrix.cell import Cell
from scrub.matrix.schedule import Answer, Schedule, Told, Worker

FORKS = multiprocessing.get_context("forkserver")
"""Workers are forks of a process that has imported torch and computed nothing: they start at once,
and share what it imported."""
PATIENCE = 2.0
"""Seconds that a process gets to end before it is killed."""


@frozen
class Local:
    """Processes of this machine.

    Attributes:
        workers: at a time; None: one per GPU, or as many as the cores take with so many threads.
        threads: of each.
    """

    workers: int | None = None
    threads: int = 1

    def run(self, cells: Sequence[Cell], folder: Path, told: Told) -> None:
        """Compute cells; see `Schedule`."""
        if cells:
            gpus = _gpus(cells[0].how.device)
            size = self.workers or gpus or max(1, cores() // self.threads)
            Schedule(Pool(folder, min(size, len(cells)), self.threads, gpus), told).run(cells)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus(device: str) -> int:
    """GPUs that workers take turns of; 0 where they compute elsewhere, or on one by its number."""
    if device != "cuda":
        return 0
    import torch

    return torch.cuda.device_count()


@frozen(eq=False)
class Pool:
    """The processes, and which GPU the next one gets."""

    folder: Path
    size: int
    threads: int
    gpus: int
    loads: int = 1
    _free: list[int] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._free.extend(range(self.size))
        FORKS.set_forkserver_preload(["scrub.matrix.compute"])

    def hire(self, model: str) -> Process:
        place = self._free.pop(0)
        device = f"cuda:{place % self.gpus}" if self.gpus else None
        ours, theirs = FORKS.Pipe()
        arguments = (theirs, self.folder, device, self.threads)
        process = FORKS.Process(target=_work, args=arguments, daemon=True)
        process.start()
        theirs.close()
        return Process(model, process, ours, place, self._free)

    def wait(self, busy: Sequence[Worker], seconds: float) -> list[tuple[Worker, Answer]]:
        by_pipe = {one.pipe: one for one in busy if isinstance(one, Process)}
        ready = wait(list(by_pipe), seconds)
        return [(by_pipe[pipe], by_pipe[pipe].answer()) for pipe in by_pipe if pipe in ready]


@frozen(eq=False)
class Process:
    """A process with one model. Its end closes the pipe, so that its loss is seen at once."""

    model: str
    process: ForkServerProcess
    pipe: Connection
    place: int
    free: list[int]

    def start(self, cell: Cell) -> None:
        try:
            self.pipe.send(cell)
        except OSError:  # it is lost: its answer will say so
            return

    def answer(self) -> Answer:
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(PATIENCE)
            return Answer("lost", ended(self.process.exitcode))

    def close(self) -> None:
        self.pipe.close()  # an idle one ends by itself
        self.process.terminate()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.free.append(self.place)


def ended(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None or code >= 0:
        return f"it ended with code {code}"
    name = signal.Signals(-code).name
    more = ", as when memory runs out" if -code == signal.SIGKILL else ""
    return f"it was ended by {name}{more}"


def _work(pipe: Connection, folder: Path, device: str | None, threads: int) -> None:
    """A worker: computes the cells that come by the pipe, until that is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C comes to the command, which ends this
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stdout = sys.stderr  # what a user's file prints does not go among the command's results
    import torch

    from scrub.matrix.compute import Bench
    from scrub.matrix.schedule import answer_of

    torch.set_num_threads(threads)
    bench = Bench(device)
    while True:
        try:
            cell = pipe.recv()
        except (EOFError, OSError):
            return
        answer = answer_of(cell, folder, bench)
        try:
            pipe.send(answer)
        except OSError:
            return
