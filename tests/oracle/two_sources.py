"""A forward pass of a GPT-2 from two inputs, written out: along the edges of a circuit everything
is what it is on one of them, and everywhere else on the other.

It has two values of each head and MLP, one for each input, and each reader is given a sum of both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Writer = tuple[str, int | None, int | None]
"""What writes: ("embed" | "pos_embed", None, None), ("head", layer, head), ("mlp", layer, None)."""
Kept = Callable[[Writer, Writer, str], Tensor]
"""(writer, reader, port) → where the edge is kept, bool [samples, width]; or how much of it."""
LOGITS: Writer = ("logits", None, None)


def two_sources(model: Any, kept: Kept, inside: Tensor, outside: Tensor, real: Tensor) -> Tensor:
    """The logits, [samples, width, vocabulary].

    Args:
        model: a GPT2LMHeadModel.
        inside: tokens from which come what the edges lead to, [samples, width].
        outside: tokens from which comes everything else.
        real: which positions of these are no padding, bool [samples, width].
    """
    plain: dict[Writer, Tensor] = {}
    forward(model, lambda *edge: torch.ones_like(real), outside, real, plain, {})
    return forward(model, kept, inside, real, {}, plain)


def forward(
    model: Any,
    kept: Kept,
    tokens: Tensor,
    real: Tensor,
    written: dict[Writer, Tensor],
    plain: dict[Writer, Tensor],
) -> Tensor:
    """The logits where what is not kept is plain; notes all that is written on the way."""
    core, heads = model.transformer, model.config.n_head
    width = tokens.shape[1]
    seen = real[:, None] & torch.ones(width, width, dtype=torch.bool).tril()
    biases = torch.zeros(())

    def read(reader: Writer, port: str) -> Tensor:
        total = biases
        for writer, value in written.items():
            share = kept(writer, reader, port)[..., None].to(value.dtype)
            total = total + torch.lerp(plain.get(writer, value), value, share)
        return total

    written["embed", None, None] = core.wte(tokens)
    written["pos_embed", None, None] = core.wpe(torch.arange(width)).expand(len(tokens), -1, -1)
    for layer, block in enumerate(core.h):
        made: dict[Writer, Tensor] = {}
        for head in range(heads):
            me = ("head", layer, head)
            q, k, v = (
                block.attn.c_attn(block.ln_1(read(me, port)))
                .chunk(3, dim=-1)["qkv".index(port)]
                .chunk(heads, dim=-1)[head]
                for port in "qkv"
            )
            scores = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).masked_fill(~seen, -torch.inf)
            z = scores.softmax(dim=-1).nan_to_num(0.0) @ v
            made[me] = z @ block.attn.c_proj.weight.chunk(heads)[head]
        written |= made
        biases = biases + block.attn.c_proj.bias
        written["mlp", layer, None] = block.mlp(block.ln_2(read(("mlp", layer, None), "mlp_in")))
    return model.lm_head(core.ln_f(read(LOGITS, "logits_in")))


def edges(model: Any) -> list[tuple[Writer, Writer, str]]:
    """Every edge of the model: writer, reader and port."""
    found: list[tuple[Writer, Writer, str]] = []
    before: list[Writer] = [("embed", None, None), ("pos_embed", None, None)]
    for layer in range(len(model.transformer.h)):
        own: list[Writer] = [("head", layer, head) for head in range(model.config.n_head)]
        found += [(writer, head, port) for head in own for port in "qkv" for writer in before]
        before += own
        mlp: Writer = ("mlp", layer, None)
        found += [(writer, mlp, "mlp_in") for writer in before]
        before.append(mlp)
    return found + [(writer, LOGITS, "logits_in") for writer in before]
