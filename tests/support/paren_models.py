"""Paren balancers: the original one, and small random ones with large weights."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from support.paths import SHARED_MODELS

State = dict[str, np.ndarray]

ORIGINAL = SHARED_MODELS / "parens"
needs_original = pytest.mark.skipif(not ORIGINAL.is_dir(), reason="needs ../shared")

LAYERS, HEADS, D_MODEL, D_HEAD, D_MLP, WIDTH = 3, 2, 12, 6, 10, 42


def random_balancer(
    directory: Path,
    *,
    seed: int = 0,
    strings: list[str] | None = None,
    change: Callable[[State], State] = lambda state: state,
) -> Path:
    """A balancer's directory with random weights, narrower than the original.

    Biases and norms are random too, so that none can be left out unseen.
    """
    random = np.random.default_rng(seed)

    def tensor(*size: int) -> np.ndarray:
        return (0.5 * random.normal(size=size)).astype(np.float32)

    state = {"embed.W_E": tensor(5, D_MODEL), "pos_embed.W_pos": tensor(WIDTH, D_MODEL)}
    for layer in range(LAYERS):
        stem = f"blocks.{layer}"
        for letter in "QKV":
            state[f"{stem}.attn.W_{letter}"] = tensor(HEADS, D_MODEL, D_HEAD)
            state[f"{stem}.attn.b_{letter}"] = tensor(HEADS, D_HEAD)
        state[f"{stem}.attn.W_O"] = tensor(HEADS, D_HEAD, D_MODEL)
        state[f"{stem}.attn.b_O"] = tensor(D_MODEL)
        state[f"{stem}.mlp.W_in"], state[f"{stem}.mlp.b_in"] = tensor(D_MODEL, D_MLP), tensor(D_MLP)
        state[f"{stem}.mlp.W_out"] = tensor(D_MLP, D_MODEL)
        state[f"{stem}.mlp.b_out"] = tensor(D_MODEL)
    norms = [f"blocks.{layer}.{norm}" for layer in range(LAYERS) for norm in ("ln1", "ln2")]
    for norm in (*norms, "ln_final"):
        state[f"{norm}.w"], state[f"{norm}.b"] = 1 + tensor(D_MODEL), tensor(D_MODEL)
    state["unembed.W_U"], state["unembed.b_U"] = tensor(D_MODEL, 2), tensor(2)
    directory.mkdir(parents=True, exist_ok=True)
    save_file(change(state), directory / "model.safetensors")
    config = {
        "format": "transformer_lens_state_dict",
        "n_layers": LAYERS,
        "n_heads": HEADS,
        "d_model": D_MODEL,
        "d_head": D_HEAD,
        "d_mlp": D_MLP,
        "n_ctx": WIDTH,
        "d_vocab": 5,
        "d_vocab_out": 2,
        "act_fn": "relu",
        "normalization_type": "LN",
        "ln_eps": 1e-5,
        "positional_embedding_type": "standard",
        "attention_dir": "bidirectional",
    }
    (directory / "config.json").write_text(json.dumps(config))
    if strings is not None:
        (directory / "strings.txt.gz").write_bytes(gzip.compress("\n".join(strings).encode()))
    return directory


def weights_of(directory: Path) -> State:
    """Its tensors by name, in float64."""
    state = load_file(directory / "model.safetensors")
    return {name: value.astype(np.float64) for name, value in state.items()}


def random_strings(
    n: int, *, seed: int = 0, lengths: tuple[int, ...] = (1, 2, 6, 9, 40)
) -> list[str]:
    """Strings whose lengths come round in turn; about half start with `(`."""
    random = np.random.default_rng(seed)
    return ["".join(random.choice(["(", ")"], size=lengths[i % len(lengths)])) for i in range(n)]
