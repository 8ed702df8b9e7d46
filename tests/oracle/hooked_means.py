"""Mean ablation by hooks on a TransformerBridge, as the released code of the IOI paper does it.

Wang et al. 2022: of every head at every position outside the circuit, the output is replaced by its
mean over the prompts of the same template, position by position; all else runs free.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor

Places = Collection[tuple[int, int, int]]
"""(layer, head, position)."""


def outputs_of_heads(bridge: Any, tokens: Tensor) -> dict[int, Tensor]:
    """By layer what its heads give before the output matrix, [rows, positions, heads, d_head]."""
    kept: dict[int, Tensor] = {}

    def keep(layer: int) -> Any:
        def hook(value: Tensor, hook: Any) -> None:
            kept[layer] = apart(bridge, value).clone()

        return hook

    layers = range(bridge.cfg.n_layers)
    bridge.run_with_hooks(tokens, fwd_hooks=[(_name(layer), keep(layer)) for layer in layers])
    return kept


def mean_ablated(bridge: Any, tokens: Tensor, template: np.ndarray, kept: Places) -> Tensor:
    """Logits with all heads at all other places at the mean of their template.

    Args:
        tokens: of prompts that are as long, int64 [rows, positions].
        template: of each row, int64 [rows].
        kept: the circuit.
    """
    means = {
        layer: torch.stack([value[template == one].mean(0) for one in template])
        for layer, value in outputs_of_heads(bridge, tokens).items()
    }

    def ablate(layer: int) -> Any:
        def hook(value: Tensor, hook: Any) -> Tensor:
            new = means[layer].clone()
            for _, head, position in (place for place in kept if place[0] == layer):
                new[:, position, head] = apart(bridge, value)[:, position, head]
            return new.reshape(value.shape)

        return hook

    layers = range(bridge.cfg.n_layers)
    return bridge.run_with_hooks(
        tokens, fwd_hooks=[(_name(layer), ablate(layer)) for layer in layers]
    )


def _name(layer: int) -> str:
    return f"blocks.{layer}.attn.o.hook_in"


def apart(bridge: Any, value: Tensor) -> Tensor:
    """What all heads give, head by head."""
    return value.reshape(*value.shape[:2], bridge.cfg.n_heads, -1)
