"""Builds the graph of a transformer from its weights.

Sites are named as `scrub.names` says. A norm belongs to what reads its output (a head, an MLP, the
unembedding), so that it is recomputed wherever its input is scrubbed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from attrs import evolve
from torch import Tensor

from scrub import names
from scrub.model.attention import attention
from scrub.model.feedforward import mlp
from scrub.model.graph import Apply, Graph, Port, Site, Stream, Where, graph_in_order
from scrub.model.vision import Vision
from scrub.model.weights import Weights
from scrub.names import (
    EMBED,
    LOGITS,
    LOGITS_IN,
    LOGITS_NORMED,
    POS_EMBED,
    PROJECTOR,
    TEXT_EMBED,
    resid_mid,
    resid_pre,
)


def transformer(weights: Weights, vision: Vision | None = None) -> Graph:
    """The graph of the model with these weights.

    Args:
        vision: what makes image tokens' embeddings of images; None where the model reads text only.
    """
    d_model = weights.embedding.shape[1]
    values: dict[str, Site | Stream] = {}

    def put(*items: Site | Stream) -> None:
        values.update({item.name: item for item in items})

    inner, written = _embeddings(weights, vision)
    put(*inner, *written, Stream(resid_pre(0), tuple(map(_name, written)), size=d_model))
    for layer, block in enumerate(weights.blocks):
        before, after, bias = resid_pre(layer), resid_pre(layer + 1), block.attention.output_bias
        z, out = names.attention_site(layer, "z"), names.mlp(layer)
        put(*attention(layer, before, block.attention, weights.causal))
        if block.mlp is None:
            put(Stream(after, (z,), base=before, constant=bias, size=d_model))
        elif weights.parallel:
            put(*mlp(layer, before, block.mlp))
            put(Stream(after, (z, out), base=before, constant=bias, size=d_model))
        else:
            between = resid_mid(layer)
            put(Stream(between, (z,), base=before, constant=bias, size=d_model))
            put(*mlp(layer, between, block.mlp))
            put(Stream(after, (out,), base=between, size=d_model))
    put(*_logits(resid_pre(len(weights.blocks)), weights))
    return graph_in_order(
        values,
        width=weights.width,
        dtype=weights.embedding.dtype,
        device=weights.embedding.device,
        causal=weights.causal,
        vocabulary=weights.embedding.shape[0],
        outputs=weights.unembedding.weight.shape[1],
        weights=weights,
        vision=vision,
    )


def _name(site: Site) -> str:
    return site.name


def _embeddings(weights: Weights, vision: Vision | None) -> tuple[list[Site], list[Site]]:
    """What the embeddings are made of, and those that are written to the stream."""
    d_model = weights.embedding.shape[1]

    def site(name: str, table: Apply, *ports: Port, **more: Any) -> Site:
        known: dict[str, Any] = {"kind": "embedding", "positions": True} | more
        return Site(
            name, EMBED_GROUPS.get(name, name), table, ports, size=lambda w: d_model, **known
        )

    def words(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return weights.embedding[inputs["tokens"]][:, :, None]

    def text(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        assert vision is not None
        is_image = inputs["tokens"] == vision.layout.token
        return words(inputs, where).masked_fill(is_image[:, :, None, None], 0)

    def no_images(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return torch.zeros_like(words(inputs, where))

    def both(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return inputs[TEXT_EMBED] + inputs[PROJECTOR]

    if vision is None:
        inner, tokens = [], site(EMBED, words)
    else:
        project = functools.partial(vision.values, device=weights.embedding.device)
        inner = [
            site(TEXT_EMBED, text, kind="site"),
            site(PROJECTOR, no_images, kind="site", from_rows=project),
        ]
        ports = (Port(part.name, part.name, frozenset({part.name})) for part in inner)
        tokens = site(EMBED, both, *ports)
    learned = weights.position_embedding
    if learned is None:
        return inner, [tokens]
    return inner, [tokens, site(POS_EMBED, lambda inputs, where: learned[where.at][:, :, None])]


EMBED_GROUPS = {TEXT_EMBED: EMBED, PROJECTOR: EMBED}
"""Sites that are parts of another one's component."""


def _logits(stream: str, weights: Weights) -> list[Site]:
    d_model, outputs = weights.unembedding.weight.shape

    def site(name: str, apply: Apply, reads: str, source: str, size: int, flops: int = 0) -> Site:
        return Site(
            name,
            LOGITS,
            apply,
            (Port(reads, source, frozenset({LOGITS_IN})),),
            kind="output",
            positions=True,
            stored=False,
            flops=lambda width: flops,
            size=lambda width: size,
            entrywise=True,
        )

    def normed(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return weights.norm_final(inputs[LOGITS_IN])

    def logits(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return weights.unembedding(inputs[LOGITS_NORMED])

    def columns(which: Tensor) -> Callable[[Tensor], Tensor]:
        weight = weights.unembedding.weight.T[which]  # [inputs, columns, d_model]
        bias = weights.unembedding.bias
        offset = None if bias is None else bias[which][:, None, None]

        def read(normed: Tensor) -> Tensor:
            value = torch.einsum("npod,ncd->npoc", normed, weight)
            return value if offset is None else value + offset

        return read

    flops = 2 * d_model * outputs
    return [
        site(LOGITS_IN, lambda inputs, where: inputs[LOGITS_IN], LOGITS_IN, stream, d_model),
        site(LOGITS_NORMED, normed, LOGITS_IN, LOGITS_IN, d_model),
        evolve(site(LOGITS, logits, LOGITS_NORMED, LOGITS_NORMED, outputs, flops), columns=columns),
    ]
