"""The sites of an attention layer.

`pattern` applies the causal mask and the sliding window, from the positions that it is computed at.
The padding mask is a site of its own, `mask`. Under grouped-query attention every query head has
keys and values of its own, computed with the weights of its key-value head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from scrub import names
from scrub.model.graph import Apply, Port, Site, Stream, Where
from scrub.model.weights import Attention, Projection


def attention(layer: int, stream: str, weights: Attention, causal: bool) -> list[Site | Stream]:
    """The values of a layer's heads, which read a stream, and their sum."""
    group = names.attention(layer)
    heads, d_head, d_model = weights.output.shape

    def site(
        name: str, apply: Apply, *ports: Port, size: Callable[[int], int], **more: object
    ) -> Site:
        what = {"kind": "attention", "layer": layer, "part": name}
        known: dict[str, Any] = what | {"heads": heads, "positions": True} | more
        return Site(names.attention_site(layer, name), group, apply, ports, size=size, **known)

    def inside(name: str, *leads: str, everywhere: bool = False, by: str | None = None) -> Port:
        causal_by = names.attention_site(layer, by) if by and causal else None
        source = names.attention_site(layer, name)
        return Port(name, source, frozenset(leads), everywhere, causal_by)

    def projected(letter: str, projection: Projection) -> list[Site]:
        shared = {"size": lambda width: d_model, "shared": True, "stored": False}
        per_group = heads // len(projection.weight)
        return [
            site(
                f"{letter}_in", lambda inputs, where: inputs[letter],
                Port(letter, stream, frozenset({letter})), **shared,
            ),
            site(
                f"{letter}_normed", lambda inputs, where: weights.norm(inputs[f"{letter}_in"]),
                inside(f"{letter}_in", letter), **shared,
            ),
            site(
                letter,
                lambda inputs, where: projection(
                    inputs[f"{letter}_normed"], where.heads // per_group
                ),
                inside(f"{letter}_normed", letter),
                size=lambda width: d_head, flops=lambda width: 2 * d_model * d_head,
                scratch=lambda width, places: 0 if projection.bias is None else d_head,
            ),
        ]  # fmt: skip

    def scores(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        q, k = inputs["q"], inputs["k"]
        if weights.rotary is not None:
            q = weights.rotary(q, where.at)
            k = weights.rotary(k, torch.arange(k.shape[1], device=k.device)[None])
        return torch.einsum("nqhe,nkhe->nqhk", q, k) * weights.scale

    def pattern(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        source = torch.arange(inputs["scores"].shape[-1], device=where.at.device)
        distance = (where.at[:, :, None] - source)[:, :, None]
        seen = inputs["mask"]
        if causal:
            seen = seen & (distance >= 0)
        if weights.window is not None:
            seen = seen & (distance < weights.window)
        return inputs["scores"].masked_fill(~seen, float("-inf")).softmax(-1).nan_to_num(0.0)

    def z(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return torch.einsum("nqhk,nkhe->nqhe", inputs["pattern"], inputs["v"])

    def result(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return torch.einsum("nqhe,hed->nqhd", inputs["z"], weights.output[where.heads])

    def write(z: Tensor, which: Tensor) -> Tensor:
        return (z.flatten(2) @ weights.output[which].flatten(0, 1))[:, :, None]

    every = ("q", "k", "v", "mask")
    turned = weights.rotary is not None
    out, summed = names.attention_output(layer), names.attention_sum(layer)
    return [
        *projected("q", weights.query),
        *projected("k", weights.key),
        *projected("v", weights.value),
        site("mask", real_tokens, size=lambda width: width, shared=True, positions=False),
        site(
            "scores", scores, inside("q", "q"), inside("k", "k", everywhere=True, by="scores"),
            size=lambda width: width, flops=lambda width: 2 * d_head * width, stored=False,
            scratch=lambda width, places: width + d_head * (1 + turned) * (1 + width // places),
        ),
        site(
            "pattern", pattern, inside("scores", "q", "k"), inside("mask", "mask", everywhere=True),
            size=lambda width: width, scratch=lambda width, places: width,
        ),
        site(
            "z", z, inside("pattern", "q", "k", "mask"),
            inside("v", "v", everywhere=True, by="pattern"),
            size=lambda width: d_head, flops=lambda width: 2 * d_head * width,
            scratch=lambda width, places: d_head * (1 + width // places),
            write=write, write_flops=2 * d_head * d_model,
            output=names.attention_site(layer, "result"),
        ),
        site(
            "result", result, inside("z", *every), stored=False,
            size=lambda width: d_model, flops=lambda width: 2 * d_head * d_model,
        ),
        Stream(
            summed, (names.attention_site(layer, "z"),), constant=weights.output_bias, size=d_model
        ),
        Site(
            out, out, lambda inputs, where: inputs["attn_out"],
            (Port("attn_out", summed, frozenset({"attn_out"})),),
            layer=layer, part="attn_out", positions=True, stored=False,
            size=lambda width: d_model,
        ),
    ]  # fmt: skip


def real_tokens(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
    """Which source positions hold a real token: bool [inputs, 1, 1, width]."""
    tokens, lengths = inputs["tokens"], inputs["lengths"]
    source = torch.arange(tokens.shape[1], device=tokens.device)
    return (source < lengths[:, None])[:, None, None]
