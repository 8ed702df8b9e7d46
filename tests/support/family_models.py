"""Tiny random models of every supported family, with weights so large that any error shows.

And what the tests of them share: their graphs, their inputs, and how far numbers may be apart.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from attrs import evolve
from torch import Tensor

from scrub.model.bridge import graph_of
from scrub.model.graph import Graph, Site
from scrub.model.weights import Weights

VOCABULARY = 13
WIDTH = 12
WINDOW = 4
"""Mistral's sliding window: smaller than a row."""


def _gpt2(**more: Any) -> torch.nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    settings: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "n_positions": WIDTH,
        "n_embd": 8,
        "n_layer": 2,
        "n_head": 2,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    return GPT2LMHeadModel(GPT2Config(**settings | more))


def _neox(**more: Any) -> torch.nn.Module:
    """Partial rotary: half of each head's 8 dimensions turn."""
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    settings: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "max_position_embeddings": WIDTH,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 100.0,
            "partial_rotary_factor": 0.5,
        },
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    return GPTNeoXForCausalLM(GPTNeoXConfig(**settings | more))


def _llama_like(family: str, **more: Any) -> torch.nn.Module:
    """4 query heads on 2 key-value heads, except where `more` says otherwise."""
    import transformers

    settings: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "max_position_embeddings": WIDTH,
        "hidden_size": 16,
        "intermediate_size": 20,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 100.0},
        "pad_token_id": 0,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    config = getattr(transformers, f"{family}Config")(**settings | more)
    return getattr(transformers, f"{family}ForCausalLM")(config)


BUILDERS: dict[str, Callable[..., torch.nn.Module]] = {
    "gpt2": _gpt2,
    "neox": _neox,
    "neox-sequential": functools.partial(_neox, use_parallel_residual=False),
    "llama": functools.partial(_llama_like, "Llama", attention_bias=True, mlp_bias=True),
    "mistral": functools.partial(_llama_like, "Mistral", sliding_window=WINDOW),
    "qwen2": functools.partial(_llama_like, "Qwen2", tie_word_embeddings=True),
    "qwen3": functools.partial(_llama_like, "Qwen3", head_dim=6),
}

FAMILIES: tuple[str, ...] = tuple(BUILDERS)
LLAMA_LIKE = ("llama", "mistral", "qwen2", "qwen3")
EXACT = ("gpt2", "neox", "neox-sequential")
"""Families that compute norms and softmax in the model's dtype."""

TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.bfloat16: 1e-1}


def hugging_face_model(name: str) -> torch.nn.Module:
    """The model as Hugging Face has it, in float64; the same weights at every call.

    Weights, biases and norms' parameters are all random, so that none can be left out unseen.
    """
    return randomised(BUILDERS[name](), seed=sorted(FAMILIES).index(name))


def randomised(model: torch.nn.Module, *, seed: int = 0) -> torch.nn.Module:
    """The model in float64 with random weights, biases and norms."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            noise = 0.45 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise + (_is_norm(key) and key.endswith("weight")))
    return model.eval().to(torch.float64)


def _is_norm(key: str) -> bool:
    return any(part in key for part in (".ln_", "norm"))


@functools.cache
def bridge(name: str, dtype: torch.dtype = torch.float64) -> Any:
    """The same model behind a TransformerBridge, booted once."""
    return booted(name, dtype)


def booted(name: str, dtype: torch.dtype) -> Any:
    """The model behind a TransformerBridge of its own."""
    with tempfile.TemporaryDirectory() as directory:
        save(hugging_face_model(name), Path(directory))
        return boot(directory, dtype)


def boot(directory: str | Path, dtype: torch.dtype) -> Any:
    """A bridge of the model in a directory."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformer_lens.model_bridge import TransformerBridge

    torch.set_num_threads(1)
    return TransformerBridge.boot_transformers(str(directory), dtype=dtype).eval()


def save(model: Any, directory: Path) -> None:
    """Write a model's directory: config.json, model.safetensors and a tokenizer of its size."""
    from transformers.utils import logging

    from scrub.model.tokenizer import save_word_level

    logging.disable_progress_bar()
    model.save_pretrained(directory)
    words = [f"word{number}" for number in range(VOCABULARY - 2)]
    save_word_level(directory, words, WIDTH)


@functools.cache
def graph(name: str, dtype: torch.dtype = torch.float64) -> Graph:
    return graph_of(bridge(name, dtype))


def tokens(rows: int = 3, width: int = WIDTH) -> Tensor:
    return torch.randint(VOCABULARY, (rows, width), generator=torch.Generator().manual_seed(1))


def off(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest expected value."""
    assert found.shape == expected.shape
    difference = (found.double() - expected.double()).abs().max() / expected.double().abs().max()
    return float(difference)


def limit(name: str, dtype: torch.dtype = torch.float64) -> float:
    return 1e-9 if dtype == torch.float64 and name in EXACT else TOLERANCE[dtype]


def facts(model: Graph) -> list[object]:
    """All that is known of a graph besides its weights."""
    known: list[object] = []
    for value in model.values.values():
        if isinstance(value, Site):
            ports = [(p.name, p.source, p.leads, p.everywhere) for p in value.ports]
            axes = (value.heads, value.shared, value.positions, value.stored, value.kind)
            cost = (value.flops(7), value.write_flops, value.size(7))
            known.append((value.name, value.group, ports, axes, cost))
        else:
            known.append((value.name, value.writers, value.base, value.size))
    return known


def blocks(weights: Weights, change: Callable[[Any], Any], *, attention: bool = True) -> Weights:
    """The weights with every attention (or MLP) changed."""
    part = "attention" if attention else "mlp"
    return evolve(
        weights,
        blocks=tuple(evolve(b, **{part: change(getattr(b, part))}) for b in weights.blocks),
    )


def norms(weights: Weights, change: Callable[[Any], Any]) -> Weights:
    def part(module: Any) -> Any:
        return evolve(module, norm=change(module.norm))

    changed = blocks(blocks(weights, part), part, attention=False)
    return evolve(changed, norm_final=change(weights.norm_final))
