"""Mean ablation of all that is outside a circuit, against hooks."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from oracle.engines import ENGINE
from oracle.hooked_means import Places, mean_ablated
from scrub import Correspondence, Dataset, Exact, InterpNode, Mean, anything, heads, output
from scrub.datasets import ioi
from scrub.draw import draw
from scrub.hypothesis.sites import Sites
from scrub.hypothesis.tree import treeify
from scrub.model.bridge import boot, graph_of
from scrub.model.registry import EMBEDDED, describe
from support.difference import difference

CIRCUIT = {"name mover": "end", "S-inhibition": "end", "duplicate token": "s2"}
ROWS = 30


@pytest.fixture(scope="module")
def prompts() -> Dataset:
    """Prompts of two templates that are as long, with S2 at one place."""
    model = describe("ioi-planted")
    return ioi.prompts(ROWS, templates=TEMPLATES, seed=0).make(model.tokenizer)


TEMPLATES = (7, 16)


def circuit(prompts: Dataset, *, left_out: str = "") -> Places:
    model = describe("ioi-planted")
    roles = {role: column for role, column in CIRCUIT.items() if role != left_out}
    return {
        (layer, head, int(prompts.positions[column][0]))
        for role, column in roles.items()
        for layer, head in model.role(role)
    }


def outside(kept: Places, width: int, layers: int, heads_of_layer: int) -> Sites:
    """All heads at all places but these, along any path."""
    found: Sites | None = None
    for one in product(range(layers), range(heads_of_layer)):
        stays = {position for layer, head, position in kept if (layer, head) == one}
        at = tuple(p for p in range(width) if p not in stays) if stays else "all"
        here = heads([one], at=at, through=anything)
        found = here if found is None else found | here
    assert found is not None
    return found


@pytest.mark.parametrize(("dtype", "within"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_it_equals_hooks(prompts: Dataset, dtype: torch.dtype, within: float) -> None:
    bridge: Any = boot(EMBEDDED / "ioi-planted", dtype=dtype, device="cpu")
    graph = graph_of(bridge)
    tokens, template = torch.tensor(prompts.inputs["tokens"]), prompts.columns["template"]
    for kept in (circuit(prompts), circuit(prompts, left_out="S-inhibition"), ()):
        logits = InterpNode("logits", Exact(), other=Exact())
        claimed = outside(kept, prompts.width, bridge.cfg.n_layers, bridge.cfg.n_heads)
        tree = treeify(
            Correspondence(
                {logits: output(at="end"), logits.child("outside", Mean("template")): claimed}
            )
        )
        draws = draw(tree, prompts, samples=ROWS, seed=0, references=list(range(ROWS)))
        (found,) = ENGINE.outputs(tree, draws, graph)
        with torch.no_grad():
            expected = mean_ablated(bridge, tokens, template, kept)[:, -1]
            plain = bridge(tokens)[:, -1]
        assert difference(found.scrubbed[:, 0, 0], expected) < within
        assert difference(found.original[:, 0, 0], plain) < within
        assert difference(plain, expected) > 0.01, "no test"


def test_the_hooks_are_of_the_template(prompts: Dataset) -> None:
    """A mean over all prompts, or of all positions, is not the paper's."""
    bridge: Any = boot(EMBEDDED / "ioi-planted", dtype=torch.float64, device="cpu")
    tokens, template = torch.tensor(prompts.inputs["tokens"]), prompts.columns["template"]
    with torch.no_grad():
        right = mean_ablated(bridge, tokens, template, circuit(prompts))
        wrong = mean_ablated(bridge, tokens, np.zeros_like(template), circuit(prompts))
    assert difference(wrong, right) > 0.001
