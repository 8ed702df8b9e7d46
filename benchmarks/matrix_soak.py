"""Kill workers of a matrix during its run, and hold its records to those of one process.

    python benchmarks/matrix_soak.py --on ray --kills 10 [--seeds 0..5] [--samples 100]

On Ray a cluster of two nodes is started on this machine, each with processes of its own. After each
record that comes, one worker that is at work is killed by SIGKILL, until that was done as often as
asked. Exit code 1 if a record is missing or differs by a bit from that of a run in one process.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from attrs import define

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scrub.hypothesis.collect import collect
from scrub.matrix.cell import Cell, How, seeds_of
from scrub.matrix.compute import Bench
from scrub.matrix.executors import Executor
from scrub.matrix.on_local import Local
from scrub.matrix.on_ray import Ray, imported
from scrub.matrix.plan import plan_matrix
from scrub.matrix.run import fill
from scrub.matrix.schedule import Told, answer_of

ROOT = Path(__file__).resolve().parents[1]
STORE = 80 * 2**20
"""Bytes of a node's object store: the least that Ray takes."""


class Here:
    """An executor: one cell after the other in this process."""

    def run(self, cells: Sequence[Cell], folder: Path, told: Told) -> None:
        bench = Bench()
        for cell in cells:
            told(cell, answer_of(cell, folder, bench))


@contextmanager
def executor(on: str) -> Iterator[Executor]:
    """Two workers: of this process, or one on each node of a cluster."""
    if on == "local":
        yield Local(workers=2)
        return
    imported()
    os.environ["PYTHONPATH"] = str(ROOT)
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        cluster.add_node(num_cpus=1, object_store_memory=STORE)
        yield Ray(str(cluster.address), workers=2)
    finally:
        cluster.shutdown()


def at_work(on: str) -> list[int]:
    """The processes that compute a cell: Ray's by their title, else forks of this one's server."""
    found, parents = [], dict[int, int]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                title = (entry / "cmdline").read_bytes()
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat[1])
            if (b"ray::Hands.work" if on == "ray" else b"forkserver") in title:
                found.append(int(entry.name))
    if on == "ray":
        return found
    return [one for one in found if parents.get(parents[one]) == os.getpid()]


@define(eq=False)
class Killer:
    """Kills one worker after each record, from a thread of its own.

    Attributes:
        records: how many there are.
        kills: how often it is to do so.
    """

    workers: Callable[[], list[int]]
    records: Callable[[], int]
    kills: int
    killed: int = 0
    ended: bool = False

    def run(self) -> None:
        seen = 0
        while self.killed < self.kills and not self.ended:
            time.sleep(0.05)
            if self.records() > seen and (found := self.workers()):
                seen = self.records()
                try:
                    os.kill(found[self.killed % len(found)], signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self.killed += 1
                print(f"{self.records()} records: killed {self.killed} of {self.kills}", flush=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "cells").glob("[!.]*")}


def soak(on: str, kills: int, cells: list[Cell], folder: Path) -> int:
    """Run with kills; how many records are missing or differ."""
    fill(cells, folder / "here", Here())
    out = folder / "out"
    killer = Killer(lambda: at_work(on), lambda: len([*out.glob("cells/*.json")]), kills)
    thread = threading.Thread(target=killer.run, daemon=True)
    started = time.perf_counter()
    with executor(on) as chosen:
        thread.start()
        outcome = fill(cells, out, chosen)
    killer.ended = True
    thread.join()
    took = time.perf_counter() - started
    expected, found = contents(folder / "here"), contents(out)
    wrong = sum(found.get(name) != raw for name, raw in expected.items())
    for why in outcome.failures.values():
        print(why)
    print(
        f"{on}: {outcome.done} of {len(cells)} cells, {killer.killed} workers killed, "
        f"{len(outcome.failures)} failed, {wrong} of {len(expected)} files differ; {took:.0f} s"
    )
    left = at_work(on)
    print(f"workers left: {len(left)}")
    return wrong + len(left) + (killer.killed < kills)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--on", choices=["local", "ray"], default="ray")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seeds", default="0..5")
    parser.add_argument("--samples", type=int, default=100)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    claims = collect([str(ROOT / "hypotheses" / "ioi_claim3.py")])
    how = How(chosen.samples)
    cells = plan_matrix(claims, ["ioi-planted"], seeds_of(chosen.seeds), how, ROOT)
    with tempfile.TemporaryDirectory() as folder:
        failed = soak(chosen.on, chosen.kills, cells, Path(folder))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
