"""Tiny random models, each booted once, with weights so large that any error shows.

GPT-2s of several shapes, one model of every family (`family_models`), and some of TransformerLens'
own kind (`native_models`).
"""

from __future__ import annotations

import functools
import os
import tempfile
from typing import Any

import torch
from attrs import evolve, frozen

from support import family_models, native_models

VOCABULARY = 11
WIDTH = 8


@frozen(cache_hash=True)
class Shape:
    """How large a tiny model is, and which sites and edges it has.

    Attributes:
        positions: whether there is a site of learned positions.
        parallel: whether an MLP does not read what the heads of its own layer write.
        gated: whether MLPs are.
        window: how many positions a query sees; None: all up to its own.
        mlps: whether there are any.
        causal: whether a query sees only up to its own position.
        native: whether it is of TransformerLens' own kind, from a directory in its naming.
    """

    layers: int
    heads: int
    d_model: int
    d_head: int
    d_mlp: int
    positions: bool = True
    parallel: bool = False
    gated: bool = False
    window: int | None = None
    mlps: bool = True
    causal: bool = True
    native: bool = False


GPT2S = {
    "1x2": Shape(1, 2, 8, 4, 32),
    "2x1": Shape(2, 1, 8, 8, 32),
    "2x2": Shape(2, 2, 8, 4, 32),
    "2x3": Shape(2, 3, 12, 4, 48),
    "3x1": Shape(3, 1, 8, 8, 32),
    "3x2": Shape(3, 2, 12, 6, 48),
}

LLAMA = Shape(2, 4, 16, 4, 20, positions=False, gated=True)
NEOX = Shape(2, 2, 16, 8, 24, positions=False)

FAMILIES = {
    "gpt2": Shape(2, 2, 8, 4, 32),
    "neox": evolve(NEOX, parallel=True),
    "neox-sequential": NEOX,
    "llama": LLAMA,
    "mistral": evolve(LLAMA, window=family_models.WINDOW),
    "qwen2": LLAMA,
    "qwen3": evolve(LLAMA, d_head=6),
}

NATIVES = {
    name: Shape(
        kind.layers,
        kind.heads,
        native_models.D_MODEL,
        native_models.D_HEAD,
        native_models.D_MLP,
        mlps=not kind.attention_only,
        causal=not kind.bidirectional,
        native=True,
    )
    for name, kind in native_models.KINDS.items()
}

SHAPES = GPT2S | FAMILIES | NATIVES


def hugging_face_model(name: str) -> torch.nn.Module:
    """The model as Hugging Face has it, in float64; the same weights at every call.

    Weights, biases and LayerNorm parameters are all random, so that none can be left out unseen.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    if name in FAMILIES:
        return family_models.hugging_face_model(name)
    shape = SHAPES[name]
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=WIDTH,
        n_embd=shape.d_model,
        n_layer=shape.layers,
        n_head=shape.heads,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPT2LMHeadModel(config).eval()
    generator = torch.Generator().manual_seed(sorted(GPT2S).index(name))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            noise = 0.45 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise + (".ln_" in key and key.endswith("weight")))
    return model.to(torch.float64)


@functools.cache
def bridge(name: str) -> Any:
    """The same model behind a TransformerBridge, in float64."""
    if name in NATIVES:
        return native_models.bridge(name)
    return booted(name, torch.float64)


def booted(name: str, dtype: torch.dtype) -> Any:
    """The model behind a TransformerBridge of its own."""
    if name in FAMILIES:
        return family_models.booted(name, dtype)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformer_lens.model_bridge import TransformerBridge
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        hugging_face_model(name).save_pretrained(directory)
        made = TransformerBridge.boot_transformers(directory, dtype=dtype)
    return made.to(dtype)
