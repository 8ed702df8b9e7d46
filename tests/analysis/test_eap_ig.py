"""EAP-IG as its authors run it, by hooks on the bridge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.model.bridge import graph_of
from scrub.names import LOGITS, Cell, attention_site
from scrub.names import mlp as mlp_site
from support import tiny_models
from support.edge_effects import alike, every_edge, first_orders, near, two_logits

MODEL = "2x2"


Hooks = list[tuple[str, Callable[..., Tensor]]]
LAYERS, HEADS = 2, 2


def by_hooks(references: Rows, other: Rows, steps: int) -> dict[tuple[Cell, Cell, str], np.ndarray]:
    """Each edge's effect: gradients at hooks on what readers read, times what writers write."""
    model = tiny_models.booted(MODEL, torch.float64)
    model.set_use_attn_result(True)
    model.set_use_split_qkv_input(True)
    model.set_use_hook_mlp_in(True)
    clean, away = (torch.tensor(r.data.inputs["tokens"][r.index]) for r in (references, other))
    before, after = written(model, clean), written(model, away)
    slopes: dict[tuple[Cell, str], Tensor] = {}
    for step in range(steps):
        share = step / steps

        def mixed(value: Tensor, hook: Any, share: float = share) -> Tensor:
            embed = Cell("embed")
            return after[embed] + share * (before[embed] - after[embed])

        for key, slope in gradients(model, clean, [("hook_embed", mixed)]).items():
            slopes[key] = slopes.get(key, torch.zeros(())) + slope / steps
    return {
        (writer, reader, port): ((after[writer] - before[writer]) * slope).sum((1, 2)).numpy()
        for (reader, port), slope in slopes.items()
        for writer in before
    }


def written(model: Any, tokens: Tensor) -> dict[Cell, Tensor]:
    seen: dict[str, Tensor] = {}

    def see(name: str) -> Callable[..., Tensor]:
        def note(value: Tensor, hook: Any) -> Tensor:
            seen[name] = value.detach()
            return value

        return note

    parts = [f"blocks.{n}.{part}" for n in range(LAYERS)
             for part in ("attn.hook_result", "hook_mlp_out")]  # fmt: skip
    names = ["hook_embed", "hook_pos_embed", *parts]
    model.run_with_hooks(tokens, fwd_hooks=[(name, see(name)) for name in names])
    found = {Cell("embed"): seen["hook_embed"], Cell("pos_embed"): seen["hook_pos_embed"]}
    for layer in range(LAYERS):
        for head in range(HEADS):
            z = Cell(attention_site(layer, "z"), head)
            found[z] = seen[f"blocks.{layer}.attn.hook_result"][:, :, head]
        found[Cell(mlp_site(layer))] = seen[f"blocks.{layer}.hook_mlp_out"]
    return found


def gradients(model: Any, tokens: Tensor, more: Hooks) -> dict[tuple[Cell, str], Tensor]:
    """The metric's gradient at what each reader reads, by port."""
    leaves: dict[str, Tensor] = {}

    def leaf(name: str) -> Callable[..., Tensor]:
        def add(value: Tensor, hook: Any) -> Tensor:
            leaves[name] = torch.zeros_like(value, requires_grad=True)
            return value + leaves[name]

        return add

    parts = (*(f"hook_{letter}_input" for letter in "qkv"), "hook_mlp_in")
    names = [f"blocks.{layer}.{part}" for layer in range(LAYERS) for part in parts]
    names.append(f"blocks.{LAYERS - 1}.hook_resid_post")
    hooks = [*more, *((name, leaf(name)) for name in names)]
    total = two_logits(model.run_with_hooks(tokens, fwd_hooks=hooks)[:, 5]).sum()
    slopes = dict(zip(names, torch.autograd.grad(total, [leaves[n] for n in names]), strict=True))
    found: dict[tuple[Cell, str], Tensor] = {}
    for layer in range(LAYERS):
        for letter in "qkv":
            for head in range(HEADS):
                slope = slopes[f"blocks.{layer}.hook_{letter}_input"]
                found[Cell(attention_site(layer, "z"), head), letter] = slope[:, :, head]
        found[Cell(mlp_site(layer)), "mlp_in"] = slopes[f"blocks.{layer}.hook_mlp_in"]
    found[Cell(LOGITS), "logits_in"] = slopes[f"blocks.{LAYERS - 1}.hook_resid_post"]
    return found


def test_it_is_eap_ig_by_hooks() -> None:
    graph = graph_of(tiny_models.bridge(MODEL))
    references, other = alike(9, tiny_models.VOCABULARY)
    expected = by_hooks(references, other, steps=4)
    edges = every_edge(graph)
    found = first_orders(graph, edges, references, other, steps=4)
    theirs = np.stack([expected[one.writer, one.reader, one.into or ""] for one in edges])
    assert near(found, theirs, 1e-5)
    assert not near(first_orders(graph, edges, references, other), theirs, 1e-2)
    assert not near(first_orders(graph, edges, references, other, steps=5), theirs, 1e-4)
