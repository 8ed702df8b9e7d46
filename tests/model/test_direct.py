"""Weights read by their names are those of the bridge, to the last bit and in the same order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import fields, has
from safetensors.torch import load_file, save_file

from scrub.model.bridge import boot, shape_in_memory, weights_of
from scrub.model.direct import places, read_weights
from scrub.model.directory import read_config
from scrub.model.families import shape_of
from scrub.model.hugging_face import BUILT_IN
from scrub.model.tensor_names import NAMES
from scrub.model.weights import Weights, tensors
from support import family_models
from support.family_models import BUILDERS, FAMILIES, hugging_face_model, randomised
from support.spoilt_models import MISSING, set_in

WEIGHTS = "model.safetensors"
DTYPES = (torch.float64, torch.float32, torch.bfloat16)


def read(directory: Path, dtype: torch.dtype = torch.float32) -> Weights | None:
    """The weights as they are read without a bridge."""
    config = read_config(directory)
    shape = shape_of(config)
    where = places(directory, config, shape)
    return where and read_weights(where, config, shape, dtype=dtype, device="cpu")


def settings(value: Any) -> Iterator[object]:
    """All numbers and names in some weights, that are no tensors."""
    if isinstance(value, tuple):
        for item in value:
            yield from settings(item)
    elif has(type(value)):
        for attribute in fields(type(value)):
            yield from settings(getattr(value, attribute.name))
        yield type(value)
    elif not isinstance(value, torch.Tensor):
        yield value


def assert_as_the_bridge(directory: Path, dtype: torch.dtype = torch.float32) -> Weights:
    bridge = boot(directory, dtype=dtype, device="cpu")
    theirs, ours = weights_of(bridge, shape_in_memory(bridge)), read(directory, dtype)
    assert ours is not None
    assert list(settings(ours)) == list(settings(theirs))
    expected, found = dict(tensors(theirs)), dict(tensors(ours))
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        same = expected[name]
        assert (tensor.dtype, tensor.stride()) == (same.dtype, same.stride()), name
        assert torch.equal(tensor, same), name
    return ours


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_as_the_bridge_has_it(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    family_models.save(hugging_face_model(name), tmp_path)
    assert_as_the_bridge(tmp_path, dtype)


def test_every_family_that_comes_with_scrub_is_read_by_its_names() -> None:
    assert NAMES.keys() == BUILT_IN.keys()


# Settings


def rotation(kind: str, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 100.0, **more}}


LLAMA3 = {
    "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 6,
}  # fmt: skip
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "untied": ("gpt2", {"tie_word_embeddings": False}),
    "wide MLP": ("gpt2", {"n_inner": 10, "layer_norm_epsilon": 1e-3}),
    "inverse-layer scale": ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
    "square": ("gpt2", {"n_inner": 8}),
    "tied NeoX": ("neox", {"tie_word_embeddings": True, "layer_norm_eps": 1e-3}),
    "tied": ("llama", {"tie_word_embeddings": True, "rms_norm_eps": 1e-3}),
    "no biases": ("llama", {"attention_bias": False, "mlp_bias": False}),
    "biases in MLPs": ("llama", {"attention_bias": False}),
    "one key-value head": ("llama", {"num_key_value_heads": 1}),
    "no grouped queries": ("llama", {"num_key_value_heads": 4}),
    "large heads": ("llama", {"head_dim": 6}),
    "biases beside norms": ("qwen3", {"attention_bias": True}),
    "no window": ("mistral", {"sliding_window": None}),
    "linear": ("llama", rotation("linear", factor=3.0)),
    "llama3": ("llama", rotation("llama3", **LLAMA3)),
    "yarn": ("qwen3", rotation("yarn", factor=4.0, original_max_position_embeddings=3)),
    "yarn, no factor": ("llama", rotation("yarn", factor=4.0)),
    "yarn, scaled": ("mistral", rotation("yarn", factor=4.0, mscale=0.7, mscale_all_dim=1.1)),
    "yarn, given": (
        "qwen2", rotation("yarn", factor=2.0, attention_factor=1.5, beta_fast=8, truncate=False),
    ),
    "whole heads rotate": ("neox", rotation("default", partial_rotary_factor=1.0)),
    "yarn in part": (
        "neox",
        rotation("yarn", factor=4.0, partial_rotary_factor=0.5, original_max_position_embeddings=3),
    ),
}  # fmt: skip


def made(directory: Path, name: str, **more: Any) -> Path:
    family_models.save(randomised(BUILDERS[name](**more)), directory)
    return directory


@pytest.mark.parametrize("case", SETTINGS)
def test_settings_as_the_bridge_has_them(case: str, tmp_path: Path) -> None:
    name, more = SETTINGS[case]
    assert_as_the_bridge(made(tmp_path, name, **more), torch.float64)


OLDER: dict[str, tuple[str, dict[str, Any]]] = {
    "rope_theta": ("llama", {"rope_theta": 50.0}),
    "nothing": ("llama", {}),
    "rope_scaling": ("llama", {"rope_theta": 50.0, "rope_scaling": {"type": "linear", "factor": 2}},
    ),
    "llama3": ("llama", {"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", **LLAMA3}}),
    "length beside": (
        "llama",
        {
            "original_max_position_embeddings": 5,
            "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 70},
        },
    ),
    "NeoX": ("neox", {"rotary_emb_base": 500, "rotary_pct": 0.5}),
    "NeoX, nothing": ("neox", {}),
}  # fmt: skip
"""Settings of rotation, as older files have them in place of `rope_parameters`."""


@pytest.mark.parametrize("case", OLDER)
def test_older_spellings_of_rotation(case: str, tmp_path: Path) -> None:
    name, more = OLDER[case]
    set_in(made(tmp_path, name), rope_parameters=MISSING, **more)
    assert_as_the_bridge(tmp_path, torch.float64)


# Files


def test_files_without_the_prefix(tmp_path: Path) -> None:
    """As the first GPT-2 has them, with its masks."""
    path = made(tmp_path, "gpt2") / WEIGHTS
    state = {n.removeprefix("transformer."): value for n, value in load_file(path).items()}
    masks = {"h.0.attn.bias": torch.ones(1, 1, 4, 4), "h.1.attn.masked_bias": torch.tensor(-1e4)}
    save_file(state | masks, path, metadata={"format": "pt"})
    assert_as_the_bridge(tmp_path)


def test_a_newer_name_of_the_unembedding(tmp_path: Path) -> None:
    path = made(tmp_path, "neox") / WEIGHTS
    state = load_file(path)
    state["lm_head.weight"] = state.pop("embed_out.weight")
    save_file(state, path, metadata={"format": "pt"})
    assert_as_the_bridge(tmp_path)


def sharded(directory: Path) -> Path:
    model: Any = randomised(BUILDERS["llama"]())
    model.save_pretrained(directory, max_shard_size="8KB")
    assert len(list(directory.glob("*.safetensors"))) > 2
    return directory


def test_weights_in_several_files(tmp_path: Path) -> None:
    assert_as_the_bridge(sharded(tmp_path))


def without(directory: Path, name: str) -> None:
    path = directory / WEIGHTS
    save_file({n: t for n, t in load_file(path).items() if n != name}, path)


def more(directory: Path, name: str, *size: int) -> None:
    path = directory / WEIGHTS
    save_file(load_file(path) | {name: torch.ones(*size)}, path)


def test_what_is_not_known_is_left_to_the_bridge(tmp_path: Path) -> None:
    def llama(name: str, **settings: Any) -> Path:
        return made(tmp_path / name, "llama", **settings)

    assert read(llama("whole")) is not None
    without(llama("missing"), "model.layers.1.mlp.up_proj.bias")
    without(llama("headless"), "lm_head.weight")
    more(llama("strange"), "model.layers.1.self_attn.q_norm.weight", 4)
    more(llama("other size"), "model.layers.1.mlp.up_proj.bias", 3)
    more(llama("tied twice", tie_word_embeddings=True), "lm_head.weight", 13, 16)
    save_file({"x": torch.ones(1)}, llama("beside") / "other.safetensors")
    set_in(llama("part"), partial_rotary_factor=0.5)
    set_in(llama("part of it"), rope_parameters={"rope_theta": 9.0, "partial_rotary_factor": 0.5})
    set_in(llama("no flag"), mlp_bias="yes")
    for directory in sorted(tmp_path.iterdir()):
        assert (read(directory) is None) == (directory.name != "whole"), directory.name


@pytest.mark.parametrize("index", ["{", "[]", '{"weight_map": []}', '{"weight_map": {"a": 1}}'])
def test_an_index_that_is_none_is_left_to_the_bridge(index: str, tmp_path: Path) -> None:
    (sharded(tmp_path) / "model.safetensors.index.json").write_text(index)
    assert read(tmp_path) is None


def test_a_file_that_the_index_lacks_is_left_to_the_bridge(tmp_path: Path) -> None:
    path = sharded(tmp_path) / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"].popitem()
    path.write_text(json.dumps(index))
    assert read(tmp_path) is None
