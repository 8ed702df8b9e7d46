"""The graph of a model whose weights were not read: enough to check and to plan a hypothesis."""

from __future__ import annotations

import torch
from torch import Tensor

from scrub.model.config import Shape
from scrub.model.graph import Graph
from scrub.model.transformer import transformer
from scrub.model.vision import Vision
from scrub.model.weights import (
    MLP,
    Attention,
    Block,
    LayerNorm,
    Linear,
    NoNorm,
    Norm,
    Projection,
    RMSNorm,
    Rotary,
    Weights,
)


def skeleton(shape: Shape, vision: Vision | None = None) -> Graph:
    """The graph of a model of this shape, on the meta device.

    Args:
        vision: how it reads images, without weights; None where it reads text only.
    """
    d_model, d_head, d_mlp = shape.d_model, shape.d_head, shape.d_mlp

    def empty(*size: int) -> Tensor:
        return torch.empty(*size, device="meta")

    def norm(size: int = d_model) -> Norm:
        if shape.norm == "none":
            return NoNorm()
        if shape.norm == "RMSNorm":
            return RMSNorm(empty(size), shape.epsilon)
        return LayerNorm(empty(size), empty(size), shape.epsilon)

    def projection(heads: int, normed: bool = False) -> Projection:
        return Projection(
            empty(heads, d_model, d_head), norm=norm(d_head) if normed and shape.qk_norm else None
        )

    rotary = Rotary(empty(d_head // 2)) if shape.rotary else None

    def mlp() -> MLP:
        return MLP(
            norm=norm(),
            pre=Linear(empty(d_model, d_mlp)),
            linear=Linear(empty(d_model, d_mlp)) if shape.gated else None,
            post=Linear(empty(d_mlp, d_model)),
            activation=shape.activation,
        )

    def block(layer: int) -> Block:
        return Block(
            Attention(
                norm=norm(),
                query=projection(shape.heads, normed=True),
                key=projection(shape.kv_heads, normed=True),
                value=projection(shape.kv_heads),
                output=empty(shape.heads, d_head, d_model),
                output_bias=empty(d_model),
                scale=shape.scales[layer],
                window=shape.windows[layer],
                rotary=rotary,
            ),
            mlp() if shape.mlps else None,
        )

    weights = Weights(
        embedding=empty(shape.vocabulary, d_model),
        position_embedding=None if shape.rotary else empty(shape.width, d_model),
        blocks=tuple(block(layer) for layer in range(shape.layers)),
        norm_final=norm(),
        unembedding=Linear(empty(d_model, shape.outputs)),
        width=shape.width,
        parallel=shape.parallel,
        causal=shape.causal,
    )
    return transformer(weights, vision)
