"""Resume: execute only what a checkpoint lacks, and check what an earlier run left in it."""

from __future__ import annotations

import time

import numpy as np
import torch
from attrs import evolve

from scrub.engine.activations import ActivationCache
from scrub.runner.context import Context
from scrub.runner.memory import make_room
from scrub.runner.planned import Planned
from scrub.runner.scoring import scored_chunks
from scrub.runner.user_code import RUNNING, located
from scrub.stats.scores import Scores, joined

CHECKED = 8
"""Samples of an earlier run that are computed again before the others are believed."""


def scores_of_first(planned: Planned, samples: int, context: Context) -> tuple[Scores, ...]:
    """The scores of the first samples, metric by metric: what the checkpoint lacks is computed.

    Each chunk is added to the checkpoint when it is done.

    Raises:
        UserError: one sample does not fit into the memory, or a metric of the user's fails.
    """
    checkpoint = planned.checkpoint
    if checkpoint.samples < samples:
        draws = planned.draws.first(samples)
        budget = make_room(planned, draws, context)
        started = time.perf_counter()
        for part in scored_chunks(planned, draws, budget, start=checkpoint.samples):
            checkpoint.add(part, time.perf_counter() - started)
            started = time.perf_counter()
            context.progress.advance(len(part[0].original))
    return checkpoint.first(samples)


def scores_of(planned: Planned, context: Context) -> Scores:
    """The scores on all draws, by the metric that decides the verdict.

    Raises:
        UserError: one sample does not fit into the memory, or a metric of the user's fails.
    """
    with located(planned.prepared.file, planned.prepared.claim, RUNNING):
        check_earlier(planned, context)
        return scores_of_first(planned, len(planned.draws.references), context)[0]


def check_earlier(planned: Planned, context: Context) -> None:
    """Compute a few samples again of what an earlier run left; drop it all if they differ.

    The fingerprint does not see what a metric or a graph takes from elsewhere than from files.
    """
    checkpoint = planned.checkpoint
    if not checkpoint.unchecked:
        return
    checkpoint.unchecked = False
    budget = make_room(planned, planned.draws, context)
    empty = ActivationCache(planned.plan.graph)  # so that the shared one stays as it is
    apart = evolve(planned, cache=empty)
    which = np.unique(np.linspace(0, checkpoint.samples - 1, CHECKED).astype(np.int64))
    parts = scored_chunks(apart, planned.draws.at(which), budget)
    again = [joined(chunks) for chunks in zip(*parts, strict=True)]
    before = [scores.where(which) for scores in checkpoint.first(checkpoint.samples)]
    eps = torch.finfo(planned.plan.graph.dtype).eps
    if not all(_same(old, new, eps**0.5) for old, new in zip(before, again, strict=True)):
        checkpoint.drop()


def _same(old: Scores, new: Scores, tolerance: float) -> bool:
    """Whether scores differ by rounding at most: so much of the largest one."""

    def same(name: str) -> bool:
        ours, theirs = old.columns[name], new.columns[name]
        scale = np.abs(ours[np.isfinite(ours)]).max(initial=0.0)
        return np.allclose(ours, theirs, rtol=0, atol=tolerance * scale, equal_nan=True)

    return old.columns.keys() == new.columns.keys() and all(map(same, old.columns))
