"""What a transformer computes, step by step, on the modules of its TransformerBridge.

The families differ in: learned or rotary positions (of a part of a head's dimensions), LayerNorm,
RMSNorm or none, norms of q and k, fewer key-value heads than query heads, a sliding window, whether
a position sees later ones, gated MLPs or none, and whether an MLP reads what the heads of its own
layer write. Hugging Face computes RMSNorm and the
softmax of attention in float32 in some of them; here both are in the precision of their input.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.reference.pictures import Pictures


@frozen(eq=False)
class Modules:
    """The modules of a bridge, all of them functions of tensors.

    Values of one head are [samples, width, d_head], values of the residual stream
    [samples, width, d_model].

    Attributes:
        pictures: what sees the images of a vision-language model.
    """

    bridge: Any
    pictures: Pictures | None = None

    @cached_property
    def blocks(self) -> list[Any]:
        return list(self.bridge.blocks)

    @cached_property
    def heads(self) -> int:
        """The number of a layer's query heads."""
        return self.bridge.cfg.n_heads

    @cached_property
    def outputs(self) -> list[Tensor]:
        """W_O of every layer, [heads, d_head, d_model]."""
        return [block.attn.W_O for block in self.blocks]

    @cached_property
    def config(self) -> Any:
        """The configuration of the model that Hugging Face has, or TransformerLens' own."""
        return getattr(self.bridge.original_model, "config", self.bridge.cfg)

    @cached_property
    def causal(self) -> bool:
        """Whether a query sees no later source."""
        return self.bridge.cfg.attention_dir == "causal"

    @cached_property
    def mlps(self) -> bool:
        """Whether layers have MLPs."""
        return hasattr(self.blocks[0], "mlp")

    @cached_property
    def parallel(self) -> bool:
        """Whether an MLP reads what its layer's heads read, and not what they write."""
        return getattr(self.config, "use_parallel_residual", False)

    @cached_property
    def gated(self) -> bool:
        return hasattr(self.blocks[0].mlp, "gate")

    @cached_property
    def learned_positions(self) -> bool:
        return hasattr(self.bridge, "pos_embed")

    @cached_property
    def rotary(self) -> Any:
        """The module that gives the angles by which q and k turn; None where they do not."""
        return getattr(self.bridge, "rotary_emb", None)

    def embed(self, tokens: Tensor) -> Tensor:
        return run(self.bridge.embed, tokens)

    def text_embed(self, tokens: Tensor) -> Tensor:
        """Of a vision-language model: the token embedding, zero where an image stands."""
        assert self.pictures is not None
        return torch.where(self.pictures.stands_at(tokens)[..., None], 0, self.embed(tokens))

    def projector(self, tokens: Tensor, real: Tensor, rows: Rows) -> Tensor:
        """Of a vision-language model: what images put at their tokens, zero elsewhere."""
        assert self.pictures is not None
        empty = torch.zeros_like(self.embed(tokens))
        return self.pictures.scattered(empty, self.pictures.stands_at(tokens) & real, rows)

    def pos_embed(self, width: int) -> Tensor:
        """The learned positions, [1, width, d_model]."""
        return run(self.bridge.pos_embed, torch.arange(width)[None])

    # Attention

    def normed(self, layer: int, norm: str, stream: Tensor) -> Tensor:
        """What a head ("ln1") or an MLP ("ln2") of this layer makes of its input stream."""
        return normalised(getattr(self.blocks[layer], norm), stream)

    def projected(self, layer: int, port: str, stream: Tensor, head: int) -> Tensor:
        """q, k or v of a query head, before rotation.

        A key-value head belongs to several query heads, one after the other.
        """
        attention = self.blocks[layer].attn
        d_head = self.outputs[layer].shape[1]
        every_head = run(getattr(attention, port), stream).unflatten(-1, (-1, d_head))
        value = every_head[:, :, head * every_head.shape[2] // self.heads]
        norm = getattr(attention, f"{port}_norm", None)
        return value if norm is None else normalised(norm, value)

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        """Attention scores before the mask, [samples, query position, source position]."""
        q, k = self.rotated(q), self.rotated(k)
        return q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])

    def rotated(self, x: Tensor) -> Tensor:
        """A query or key, rotated by its position in the frame, in the dimensions that rotate."""
        if self.rotary is None:
            return x
        cos, sin = run(self.rotary, x, torch.arange(x.shape[1])[None])
        turning, rest = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
        first, second = turning.chunk(2, dim=-1)
        turned = turning * cos + torch.cat([-second, first], dim=-1) * sin
        return torch.cat([turned, rest], dim=-1)

    def pattern(self, layer: int, scores: Tensor, mask: Tensor) -> Tensor:
        """Attention of every query to every source; 0 where a query sees no source at all."""
        position = torch.arange(scores.shape[-1])
        distance = position[:, None] - position
        if self.causal:
            mask = mask & (distance >= 0)
        seen = mask & (distance < (self.window(layer) or math.inf))
        return scores.masked_fill(~seen, -math.inf).softmax(dim=-1).nan_to_num(0.0)

    def window(self, layer: int) -> int | None:
        """How many positions a query sees, its own among them; None: all up to its own."""
        kinds = getattr(self.config, "layer_types", None)
        if kinds is not None and kinds[layer] != "sliding_attention":
            return None
        return getattr(self.config, "sliding_window", None)

    def result(self, layer: int, z: Tensor, head: int) -> Tensor:
        """What a head adds to the residual stream."""
        return z @ self.outputs[layer][head]

    def output_bias(self, layer: int) -> Tensor:
        """What all heads of a layer add to the residual stream together, beside their results."""
        bias = self.blocks[layer].attn.b_O
        return torch.zeros(()) if bias is None else bias

    # MLP and logits

    def mlp_pre(self, layer: int, x: Tensor) -> Tensor:
        """What the activation function is applied to, [samples, width, neurons]."""
        mlp = self.blocks[layer].mlp
        return run(getattr(mlp, "gate" if self.gated else "in"), x)

    def mlp_pre_linear(self, layer: int, x: Tensor) -> Tensor:
        """What a gated MLP multiplies the activations with, [samples, width, neurons]."""
        return run(getattr(self.blocks[layer].mlp, "in"), x)

    def activation(self, layer: int, x: Tensor) -> Tensor:
        original = self.blocks[layer].mlp.original_component
        return (original.act_fn if hasattr(original, "act_fn") else original.act)(x)

    def mlp(self, layer: int, post: Tensor) -> Tensor:
        return run(self.blocks[layer].mlp.out, post)

    def logits_normed(self, stream: Tensor) -> Tensor:
        return normalised(self.bridge.ln_final, stream)

    def logits(self, x: Tensor) -> Tensor:
        return run(self.bridge.unembed, x)


def run(module: Any, *inputs: Tensor) -> Any:
    """The module that a component of the bridge wraps, without the bridge's hooks."""
    return module.original_component(*inputs)


def normalised(module: Any, x: Tensor) -> Tensor:
    """LayerNorm, RMSNorm, or nothing, in the precision of its input."""
    norm = module.original_component
    if isinstance(norm, torch.nn.LayerNorm | torch.nn.Identity):
        return norm(x)
    if not hasattr(norm, "weight"):
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.pow(2).mean(-1, keepdim=True) + norm.eps).sqrt()
    return norm.weight * x * (x.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon).rsqrt()
