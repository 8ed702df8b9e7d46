"""GPT-2's forward pass with every edge between components in hand, for training with interchanges.

`run` does what `GPT2LMHeadModel` does, on its own modules, and keeps what each component read and
wrote. The other functions recompute one group of heads where one direct path into it carries a
different value. They belong to training alone: the package's engine, its reference evaluator and
`evidence.py` share nothing with them.

Shapes: B rows, T positions, H heads a layer, D the width of the residual stream, E the width of a
head. Positions count from 0, the first real token of every row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from attrs import frozen
from torch import Tensor
from transformers import GPT2LMHeadModel

Heads = tuple[tuple[int, int], ...]
"""(layer, head) pairs; a group of heads lies in one layer here."""

Edit = Callable[[int, Tensor], Tensor]
"""Layer and z [B, H, T, E] to another z."""


@frozen(eq=False)
class Layer:
    """What the heads of one layer read and computed.

    Attributes:
        stream: the residual stream that they read, [B, T, D].
        keys: [B, H, T, E].
        values: [B, H, T, E].
        pattern: attention, [B, H, T, T], query by key.
        z: each head's mix of values, [B, H, T, E].
    """

    stream: Tensor
    keys: Tensor
    values: Tensor
    pattern: Tensor
    z: Tensor

    def take(self, rows: Tensor) -> Layer:
        """The same for these rows of the batch."""
        return Layer(
            self.stream[rows], self.keys[rows], self.values[rows], self.pattern[rows], self.z[rows]
        )


@frozen(eq=False)
class Trace:
    """What one forward pass computed: its layers, and the stream that the final norm reads."""

    layers: list[Layer]
    final: Tensor


def _split(x: Tensor, heads: int) -> Tensor:
    """[..., H * E] as [..., H, E]."""
    return x.unflatten(-1, (heads, -1))


def _head_count(model: GPT2LMHeadModel) -> int:
    return int(model.config.n_head)


def _block(model: GPT2LMHeadModel, layer: int) -> Any:
    return model.transformer.h[layer]


def run(model: GPT2LMHeadModel, tokens: Tensor, edit: Edit | None = None) -> Trace:
    """The model on tokens [B, T]. Right padding needs no mask: attention is causal.

    Args:
        model: GPT-2.
        tokens: [B, T].
        edit: what becomes of each layer's z; all that is downstream follows.
    """
    heads = _head_count(model)
    stream = model.transformer.wte(tokens) + model.transformer.wpe.weight[: tokens.shape[1]]
    causal = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).tril()
    layers = []
    for layer in range(model.config.n_layer):
        block = _block(model, layer)
        q, k, v = block.attn.c_attn(block.ln_1(stream)).chunk(3, dim=-1)
        q, k, v = (_split(x, heads).transpose(1, 2) for x in (q, k, v))
        scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        pattern = scores.masked_fill(~causal, -torch.inf).softmax(-1)
        z = pattern @ v
        z = z if edit is None else edit(layer, z)
        layers.append(Layer(stream, k, v, pattern, z))
        stream = stream + block.attn.c_proj(z.transpose(1, 2).flatten(-2))
        stream = stream + block.mlp(block.ln_2(stream))
    return Trace(layers, stream)


def logits_of(model: GPT2LMHeadModel, stream: Tensor) -> Tensor:
    """Final norm and unembedding of stream [..., D]: [..., vocabulary]."""
    return model.lm_head(model.transformer.ln_f(stream))


def at(x: Tensor, positions: Tensor) -> Tensor:
    """x [B, T, ...] at one position a row: [B, ...]."""
    return x[torch.arange(len(positions)), positions]


def z_at(layer: Layer, heads: Heads, positions: Tensor) -> Tensor:
    """The group's z at one position a row: [B, group, E]."""
    return at(layer.z.transpose(1, 2), positions)[:, [head for _, head in heads]]


def written(model: GPT2LMHeadModel, heads: Heads, z: Tensor) -> Tensor:
    """What a group with this z [B, group, E] adds to the stream: [B, D]. The layer's bias stays."""
    weight = _block(model, heads[0][0]).attn.c_proj.weight.unflatten(0, (_head_count(model), -1))
    return torch.einsum("bhe,hed->bd", z, weight[[head for _, head in heads]])


def port_of(model: GPT2LMHeadModel, heads: Heads, stream: Tensor, port: int) -> Tensor:
    """q, k or v (0, 1, 2) of a group that reads stream [B, D]: [B, group, E]."""
    block = _block(model, heads[0][0])
    x = block.attn.c_attn(block.ln_1(stream)).chunk(3, dim=-1)[port]
    return _split(x, _head_count(model))[:, [head for _, head in heads]]


def with_value_at(
    model: GPT2LMHeadModel,
    layer: Layer,
    heads: Heads,
    *,
    query: Tensor,
    source: Tensor,
    change: Tensor,
) -> Tensor:
    """A group's z at `query` when the stream that its v reads at `source` changes.

    Args:
        model: GPT-2.
        layer: of the rows in whose frame the heads are computed; q, k, mask and other v stay.
        heads: the group, which lies in that layer.
        query: position per row, [B].
        source: position per row, [B].
        change: what is added to the stream at `source`, as v reads it, [B, D].

    Returns:
        [B, group, E].
    """
    before = at(layer.stream, source)
    difference = port_of(model, heads, before + change, 2) - port_of(model, heads, before, 2)
    rows = torch.arange(len(query))
    weight = layer.pattern[rows, :, query, source][:, [head for _, head in heads]]
    return z_at(layer, heads, query) + weight[..., None] * difference


def with_query(
    model: GPT2LMHeadModel,
    heads: Heads,
    *,
    stream: Tensor,
    keys: Tensor,
    values: Tensor,
    query: Tensor,
) -> tuple[Tensor, Tensor]:
    """A group's z at `query` when its q reads `stream`, and its k and v are given.

    Args:
        model: GPT-2.
        heads: the group.
        stream: what q reads, [B, D].
        keys: of the whole layer, [B, H, T, E].
        values: likewise.
        query: position per row, [B]: later positions are masked.

    Returns:
        z [B, group, E] and the attention pattern [B, group, T].
    """
    which = [head for _, head in heads]
    q = port_of(model, heads, stream, 0)
    scores = torch.einsum("bhe,bhte->bht", q, keys[:, which]) * q.shape[-1] ** -0.5
    later = torch.arange(keys.shape[2]) > query[:, None]
    pattern = scores.masked_fill(later[:, None], -torch.inf).softmax(-1)
    return torch.einsum("bht,bhte->bhe", pattern, values[:, which]), pattern


def moved(x: Tensor, target: Tensor, donor: Tensor, source: Tensor) -> Tensor:
    """x [B, H, T, E] with position `target` of each row taken from donor's position `source`."""
    rows = torch.arange(len(target))
    onto = torch.arange(x.shape[2]) == target[:, None]
    return torch.where(onto[:, None, :, None], donor[rows, :, source][:, :, None], x)
