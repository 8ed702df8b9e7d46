"""What the configuration of a directory in TransformerLens naming says about its model."""

from __future__ import annotations

from scrub.model.config import Shape, unsupported
from scrub.model.config_values import (
    EPSILON,
    FLAG,
    HEADS,
    LAYERS,
    LENGTH,
    POSITIVE,
    SIZE,
    TEXT,
    Config,
    Kind,
    check_settings,
)

FORMAT = "transformer_lens_state_dict"
"""What `format` in config.json says of such a directory."""

SUPPORTED: dict[str, tuple[object, ...]] = {
    "act_fn": ("gelu", "gelu_new", "relu", "silu"),
    "attention_dir": ("causal", "bidirectional"),
    "attn_scores_soft_cap": (-1.0,),
    "final_rms": (False,),
    "gated_mlp": (False,),
    "n_key_value_heads": (),
    "normalization_type": ("LN", "LNPre"),
    "num_experts": (),
    "output_logits_soft_cap": (-1.0,),
    "parallel_attn_mlp": (False,),
    "positional_embedding_type": ("standard",),
    "post_embedding_ln": (False,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "use_attn_scale": (True,),
    "use_local_attn": (False,),
    "use_normalization_before_and_after": (False,),
    "use_qk_norm": (False,),
}
"""Settings that change what a model computes, and the values that are supported besides null."""

REQUIRED: dict[str, Kind] = {
    "n_layers": LAYERS,
    "n_heads": HEADS,
    "d_model": SIZE,
    "d_head": SIZE,
    "d_vocab": LENGTH,
    "n_ctx": LENGTH,
}

OPTIONAL: dict[str, Kind] = {
    "act_fn": TEXT,
    "attention_dir": TEXT,
    "attn_only": FLAG,
    "attn_scale": POSITIVE,
    "d_mlp": SIZE,
    "d_vocab_out": LENGTH,
    "eps": EPSILON,
    "ln_eps": EPSILON,
    "normalization_type": TEXT,
    "positional_embedding_type": TEXT,
}

DERIVED = (("attn_scale", -1.0), ("d_vocab_out", -1))
"""Settings with the values by which TransformerLens says: derive it from the others."""


def is_lens(config: Config) -> bool:
    """Whether a config.json is of such a directory: it says so, or has TransformerLens' names."""
    named = "model_type" not in config and config.keys() >= {"n_layers", "d_vocab", "n_ctx"}
    return config.get("format", FORMAT if named else None) == FORMAT


def lens_shape(config: Config) -> Shape:
    """The shape that a configuration (TransformerLens names) describes.

    As in TransformerLens `normalization_type` is "LN" where it is not named, and null says that
    there are no norms; `d_vocab_out` is `d_vocab` where it is not named or −1; and scores are
    divided by `attn_scale`, which is √`d_head` where it is not named or −1.

    Raises:
        UserError: settings are missing, of another kind, or not supported.
    """
    given = {n: value for n, value in config.items() if (n, value) not in DERIVED}
    check_settings(given, required=REQUIRED, optional=OPTIONAL)
    for name, values in SUPPORTED.items():
        value = config.get(name)
        if value is not None and value not in values:
            raise unsupported(name, value)
    if not given.get("attn_only"):
        check_settings(given, required={"act_fn": TEXT}, optional={})
    layers, heads, d_head = given["n_layers"], given["n_heads"], given["d_head"]
    divisor = given.get("attn_scale")
    epsilon = next((given[n] for n in ("ln_eps", "eps") if given.get(n) is not None), 1e-5)
    normed = given.get("normalization_type", "LN") is not None
    return Shape(
        layers=layers,
        heads=heads,
        kv_heads=heads,
        d_model=given["d_model"],
        d_head=d_head,
        d_mlp=given.get("d_mlp") or 4 * given["d_model"],
        vocabulary=given["d_vocab"],
        outputs=given.get("d_vocab_out") or given["d_vocab"],
        width=given["n_ctx"],
        activation=given.get("act_fn") or "relu",
        epsilon=epsilon,
        scales=(d_head**-0.5 if divisor is None else 1 / divisor,) * layers,
        windows=(None,) * layers,
        norm="LayerNorm" if normed else "none",
        mlps=not given.get("attn_only"),
        causal=given.get("attention_dir") != "bidirectional",
    )
