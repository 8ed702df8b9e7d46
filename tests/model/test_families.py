"""Every family of models: the graph against the bridge and Hugging Face, and site by site."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from scrub.model.graph import Where
from scrub.model.verify import plain_logits, plain_values
from support.family_models import (
    FAMILIES,
    TOLERANCE,
    WIDTH,
    bridge,
    graph,
    hugging_face_model,
    limit,
    off,
    tokens,
)

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
