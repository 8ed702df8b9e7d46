"""Every family of models: the graph against the bridge, Hugging Face, and what must be refused."""

from __future__ import annotations

import functools
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import evolve
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import family_models
import scrub.model.bridge
from family_models import FAMILIES, VOCABULARY, WIDTH, hugging_face_model
from scrub.errors import UserError
from scrub.model.graph import Graph, Site, Where
from scrub.model.model import describe, load
from scrub.model.probe import plain_logits, plain_values
from scrub.model.shape import shape_of
from scrub.model.transformer import transformer
from scrub.model.weights import LayerNorm, RMSNorm, Rotary, Weights

ROTARY = tuple(name for name in FAMILIES if name != "gpt2")
LLAMA_LIKE = ("llama", "mistral", "qwen2", "qwen3")
EXACT = ("gpt2", "neox", "neox-sequential")
"""Families that compute norms and softmax in the model's dtype."""

TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.bfloat16: 1e-1}


@functools.cache
def graph(name: str, dtype: torch.dtype = torch.float64) -> Graph:
    return scrub.model.bridge.graph_of(bridge(name, dtype))


@functools.cache
def bridge(name: str, dtype: torch.dtype = torch.float64) -> Any:
    return family_models.booted(name, dtype)


def tokens(rows: int = 3, width: int = WIDTH) -> Tensor:
    return torch.randint(VOCABULARY, (rows, width), generator=torch.Generator().manual_seed(1))


def off(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest expected value."""
    assert found.shape == expected.shape
    difference = (found.double() - expected.double()).abs().max() / expected.double().abs().max()
    return float(difference)


def limit(name: str, dtype: torch.dtype = torch.float64) -> float:
    return 1e-9 if dtype == torch.float64 and name in EXACT else TOLERANCE[dtype]


# The whole model


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_logits_equal_the_bridge(name: str, dtype: torch.dtype) -> None:
    with torch.no_grad():
        expected = bridge(name, dtype)(tokens(), return_type="logits")
    found = plain_logits(graph(name, dtype), tokens())
    assert found.dtype == dtype
    assert off(found, expected) < limit(name, dtype)


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_equal_hugging_face(name: str) -> None:
    with torch.no_grad():
        expected = hugging_face_model(name)(tokens()).logits
    assert off(plain_logits(graph(name), tokens()), expected) < limit(name)


@pytest.mark.parametrize("name", FAMILIES)
def test_ragged_rows_equal_unpadded_rows(name: str) -> None:
    lengths = torch.tensor([WIDTH, 9, 5])
    ragged = plain_logits(graph(name), tokens(), lengths)
    for row, length in enumerate(lengths):
        alone = plain_logits(graph(name), tokens()[row : row + 1, :length])
        assert off(ragged[row, :length], alone[0]) < 1e-12


@pytest.mark.parametrize("name", FAMILIES)
def test_a_batch_padded_at_the_left_gives_the_same(name: str) -> None:
    lengths = torch.tensor([WIDTH, 9, 5])
    found = plain_logits(graph(name), tokens(), lengths)
    pads = WIDTH - lengths
    real = torch.arange(WIDTH) >= pads[:, None]
    left = torch.stack([row.roll(int(n)) for row, n in zip(tokens(), pads, strict=True)])
    at = (real.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        model: Any = hugging_face_model(name)
        expected = model(left, attention_mask=real.long(), position_ids=at).logits
    for row, n in enumerate(pads):
        assert off(found[row, : WIDTH - n], expected[row, n:]) < limit(name)


# Its sites


def by_head(value: Tensor, heads: int) -> Tensor:
    """A value per key-value head [rows, positions, heads, …], one entry a query head."""
    return value.repeat_interleave(heads // value.shape[2], dim=2)


@pytest.mark.parametrize("name", FAMILIES)
def test_sites_equal_the_hooks_of_the_bridge(name: str) -> None:
    lens, found = _sites(name)
    heads = found["blocks.0.attn.z"].shape[2]
    expected = {"embed": lens["embed.hook_out"], "logits": lens["unembed.hook_out"]}
    expected |= {"logits_in": lens["ln_final.hook_in"], "logits_normed": lens["ln_final.hook_out"]}
    if "pos_embed" in found:
        expected["pos_embed"] = lens["pos_embed.hook_out"]
    for block in ("blocks.0", "blocks.1"):
        for port in "qkv":
            expected[f"{block}.attn.{port}_in"] = lens[f"{block}.hook_resid_pre"]
            expected[f"{block}.attn.{port}_normed"] = lens[f"{block}.ln1.hook_out"]
            normed = lens.get(f"{block}.attn.hook_{port}_normed")
            value = lens[f"{block}.attn.hook_{port}"] if normed is None else normed.transpose(1, 2)
            expected[f"{block}.attn.{port}"] = by_head(value, heads)
        for part, hook in (("scores", "attn_scores"), ("pattern", "pattern")):
            expected[f"{block}.attn.{part}"] = lens[f"{block}.attn.hook_{hook}"].transpose(1, 2)
        expected[f"{block}.attn.z"] = lens[f"{block}.attn.hook_z"]
        expected[f"{block}.attn.result"] = lens[f"{block}.attn.hook_result"]
        expected[f"{block}.attn_out"] = lens[f"{block}.hook_attn_out"]
        expected[f"{block}.mlp_in"] = lens[f"{block}.ln2.hook_in"]
        expected[f"{block}.mlp_normed"] = lens[f"{block}.ln2.hook_out"]
        expected[f"{block}.mlp_pre"] = lens[f"{block}.mlp.hook_pre"]
        if f"{block}.mlp_pre_linear" in found:
            expected[f"{block}.mlp_pre_linear"] = lens[f"{block}.mlp.hook_pre_linear"]
        expected[f"{block}.mlp_post"] = lens[f"{block}.mlp.hook_post"]
        expected[f"{block}.mlp"] = lens[f"{block}.mlp.hook_out"]
    masks = {f"blocks.{layer}.attn.mask" for layer in (0, 1)}
    assert set(expected) == set(graph(name).sites) - masks
    for site, value in expected.items():
        ours = found[site][:, :, 0] if found[site].shape[2] == 1 else found[site]
        seen = value > -1e30  # the bridge's scores are masked
        assert off(ours[seen], value[seen]) < 10 * limit(name), site


def _sites(name: str) -> tuple[Any, dict[str, Tensor]]:
    lens = bridge(name)
    lens.set_use_attn_result(True)
    with torch.no_grad():
        _, cache = lens.run_with_cache(tokens())
        values = plain_values(graph(name), tokens(), None, graph(name).sites)
    lens.set_use_attn_result(False)
    return dict(cache.items()), values


@pytest.mark.parametrize("name", FAMILIES)
def test_heads_outputs_add_up_to_the_attention_output(name: str) -> None:
    _, found = _sites(name)
    stream = graph(name).streams["attn_out.0"]
    total = found["blocks.0.attn.result"].sum(2)
    if stream.constant is not None:
        total = total + stream.constant
    assert off(found["blocks.0.attn_out"][:, :, 0], total) < 1e-12


@pytest.mark.parametrize("name", FAMILIES)
def test_operations_are_those_that_torch_counts(name: str) -> None:
    model, (rows, width) = graph(name), tokens().shape
    with torch.no_grad():
        values = plain_values(model, tokens(), None, model.values)
    raw = {"tokens": tokens(), "lengths": torch.full((rows,), width)}
    for site in model.sites.values():
        every = torch.arange(site.heads or 0)
        where = Where(every, torch.arange(model.span(site.name, width)).expand(rows, -1))
        places = rows * model.span(site.name, width) * (site.heads or 1)
        counted = FlopCounterMode(display=False)
        with counted, torch.no_grad():
            value = site.apply({p.name: values[p.source] for p in site.ports} or raw, where)
        assert counted.get_total_flops() == places * site.flops(width), site.name
        kept = places // site.heads if site.shared and site.heads else places
        assert value.numel() == kept * site.size(width)
        if site.write is not None:
            counted = FlopCounterMode(display=False)
            with counted, torch.no_grad():
                site.write(value, every)
            assert counted.get_total_flops() == places * site.write_flops, site.name


@pytest.mark.parametrize("name", ["llama", "qwen2"])
def test_some_heads_at_some_positions_are_computed_as_all_are(name: str) -> None:
    model = graph(name)
    values = plain_values(model, tokens(), None, model.values)
    at = torch.tensor([[3, 0], [7, 7], [2, 11]])
    rows, some = torch.arange(3)[:, None], torch.tensor([3, 1])
    for site in model.sites.values():
        if site.heads is None or not site.ports:
            continue
        inputs = {}
        for port in site.ports:
            value = values[port.source]
            value = value[:, :, some] if value.dim() > 3 and value.shape[2] > 1 else value
            inputs[port.name] = value if port.everywhere else value[rows, at]
            if port.source in model.streams:
                inputs[port.name] = values[port.source][rows, at]
        expected = values[site.name][rows, at]
        expected = expected if site.shared else expected[:, :, some]
        assert off(site.apply(inputs, Where(some, at)), expected) < 1e-12, site.name


# Before the weights are read


@pytest.mark.parametrize("name", FAMILIES)
def test_a_model_is_described_as_it_is_loaded(name: str, tmp_path: Path) -> None:
    family_models.save(hugging_face_model(name), tmp_path)
    described = describe(tmp_path)
    loaded = load(described, dtype=torch.float64, device="cpu")
    assert described.layers == 2
    assert described.heads == (4 if name in LLAMA_LIKE else 2)
    assert described.graph.width == loaded.graph.width == WIDTH
    assert _facts(described.graph) == _facts(loaded.graph)
    assert len(loaded.sha256) == 64


def _facts(model: Graph) -> list[object]:
    """All that is known of a graph besides its weights."""
    facts: list[object] = []
    for value in model.values.values():
        if isinstance(value, Site):
            ports = [(p.name, p.source, p.leads, p.everywhere) for p in value.ports]
            axes = (value.heads, value.shared, value.positions, value.stored, value.kind)
            cost = (value.flops(7), value.write_flops, value.size(7))
            facts.append((value.name, value.group, ports, axes, cost))
        else:
            facts.append((value.name, value.writers, value.base, value.size))
    return facts


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
        "gpt_neox, llama, mistral, qwen2, qwen3."
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


# The probe must be able to fail


def blocks(weights: Weights, change: Callable[[Any], Any], *, attention: bool = True) -> Weights:
    """The weights with every attention (or MLP) changed."""
    part = "attention" if attention else "mlp"
    return evolve(
        weights,
        blocks=tuple(evolve(b, **{part: change(getattr(b, part))}) for b in weights.blocks),
    )


def in_turn(weights: Weights) -> Weights:
    """Key-value heads dealt to query heads in turn, and not in groups."""

    def dealt(attention: Any) -> Any:
        heads, few = len(attention.query.weight), len(attention.key.weight)
        which = torch.arange(heads) % few

        def spread(p: Any) -> Any:
            bias = None if p.bias is None else p.bias[which]
            return evolve(p, weight=p.weight[which], bias=bias)

        return evolve(attention, key=spread(attention.key), value=spread(attention.value))

    return blocks(weights, dealt)


def shifted(weights: Weights) -> Weights:
    assert weights.position_embedding is not None
    return evolve(weights, position_embedding=weights.position_embedding.roll(-1, 0))


def unbiased(part: str) -> Callable[[Weights], Weights]:
    return lambda w: blocks(w, lambda a: evolve(a, **{part: evolve(getattr(a, part), bias=None)}))


def norms(weights: Weights, change: Callable[[Any], Any]) -> Weights:
    def part(module: Any) -> Any:
        return evolve(module, norm=change(module.norm))

    changed = blocks(blocks(weights, part), part, attention=False)
    return evolve(changed, norm_final=change(weights.norm_final))


def rotations(weights: Weights, change: Callable[[Rotary], Any]) -> Weights:
    return blocks(weights, lambda a: evolve(a, rotary=change(a.rotary)))


def neighbours(rotary: Rotary) -> Callable[[Tensor, Tensor], Tensor]:
    """Rotation of dimensions 2i and 2i + 1 with each other."""
    size = 2 * len(rotary.frequencies)
    order = torch.cat([torch.arange(0, size, 2), torch.arange(1, size, 2)])
    back = order.argsort()

    def rotate(x: Tensor, at: Tensor) -> Tensor:
        turned, rest = x[..., :size][..., order], x[..., size:]
        return torch.cat([rotary(turned, at)[..., back], rest], dim=-1)

    return rotate


def windows(change: Callable[[int], int | None]) -> Callable[[Weights], Weights]:
    return lambda w: blocks(w, lambda a: evolve(a, window=change(a.window)))


def swapped(mlp: Any) -> Any:
    return evolve(mlp, pre=mlp.linear, linear=mlp.pre)


MUTANTS: dict[str, tuple[tuple[str, ...], Callable[[Weights], Weights]]] = {
    "no rotation": (ROTARY, lambda w: rotations(w, lambda r: None)),
    "neighbours rotate": (ROTARY, lambda w: rotations(w, neighbours)),
    "backwards": (ROTARY, lambda w: rotations(w, lambda r: Rotary(-r.frequencies))),
    "rotated half as fast": (ROTARY, lambda w: rotations(w, lambda r: Rotary(r.frequencies / 2))),
    "positions one too far": (
        ("gpt2",), shifted,
    ),
    "no query norm": (
        ("qwen3",), lambda w: blocks(w, lambda a: evolve(a, query=evolve(a.query, norm=None))),
    ),
    "no key norm": (
        ("qwen3",), lambda w: blocks(w, lambda a: evolve(a, key=evolve(a.key, norm=None))),
    ),
    "key-value heads in turn": (LLAMA_LIKE, in_turn),
    "no window": (("mistral",), windows(lambda n: None)),
    "window one longer": (("mistral",), windows(lambda n: n + 1)),
    "window one shorter": (("mistral",), windows(lambda n: n - 1)),
    "parallel for sequential": (
        tuple(name for name in FAMILIES if name != "neox"), lambda w: evolve(w, parallel=True),
    ),
    "sequential for parallel": (("neox",), lambda w: evolve(w, parallel=False)),
    "gate and linear swapped": (
        LLAMA_LIKE, lambda w: blocks(w, swapped, attention=False),
    ),
    "not gated": (
        LLAMA_LIKE, lambda w: blocks(w, lambda m: evolve(m, linear=None), attention=False),
    ),
    "LayerNorm for RMSNorm": (
        LLAMA_LIKE,
        lambda w: norms(w, lambda n: LayerNorm(n.weight, torch.zeros_like(n.weight), n.epsilon)),
    ),
    "RMSNorm for LayerNorm": (
        EXACT, lambda w: norms(w, lambda n: RMSNorm(n.weight, n.epsilon)),
    ),
    "no query bias": (("gpt2", "neox", "llama", "qwen2"), unbiased("query")),
    "no value bias": (("gpt2", "neox", "llama", "qwen2"), unbiased("value")),
    "no output bias": (
        ("gpt2", "neox", "llama"),
        lambda w: blocks(w, lambda a: evolve(a, output_bias=None)),
    ),
    "not scaled": (FAMILIES, lambda w: blocks(w, lambda a: evolve(a, scale=1.0))),
    "not causal": (FAMILIES, lambda w: evolve(w, causal=False)),
    "last layer dropped": (FAMILIES, lambda w: evolve(w, blocks=w.blocks[:-1])),
    "layers swapped": (FAMILIES, lambda w: evolve(w, blocks=w.blocks[::-1])),
}  # fmt: skip
"""Name → (families that have the feature, the weights as a careless loader might give them)."""

SUBTLE: dict[str, tuple[tuple[str, ...], Callable[[Weights], Weights]]] = {
    "epsilon left out": (FAMILIES, lambda w: norms(w, lambda n: evolve(n, epsilon=0.0))),
    "another activation": (
        FAMILIES, lambda w: blocks(w, lambda m: evolve(m, activation="relu"), attention=False),
    ),
    "exact gelu": (
        ("gpt2",), lambda w: blocks(w, lambda m: evolve(m, activation="gelu"), attention=False),
    ),
}  # fmt: skip
"""Mutants that bfloat16 is too coarse to show."""


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("name", "case"),
    [(name, case) for case, (names, _) in (MUTANTS | SUBTLE).items() for name in names],
)
def test_the_probe_catches_every_mutant(
    name: str, case: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    if case in SUBTLE and dtype == torch.bfloat16:
        return
    _, mutate = (MUTANTS | SUBTLE)[case]
    monkeypatch.setattr(scrub.model.bridge, "transformer", lambda w: transformer(mutate(w)))
    with pytest.raises(UserError, match=r"^The graph disagrees .* by [\d.e+-]+ of the largest"):
        scrub.model.bridge.graph_of(bridge(name, dtype))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_probe_sees_the_mask(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def every(inputs: Any, where: Where) -> Tensor:
        return torch.ones_like(inputs["tokens"], dtype=torch.bool)[:, None, None]

    monkeypatch.setattr("scrub.model.attention.real_tokens", every)
    with pytest.raises(UserError, match="The graph disagrees"):
        scrub.model.bridge.graph_of(bridge(name))


# Weights that nobody here made

SHARED = Path(__file__).parents[2] / "shared" / "models"
STORIES, PARENS = SHARED / "stories260k", SHARED / "parens"


@pytest.mark.skipif(not STORIES.is_dir(), reason="needs ../shared")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_a_real_llama_tells_a_story(dtype: torch.dtype) -> None:
    model = load(describe(STORIES), dtype=dtype, device="cpu")
    assert model.tokenizer is not None
    row = [1, *model.tokenizer.encode("Once upon a time")]
    with torch.no_grad():
        expected = family_models.boot(STORIES, dtype)(torch.tensor([row]), return_type="logits")
        assert off(plain_logits(model.graph, torch.tensor([row])), expected) < TOLERANCE[dtype]
        for _ in range(30):
            row.append(int(plain_logits(model.graph, torch.tensor([row]))[0, -1].argmax()))
    assert "".join(model.tokenizer.decode(row[1:])).startswith(
        " Once upon a time, there was a little girl named Lily. She loved to play outside in"
    )


needs_parens = pytest.mark.skipif(not PARENS.is_dir(), reason="needs ../shared")


def balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += 1 if character == "(" else -1
        if depth < 0:
            return False
    return depth == 0


@needs_parens
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_the_paren_balancer_balances(dtype: torch.dtype) -> None:
    """Directory in TransformerLens naming, bidirectional, ragged rows."""
    described = describe(PARENS)
    assert (described.layers, described.heads, described.tokenizer) == (3, 2, None)
    model = load(described, dtype=dtype, device="cpu")
    assert _facts(model.graph) == _facts(described.graph)
    assert not model.graph.causal
    with gzip.open(PARENS / "strings.txt.gz", "rt") as file:
        strings = [line.strip() for line, _ in zip(file, range(2000), strict=False)]
    table = json.loads((PARENS / "config.json").read_text())["tokens"]
    rows = [[table["start"], *(table[c] for c in text), table["end"]] for text in strings]
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.full((len(rows), int(lengths.max())), table["pad"])
    for row, filled in zip(rows, padded, strict=True):
        filled[: len(row)] = torch.tensor(row)
    found = plain_logits(model.graph, padded, lengths)[:, 0].argmax(-1)
    right = torch.tensor([balanced(text) for text in strings])
    assert (found == right.long()).double().mean() > 0.995
    for row, answer in zip(rows[:50], found, strict=False):
        assert plain_logits(model.graph, torch.tensor([row]))[0, 0].argmax() == answer


def parens(tmp_path: Path, **settings: Any) -> Path:
    """A copy of the paren balancer with other settings."""
    for file in ("config.json", "model.safetensors"):
        shutil.copyfile(PARENS / file, tmp_path / file)
    config = json.loads((tmp_path / "config.json").read_text()) | settings
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


@needs_parens
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "silu"])
@pytest.mark.parametrize("direction", ["causal", "bidirectional"])
def test_directories_in_transformer_lens_naming(
    activation: str, direction: str, tmp_path: Path
) -> None:
    directory = parens(tmp_path, act_fn=activation, attention_dir=direction, eps=1e-3)
    made = load(describe(directory), dtype=torch.float64, device="cpu").graph
    assert made.causal == (direction == "causal")


@needs_parens
@pytest.mark.parametrize(
    "mutate",
    [
        lambda w: evolve(w, causal=True),
        lambda w: evolve(w, parallel=True),
        lambda w: evolve(w, unembedding=evolve(w.unembedding, bias=None)),
        lambda w: blocks(w, lambda m: evolve(m, activation="gelu"), attention=False),
        lambda w: norms(w, lambda n: evolve(n, epsilon=1e-3)),
    ],
)
def test_the_probe_catches_mutants_of_the_paren_balancer(
    mutate: Callable[[Weights], Weights], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scrub.model.lens.transformer", lambda w: transformer(mutate(w)))
    with pytest.raises(UserError, match="The graph disagrees with the model it was made from"):
        load(describe(PARENS), dtype=torch.float64, device="cpu")


@needs_parens
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("act_fn", "solu_ln"),
        ("attention_dir", "sideways"),
        ("attn_only", True),
        ("attn_scores_soft_cap", 50.0),
        ("gated_mlp", True),
        ("n_key_value_heads", 1),
        ("normalization_type", "RMS"),
        ("output_logits_soft_cap", 30.0),
        ("parallel_attn_mlp", True),
        ("positional_embedding_type", "rotary"),
        ("use_attn_scale", False),
        ("use_local_attn", True),
    ],
)
def test_settings_of_transformer_lens_are_refused(name: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        describe(parens(tmp_path, **{name: value}))
    assert str(caught.value) == (
        f'Model "{tmp_path}" cannot be used. Models with {name} = {value!r} in their config.json '
        "are not supported."
    )


@needs_parens
def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    def message(**changes: Tensor | None) -> str:
        state = load_file(PARENS / "model.safetensors")
        for name, value in changes.items():
            state.pop(name, None)
            if value is not None:
                state[name] = value
        save_file(state, parens(tmp_path) / "model.safetensors")
        with pytest.raises(UserError) as caught:
            load(describe(tmp_path), dtype=torch.float64, device="cpu")
        return str(caught.value)

    assert message(**{"unembed.b_U": None}) == f"The weights in {tmp_path} lack unembed.b_U."
    assert message(**{"blocks.0.attn.q_norm.w": torch.ones(28)}) == (
        f"The weights in {tmp_path} hold blocks.0.attn.q_norm.w, which such a model has no place "
        "for."
    )
    assert message(**{"unembed.b_U": torch.zeros(3)}) == (
        f"unembed.b_U in {tmp_path} is [3], where config.json says [2]."
    )
