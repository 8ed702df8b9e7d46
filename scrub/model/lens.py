"""Models from a directory in TransformerLens naming: `config.json` and `model.safetensors`.

No library runs such a directory, so the model that the graph is checked against is written out
here: `forward`, straight from the tensors by their names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scrub.errors import UserError
from scrub.model.graph import Graph
from scrub.model.probe import Batch, check
from scrub.model.shape import Config, Shape, unsupported
from scrub.model.transformer import transformer
from scrub.model.weights import (
    MLP,
    Attention,
    Block,
    LayerNorm,
    Linear,
    Projection,
    Weights,
)

FORMAT = "transformer_lens_state_dict"
"""What `format` in config.json says of such a directory."""

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 1e-1}
"""Largest difference between graph and `forward`, relative to the largest logit."""

SUPPORTED: dict[str, tuple[object, ...]] = {
    "act_fn": ("gelu", "gelu_new", "relu", "silu"),
    "attention_dir": ("causal", "bidirectional"),
    "attn_only": (False,),
    "attn_scale": (-1.0,),
    "attn_scores_soft_cap": (-1.0,),
    "final_rms": (False,),
    "gated_mlp": (False,),
    "n_key_value_heads": (),
    "normalization_type": ("LN", "LNPre"),
    "num_experts": (),
    "output_logits_soft_cap": (-1.0,),
    "parallel_attn_mlp": (False,),
    "positional_embedding_type": ("standard",),
    "post_embedding_ln": (False,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "use_attn_scale": (True,),
    "use_local_attn": (False,),
    "use_normalization_before_and_after": (False,),
    "use_qk_norm": (False,),
}
"""Settings that change what a model computes, and the values that are supported."""

BUFFERS = ("attn.mask", "attn.IGNORE")
"""Ends of names of what a state dict may hold besides weights."""


def is_lens(config: Config) -> bool:
    """Whether a config.json is of such a directory."""
    return config.get("format") == FORMAT


def lens_shape(config: Config) -> Shape:
    """The shape that a configuration (TransformerLens names) describes.

    Raises:
        UserError: a setting is not supported.
        KeyError: the configuration is incomplete.
    """
    for name, values in SUPPORTED.items():
        value = config.get(name)
        if value is not None and value not in values:
            raise unsupported(name, value)
    layers, heads, d_head = (int(config[name]) for name in ("n_layers", "n_heads", "d_head"))
    outputs = int(config.get("d_vocab_out") or -1)
    return Shape(
        layers=layers,
        heads=heads,
        kv_heads=heads,
        d_model=int(config["d_model"]),
        d_head=d_head,
        d_mlp=int(config.get("d_mlp") or 4 * config["d_model"]),
        vocabulary=int(config["d_vocab"]),
        outputs=outputs if outputs > 0 else int(config["d_vocab"]),
        width=int(config["n_ctx"]),
        activation=str(config["act_fn"]),
        epsilon=float(config.get("ln_eps", config.get("eps", 1e-5))),
        scales=(d_head**-0.5,) * layers,
        windows=(None,) * layers,
        causal=config.get("attention_dir", "causal") == "causal",
    )


def lens_graph(directory: Path, config: Config, *, dtype: torch.dtype, device: str) -> Graph:
    """The graph of such a directory, checked against `forward` on a probe batch.

    Raises:
        UserError: a tensor is missing, of another shape or unknown, or the two disagree.
    """
    shape = lens_shape(config)
    state = _state(directory, shape, config.get("normalization_type") == "LN", dtype, device)
    graph = transformer(_weights(state, shape))

    def original(batch: Batch) -> Tensor:
        return forward(state, config, batch.tokens, batch.real)

    check(
        graph, original, vocabulary=shape.vocabulary, windows=shape.windows, limit=TOLERANCE[dtype]
    )
    return graph


def _state(
    directory: Path, shape: Shape, normed: bool, dtype: torch.dtype, device: str
) -> dict[str, Tensor]:
    """The tensors by name, all of the shapes that they must have."""
    from safetensors.torch import load_file

    found: dict[str, Tensor] = {}
    for path in sorted(directory.glob("*.safetensors")):
        found |= load_file(path)
    wanted = _sizes(shape, normed)
    unknown = [n for n in found if n not in wanted and not n.endswith(BUFFERS)]
    missing = [n for n in wanted if n not in found]
    if missing:
        raise UserError(f"The weights in {directory} lack {', '.join(missing[:3])}.")
    if unknown:
        raise UserError(
            f"The weights in {directory} hold {', '.join(unknown[:3])}, which such a model has no "
            "place for."
        )
    for name, size in wanted.items():
        if tuple(found[name].shape) != size:
            raise UserError(
                f"{name} in {directory} is {list(found[name].shape)}, where config.json says "
                f"{list(size)}."
            )
    return {name: found[name].to(device, dtype) for name in wanted}


def _sizes(shape: Shape, normed: bool) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a model's tensors. LayerNorms have some unless they are folded away."""
    heads, d_model, d_head, d_mlp = shape.heads, shape.d_model, shape.d_head, shape.d_mlp
    norm: dict[str, tuple[int, ...]] = {"w": (d_model,), "b": (d_model,)} if normed else {}
    parts: dict[str, tuple[int, ...]] = {
        **{f"attn.W_{letter}": (heads, d_model, d_head) for letter in "QKV"},
        **{f"attn.b_{letter}": (heads, d_head) for letter in "QKV"},
        "attn.W_O": (heads, d_head, d_model),
        "attn.b_O": (d_model,),
        "mlp.W_in": (d_model, d_mlp),
        "mlp.b_in": (d_mlp,),
        "mlp.W_out": (d_mlp, d_model),
        "mlp.b_out": (d_model,),
        **{f"{name}.{part}": size for name in ("ln1", "ln2") for part, size in norm.items()},
    }
    return {
        "embed.W_E": (shape.vocabulary, d_model),
        "pos_embed.W_pos": (shape.width, d_model),
        **{f"blocks.{n}.{name}": size for n in range(shape.layers) for name, size in parts.items()},
        **{f"ln_final.{part}": size for part, size in norm.items()},
        "unembed.W_U": (d_model, shape.outputs),
        "unembed.b_U": (shape.outputs,),
    }


def _weights(state: Mapping[str, Tensor], shape: Shape) -> Weights:
    one = state["embed.W_E"].new_ones(shape.d_model)

    def norm(name: str) -> LayerNorm:
        weight, bias = state.get(f"{name}.w", one), state.get(f"{name}.b", 0 * one)
        return LayerNorm(weight, bias, shape.epsilon)

    def block(layer: int) -> Block:
        stem = f"blocks.{layer}"

        def projection(letter: str) -> Projection:
            return Projection(state[f"{stem}.attn.W_{letter}"], state[f"{stem}.attn.b_{letter}"])

        return Block(
            Attention(
                norm=norm(f"{stem}.ln1"),
                query=projection("Q"),
                key=projection("K"),
                value=projection("V"),
                output=state[f"{stem}.attn.W_O"],
                output_bias=state[f"{stem}.attn.b_O"],
                scale=shape.scales[layer],
            ),
            MLP(
                norm=norm(f"{stem}.ln2"),
                pre=Linear(state[f"{stem}.mlp.W_in"], state[f"{stem}.mlp.b_in"]),
                linear=None,
                post=Linear(state[f"{stem}.mlp.W_out"], state[f"{stem}.mlp.b_out"]),
                activation=shape.activation,
            ),
        )

    return Weights(
        embedding=state["embed.W_E"],
        position_embedding=state["pos_embed.W_pos"],
        blocks=tuple(block(layer) for layer in range(shape.layers)),
        norm_final=norm("ln_final"),
        unembedding=Linear(state["unembed.W_U"], state["unembed.b_U"]),
        width=shape.width,
        causal=shape.causal,
    )


# The model itself, sharing nothing with the graph


def forward(state: Mapping[str, Tensor], config: Config, tokens: Tensor, real: Tensor) -> Tensor:
    """Logits of tokens int64 [rows, width], of which some are real: [rows, width, outputs]."""
    width = tokens.shape[1]
    sees = real[:, None, None, :].expand(-1, 1, width, -1)
    if config.get("attention_dir", "causal") == "causal":
        sees = sees & torch.ones(width, width, dtype=torch.bool, device=tokens.device).tril()
    x = state["embed.W_E"][tokens] + state["pos_embed.W_pos"][:width]
    for layer in range(int(config["n_layers"])):
        own = _under(state, f"blocks.{layer}.")
        normed = _normalised(x, _under(own, "ln1."), config)
        q, k, v = (
            torch.einsum("bsd,hde->bhse", normed, own[f"attn.W_{letter}"])
            + own[f"attn.b_{letter}"][:, None]
            for letter in "QKV"
        )
        scores = q @ k.mT / math.sqrt(float(config["d_head"]))
        pattern = torch.where(sees, scores, -torch.inf).softmax(dim=-1)
        heads = torch.einsum("bhse,hed->bshd", pattern @ v, own["attn.W_O"])
        x = x + heads.sum(dim=2) + own["attn.b_O"]
        normed = _normalised(x, _under(own, "ln2."), config)
        hidden = _activated(normed @ own["mlp.W_in"] + own["mlp.b_in"], config["act_fn"])
        x = x + hidden @ own["mlp.W_out"] + own["mlp.b_out"]
    x = _normalised(x, _under(state, "ln_final."), config)
    return x @ state["unembed.W_U"] + state["unembed.b_U"]


def _under(state: Mapping[str, Tensor], stem: str) -> dict[str, Tensor]:
    return {n.removeprefix(stem): value for n, value in state.items() if n.startswith(stem)}


def _normalised(x: Tensor, affine: Mapping[str, Tensor], config: Config) -> Tensor:
    x = x - x.mean(dim=-1, keepdim=True)
    epsilon = config.get("ln_eps", config.get("eps", 1e-5))
    x = x / (x.pow(2).mean(dim=-1, keepdim=True) + epsilon).sqrt()
    return x * affine["w"] + affine["b"] if affine else x


def _activated(x: Tensor, name: Any) -> Tensor:
    match name:
        case "relu":
            return x.clamp(min=0)
        case "silu":
            return x * x.sigmoid()
        case "gelu":
            return x * (1 + (x / math.sqrt(2)).erf()) / 2
        case "gelu_new":
            return x * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh()) / 2
    raise unsupported("act_fn", name)
