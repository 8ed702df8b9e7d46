"""Attribution patching: the sweep by gradients beside TransformerLens' functions for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from attrs import evolve

import scrub
from scrub import Behaviour, Correspondence, Exact, InterpNode, Uncond, anything, output
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.hypothesis.sites import Sites
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.sweeps.approximation import random_tenth
from scrub.sweeps.first_order import Gradients, Swap
from scrub.sweeps.measure import Members, members
from scrub.sweeps.prepare import prepare_sweep
from scrub.sweeps.question import ROOT, SENDER, Question
from timing.attribution import Recipe, least, senders
from timing.compare_trees import Bench, off
from timing.ours import counted, timed
from timing.patching import spread
from timing.setting import MEMORY
from timing.table import Other, Row

FEWER = 8
"""By what the references are divided: the exact effects beside them pass through anything."""
TRIED = 8
"""Pairs on which `attribution_patch` is timed, which takes them one by one; scaled to all."""


def attribution(bench: Bench) -> list[Row]:
    """Every head and MLP to the logits by first order: all of `scrub.patch`, and its gradients."""
    every, seed = senders(bench.size.shape), Options().seed
    references = -(-bench.work.references // FEWER)
    options: dict[str, Any] = {
        "samples": references,
        "max_memory": MEMORY,
        "model": bench.work.graph,
    }
    behaviour = Behaviour(
        "end", lambda model: output(at="end"), bench.work.data, bench.work.metric, Uncond()
    )
    asked: dict[str, Any] = {"senders": every, "through": anything, "approximate": True}
    session = scrub.Session()
    measured = _members(behaviour, asked, options, session)
    gradients, swap = Gradients(measured), Swap.of(measured, measured.draws)

    def patched() -> scrub.Sweep:
        return scrub.patch(behaviour, session=session, **asked, **options)

    def by_gradients() -> np.ndarray:
        return np.concatenate(list(gradients.chunks(0)), axis=-1)[0]

    sweep = patched()  # plain values, of which exact effects are made, are known from here on
    seconds, sweep = timed(patched, bench.size.repeats)
    alone, effects = timed(by_gradients, bench.size.repeats)
    name, least_of_it = f"{len(every)} senders, {references:,} pairs", least(
        bench.size.shape, bench.work.metric, swap
    )  # fmt: skip
    tenth = [list(every.values())[n] for n in random_tenth(len(every), seed)]
    exact = _least_exact(bench, tenth, measured)
    assert np.allclose([one.mean for one in sweep.effects[0]], effects.mean(-1))
    others = _others(bench, swap, effects)
    return [
        Row(f"attribution of {name}", "anything", alone, counted(by_gradients)[0], least_of_it,
            others),
        Row("— with a tenth exact, warm", "anything", seconds, counted(patched)[0],
            least_of_it + exact, others),
    ]  # fmt: skip


def _members(
    behaviour: Behaviour, asked: dict[str, Any], options: dict[str, Any], session: scrub.Session
) -> Members:
    """The sweep, drawn as `scrub.patch` draws it."""
    chosen, item = Options(**options), CollectedBehaviour("", behaviour, None, Path(), "")
    prepared = prepare_sweep(item, Question(**asked), session, chosen)
    return members(prepared, Context(session, chosen))


def _least_exact(bench: Bench, some: list[Sites], measured: Members) -> int:
    """The least operations of the exact effects of some senders, with plain values known."""
    work = evolve(bench.work, references=len(measured.draws.references))
    work = work.of([_restored(sender) for sender in some])
    return work.least([measured] * len(some)).scrubbing


def _restored(sender: Sites) -> Correspondence:
    root = InterpNode(ROOT, Exact(), other=Uncond())
    return Correspondence({root: output(at="end"), root.child(SENDER, Exact()): sender})


def _others(bench: Bench, swap: Swap, effects: np.ndarray) -> list[Other]:
    """TransformerLens' hooks in batches as large as ours, and its function for single pairs.

    Args:
        effects: ours, [senders, pairs].
    """
    recipe = Recipe(bench.bridge, bench.work.metric)
    pairs = len(swap.references)
    batches, found = timed(lambda: recipe.effects(swap), bench.size.repeats)
    few = np.array(spread(list(range(pairs)), TRIED))
    single, some = timed(lambda: recipe.by_attribution_patch(swap.at(few)), 1)
    return [
        Other("hooks, 2 forwards and 1 backward", batches, off(found, effects)),
        Other(
            "attribution_patch", pairs / len(few) * single, off(some, effects[:, few]),
            f"from {len(few)} pairs",
        ),
    ]  # fmt: skip
