"""The tensors of the families that come with scrub, by their names in Hugging Face's files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from scrub.model.config import Shape
from scrub.model.config_values import Config

Size = tuple[int, ...]


@frozen
class Names:
    """What a family calls its tensors, without `.weight` and `.bias`.

    Attributes:
        prefix: of all but the unembedding; files may leave it out.
        layer: of a layer's tensors, before its number.
        qkv: query, key and value; or one name for all three in one tensor.
        mlp: what the activation function is applied to, what it is multiplied with in a gated MLP,
            and the output, in this order.
        unembedding: its names in files of different age.
        biased: configuration → which of "qkv", "output" and "mlp" have biases.
        tied: whether the unembedding is the embedding where the configuration does not say.
        inputs_first: whether linear maps are [inputs, outputs], and not the reverse.
    """

    prefix: str
    embedding: str
    layer: str
    attention_norm: str
    qkv: tuple[str, ...]
    output: str
    mlp_norm: str
    mlp: tuple[str, ...]
    final_norm: str
    biased: Callable[[Config], frozenset[str]]
    positions: str | None = None
    unembedding: tuple[str, ...] = ("lm_head",)
    tied: bool = False
    inputs_first: bool = False


def _all(config: Config) -> frozenset[str]:
    return frozenset({"qkv", "output", "mlp"})


def _llama(config: Config) -> frozenset[str]:
    attention = {"qkv", "output"} if config.get("attention_bias") else set[str]()
    return frozenset(attention | ({"mlp"} if config.get("mlp_bias") else set()))


def _qwen3(config: Config) -> frozenset[str]:
    return frozenset({"qkv", "output"} if config.get("attention_bias") else ())


def _llama_like(biased: Callable[[Config], frozenset[str]]) -> Names:
    return Names(
        prefix="model.",
        embedding="embed_tokens",
        layer="layers",
        attention_norm="input_layernorm",
        qkv=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        output="self_attn.o_proj",
        mlp_norm="post_attention_layernorm",
        mlp=("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
        final_norm="norm",
        biased=biased,
    )


NAMES: Mapping[str, Names] = {
    "gpt2": Names(
        prefix="transformer.",
        embedding="wte",
        positions="wpe",
        layer="h",
        attention_norm="ln_1",
        qkv=("attn.c_attn",),
        output="attn.c_proj",
        mlp_norm="ln_2",
        mlp=("mlp.c_fc", "mlp.c_proj"),
        final_norm="ln_f",
        biased=_all,
        tied=True,
        inputs_first=True,
    ),
    "gpt_neox": Names(
        prefix="gpt_neox.",
        embedding="embed_in",
        layer="layers",
        attention_norm="input_layernorm",
        qkv=("attention.query_key_value",),
        output="attention.dense",
        mlp_norm="post_attention_layernorm",
        mlp=("mlp.dense_h_to_4h", "mlp.dense_4h_to_h"),
        final_norm="final_layer_norm",
        biased=_all,
        unembedding=("embed_out", "lm_head"),
    ),
    "llama": _llama_like(_llama),
    "mistral": _llama_like(lambda config: frozenset()),
    "qwen2": _llama_like(lambda config: frozenset({"qkv"})),
    "qwen3": _llama_like(_qwen3),
}
"""By Hugging Face's `model_type`."""

QUERY_NORM, KEY_NORM = "self_attn.q_norm", "self_attn.k_norm"
"""Of models whose queries and keys are normalised."""


def is_tied(names: Names, config: Config) -> bool:
    """Whether the unembedding is the embedding."""
    return bool(config.get("tie_word_embeddings", names.tied))


def sizes(names: Names, config: Config, shape: Shape) -> dict[str, Size]:
    """The tensors of such a model, without the family's prefix, and the unembedding left out."""
    norm = {"weight": (shape.d_model,)}
    if shape.norm == "LayerNorm":
        norm["bias"] = (shape.d_model,)
    parts = {f"{names.attention_norm}.{part}": size for part, size in norm.items()}
    parts |= _attention_sizes(names, names.biased(config), shape)
    parts |= {f"{names.mlp_norm}.{part}": size for part, size in norm.items()}
    *inner, last = names.mlp
    biased = "mlp" in names.biased(config)
    for name in inner:
        parts |= _linear(names, name, shape.d_model, shape.d_mlp, biased)
    parts |= _linear(names, last, shape.d_mlp, shape.d_model, biased)
    found: dict[str, Size] = {f"{names.embedding}.weight": (shape.vocabulary, shape.d_model)}
    if names.positions is not None:
        found[f"{names.positions}.weight"] = (shape.width, shape.d_model)
    for number in range(shape.layers):
        found |= {f"{names.layer}.{number}.{name}": size for name, size in parts.items()}
    return found | {f"{names.final_norm}.{part}": size for part, size in norm.items()}


def _attention_sizes(names: Names, biased: frozenset[str], shape: Shape) -> dict[str, Size]:
    queries, keys = shape.heads * shape.d_head, shape.kv_heads * shape.d_head
    outputs = (queries + 2 * keys,) if len(names.qkv) == 1 else (queries, keys, keys)
    found: dict[str, Size] = {}
    for name, size in zip(names.qkv, outputs, strict=True):
        found |= _linear(names, name, shape.d_model, size, "qkv" in biased)
    found |= _linear(names, names.output, queries, shape.d_model, "output" in biased)
    if shape.qk_norm:
        found |= {f"{norm}.weight": (shape.d_head,) for norm in (QUERY_NORM, KEY_NORM)}
    return found


def _linear(names: Names, name: str, inputs: int, outputs: int, biased: bool) -> dict[str, Size]:
    size = (inputs, outputs) if names.inputs_first else (outputs, inputs)
    return {f"{name}.weight": size} | ({f"{name}.bias": (outputs,)} if biased else {})
