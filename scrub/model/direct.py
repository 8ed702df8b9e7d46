"""Weights read from a directory in Hugging Face format by the names of its tensors.

Law: they have the bits, and lie in memory in the order, that `scrub.model.bridge.weights_of`
gives for the same directory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from attrs import frozen
from torch import Tensor

from scrub.model.config import Shape
from scrub.model.config_values import Config
from scrub.model.directory import (
    BUFFERS,
    LAYER_IN_NAME,
    Header,
    check_finite,
    headers,
    weight_files,
)
from scrub.model.rotation import rotary_of
from scrub.model.tensor_names import KEY_NORM, NAMES, QUERY_NORM, Names, is_tied, sizes
from scrub.model.weights import (
    MLP,
    Attention,
    Block,
    LayerNorm,
    Linear,
    Norm,
    Projection,
    RMSNorm,
    Rotary,
    Weights,
)

INDEX = "model.safetensors.index.json"
"""Which file has which tensor, where the weights are in several."""
UNEMBEDDING = "unembedding"


@frozen
class Places:
    """Where the tensors of a model lie.

    Attributes:
        files: the file and the name in it of each tensor, by its name without the family's prefix;
            that of an unembedding of its own is `UNEMBEDDING`.
    """

    names: Names
    files: Mapping[str, tuple[Path, str]]


def places(directory: Path, config: Config, shape: Shape) -> Places | None:
    """Where to read the weights of a model; None if they are not all known by their names.

    What is not known is left to Hugging Face's own code: other families, tensors that are missing,
    of another size or without a place, an unembedding beside a tied embedding, and settings that
    are no setting of the family.
    """
    found = headers(directory)
    files = located(directory, found)
    if files is None:
        return None
    return places_in(found, {name: (path, name) for name, path in files.items()}, config, shape)


def places_in(
    found: Mapping[str, Header],
    where: Mapping[str, tuple[Path, str]],
    config: Config,
    shape: Shape,
) -> Places | None:
    """The same for tensors that lie under whatever names.

    Args:
        found: their sizes, by the names that they have in a directory of such a model alone.
        where: the file of each, and its name there.
    """
    names = NAMES.get(config["model_type"])
    if names is None or not _plain(config):
        return None
    wanted, files, taken = sizes(names, config, shape), {}, set[str]()
    for name, size in wanted.items():
        called = next((n for n in (names.prefix + name, name) if n in where), None)
        if called is None or found[called].shape != size:
            return None
        files[name] = where[called]
        taken.add(called)
    heads = [f"{name}.weight" for name in names.unembedding if f"{name}.weight" in where]
    if len(heads) != (0 if is_tied(names, config) else 1):
        return None
    for head in heads:
        if found[head].shape != (shape.outputs, shape.d_model):
            return None
        files[UNEMBEDDING] = where[head]
        taken.add(head)
    strange = [n for n in where if n not in taken and LAYER_IN_NAME.search(n)]
    return Places(names, files) if all(map(BUFFERS.search, strange)) else None


def _plain(config: Config) -> bool:
    """Whether the settings that nothing else reads are of the kind that they must be."""
    flags = ("attention_bias", "mlp_bias", "tie_word_embeddings")
    tables = (config, config.get("rope_parameters") or {}, config.get("rope_scaling") or {})
    partly = any("partial_rotary_factor" in table for table in tables)
    known = config["model_type"] == "gpt_neox" or not partly  # others follow it in some kinds only
    return known and all(isinstance(config.get(name, False), bool) for name in flags)


def located(directory: Path, found: Mapping[str, Header]) -> dict[str, Path] | None:
    """The file of each tensor, as Hugging Face chooses it; None where it cannot be told."""
    whole = directory / "model.safetensors"
    if whole.is_file():
        return dict.fromkeys(found, whole) if weight_files(directory) == [whole] else None
    try:
        table = json.loads((directory / INDEX).read_text(encoding="utf-8"))["weight_map"]
        files = {name: directory / file for name, file in table.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    listed = sorted(set(files.values())) == weight_files(directory)
    return files if listed and files.keys() == found.keys() else None


def read_weights(
    where: Places, config: Config, shape: Shape, *, dtype: torch.dtype, device: str
) -> Weights:
    """The weights of a model, in one precision and on one device.

    Raises:
        UserError: they hold numbers that are not finite.
    """
    state = _state(where, dtype, device)
    names = where.names
    embedding = state[f"{names.embedding}.weight"]
    positions = None if names.positions is None else state[f"{names.positions}.weight"]
    rotary = rotary_of(config, shape) if shape.rotary else None
    if rotary is not None:
        rotary = Rotary(rotary.frequencies.to(device), rotary.scale)
    return Weights(
        embedding=embedding,
        position_embedding=positions,
        blocks=tuple(
            _block(_under(state, f"{names.layer}.{number}."), names, shape, number, rotary)
            for number in range(shape.layers)
        ),
        norm_final=_norm(state, names.final_norm, shape),
        unembedding=Linear(state.get(UNEMBEDDING, embedding).T),
        width=shape.width,
        parallel=shape.parallel,
        causal=shape.causal,
    )


def _state(where: Places, dtype: torch.dtype, device: str) -> dict[str, Tensor]:
    """The tensors by their names without the family's prefix; all of their numbers are finite."""
    from safetensors import safe_open

    state: dict[str, Tensor] = {}
    for path in sorted({path for path, _ in where.files.values()}):
        with safe_open(path, framework="pt") as file:
            for name, (there, called) in where.files.items():
                if there == path:
                    state[name] = file.get_tensor(called).to(dtype).to(device)
    check_finite("The weights", ((where.files[name][1], value) for name, value in state.items()))
    return state


def _under(state: Mapping[str, Tensor], stem: str) -> dict[str, Tensor]:
    return {n.removeprefix(stem): value for n, value in state.items() if n.startswith(stem)}


def _block(
    own: Mapping[str, Tensor], names: Names, shape: Shape, layer: int, rotary: Rotary | None
) -> Block:
    """A layer, of its tensors."""
    query, key, value = _projections(own, names, shape)
    output = _linear(own, names.output, names)
    attention = Attention(
        norm=_norm(own, names.attention_norm, shape),
        query=query,
        key=key,
        value=value,
        output=output.weight.unflatten(0, (shape.heads, shape.d_head)),
        output_bias=output.bias,
        scale=shape.scales[layer],
        window=shape.windows[layer],
        rotary=rotary,
    )
    *inner, last = (_linear(own, name, names) for name in names.mlp)
    mlp = MLP(
        norm=_norm(own, names.mlp_norm, shape),
        pre=inner[0],
        linear=inner[1] if shape.gated else None,
        post=last,
        activation=shape.activation,
    )
    return Block(attention, mlp)


def _linear(own: Mapping[str, Tensor], name: str, names: Names) -> Linear:
    weight = own[f"{name}.weight"]
    return Linear(weight if names.inputs_first else weight.T, own.get(f"{name}.bias"))


def _norm(own: Mapping[str, Tensor], name: str, shape: Shape) -> Norm:
    weight = own[f"{name}.weight"]
    if shape.norm == "RMSNorm":
        return RMSNorm(weight, shape.epsilon)
    return LayerNorm(weight, own[f"{name}.bias"], shape.epsilon)


def _projections(
    own: Mapping[str, Tensor], names: Names, shape: Shape
) -> tuple[Projection, Projection, Projection]:
    """Queries, keys and values."""
    if len(names.qkv) == 1:
        first, second, third = _divided(own, names, shape)
        return first, second, third
    normed = {0: QUERY_NORM, 1: KEY_NORM} if shape.qk_norm else {}

    def projection(number: int, heads: int) -> Projection:
        name, by_head = names.qkv[number], (heads, shape.d_head)
        bias = own.get(f"{name}.bias")
        return Projection(
            own[f"{name}.weight"].unflatten(0, by_head).transpose(1, 2),
            None if bias is None else bias.unflatten(0, by_head),
            _norm(own, normed[number], shape) if number in normed else None,
        )

    return projection(0, shape.heads), projection(1, shape.kv_heads), projection(2, shape.kv_heads)


def _divided(own: Mapping[str, Tensor], names: Names, shape: Shape) -> list[Projection]:
    """Queries, keys and values that lie in one tensor.

    In GPT-2 all heads' queries come first, then all keys; in GPT-NeoX each head's three are one.
    """
    (name,) = names.qkv
    weight, bias = own[f"{name}.weight"], own[f"{name}.bias"]
    if names.inputs_first:
        by_part = (3, shape.heads, shape.d_head)
        weights, biases = weight.unflatten(1, by_part), bias.unflatten(0, by_part)
        return [Projection(weights[:, i].transpose(0, 1), biases[i]) for i in range(3)]
    by_head = (shape.heads, 3, shape.d_head)
    weights, biases = weight.unflatten(0, by_head), bias.unflatten(0, by_head)
    return [
        Projection(weights[:, i].contiguous().transpose(1, 2), biases[:, i].contiguous())
        for i in range(3)
    ]
