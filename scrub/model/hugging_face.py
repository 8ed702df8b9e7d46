"""The families that come with scrub: what their Hugging Face configurations say about a model.

A setting that changes what the model computes is read here, or refused with its name and value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scrub.model.config import Family, Shape, unsupported
from scrub.model.config_values import (
    EPSILON,
    FLAG,
    HEADS,
    LAYERS,
    LENGTH,
    NAMES,
    SIZE,
    TABLE,
    TEXT,
    Config,
    Kind,
    check_divides,
    whole,
)

ROTARY: dict[str, Kind] = {
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "hidden_size": SIZE,
    "intermediate_size": SIZE,
    "vocab_size": LENGTH,
}
"""What a configuration must say, of all families but GPT-2."""
GPT2: dict[str, Kind] = {
    "n_layer": LAYERS,
    "n_head": HEADS,
    "n_embd": SIZE,
    "n_positions": LENGTH,
    "vocab_size": LENGTH,
}
"""The same of GPT-2."""

OPTIONAL: dict[str, Kind] = {
    "activation_function": TEXT,
    "head_dim": SIZE,
    "hidden_act": TEXT,
    "layer_norm_eps": EPSILON,
    "layer_norm_epsilon": EPSILON,
    "layer_types": NAMES,
    "max_position_embeddings": LENGTH,
    "max_window_layers": whole(0, 1_000),
    "n_inner": SIZE,
    "num_key_value_heads": HEADS,
    "reorder_and_upcast_attn": FLAG,
    "rms_norm_eps": EPSILON,
    "rope_parameters": TABLE,
    "rope_scaling": TABLE,
    "scale_attn_by_inverse_layer_idx": FLAG,
    "sliding_window": whole(0, 2**27),
    "use_parallel_residual": FLAG,
    "use_sliding_window": FLAG,
}
"""What it may say besides, in all families."""

NEUTRAL: dict[str, tuple[object, ...]] = {
    "add_cross_attention": (False,),
    "attention_multiplier": (1.0,),
    "attn_logit_softcapping": (0.0,),
    "clip_qkv": (),
    "embedding_multiplier": (1.0,),
    "final_logit_softcapping": (0.0,),
    "is_causal": (True,),
    "logit_scale": (1.0,),
    "logits_scaling": (1.0,),
    "no_rope_layers": (),
    "num_experts": (0,),
    "num_local_experts": (0,),
    "quantization_config": (),
    "query_pre_attn_scalar": (),
    "residual_multiplier": (1.0,),
    "use_bidirectional_attention": (False,),
}
"""Settings that change what a model computes, and the values with which they change nothing."""

ROTATIONS = ("default", "linear", "llama3", "yarn")
"""Kinds of rotary embedding whose frequencies do not depend on the length of the input."""


def _check_rotation(config: Config) -> None:
    for name in ("rope_parameters", "rope_scaling"):
        settings = config.get(name) or {}
        kind = settings.get("rope_type", settings.get("type", "default"))
        if kind not in ROTATIONS or any(isinstance(value, Mapping) for value in settings.values()):
            raise unsupported(name, dict(settings))
        if settings.get("llama_4_scaling_beta") is not None:
            raise unsupported(f"llama_4_scaling_beta of {name}", settings["llama_4_scaling_beta"])


def _gpt2(config: Config) -> Shape:
    layers, heads, d_model = int(config["n_layer"]), int(config["n_head"]), int(config["n_embd"])
    check_divides(config, "n_embd", "n_head")
    d_head = d_model // heads
    by_layer = bool(config.get("scale_attn_by_inverse_layer_idx"))
    return Shape(
        layers=layers,
        heads=heads,
        kv_heads=heads,
        d_model=d_model,
        d_head=d_head,
        d_mlp=int(config.get("n_inner") or 4 * d_model),
        vocabulary=int(config["vocab_size"]),
        outputs=int(config["vocab_size"]),
        width=int(config["n_positions"]),
        activation=config.get("activation_function", "gelu_new"),
        epsilon=float(config.get("layer_norm_epsilon", 1e-5)),
        scales=tuple(d_head**-0.5 / (layer + 1 if by_layer else 1) for layer in range(layers)),
        windows=(None,) * layers,
        upcast=bool(config.get("reorder_and_upcast_attn")),
    )


def _rotary(config: Config, **more: Any) -> Shape:
    """What the families with rotary embeddings have in common."""
    layers, heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
    d_model = int(config["hidden_size"])
    if not (config.get("head_dim") or "d_head" in more):
        check_divides(config, "hidden_size", "num_attention_heads")
    d_head = int(config.get("head_dim") or d_model // heads)
    settings: dict[str, Any] = {
        "kv_heads": heads,
        "d_head": d_head,
        "scales": (d_head**-0.5,) * layers,
        "windows": (None,) * layers,
    }
    return Shape(
        layers=layers,
        heads=heads,
        d_model=d_model,
        d_mlp=int(config["intermediate_size"]),
        vocabulary=int(config["vocab_size"]),
        outputs=int(config["vocab_size"]),
        rotary=True,
        **settings | more,
    )


def _neox(config: Config) -> Shape:
    check_divides(config, "hidden_size", "num_attention_heads")
    return _rotary(
        config,
        d_head=int(config["hidden_size"]) // int(config["num_attention_heads"]),
        width=int(config.get("max_position_embeddings", 2048)),
        activation=config.get("hidden_act", "gelu"),
        epsilon=float(config.get("layer_norm_eps", 1e-5)),
        parallel=bool(config.get("use_parallel_residual", True)),
    )


def _llama_like(config: Config, *, width: int, kv_heads: int | None = None, **more: Any) -> Shape:
    """Llama and families built like it; `width` and `kv_heads` are the family's defaults."""
    heads = int(config["num_attention_heads"])
    return _rotary(
        config,
        kv_heads=int(config.get("num_key_value_heads", kv_heads) or heads),
        width=int(config.get("max_position_embeddings", width)),
        activation=config.get("hidden_act", "silu"),
        epsilon=float(config.get("rms_norm_eps", 1e-6)),
        norm="RMSNorm",
        gated=True,
        upcast=True,
        **more,
    )


def _llama(config: Config) -> Shape:
    return _llama_like(config, width=2048)


def _mistral(config: Config) -> Shape:
    window = config.get("sliding_window", 4096)
    windows = (window,) * int(config["num_hidden_layers"])
    return _llama_like(config, width=131072, kv_heads=8, windows=windows)


def _qwen2(config: Config) -> Shape:
    return _llama_like(config, width=32768, kv_heads=32, windows=_windows(config))


def _qwen3(config: Config) -> Shape:
    d_head = int(config.get("head_dim", 128))
    layers = int(config["num_hidden_layers"])
    return _llama_like(
        config,
        width=32768,
        kv_heads=32,
        windows=_windows(config),
        d_head=d_head,
        scales=(d_head**-0.5,) * layers,
        qk_norm=True,
    )


def _windows(config: Config) -> tuple[int | None, ...]:
    """Qwen's attention windows per layer, if the model uses any."""
    layers = int(config["num_hidden_layers"])
    window = config.get("sliding_window", 4096) if config.get("use_sliding_window") else None
    first = int(config.get("max_window_layers", 28))
    by_depth = [
        "sliding_attention" if window and n >= first else "full_attention" for n in range(layers)
    ]
    types = list(config.get("layer_types") or by_depth)
    known = {"full_attention", "sliding_attention"} if window else {"full_attention"}
    if not known.issuperset(types) or len(types) != layers:
        raise unsupported("layer_types", types)
    return tuple(window if kind == "sliding_attention" else None for kind in types)


def _family(
    shape: Callable[[Config], Shape], required: Mapping[str, Kind] = ROTARY, **neutral: Any
) -> Family:
    """A family with what all have in common; `neutral` are settings besides `NEUTRAL`."""

    def known(config: Config) -> Shape:
        _check_rotation(config)
        return shape(config)

    return Family(known, required=required, optional=OPTIONAL, neutral=NEUTRAL | neutral)


BUILT_IN: dict[str, Family] = {
    "gpt2": _family(_gpt2, GPT2, scale_attn_weights=(True,), sliding_window=()),
    "gpt_neox": _family(_neox, attention_bias=(True,), sliding_window=()),
    "llama": _family(_llama, sliding_window=(), layer_types=(), use_qk_norm=(False,)),
    "mistral": _family(_mistral, layer_types=()),
    "qwen2": _family(_qwen2),
    "qwen3": _family(_qwen3),
}
"""By Hugging Face's `model_type`."""
