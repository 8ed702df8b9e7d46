"""Trees and suites of trees: the engine beside hooked forwards of the bridge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import evolve, frozen
from torch import Tensor

import scrub
from scrub.data.dataset import Rows
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.tree import treeify
from scrub.metrics import Metric, measure
from timing.families import Swept
from timing.forwards import Forwards
from timing.ledger import Least
from timing.ours import Work, counted, timed
from timing.setting import Size
from timing.table import Other, Row
from timing.trees import KINDS, Kind, binary_tree

TIMED = {"direct": 20, "mlps": 4, "anything": 1}
"""Hypotheses of a suite that are timed at most, by kind of path; the time is scaled to all."""
WAYS = {False: "hooked forwards", True: "hooked forwards, trimmed"}


@frozen(eq=False)
class Bench:
    """The model and the data, and the ways to scrub on them.

    Attributes:
        work: on all references, with no hypotheses yet.
        forwards: hooked forwards, whole and trimmed, that share their plain values.
        filling: seconds that their plain values took.
    """

    size: Size
    bridge: Any
    work: Work
    forwards: tuple[Forwards, ...]
    filling: float

    @staticmethod
    def of(size: Size, bridge: Any, work: Work) -> Bench:
        few = evolve(work, references=2).of([binary_tree(size.shape, "mlps", nodes=2, seed=0)])
        few.scrub(scrub.Session())  # so that no clock sees an import
        whole = Forwards(bridge, work.data, trimmed=False)
        filling, _ = timed(whole.fill, 1)
        return Bench(size, bridge, work, (whole, evolve(whole, trimmed=True)), filling)

    def hooked(
        self,
        hypotheses: Sequence[tuple[Correspondence, scrub.Result | Swept]],
        metric: Metric,
        *,
        of: int,
        repeats: int = 1,
    ) -> list[Other]:
        """Hooked forwards for some hypotheses on a few references, scaled up to all of both.

        Args:
            of: hypotheses in all.
            repeats: of which the median counts.
        """
        few = min(self.size.few, len(hypotheses[0][1].draws.references))
        scale = of / len(hypotheses) * self.work.references / few
        others = []
        for forwards in self.forwards:

            def run(forwards: Forwards = forwards) -> list[Tensor]:
                return [forwards.root(treeify(h), r.draws, few) for h, r in hypotheses]

            seconds, roots = timed(run, repeats)
            offs = [
                off(measured(metric, root, result.draws.references), result.scores.scrubbed)
                for root, (_, result) in zip(roots, hypotheses, strict=True)
            ]
            note = f"from {len(hypotheses)} x {few:,} references"
            others.append(Other(WAYS[forwards.trimmed], scale * seconds, max(offs), note))
        return others

    def filled(self, hooked: list[Other]) -> list[Other]:
        """The same with the time that the plain values take."""
        return [evolve(other, seconds=other.seconds + self.filling) for other in hooked]


def measured(metric: Metric, root: Tensor, references: Rows) -> np.ndarray:
    """The metric of the first references, from the root's whole value."""
    return measure(metric, root, references.at(references.index[: len(root)]))


def off(found: np.ndarray, ours: np.ndarray) -> float:
    """Largest difference of numbers from the first of ours, relative to the largest of those."""
    expected = ours[: len(found)]
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def one_tree(bench: Bench) -> list[Row]:
    """One tree of each kind, in a new session and once more in the same one."""
    return [row for kind in KINDS for row in _one_tree(bench, kind)]


def _one_tree(bench: Bench, kind: Kind) -> list[Row]:
    size = bench.size
    work = bench.work.of([binary_tree(size.shape, kind, nodes=size.nodes, seed=0)])
    cold, (session, results) = timed(lambda: _new(work), size.repeats)
    warm, _ = timed(lambda: work.scrub(session), size.repeats)
    everything, _ = counted(lambda: _new(work))
    again, _ = counted(lambda: work.scrub(session))
    rescrub = work.rescrub(session)
    loose, _ = timed(rescrub, size.repeats)
    more, _ = counted(rescrub)
    least, alone = _least(work, results), work.least(work.loosened())
    hooked = bench.hooked(
        [(work.hypotheses[0], results[0])], work.metric, of=1, repeats=size.repeats
    )
    name = f"tree of {size.nodes} nodes"
    return [
        Row(f"{name}, cold", kind, cold, everything, least.total, bench.filled(hooked)),
        Row("— its plain values", kind, cold - warm, everything - again, least.fill),
        Row(f"{name}, warm", kind, warm, again, least.scrubbing, hooked),
        Row("— of which loosened", kind, loose, more, alone.scrubbing),
        Row("— if heads' outputs were kept", kind, warm, again, least.values + least.kept),
    ]


def _least(work: Work, results: Sequence[scrub.Result]) -> Least:
    """Of what `scrub.run` scrubs: of the hypotheses, and of the same loosened."""
    return work.of([*work.hypotheses, *work.hypotheses]).least([*results, *work.loosened()])


def _new(work: Work) -> tuple[scrub.Session, list[scrub.Result]]:
    session = scrub.Session()
    return session, work.scrub(session)


def suites(bench: Bench) -> list[Row]:
    """Two suites of each kind, one after the other in one session."""
    return [row for kind in KINDS for row in _suites(bench, kind)]


def _suites(bench: Bench, kind: Kind) -> list[Row]:
    size = bench.size
    some = min(TIMED[kind], size.hypotheses)
    trees = [
        binary_tree(size.shape, kind, nodes=size.nodes, seed=1 + seed) for seed in range(2 * some)
    ]
    first, second = bench.work.of(trees[:some]), bench.work.of(trees[some:])
    cold, (session, results) = timed(lambda: _new(first), 1)
    new, _ = timed(lambda: second.scrub(session), 1)
    least = _least(first, results)
    all_of = size.hypotheses / some
    hooked = bench.hooked([(trees[0], results[0])], first.metric, of=size.hypotheses)
    note = "one run" if some == size.hypotheses else f"one run of {some} hypotheses"
    return [
        Row(
            f"suite of {size.hypotheses}", kind, cold + (all_of - 1) * new, math.nan,
            least.fill + all_of * least.scrubbing, bench.filled(hooked), note,
        ),
        Row(
            "second suite, same session", kind, all_of * new, math.nan,
            all_of * least.scrubbing, hooked, note,
        ),
    ]  # fmt: skip
