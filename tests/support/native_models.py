"""Tiny random models of TransformerLens' own kind: without MLPs, without norms, both directions.

`native` is TransformerLens' own module of such a model, which the tests trust; `save` writes its
weights as a directory in TransformerLens naming, which is what scrub reads.
"""

from __future__ import annotations

import copy
import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from attrs import evolve, frozen
from safetensors.torch import save_file
from torch import Tensor

VOCABULARY, WIDTH = 11, 8


@frozen
class Kind:
    """What such a model has.

    Attributes:
        outputs: length of its logits; None: of the vocabulary.
        biases: whether linear maps have them; otherwise their tensors are left out of the file.
        norm: as `normalization_type` names it; None: none.
    """

    attention_only: bool = False
    norm: str | None = "LN"
    bidirectional: bool = False
    biases: bool = True
    outputs: int | None = None
    layers: int = 2
    heads: int = 2
    activation: str = "relu"


BARE = Kind(attention_only=True, norm=None)

KINDS = {
    "attention-only": Kind(attention_only=True, layers=3),
    "attention-only both ways": Kind(attention_only=True, bidirectional=True, outputs=2),
    "no norms": Kind(norm=None, outputs=17, activation="gelu"),
    "no norms both ways": Kind(norm=None, bidirectional=True, biases=False),
    "bare": evolve(BARE, outputs=3),
    "bare, no biases": evolve(BARE, biases=False, heads=3),
    "bare both ways": evolve(BARE, bidirectional=True, biases=False, outputs=13),
    "folded": Kind(norm="LNPre", attention_only=True, bidirectional=True),
    "both ways": Kind(bidirectional=True, biases=False, outputs=2, activation="gelu_new"),
}
D_MODEL, D_HEAD, D_MLP = 12, 4, 20


def settings(kind: Kind) -> dict[str, Any]:
    """Its configuration in TransformerLens' names."""
    return {
        "n_layers": kind.layers,
        "n_heads": kind.heads,
        "d_model": D_MODEL,
        "d_head": D_HEAD,
        "d_mlp": None if kind.attention_only else D_MLP,
        "n_ctx": WIDTH,
        "d_vocab": VOCABULARY,
        "d_vocab_out": kind.outputs or -1,
        "act_fn": None if kind.attention_only else kind.activation,
        "eps": 1e-3,
        "attn_only": kind.attention_only,
        "normalization_type": kind.norm,
        "attention_dir": "bidirectional" if kind.bidirectional else "causal",
        "positional_embedding_type": "standard",
    }


def native(kind: Kind, *, seed: int = 0) -> Any:
    """TransformerLens' module in float64, all of it random."""
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge.sources.native import NativeModel

    config = TransformerBridgeConfig(**settings(kind), architecture="TransformerLensNative")
    model = NativeModel(config)
    model.head = torch.nn.Linear(D_MODEL, kind.outputs or VOCABULARY, bias=True)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = name.split(".")[-2].startswith("ln") and name.endswith("weight")
            noise = 0.45 * torch.randn(parameter.shape, generator=generator)
            zero = name.endswith("bias") and not name.split(".")[-2].startswith("ln")
            parameter.copy_(torch.zeros(()) if zero and not kind.biases else noise + scale)
    return model.to(torch.float64).eval().requires_grad_(False)


def bridge_of(model: Any) -> Any:
    """The module behind a TransformerBridge."""
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    return build_bridge_from_module(
        model, architecture="TransformerLensNative", tl_config=model.cfg, dtype=torch.float64
    ).eval()


def state(model: Any) -> dict[str, Tensor]:
    """Its tensors as TransformerLens names them."""
    config = model.cfg

    def by_head(linear: Any) -> Tensor:
        return linear.weight.T.reshape(D_MODEL, config.n_heads, D_HEAD).transpose(0, 1)

    found = {"embed.W_E": model.tok_embed.weight, "pos_embed.W_pos": model.pos.weight}
    for layer, block in enumerate(model.layers):
        stem = f"blocks.{layer}"
        for letter in "qkv":
            linear = getattr(block.attn, letter)
            found[f"{stem}.attn.W_{letter.upper()}"] = by_head(linear)
            found[f"{stem}.attn.b_{letter.upper()}"] = linear.bias.reshape(-1, D_HEAD)
        found[f"{stem}.attn.W_O"] = block.attn.o.weight.T.reshape(-1, D_HEAD, D_MODEL)
        found[f"{stem}.attn.b_O"] = block.attn.o.bias
        found |= affine(f"{stem}.ln1", block.ln1)
        if not config.attn_only:
            for letter in ("in", "out"):
                linear = getattr(block.mlp, f"fc_{letter}")
                found[f"{stem}.mlp.W_{letter}"] = linear.weight.T
                found[f"{stem}.mlp.b_{letter}"] = linear.bias
            found |= affine(f"{stem}.ln2", block.ln2)
    found |= affine("ln_final", model.ln_out)
    found |= {"unembed.W_U": model.head.weight.T, "unembed.b_U": model.head.bias}
    return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}


def affine(name: str, norm: Any) -> dict[str, Tensor]:
    if not isinstance(norm, torch.nn.LayerNorm):
        return {}
    return {f"{name}.w": norm.weight, f"{name}.b": norm.bias}


def save(model: Any, directory: Path, *, biases: bool = True, **changes: Any) -> Path:
    """Write its directory in TransformerLens naming, with these settings changed."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = state(model)
    if not biases:
        tensors = {name: t for name, t in tensors.items() if ".b_" not in name}
    save_file(tensors, directory / "model.safetensors")
    kept = {name: getattr(model.cfg, name) for name in settings(Kind())}
    config = {"format": "transformer_lens_state_dict", **kept, **changes}
    (directory / "config.json").write_text(json.dumps(config))
    return directory


@functools.cache
def module(name: str) -> Any:
    """TransformerLens' module of one of `KINDS`, made once."""
    return native(KINDS[name], seed=sorted(KINDS).index(name))


@functools.cache
def bridge(name: str) -> Any:
    """A bridge of the same model, made once: of a copy, since it replaces a model's modules."""
    return bridge_of(copy.deepcopy(module(name)))


@functools.cache
def graph(name: str, dtype: torch.dtype = torch.float64) -> Any:
    """The graph of one of `KINDS`, loaded from a directory."""
    from scrub.model.registry import describe, load

    with tempfile.TemporaryDirectory() as directory:
        where = save(module(name), Path(directory, name), biases=KINDS[name].biases)
        return load(describe(where), dtype=dtype, device="cpu").graph
