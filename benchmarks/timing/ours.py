"""The one place where the benchmarks call the engine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import torch
from attrs import evolve, frozen
from torch.utils.flop_counter import FlopCounterMode

import scrub
from scrub.data.dataset import Dataset
from scrub.draw import Draws
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.correspondence import Correspondence
from scrub.metrics import Metric
from scrub.model.graph import Graph
from timing.ledger import Least, Ledger
from timing.minimum import count
from timing.setting import MEMORY, Shape

T = TypeVar("T")


class Drawn(Protocol):
    """What was found of a hypothesis, with the draws that it was found on."""

    @property
    def draws(self) -> Draws: ...


@frozen(eq=False)
class Work:
    """Hypotheses about one model on one data set, all scrubbed on as many references."""

    graph: Graph
    shape: Shape
    data: Dataset
    metric: Metric
    references: int
    hypotheses: tuple[Correspondence, ...]

    def of(self, hypotheses: Sequence[Correspondence]) -> Work:
        """The same with other hypotheses."""
        return evolve(self, hypotheses=tuple(hypotheses))

    def least(self, results: Sequence[Drawn]) -> Least:
        """The least operations of the work, on the draws that were made."""
        ledger = Ledger(self.shape, len(self.metric.labels))
        for hypothesis, result in zip(self.hypotheses, results, strict=True):
            count(ledger, hypothesis, result.draws)
        return ledger.least()

    def scrub(self, session: scrub.Session) -> list[scrub.Result]:
        """Scrub them, one after the other, as a user's file would be."""
        claims = [
            Claim("tree", lambda model, tree=tree: tree, self.data, self.metric, model=self.graph)
            for tree in self.hypotheses
        ]
        options: dict[str, Any] = {"samples": self.references, "memory": MEMORY}
        return [scrub.run(claim, session=session, **options) for claim in claims]


def timed(run: Callable[[], T], repeats: int) -> tuple[float, T]:
    """Median seconds of so many runs, and what the last of them gave."""
    seconds = []
    value = None
    for _ in range(repeats):
        started = time.perf_counter()
        value = run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), value  # type: ignore[return-value]  # repeats >= 1


def counted(run: Callable[[], T]) -> tuple[int, T]:
    """What a run gives, and the operations of its matrix products, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        value = run()
    return counter.get_total_flops(), value


@frozen
class Machine:
    """What the figures were taken on.

    Attributes:
        rate: operations a second of a matrix product in float32, the best of several runs.
    """

    cores: int
    threads: int
    rate: float

    @staticmethod
    def measured() -> Machine:
        size = 2048
        a, b = torch.randn(size, size), torch.randn(size, size)
        best = min(timed(lambda: a @ b, 1)[0] for _ in range(7))
        return Machine(os.cpu_count() or 1, torch.get_num_threads(), 2 * size**3 / best)

    def __str__(self) -> str:
        return (
            f"{self.cores} cores ({platform.machine()}), {self.threads} threads; matrix products "
            f"{self.rate / 1e9:.0f} GFLOP/s in float32; torch {torch.__version__}"
        )
