"""`--on ray`: actors of a Ray cluster, each with one model, whose weights it loads once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

from scrub.errors import UserError
from scrub.matrix.cell import Cell
from scrub.matrix.on_local import cores
from scrub.matrix.schedule import Answer, Schedule, Told, Worker
from scrub.runner.interrupts import sigterm_stops

STORE = 100 * 2**20
"""Bytes of a local node's object store: nothing but cells and answers goes through it."""
PATIENCE = 3.0
"""Seconds to wait for the machine of an address to answer."""
GREETING = 15.0
"""Seconds to wait for a cluster to answer there, the start of a process that asks it included."""
ASKS = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
"""What `ray health-check` asks a cluster; in a process of its own, since it waits for minutes."""


@frozen
class Ray:
    """Actors of a Ray cluster.

    Attributes:
        address: HOST:PORT, as `ray start --head` prints it; "": a cluster of this machine alone,
            which ends with the run.
        workers: at a time; None: as many as the cluster has CPUs or GPUs for.
        threads: CPUs of each.
        gpus: of each; a fraction lets several share one.
    """

    address: str = ""
    workers: int | None = None
    threads: int = 1
    gpus: float = 0.0

    def run(self, cells: Sequence[Cell], folder: Path, told: Told) -> None:
        """Compute cells; see `Schedule`.

        Raises:
            UserError: Ray is not installed, there is no cluster, or it has no room for a worker.
        """
        if not cells:
            return
        ray = imported()
        with self._connected(ray), sigterm_stops():  # Ray has put its own handler there
            size = min(self._room(ray), len(cells), self.workers or len(cells))
            hands = ray.remote(num_cpus=self.threads, num_gpus=self.gpus, max_restarts=0)(Hands)
            Schedule(Actors(ray, hands, str(folder), size, self.threads), told).run(cells)

    @contextmanager
    def _connected(self, ray: Any) -> Iterator[None]:
        """Connected to the cluster, or to one of this machine's own."""
        usual = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
        if self.address:
            check_answers(self.address)
            where: dict[str, Any] = {"address": self.address}
        else:
            cpus = max((self.workers or 1) * self.threads, cores())
            where = {"address": "local", "num_cpus": cpus, "object_store_memory": STORE}
        try:
            ray.init(**where, **usual)
        except Exception as error:  # whatever Ray raises: another version, no cluster at the port
            raise UserError(
                f"--on ray: {self.address or 'a cluster on this machine'} cannot be used: "
                f"{' '.join(str(error).split())[:200]}"
            ) from error
        try:
            yield
        finally:
            ray.shutdown()

    def _room(self, ray: Any) -> int:
        """How many workers the cluster has room for.

        Raises:
            UserError: for none.
        """
        there = ray.cluster_resources()
        asked = {"CPU": float(self.threads), "GPU": self.gpus}
        rooms = {name: int(there.get(name, 0) / each) for name, each in asked.items() if each}
        least = min(rooms, key=lambda name: rooms[name])
        if not rooms[least]:
            raise UserError(
                f"--on ray: the cluster has {there.get(least, 0):g} {least}s and a worker asks for "
                f"{asked[least]:g}. Give fewer by {'--threads' if least == 'CPU' else '--gpus'}."
            )
        return rooms[least]


def imported() -> Any:
    """Ray, which must not send statistics of its use anywhere.

    Raises:
        UserError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise UserError(
            '--on ray needs Ray, which is not installed. Install it: pip install "scrub[ray]".'
        ) from error
    return ray


def check_answers(address: str) -> None:
    """Refuse an address at which nothing listens, or something else: Ray would wait for minutes.

    Raises:
        UserError: it is no HOST:PORT, or nothing answers there in time.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(
            f"--on ray://{address}: give the address that `ray start --head` prints, such as "
            "ray://10.0.0.1:6379."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except OSError as error:
        reason = error.strerror or str(error) or "no answer"
        raise UserError(
            f"--on ray://{address}: there is no Ray cluster there: {reason}. Start one by "
            "`ray start --head`, or give the address that it prints; --on ray alone uses this "
            "machine."
        ) from error
    try:
        command = [sys.executable, "-c", ASKS, address]
        answers = subprocess.run(command, capture_output=True, timeout=GREETING).returncode == 0
    except subprocess.TimeoutExpired:
        answers = False
    if not answers:
        raise UserError(
            f"--on ray://{address}: something answers there, and it is no Ray cluster of this "
            "version. Give the address that `ray start --head` prints (port 6379 if none was "
            "asked for; 10001 is that of Ray's client)."
        )


class Hands:
    """What runs in an actor: a bench with one model."""

    def __init__(self, folder: str, threads: int) -> None:
        import torch

        from scrub.matrix.compute import Bench

        torch.set_num_threads(threads)
        self._folder, self._bench = Path(folder), Bench()

    def work(self, cell: Cell) -> Answer:
        from scrub.matrix.schedule import answer_of

        return answer_of(cell, self._folder, self._bench)


@frozen(eq=False)
class Actors:
    """The actors of a run."""

    ray: Any
    hands: Any
    folder: str
    size: int
    threads: int
    loads: int = 3

    def hire(self, model: str) -> Actor:
        return Actor(model, self.ray, self.hands.remote(self.folder, self.threads))

    def wait(self, busy: Sequence[Worker], seconds: float) -> list[tuple[Worker, Answer]]:
        by_call = {one.call[0]: one for one in busy if isinstance(one, Actor)}
        calls = list(by_call)
        if not self.ray.wait(calls, num_returns=1, timeout=seconds)[0]:
            return []
        ready, _ = self.ray.wait(calls, num_returns=len(calls), timeout=0)
        return [(by_call[call], self._answer(call)) for call in ready]

    def _answer(self, call: Any) -> Answer:
        try:
            return self.ray.get(call)
        except self.ray.exceptions.RayError as error:
            return Answer("lost", " ".join(str(error).split())[:300])


@frozen(eq=False)
class Actor:
    """One actor, and the call that it works on."""

    model: str
    ray: Any
    handle: Any
    call: list[Any] = field(factory=list, init=False)

    def start(self, cell: Cell) -> None:
        self.call[:] = [self.handle.work.remote(cell)]

    def close(self) -> None:
        self.ray.kill(self.handle)
