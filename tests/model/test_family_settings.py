"""Configurations of every family: what is read from them, followed, and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from scrub.errors import UserError
from scrub.model.families import shape_of
from scrub.model.graph import Graph
from scrub.model.registry import describe, load
from scrub.model.verify import plain_logits
from support import family_models
from support.family_models import (
    FAMILIES,
    LLAMA_LIKE,
    WIDTH,
    facts,
    graph,
    hugging_face_model,
    off,
    tokens,
)

# Before the weights are read


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_is_described_as_it_is_loaded(name: str, tmp_path: Path) -> None:
    family_models.save(hugging_face_model(name), tmp_path)
    described = describe(tmp_path)
    loaded = load(described, dtype=torch.float64, device="cpu")
    assert described.layers == 2
    assert described.heads == (4 if name in LLAMA_LIKE else 2)
    assert described.graph.width == loaded.graph.width == WIDTH
    assert facts(described.graph) == facts(loaded.graph)
    assert len(loaded.sha256) == 64


ROTARY_SIZES = {
    "num_hidden_layers": 3,
    "num_attention_heads": 32,
    "hidden_size": 64,
    "intermediate_size": 48,
    "vocab_size": 50,
}
REQUIRED: dict[str, dict[str, int]] = {
    "gpt2": {"n_layer": 3, "n_head": 4, "n_embd": 64, "n_positions": 20, "vocab_size": 50},
    **dict.fromkeys(("gpt_neox", "llama", "mistral", "qwen2", "qwen3"), ROTARY_SIZES),
}
QWEN = [
    {"use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1},
    {
        "use_sliding_window": True,
        "sliding_window": 9,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    },
]
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "gpt2": [
        {"n_inner": 7, "activation_function": "relu"},
        {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True},
    ],
    "gpt_neox": [{"use_parallel_residual": False, "layer_norm_eps": 1e-3}],
    "llama": [{"num_key_value_heads": 8, "head_dim": 6}, {"num_key_value_heads": None}],
    "mistral": [{"sliding_window": None}, {"sliding_window": 5}, {"num_key_value_heads": 2}],
    "qwen2": QWEN,
    "qwen3": [*QWEN, {"head_dim": 8, "num_key_value_heads": 4}],
}


@pytest.mark.parametrize("family", REQUIRED)
def test_what_a_configuration_leaves_out_is_as_in_hugging_face(family: str) -> None:
    from transformers import AutoConfig

    for variant in [{}, *VARIANTS[family]]:
        config = REQUIRED[family] | variant
        theirs = AutoConfig.for_model(family, **config).to_dict()
        assert shape_of({"model_type": family, **config}) == shape_of(theirs)


# Settings of a family


def variant(name: str, tmp_path: Path, **settings: Any) -> tuple[Any, Graph]:
    """A Hugging Face model with other settings, and its graph as loaded from its directory."""
    model = family_models.randomised(family_models.BUILDERS[name](**settings))
    family_models.save(model, tmp_path)
    return model, load(describe(tmp_path), dtype=torch.float64, device="cpu").graph


SETTINGS = {
    "inverse-layer scale": ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
    "upcast attention": ("gpt2", {"reorder_and_upcast_attn": True}),
    "untied": ("gpt2", {"tie_word_embeddings": False}),
    "relu": ("gpt2", {"activation_function": "relu"}),
    "wide MLP": ("gpt2", {"n_inner": 10}),
    "tied": ("llama", {"tie_word_embeddings": True}),
    "tied NeoX": ("neox", {"tie_word_embeddings": True}),
    "no biases": ("llama", {"attention_bias": False, "mlp_bias": False}),
    "one key-value head": ("llama", {"num_key_value_heads": 1}),
    "no grouped queries": ("llama", {"num_key_value_heads": 4}),
    "linear": ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 3.0}}),
    "llama3": (
        "llama",
        {
            "rope_parameters": {
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 6,
            },
        },
    ),
    "yarn": (
        "qwen3",
        {
            "rope_parameters": {
                "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 3,
            },
        },
    ),
    "no window": ("mistral", {"sliding_window": None}),
    "window in one layer": (
        "qwen3",
        {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 1},
    ),
    "window in the other layer": (
        "qwen2",
        {
            "use_sliding_window": True,
            "sliding_window": 5,
            "layer_types": ["sliding_attention", "full_attention"],
        },
    ),
    "whole heads rotate": (
        "neox",
        {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 1.0}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SETTINGS)
def test_a_setting_is_followed(case: str, tmp_path: Path) -> None:
    name, settings = SETTINGS[case]
    if "rope_parameters" in settings:
        rotation = {"rope_theta": 100.0} | settings["rope_parameters"]
        settings = settings | {"rope_parameters": rotation}
    model, made = variant(name, tmp_path, **settings)
    with torch.no_grad():
        expected = model(tokens()).logits
    single = name in LLAMA_LIKE or case == "upcast attention"
    assert off(plain_logits(made, tokens()), expected) < (3e-6 if single else 1e-9)


def refused(tmp_path: Path, family: str, **settings: Any) -> str:
    config = {"model_type": family} | REQUIRED.get(family, {}) | settings
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError) as caught:
        describe(tmp_path)
    return str(caught.value).replace(str(tmp_path), "DIR")


@pytest.mark.parametrize(
    ("family", "name", "value"),
    [
        ("gpt2", "scale_attn_weights", False),
        ("gpt2", "add_cross_attention", True),
        ("gpt2", "sliding_window", 4),
        ("gpt_neox", "attention_bias", False),
        ("llama", "attn_logit_softcapping", 50.0),
        ("llama", "final_logit_softcapping", 30.0),
        ("llama", "residual_multiplier", 0.2),
        ("llama", "embedding_multiplier", 12.0),
        ("llama", "logits_scaling", 8.0),
        ("llama", "attention_multiplier", 0.5),
        ("llama", "quantization_config", {"bits": 4}),
        ("llama", "sliding_window", 4),
        ("llama", "is_causal", False),
        ("mistral", "layer_types", ["full_attention"] * 3),
        ("mistral", "sliding_window", 0),
        ("qwen2", "layer_types", ["chunked_attention"] * 3),
        ("qwen3", "layer_types", ["sliding_attention"] * 3),
        ("qwen3", "num_experts", 8),
        ("llama", "rope_parameters", {"rope_type": "dynamic", "factor": 2.0}),
        ("llama", "rope_scaling", {"type": "longrope"}),
        ("llama", "rope_parameters", {"full_attention": {"rope_type": "default"}}),
    ],
)
def test_a_setting_that_is_not_supported_is_refused(
    family: str, name: str, value: object, tmp_path: Path
) -> None:
    assert refused(tmp_path, family, **{name: value}) == (
        f'Model "DIR" cannot be used. Models with {name} = {value!r} in their config.json are not '
        "supported."
    )


def test_other_refusals_say_what_there_is(tmp_path: Path) -> None:
    assert refused(tmp_path, "gemma2") == (
        'Model "DIR" cannot be used. The architecture "gemma2" is not supported; there are: gpt2, '
        "gpt_neox, llama, mistral, qwen2, qwen3, llava."
    )
    assert refused(tmp_path, "llama", hidden_act="xielu") == (
        'Model "DIR" cannot be used. The activation "xielu" is not supported; there are: gelu_new, '
        "gelu_pytorch_tanh, gelu, relu, silu, swish."
    )
    assert refused(tmp_path, "llama", num_key_value_heads=5) == (
        'Model "DIR" cannot be used. 32 heads cannot share 5 key-value heads evenly.'
    )
    scaling = {"rope_type": "default", "llama_4_scaling_beta": 0.1}
    assert refused(tmp_path, "mistral", rope_parameters=scaling) == (
        'Model "DIR" cannot be used. Models with llama_4_scaling_beta of rope_parameters = 0.1 in '
        "their config.json are not supported."
    )


def test_a_missing_tensor_is_refused(tmp_path: Path) -> None:
    """Hugging Face fills it up with random numbers, and graph and bridge would agree on them."""
    from safetensors.torch import load_file, save_file

    family_models.save(hugging_face_model("llama"), tmp_path)
    weights = tmp_path / "model.safetensors"
    state = load_file(weights)
    del state["lm_head.weight"]
    save_file(state, weights, metadata={"format": "pt"})
    with pytest.raises(UserError) as caught:
        load(describe(tmp_path), dtype=torch.float64, device="cpu")
    assert str(caught.value) == (
        f'The weights of model "{tmp_path}" are incomplete: lm_head.weight is missing. Copy or '
        "download them again."
    )


def test_a_directory_needs_no_tokenizer(tmp_path: Path) -> None:
    model: Any = hugging_face_model("llama")
    model.save_pretrained(tmp_path)
    described = describe(tmp_path)
    assert described.tokenizer is None
    made = load(described, dtype=torch.float32, device="cpu").graph
    assert off(plain_logits(made, tokens()), plain_logits(graph("llama"), tokens())) < 1e-4


def test_short_names_of_transformer_lens_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(name: str, **options: Any) -> str:
        asked.append(name)
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    for name in ("pythia-70m", "gpt2-small", "EleutherAI/pythia-70m", "Qwen/Qwen3-0.6B"):
        with pytest.raises(UserError):
            describe(name)
    assert asked == ["EleutherAI/pythia-70m", "gpt2", "EleutherAI/pythia-70m", "Qwen/Qwen3-0.6B"]
