"""A forward pass of a wired model, straight from its tensors, for the evidence on its card.

Nothing of scrub's engine is used, so that what a card says does not rest on it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from attrs import frozen
from torch import Tensor
from wiring_parts import Place


@frozen(eq=False)
class Record:
    """What a forward pass computes.

    Attributes:
        logits: [rows, positions, tokens].
        z: what each head says, before its output matrix: [rows, layers, heads, positions, d_head].
        attention: [rows, layers, heads, queries, keys].
        neurons: what each neuron says, after its relu: [rows, layers, positions, neurons].
    """

    logits: Tensor
    z: Tensor
    attention: Tensor
    neurons: Tensor


def run(
    state: Mapping[str, Tensor],
    tokens: Tensor,
    z: Mapping[Place, Tensor] | None = None,
    neurons: Mapping[int, Tensor] | None = None,
    attention: Mapping[Place, Tensor] | None = None,
) -> Record:
    """A forward pass, in which some heads' z or pattern and some layers' neurons are given.

    Rows may be padded on the right: with causal attention nothing before reads the pad.

    Args:
        tokens: int64 [rows, positions].
        z: (layer, head) → [rows, positions, d_head].
        neurons: layer → [rows, positions, neurons].
        attention: (layer, head) → [rows, queries, keys].
    """
    length = tokens.shape[1]
    stream = state["embed.W_E"][tokens] + state["pos_embed.W_pos"][:length]
    later = torch.ones(length, length, dtype=torch.bool).triu(1)
    layers = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    said, looked, fired = [], [], []
    for layer in range(layers):
        own = {
            name.removeprefix(f"blocks.{layer}."): value
            for name, value in state.items()
            if name.startswith(f"blocks.{layer}.")
        }
        q, k, v = (
            torch.einsum("bsd,hde->bhse", stream, own[f"attn.W_{letter}"])
            + own[f"attn.b_{letter}"][:, None]
            for letter in "QKV"
        )
        pattern = (q @ k.mT).masked_fill(later, -torch.inf).softmax(-1)
        for (at, head), value in (attention or {}).items():
            if at == layer:
                pattern[:, head] = value
        moved = pattern @ v
        for (at, head), value in (z or {}).items():
            if at == layer:
                moved[:, head] = value
        stream = stream + torch.einsum("bhse,hed->bsd", moved, own["attn.W_O"]) + own["attn.b_O"]
        hidden = (stream @ own["mlp.W_in"] + own["mlp.b_in"]).relu()
        hidden = (neurons or {}).get(layer, hidden)
        stream = stream + hidden @ own["mlp.W_out"] + own["mlp.b_out"]
        said.append(moved)
        looked.append(pattern)
        fired.append(hidden)
    logits = stream @ state["unembed.W_U"] + state["unembed.b_U"]
    return Record(logits, torch.stack(said, 1), torch.stack(looked, 1), torch.stack(fired, 1))
