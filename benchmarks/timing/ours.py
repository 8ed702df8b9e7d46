"""The one place where the benchmarks call the engine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from attrs import evolve, frozen
from torch.utils.flop_counter import FlopCounterMode

import scrub
from scrub.analysis.loosening import loosened, stated
from scrub.data.dataset import Dataset
from scrub.draw import Draws, draw
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.collect import Collected
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.tree import Tree, treeify
from scrub.metrics import Metric
from scrub.model.graph import Graph
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import prepare
from scrub.runner.variants import scrub_resampled
from timing.ledger import Least, Ledger
from timing.minimum import count
from timing.setting import MEMORY, Shape

T = TypeVar("T")


class Drawn(Protocol):
    """What was found of a hypothesis, with the draws that it was found on."""

    @property
    def draws(self) -> Draws: ...


@frozen(eq=False)
class Loosened:
    """A hypothesis of which no node states a feature any more, and its draws."""

    tree: Tree
    draws: Draws


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
        found = (scrub.run(c, session=session, **self._options) for c in self._claims)
        return [result for result in found if isinstance(result, scrub.Result)]

    def loosened(self) -> list[Loosened]:
        """Each with any input in place of those that its nodes ask for: `scrub.run` scrubs it too.

        On the draws that `scrub.run` makes.
        """
        trees = [treeify(hypothesis) for hypothesis in self.hypotheses]
        loose = [loosened(tree, stated(tree)) for tree in trees]
        return [
            Loosened(tree, draw(tree, self.data, samples=self.references, seed=0)) for tree in loose
        ]

    def rescrub(self, session: scrub.Session) -> Callable[[], None]:
        """Scrubs the loosened hypotheses as `scrub.run` does when it has scrubbed the claims."""
        options = Options(**self._options)
        context = Context(session, options)
        collected = [Collected("", claim, self.graph, Path()) for claim in self._claims]
        planned = [plan_claim(one, context) for one in prepare(collected, session, options)]
        scrubs = [scrub_resampled(one, self.references, context) for one in planned]

        def run() -> None:
            for one, scrubbed in zip(planned, scrubs, strict=True):
                scrubbed(loosened(one.tree, stated(one.tree)))(self.references)

        return run

    @property
    def _claims(self) -> list[Claim]:
        return [
            Claim("tree", lambda model, tree=tree: tree, self.data, self.metric, model=self.graph)
            for tree in self.hypotheses
        ]

    @property
    def _options(self) -> dict[str, Any]:
        return {"samples": self.references, "max_memory": MEMORY}


Clock = Callable[[], float]
"""Gives seconds: the clock's, or those that the processor has worked."""


def timed(run: Callable[[], T], repeats: int, clock: Clock = time.perf_counter) -> tuple[float, T]:
    """Median seconds of so many runs, and what the last of them gave."""
    seconds = []
    value = None
    for _ in range(repeats):
        started = clock()
        value = run()
        seconds.append(clock() - started)
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
    def measured(clock: Clock = time.perf_counter) -> Machine:
        size = 2048
        a, b = torch.randn(size, size), torch.randn(size, size)
        best = min(timed(lambda: a @ b, 1, clock)[0] for _ in range(7))
        return Machine(os.cpu_count() or 1, torch.get_num_threads(), 2 * size**3 / best)

    def __str__(self) -> str:
        return (
            f"{self.cores} cores ({platform.machine()}), {self.threads} threads; matrix products "
            f"{self.rate / 1e9:.0f} GFLOP/s in float32; torch {torch.__version__}"
        )
