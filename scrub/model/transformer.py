"""Builds the graph of a transformer of GPT-2's architecture from its weights.

Sites are named as `scrub.sites` says. Readers normalise what they read, so that LayerNorm is always
recomputed. Causal order belongs to the frame; which keys are real tokens is the site `mask`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from attrs import frozen
from torch import Tensor
from torch.nn import functional

from scrub.model.graph import Apply, Graph, Port, Site, Stream, Where, add_up

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu": functional.gelu,
    "relu": functional.relu,
}


@frozen(eq=False)
class Norm:
    """LayerNorm: weight and bias [d_model]."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.epsilon)


@frozen(eq=False)
class Projection:
    """One of W_Q, W_K, W_V with its bias: [heads, d_model, d_head] and [heads, d_head]."""

    weight: Tensor
    bias: Tensor


@frozen(eq=False)
class Block:
    """Weights of one layer. `output` is W_O, [heads, d_head, d_model]."""

    norm_attention: Norm
    query: Projection
    key: Projection
    value: Projection
    output: Tensor
    output_bias: Tensor
    norm_mlp: Norm
    mlp_in: Tensor
    mlp_in_bias: Tensor
    mlp_out: Tensor
    mlp_out_bias: Tensor


@frozen(eq=False)
class Weights:
    """Everything that a GPT-2 computes with. Unembedding [d_model, vocabulary]."""

    embedding: Tensor
    position_embedding: Tensor
    blocks: tuple[Block, ...]
    norm_final: Norm
    unembedding: Tensor
    activation: str


def transformer(weights: Weights) -> Graph:
    """The graph of the model with these weights."""
    d_model = weights.embedding.shape[1]
    values: dict[str, Site | Stream] = {}

    def put(value: Site | Stream) -> None:
        values[value.name] = value

    put(_embedding("embed", lambda inputs, where: weights.embedding[inputs["tokens"]], d_model))
    put(
        _embedding("pos_embed", lambda inputs, where: weights.position_embedding[where.at], d_model)
    )
    put(Stream("resid_pre.0", ("embed", "pos_embed"), size=d_model))
    for layer, block in enumerate(weights.blocks):
        for site in _attention(f"blocks.{layer}.attn", f"resid_pre.{layer}", block):
            put(site)
        put(
            Stream(
                f"resid_mid.{layer}",
                (f"blocks.{layer}.attn.z",),
                base=f"resid_pre.{layer}",
                constant=block.output_bias,
                size=d_model,
            )
        )
        for site in _mlp(f"blocks.{layer}.mlp", f"resid_mid.{layer}", block, weights.activation):
            put(site)
        put(
            Stream(
                f"resid_pre.{layer + 1}",
                (f"blocks.{layer}.mlp",),
                base=f"resid_mid.{layer}",
                size=d_model,
            )
        )
    for site in _logits(f"resid_pre.{len(weights.blocks)}", weights):
        put(site)
    return add_up(
        values,
        width=weights.position_embedding.shape[0],
        dtype=weights.embedding.dtype,
        device=weights.embedding.device,
    )


def _embedding(name: str, table: Apply, d_model: int) -> Site:
    return Site(
        name,
        name,
        lambda inputs, where: table(inputs, where)[:, :, None],
        kind="embedding",
        positions=True,
        size=lambda width: d_model,
    )


def _stream_input(name: str, group: str, port: str, stream: str, size: int, **axes: object) -> Site:
    return Site(
        name,
        group,
        lambda inputs, where: inputs[port],
        (Port(port, stream, frozenset({port})),),
        positions=True,
        stored=False,
        size=lambda width: size,
        **axes,  # type: ignore[arg-type]  # kind, heads, shared
    )


def _attention(group: str, stream: str, block: Block) -> list[Site]:
    heads, d_model, d_head = block.query.weight.shape

    def site(
        name: str, apply: Apply, *ports: Port, size: Callable[[int], int], **more: object
    ) -> Site:
        axes: dict[str, object] = {"kind": "attention", "heads": heads, "positions": True} | more
        return Site(f"{group}.{name}", group, apply, ports, size=size, **axes)  # type: ignore[arg-type]

    def inside(name: str, *leads: str, everywhere: bool = False) -> Port:
        return Port(name, f"{group}.{name}", frozenset(leads), everywhere)

    def projected(letter: str, projection: Projection) -> list[Site]:
        def apply(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
            x = block.norm_attention(inputs[f"{letter}_in"])
            return project(x, projection.weight[where.heads]) + projection.bias[where.heads]

        return [
            _stream_input(
                f"{group}.{letter}_in", group, letter, stream, d_model,
                kind="attention", heads=heads, shared=True,
            ),
            site(
                letter, apply, inside(f"{letter}_in", letter),
                size=lambda width: d_head, flops=lambda width: 2 * d_model * d_head,
            ),
        ]  # fmt: skip

    def scores(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return torch.einsum("nqhe,nkhe->nqhk", inputs["q"], inputs["k"]) / d_head**0.5

    def pattern(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        source = torch.arange(inputs["scores"].shape[-1], device=where.at.device)
        seen = (source <= where.at[:, :, None])[:, :, None] & inputs["mask"]
        return inputs["scores"].masked_fill(~seen, float("-inf")).softmax(-1).nan_to_num(0.0)

    def z(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return torch.einsum("nqhk,nkhe->nqhe", inputs["pattern"], inputs["v"])

    def write(z: Tensor, which: Tensor) -> Tensor:
        return (z.flatten(2) @ block.output[which].flatten(0, 1))[:, :, None]

    return [
        *projected("q", block.query),
        *projected("k", block.key),
        *projected("v", block.value),
        site(
            "mask", real_tokens,
            size=lambda width: width, shared=True, positions=False,
        ),
        site(
            "scores", scores, inside("q", "q"), inside("k", "k", everywhere=True),
            size=lambda width: width, flops=lambda width: 2 * d_head * width, stored=False,
        ),
        site(
            "pattern", pattern,
            inside("scores", "q", "k"), Port("mask", f"{group}.mask", frozenset({"mask"}), True),
            size=lambda width: width,
        ),
        site(
            "z", z, inside("pattern", "q", "k", "mask"), inside("v", "v", everywhere=True),
            size=lambda width: d_head, flops=lambda width: 2 * d_head * width,
            write=write, write_flops=2 * d_head * d_model,
        ),
    ]  # fmt: skip


def project(x: Tensor, weight: Tensor) -> Tensor:
    """x [n, p, heads or 1, d], weight [heads, d, e] → [n, p, heads, e]."""
    if x.shape[2] == 1:
        heads, d, e = weight.shape
        flat = x[:, :, 0] @ weight.transpose(0, 1).reshape(d, heads * e)
        return flat.unflatten(-1, (heads, e))
    return torch.einsum("nphd,hde->nphe", x, weight)


def real_tokens(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
    """Which source positions hold a real token: bool [inputs, 1, 1, width]."""
    tokens, lengths = inputs["tokens"], inputs["lengths"]
    source = torch.arange(tokens.shape[1], device=tokens.device)
    return (source < lengths[:, None])[:, None, None]


def _mlp(name: str, stream: str, block: Block, activation: str) -> list[Site]:
    d_model, d_mlp = block.mlp_in.shape
    activate = ACTIVATIONS[activation]

    def apply(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        x = block.norm_mlp(inputs["mlp_in"])
        return activate(x @ block.mlp_in + block.mlp_in_bias) @ block.mlp_out + block.mlp_out_bias

    return [
        _stream_input(f"{name}_in", name, "mlp_in", stream, d_model, kind="mlp"),
        Site(
            name,
            name,
            apply,
            (Port("mlp_in", f"{name}_in", frozenset({"mlp_in"})),),
            kind="mlp",
            positions=True,
            flops=lambda width: 4 * d_model * d_mlp,
            size=lambda width: d_model,
        ),
    ]


def _logits(stream: str, weights: Weights) -> list[Site]:
    d_model, vocabulary = weights.unembedding.shape
    return [
        _stream_input("logits_in", "logits", "logits_in", stream, d_model, kind="output"),
        Site(
            "logits",
            "logits",
            lambda inputs, where: weights.norm_final(inputs["logits_in"]) @ weights.unembedding,
            (Port("logits_in", "logits_in", frozenset({"logits_in"})),),
            kind="output",
            positions=True,
            stored=False,
            flops=lambda width: 2 * d_model * vocabulary,
            size=lambda width: vocabulary,
        ),
    ]


def skeleton(config: Mapping[str, int | str]) -> Graph:
    """The graph that a GPT-2 of this configuration (Hugging Face names) has, without weights."""
    layers, heads, d_model = int(config["n_layer"]), int(config["n_head"]), int(config["n_embd"])
    d_mlp = int(config.get("n_inner") or 4 * d_model)
    vocabulary, width = int(config["vocab_size"]), int(config["n_positions"])
    d_head = d_model // heads

    def empty(*shape: int) -> Tensor:
        return torch.empty(*shape, device="meta")

    def projection() -> Projection:
        return Projection(empty(heads, d_model, d_head), empty(heads, d_head))

    def norm() -> Norm:
        return Norm(empty(d_model), empty(d_model), 1e-5)

    block = Block(
        norm_attention=norm(),
        query=projection(),
        key=projection(),
        value=projection(),
        output=empty(heads, d_head, d_model),
        output_bias=empty(d_model),
        norm_mlp=norm(),
        mlp_in=empty(d_model, d_mlp),
        mlp_in_bias=empty(d_mlp),
        mlp_out=empty(d_mlp, d_model),
        mlp_out_bias=empty(d_model),
    )
    weights = Weights(
        embedding=empty(vocabulary, d_model),
        position_embedding=empty(width, d_model),
        blocks=(block,) * layers,
        norm_final=norm(),
        unembedding=empty(d_model, vocabulary),
        activation="gelu_new",
    )
    return transformer(weights)
