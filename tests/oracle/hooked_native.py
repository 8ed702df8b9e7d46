"""A forward of TransformerLens' own kind of model, written out, that shows every site as it goes.

Its bridges have no hooks for the input of one head or for what one head writes, so ordinary hooked
forwards need this instead. It uses nothing of scrub but the names of sites.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm
from transformer_lens.model_bridge.sources.native.model import NativeLayerNormPre

from scrub.names import Cell

Visit = Callable[[Cell, Tensor], Tensor]
"""Sees a site's value, and says what those who read it get."""


def forward(model: Any, tokens: Tensor, real: Tensor, visit: Visit) -> Tensor:
    """The logits of a `NativeModel`: tokens and real [rows, width] → [rows, width, outputs]."""
    width = tokens.shape[1]
    position = model.pos.weight[:width].repeat(len(tokens), 1, 1)
    x = visit(Cell("embed"), model.tok_embed(tokens)) + visit(Cell("pos_embed"), position)
    for layer, block in enumerate(model.layers):

        def at(part: str, value: Tensor, head: int | None = None, layer: int = layer) -> Tensor:
            return visit(Cell(f"blocks.{layer}.{part}", head), value)

        written = [one_head(block, head, x, real, at) for head in range(model.cfg.n_heads)]
        x = x + at("attn_out", sum(written) + block.attn.o.bias)
        if not model.cfg.attn_only:
            normed = at("mlp_normed", normed_by(block.ln2, at("mlp_in", x)))
            post = at("mlp_post", block.mlp.act(at("mlp_pre", block.mlp.fc_in(normed))))
            x = x + at("mlp", block.mlp.fc_out(post))
    normed = visit(Cell("logits_normed"), normed_by(model.ln_out, visit(Cell("logits_in"), x)))
    return visit(Cell("logits"), model.head(normed))


def one_head(block: Any, head: int, x: Tensor, real: Tensor, at: Callable[..., Tensor]) -> Tensor:
    """What a head writes to the stream that it reads, [rows, width, d_model]."""
    attention, width = block.attn, x.shape[1]
    mine = slice(head * attention.d_head, (head + 1) * attention.d_head)

    def visit(part: str, value: Tensor) -> Tensor:
        return at(f"attn.{part}", value, head)

    got = {}
    for port in "qkv":
        normed = visit(f"{port}_normed", normed_by(block.ln1, visit(f"{port}_in", x)))
        linear = getattr(attention, port)
        got[port] = visit(port, normed @ linear.weight[mine].T + linear.bias[mine])
    scores = visit("scores", got["q"] @ got["k"].mT / attention.d_head**0.5)
    mask = visit("mask", real[:, None].repeat(1, width, 1))
    if attention.causal:
        mask = mask & torch.ones(width, width, dtype=torch.bool).tril()
    pattern = visit("pattern", torch.where(mask, scores, -torch.inf).softmax(-1).nan_to_num(0.0))
    return visit("result", visit("z", pattern @ got["v"]) @ attention.o.weight[:, mine].T)


def normed_by(norm: Any, x: Tensor) -> Tensor:
    """A norm in the precision of its input, where TransformerLens takes float32 in some."""
    if isinstance(norm, NativeLayerNormPre):
        return layer_norm(x, x.shape[-1:], eps=norm.eps)
    return norm(x)
