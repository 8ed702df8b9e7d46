"""LLaVA's forward pass with every edge between components in hand, for training with interchanges.

`run` does what `LlavaForConditionalGeneration` does with one prompt and many images, on its own
modules, and keeps what each component read and wrote. The other functions recompute one group of
heads at the last token, where all of the RGB game's circuit acts. They belong to training alone:
the package's engine, its reference evaluator and `rgb_evidence.py` share nothing with them.

Shapes: B images, T positions, H heads a layer, D the width of the residual stream, E the width of a
head. The last position is END.
"""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from torch import Tensor
from transformers import LlavaForConditionalGeneration

Heads = tuple[tuple[int, int], ...]
"""(layer, head) pairs; a group of heads lies in one layer here."""


@frozen(eq=False)
class Layer:
    """What one layer of the language model read and computed.

    Attributes:
        stream: the residual stream that its heads read, [B, T, D].
        keys: rotated, [B, H, T, E].
        values: [B, H, T, E].
        pattern: attention from END, [B, H, T].
        z: each head's mix of values at END, [B, H, E].
    """

    stream: Tensor
    keys: Tensor
    values: Tensor
    pattern: Tensor
    z: Tensor


@frozen(eq=False)
class Trace:
    """What one forward pass computed: its layers, and the stream [B, D] at END after the last."""

    layers: list[Layer]
    final: Tensor


@frozen(eq=False)
class Prompt:
    """The prompt: its token ids [T], and the position of the first of the image's tokens."""

    tokens: Tensor
    first: int


def block(model: LlavaForConditionalGeneration, layer: int) -> Any:
    """A layer of the language model."""
    return model.model.language_model.layers[layer]


def head_count(model: LlavaForConditionalGeneration) -> int:
    """Heads a layer of the language model."""
    config: Any = model.config.text_config
    return int(config.num_attention_heads)


def _split(x: Tensor, heads: int) -> Tensor:
    """[B, T, H * E] as [B, H, T, E]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary embedding of x [..., T, E] by angles [T, E]."""
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat((-second, first), dim=-1) * sine


def _angles(model: LlavaForConditionalGeneration, stream: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary embedding, [T, E] each."""
    positions = torch.arange(stream.shape[1])[None]
    cosine, sine = model.model.language_model.rotary_emb(stream, positions)
    return cosine[0], sine[0]


def projected(model: LlavaForConditionalGeneration, images: Tensor) -> Tensor:
    """The projector's output for pixel values [B, 3, height, width]: [B, P, D].

    The vision tower's last layer is left out, which LLaVA does not use.
    """
    tower: Any = model.model.vision_tower
    x = tower.pre_layrnorm(tower.embeddings(images))
    assert model.config.vision_feature_layer == -2
    for layer in tower.encoder.layers[:-1]:
        x = layer(x, attention_mask=None)
    return model.model.multi_modal_projector(x[:, 1:])


def embedded(model: LlavaForConditionalGeneration, prompt: Prompt, images: Tensor) -> Tensor:
    """What the language model starts from, [B, T, D]."""
    text = model.model.language_model.embed_tokens(prompt.tokens)
    patches = projected(model, images)
    parts = (text[: prompt.first], text[prompt.first + patches.shape[1] :])
    before, after = (part.expand(len(images), -1, -1) for part in parts)
    return torch.cat((before, patches, after), 1)


def run(model: LlavaForConditionalGeneration, prompt: Prompt, images: Tensor) -> Trace:
    """The model on one prompt and images as pixel values [B, 3, height, width]."""
    heads = head_count(model)
    stream = embedded(model, prompt, images)
    cosine, sine = _angles(model, stream)
    causal = torch.ones(stream.shape[1], stream.shape[1], dtype=torch.bool).tril()
    layers = []
    last = len(model.model.language_model.layers) - 1
    for index in range(last + 1):
        part = block(model, index)
        normed = part.input_layernorm(stream)
        ports = (part.self_attn.q_proj, part.self_attn.k_proj, part.self_attn.v_proj)
        q, k, v = (_split(port(normed), heads) for port in ports)
        q, k = _turned(q, cosine, sine), _turned(k, cosine, sine)
        before = stream
        if index == last:  # nobody reads the other positions any more
            q, before = q[:, :, -1:], stream[:, -1:]
        scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
        scores = scores.masked_fill(~causal[-q.shape[2] :], -torch.inf)
        pattern = scores.softmax(-1)
        z = pattern @ v
        layers.append(Layer(stream, k, v, pattern[:, :, -1], z[:, :, -1]))
        stream = before + part.self_attn.o_proj(z.transpose(1, 2).flatten(-2))
        stream = stream + part.mlp(part.post_attention_layernorm(stream))
    return Trace(layers, stream[:, -1])


def logits_of(model: LlavaForConditionalGeneration, stream: Tensor) -> Tensor:
    """Final norm and unembedding of stream [..., D]: [..., vocabulary]."""
    return model.lm_head(model.model.language_model.norm(stream))


def z_of(trace: Trace, heads: Heads) -> Tensor:
    """The group's z at END: [B, group, E]."""
    return trace.layers[heads[0][0]].z[:, [head for _, head in heads]]


def written(model: LlavaForConditionalGeneration, heads: Heads, z: Tensor) -> Tensor:
    """What each head of a group with this z [B, group, E] adds to the stream: [B, group, D]."""
    weight = block(model, heads[0][0]).self_attn.o_proj.weight
    weight = weight.unflatten(1, (head_count(model), -1))[:, [head for _, head in heads]]
    return torch.einsum("bhe,dhe->bhd", z, weight)


def query_of(model: LlavaForConditionalGeneration, heads: Heads, stream: Tensor, at: int) -> Tensor:
    """A group's q, rotated, when it reads stream [B, D] at position `at`: [B, group, E]."""
    part = block(model, heads[0][0])
    cosine, sine = _angles(model, stream[:1, None].expand(-1, at + 1, -1))
    q = part.self_attn.q_proj(part.input_layernorm(stream)).unflatten(-1, (head_count(model), -1))
    return _turned(q, cosine[at], sine[at])[:, [head for _, head in heads]]


def keys_of(model: LlavaForConditionalGeneration, heads: Heads, stream: Tensor) -> Tensor:
    """A group's keys, rotated, when they read stream [B, T, D]: [B, group, T, E]."""
    part = block(model, heads[0][0])
    k = _split(part.self_attn.k_proj(part.input_layernorm(stream)), head_count(model))
    return _turned(k, *_angles(model, stream))[:, [head for _, head in heads]]


def values_of(model: LlavaForConditionalGeneration, heads: Heads, stream: Tensor) -> Tensor:
    """A group's values when they read stream [B, T, D]: [B, group, T, E]."""
    part = block(model, heads[0][0])
    v = _split(part.self_attn.v_proj(part.input_layernorm(stream)), head_count(model))
    return v[:, [head for _, head in heads]]


def attended(query: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """A group's z at END and its pattern, [B, group, E] and [B, group, T], of its q, k and v."""
    scores = torch.einsum("bhe,bhte->bht", query, keys) * query.shape[-1] ** -0.5
    pattern = scores.softmax(-1)
    return torch.einsum("bht,bhte->bhe", pattern, values), pattern
