"""Models from a directory in TransformerLens naming: `config.json` and `model.safetensors`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from scrub.errors import UserError
from scrub.model.config import Shape
from scrub.model.config_values import Config
from scrub.model.directory import (
    BUFFERS,
    Header,
    and_others,
    check_finite,
    weight_files,
)
from scrub.model.graph import Graph
from scrub.model.tl_config import lens_shape
from scrub.model.tl_forward import forward
from scrub.model.transformer import transformer
from scrub.model.verify import Batch, check
from scrub.model.weights import (
    MLP,
    Attention,
    Block,
    LayerNorm,
    Linear,
    NoNorm,
    Norm,
    Projection,
    Weights,
)

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 1e-1}
"""Largest difference between graph and `forward`, relative to the largest logit."""


def lens_graph(directory: Path, config: Config, *, dtype: torch.dtype, device: str) -> Graph:
    """The graph of such a directory, checked against `forward` on a probe batch.

    Raises:
        UserError: a tensor is missing, of another shape or unknown, or the two disagree.
    """
    shape = lens_shape(config)
    state = _state(directory, dtype, device)
    graph = transformer(_weights(state, shape))

    def original(batch: Batch) -> Tensor:
        return forward(state, config, batch.tokens, batch.real)

    check(
        graph, original, vocabulary=shape.vocabulary, windows=shape.windows, limit=TOLERANCE[dtype]
    )
    return graph


def check_tensors(directory: Path, found: Mapping[str, Header], config: Config) -> None:
    """Refuse a directory whose tensors are not those that its configuration asks for.

    A model without biases may leave out all of them.

    Args:
        found: what the weights files hold.

    Raises:
        UserError: tensors are missing, unknown, or of another shape.
    """
    wanted = _sizes(lens_shape(config), config.get("normalization_type", "LN") == "LN")
    if not any(_is_bias(name) for name in found):
        wanted = {name: size for name, size in wanted.items() if not _is_bias(name)}
    missing = [name for name in wanted if name not in found]
    if missing:
        some = "" if not all(map(_is_bias, missing)) else " (Biases are left out all or none.)"
        raise UserError(f"The weights in {directory} lack {and_others(missing)}.{some}")
    unknown = [name for name in found if name not in wanted and not BUFFERS.search(name)]
    if unknown:
        raise UserError(
            f"The weights in {directory} hold {and_others(unknown)}, which such a model has no "
            "place for."
        )
    wrong = [
        f"{name} is {list(found[name].shape)}, where config.json says {list(size)}"
        for name, size in wanted.items()
        if found[name].shape != size
    ]
    if wrong:
        raise UserError(f"In {directory} {and_others(wrong)}.")


def _is_bias(name: str) -> bool:
    """Whether a tensor is the bias of a linear map. That of a norm goes with its weight."""
    return name.rpartition(".")[2].startswith("b_")


def _state(directory: Path, dtype: torch.dtype, device: str) -> dict[str, Tensor]:
    """The tensors by name."""
    from safetensors.torch import load_file

    found: dict[str, Tensor] = {}
    for path in weight_files(directory):
        found |= load_file(path)
    state = {n: t.to(device, dtype) for n, t in found.items() if not BUFFERS.search(n)}
    check_finite(f"The weights in {directory}", state.items())
    return state


def _sizes(shape: Shape, affine: bool) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a model's tensors.

    Args:
        affine: whether norms have weights and biases of their own, and are not folded away.
    """
    heads, d_model, d_head, d_mlp = shape.heads, shape.d_model, shape.d_head, shape.d_mlp
    norm: dict[str, tuple[int, ...]] = {"w": (d_model,), "b": (d_model,)} if affine else {}
    parts: dict[str, tuple[int, ...]] = {
        **{f"attn.W_{letter}": (heads, d_model, d_head) for letter in "QKV"},
        **{f"attn.b_{letter}": (heads, d_head) for letter in "QKV"},
        "attn.W_O": (heads, d_head, d_model),
        "attn.b_O": (d_model,),
        **{f"ln1.{part}": size for part, size in norm.items()},
    }
    if shape.mlps:
        parts |= {
            "mlp.W_in": (d_model, d_mlp),
            "mlp.b_in": (d_mlp,),
            "mlp.W_out": (d_mlp, d_model),
            "mlp.b_out": (d_model,),
            **{f"ln2.{part}": size for part, size in norm.items()},
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

    def norm(name: str) -> Norm:
        if shape.norm == "none":
            return NoNorm()
        weight, bias = state.get(f"{name}.w", one), state.get(f"{name}.b", 0 * one)
        return LayerNorm(weight, bias, shape.epsilon)

    def linear(name: str, part: str) -> Linear:
        return Linear(state[f"{name}.W_{part}"], state.get(f"{name}.b_{part}"))

    def projection(stem: str, letter: str) -> Projection:
        return Projection(state[f"{stem}.W_{letter}"], state.get(f"{stem}.b_{letter}"))

    def attention(layer: int) -> Attention:
        stem = f"blocks.{layer}.attn"
        return Attention(
            norm=norm(f"blocks.{layer}.ln1"),
            query=projection(stem, "Q"),
            key=projection(stem, "K"),
            value=projection(stem, "V"),
            output=state[f"{stem}.W_O"],
            output_bias=state.get(f"{stem}.b_O"),
            scale=shape.scales[layer],
        )

    def mlp(layer: int) -> MLP:
        return MLP(
            norm=norm(f"blocks.{layer}.ln2"),
            pre=linear(f"blocks.{layer}.mlp", "in"),
            linear=None,
            post=linear(f"blocks.{layer}.mlp", "out"),
            activation=shape.activation,
        )

    return Weights(
        embedding=state["embed.W_E"],
        position_embedding=state["pos_embed.W_pos"],
        blocks=tuple(
            Block(attention(layer), mlp(layer) if shape.mlps else None)
            for layer in range(shape.layers)
        ),
        norm_final=norm("ln_final"),
        unembedding=linear("unembed", "U"),
        width=shape.width,
        causal=shape.causal,
    )
