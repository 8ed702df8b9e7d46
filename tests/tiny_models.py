"""Tiny random GPT-2 models, each booted once, with weights so large that any error shows."""

from __future__ import annotations

import functools
import os
import tempfile
from typing import Any

import torch
from attrs import frozen

VOCABULARY = 11
WIDTH = 8


@frozen
class Shape:
    """How large a tiny model is."""

    layers: int
    heads: int
    d_model: int


SHAPES = {
    "1x2": Shape(1, 2, 8),
    "2x1": Shape(2, 1, 8),
    "2x2": Shape(2, 2, 8),
    "2x3": Shape(2, 3, 12),
    "3x1": Shape(3, 1, 8),
    "3x2": Shape(3, 2, 12),
}


def hugging_face_model(name: str) -> torch.nn.Module:
    """The model as Hugging Face has it, in float64; the same weights at every call.

    Weights, biases and LayerNorm parameters are all random, so that none can be left out unseen.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

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
    generator = torch.Generator().manual_seed(sorted(SHAPES).index(name))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            noise = 0.45 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise + (".ln_" in key and key.endswith("weight")))
    return model.to(torch.float64)


@functools.cache
def bridge(name: str) -> Any:
    """The same model behind a TransformerBridge, in float64."""
    return booted(name, torch.float64)


def booted(name: str, dtype: torch.dtype) -> Any:
    """The model behind a TransformerBridge of its own."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformer_lens.model_bridge import TransformerBridge
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        hugging_face_model(name).save_pretrained(directory)
        made = TransformerBridge.boot_transformers(directory, dtype=dtype)
    return made.to(dtype)
