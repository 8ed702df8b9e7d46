"""What a directory in TransformerLens naming computes, straight from its tensors by their names.

No library runs such a directory, so this is what its graph is checked against. It shares nothing
with the graph: it reads the configuration by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from scrub.model.config_values import Config


def forward(state: Mapping[str, Tensor], config: Config, tokens: Tensor, real: Tensor) -> Tensor:
    """Logits of tokens int64 [rows, width], of which some are real: [rows, width, outputs].

    A tensor that is not there is a bias of zero; without `mlp` tensors there is attention only.
    """
    width = tokens.shape[1]
    sees = real[:, None, None, :].expand(-1, 1, width, -1)
    if (config.get("attention_dir") or "causal") == "causal":
        sees = sees & torch.ones(width, width, dtype=torch.bool, device=tokens.device).tril()
    divisor = config.get("attn_scale") or -1
    divisor = divisor if divisor > 0 else math.sqrt(float(config["d_head"]))
    x = state["embed.W_E"][tokens] + state["pos_embed.W_pos"][:width]
    for layer in range(int(config["n_layers"])):
        own = _under(state, f"blocks.{layer}.")
        normed = _normalised(x, _under(own, "ln1."), config)
        q, k, v = (
            torch.einsum("bsd,hde->bhse", normed, own[f"attn.W_{letter}"])
            + own.get(f"attn.b_{letter}", x.new_zeros(1, 1))[:, None]
            for letter in "QKV"
        )
        scores = q @ k.mT / divisor
        pattern = torch.where(sees, scores, -torch.inf).softmax(dim=-1)
        heads = torch.einsum("bhse,hed->bshd", pattern @ v, own["attn.W_O"])
        x = x + heads.sum(dim=2) + own.get("attn.b_O", 0)
        if not config.get("attn_only"):
            normed = _normalised(x, _under(own, "ln2."), config)
            hidden = _activated(normed @ own["mlp.W_in"] + own.get("mlp.b_in", 0), config["act_fn"])
            x = x + hidden @ own["mlp.W_out"] + own.get("mlp.b_out", 0)
    x = _normalised(x, _under(state, "ln_final."), config)
    return x @ state["unembed.W_U"] + state.get("unembed.b_U", 0)


def _under(state: Mapping[str, Tensor], stem: str) -> dict[str, Tensor]:
    return {n.removeprefix(stem): value for n, value in state.items() if n.startswith(stem)}


def _normalised(x: Tensor, affine: Mapping[str, Tensor], config: Config) -> Tensor:
    if config.get("normalization_type", "LN") is None:
        return x
    x = x - x.mean(dim=-1, keepdim=True)
    epsilon = next((config[n] for n in ("ln_eps", "eps") if config.get(n) is not None), 1e-5)
    x = x / (x.pow(2).mean(dim=-1, keepdim=True) + epsilon).sqrt()
    return x * affine["w"] + affine["b"] if affine else x


def _activated(x: Tensor, name: Any) -> Tensor:
    match name:
        case "relu":
            return x.clamp(min=0)
        case "silu":
            return x * x.sigmoid()
        case "gelu":
            return x * (1 + (x / math.sqrt(2)).erf()) / 2
        case "gelu_new":
            return x * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh()) / 2
    raise ValueError(name)
