"""What is written once per row, and read of several roots at once, is as sample by sample."""

from __future__ import annotations

from functools import cache as once

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from oracle.engines import within
from scrub.data.dataset import Dataset
from scrub.datasets import ioi
from scrub.draw import draw
from scrub.engine import compute, writes
from scrub.engine.activations import ActivationCache
from scrub.engine.family import TOGETHER, execute_family, plan_family
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Sites, heads, mlp, output
from scrub.hypothesis.tree import Tree, treeify, united
from scrub.metrics import logit_diff
from scrub.model.registry import Model
from scrub.runner.scoring import measuring, measuring_several
from scrub.runner.session import Session
from scrub.samplers import Exact, Uncond
from support.difference import difference

SAMPLES, ROWS = 60, 20
RECEIVERS: dict[str, Sites] = {"end": output(at="end"), "all": heads([(3, 0)], "k")}
"""By the positions at which senders are taken."""


@once
def setting() -> tuple[Model, Dataset]:
    session = Session()
    model = session.load(session.describe("ioi-planted"), torch.float64, "cpu")
    return model, session.data(ioi.prompts(ROWS, seed=0), model)


def senders(at: str) -> list[Tree]:
    """Heads, together and alone, and an MLP, directly to a receiver, each from another row."""
    found = []
    each = (heads([(2, head)], at=at) for head in range(4))
    for sites in (heads([(1, 0), (1, 2)], at=at), *each, mlp(0, at=at)):
        root = InterpNode("receiver", Exact(), other=Exact())
        sender = root.child("sender", Uncond())
        found.append(treeify(Correspondence({root: RECEIVERS[at], sender: sites})))
    return found


def scrubbed(at: str) -> tuple[list[Tensor], int]:
    """The members' roots, and the operations that they took."""
    model, data = setting()
    trees = senders(at)
    plan = plan_family(trees, model.graph)
    draws = draw(united(trees), data, samples=SAMPLES, seed=0)
    with FlopCounterMode(display=False) as counter:
        (found,) = (
            dict(outputs.members)
            for outputs in execute_family(plan, draws, ActivationCache(plan.graph), within(SAMPLES))
        )
    return [found[number] for number in range(len(trees))], counter.get_total_flops()


@pytest.mark.parametrize("at", RECEIVERS)
def test_what_is_written_row_by_row_is_what_each_sample_would_write(
    at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart, fewer = scrubbed(at)
    monkeypatch.setattr(compute, "written_apart", lambda *given: None)
    each, more = scrubbed(at)
    assert max(map(difference, apart, each)) < 1e-9
    assert fewer < more


@pytest.mark.parametrize("at", RECEIVERS)
def test_new_and_old_confounded_are_noticed(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right, _ = scrubbed(at)
    turned = writes.difference_of
    monkeypatch.setattr(
        compute, "difference_of", lambda written, entry: turned(written, entry.flip(-1))
    )
    wrong, _ = scrubbed(at)
    assert max(map(difference, wrong, right)) > 1e-3


def test_roots_that_are_read_together_are_measured_as_each_alone() -> None:
    model, data = setting()
    trees, metric = senders("end"), logit_diff("io", "s")
    plan = plan_family(trees, model.graph, columns=True)
    draws = draw(united(trees), data, samples=SAMPLES, seed=0)
    cache = ActivationCache(plan.graph)
    found = {}
    for outputs in execute_family(plan, draws, cache, within(SAMPLES)):
        given = plan.members[0], metric, draws.references, outputs.original
        for batch in outputs.batches():
            count = len(batch.members)
            assert count <= TOGETHER
            together = measuring_several(*given)(batch.value, count)
            alone = [measuring(*given)(value) for value in batch.value.split(1, dim=2)]
            assert np.allclose(together, alone, rtol=0, atol=1e-9)
            found |= dict(zip(batch.members, alone, strict=True))
    assert sorted(found) == list(range(len(trees)))
    assert len({numbers.tobytes() for numbers in found.values()}) == len(trees)
