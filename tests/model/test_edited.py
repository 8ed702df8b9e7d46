"""Edited models: what each edit does, against the same edit of transformers' weights, and hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import (
    activation,
    edited,
    heads,
    mlp,
    mlp_part,
    neurons,
    position_embedding,
    projection,
    rank_one,
    scale,
    summand,
    swap,
    token_embedding,
    zero,
)
from scrub.data.dataset import Dataset
from scrub.model.edit_reading import change
from scrub.model.edited_model import edited_graph, sha256_of
from scrub.model.edits import Edit
from scrub.model.graph import Graph
from scrub.model.registry import describe, load
from scrub.model.verify import plain_logits, plain_values
from scrub.model.weights import tensors
from support import family_models
from support.family_models import hugging_face_model, limit, off, tokens

D_HEAD = 4
"""Of the tiny GPT-2."""
Change = Callable[[torch.nn.Module], None]


def one_neuron(layer: int, number: int) -> Any:
    return summand(mlp_part("post", layer), neurons(n=[number]), "n")


def after(name: str, *edits: Edit) -> Graph:
    graph, _ = edited_graph(edits, family_models.graph(name), None, None)
    return graph


def logits(name: str, *edits: Edit) -> Tensor:
    return plain_logits(after(name, *edits), tokens())


def of_transformers(name: str, change_it: Change) -> Tensor:
    """Logits of the model of transformers, with its own weights changed in place."""
    model = hugging_face_model(name)
    with torch.no_grad():
        change_it(model)
        return model(tokens()).logits


def _zero_head(model: Any) -> None:
    model.transformer.h[1].attn.c_proj.weight[:D_HEAD] = 0


def _negative_mlp(model: Any) -> None:
    last = model.transformer.h[0].mlp.c_proj
    last.weight *= -1
    last.bias *= -1


def _zero_neuron(model: Any) -> None:
    model.transformer.h[1].mlp.c_proj.weight[5] = 0


def _zero_query(model: Any) -> None:
    joint = model.transformer.h[1].attn.c_attn
    joint.weight[:, :D_HEAD] = 0
    joint.bias[:D_HEAD] = 0


def _no_positions(model: Any) -> None:
    model.transformer.wpe.weight.zero_()


def _no_pre(model: Any) -> None:
    first = model.transformer.h[0].mlp.c_fc
    first.weight.zero_()
    first.bias.zero_()


def _swapped_heads(model: Any) -> None:
    """Head 0.1 and head 1.0."""
    ours, theirs = (model.transformer.h[layer].attn for layer in (0, 1))
    for part in range(3):
        one = slice(8 * part + D_HEAD, 8 * part + 2 * D_HEAD)
        other = slice(8 * part, 8 * part + D_HEAD)
        kept, bias = ours.c_attn.weight[:, one].clone(), ours.c_attn.bias[one].clone()
        ours.c_attn.weight[:, one] = theirs.c_attn.weight[:, other]
        ours.c_attn.bias[one] = theirs.c_attn.bias[other]
        theirs.c_attn.weight[:, other], theirs.c_attn.bias[other] = kept, bias
    kept = ours.c_proj.weight[D_HEAD:].clone()
    ours.c_proj.weight[D_HEAD:] = theirs.c_proj.weight[:D_HEAD]
    theirs.c_proj.weight[:D_HEAD] = kept


def _swapped_mlps(model: Any) -> None:
    first, second = model.transformer.h
    first.mlp, second.mlp = second.mlp, first.mlp
    first.ln_2, second.ln_2 = second.ln_2, first.ln_2


def _swapped_neurons(model: Any) -> None:
    """Neuron 0.3 and neuron 1.7."""
    ours, theirs = (model.transformer.h[layer].mlp for layer in (0, 1))
    for one, i, other, j in (
        (ours.c_fc.weight.T, 3, theirs.c_fc.weight.T, 7),
        (ours.c_fc.bias, 3, theirs.c_fc.bias, 7),
        (ours.c_proj.weight, 3, theirs.c_proj.weight, 7),
    ):
        kept = one[i].clone()
        one[i] = other[j]
        other[j] = kept


DIRECTION = np.arange(1.0, 9.0)


def _without_direction(model: Any) -> None:
    unit = torch.from_numpy(DIRECTION / np.linalg.norm(DIRECTION))
    last = model.transformer.h[1].mlp.c_proj
    for written in (last.weight, last.bias):
        written -= (written @ unit)[..., None] * unit


SAME: dict[str, tuple[Edit, Change]] = {
    "zero head": (zero(heads([(1, 0)])), _zero_head),
    "zero head's result": (zero(heads([(1, 0)], part="result")), _zero_head),
    "scale MLP": (scale(mlp(0), -1), _negative_mlp),
    "zero neuron": (zero(one_neuron(1, 5)), _zero_neuron),
    "zero query": (zero(heads([(1, 0)], part="q")), _zero_query),
    "zero positions": (zero(position_embedding()), _no_positions),
    "zero before activation": (zero(mlp_part("pre", 0)), _no_pre),
    "zero direction": (
        zero(summand(mlp(1), projection(d=DIRECTION), "d")),
        _without_direction,
    ),
    "swap heads": (swap(heads([(0, 1)]), heads([(1, 0)])), _swapped_heads),
    "swap MLPs": (swap(mlp(0), mlp(1)), _swapped_mlps),
    "swap neurons": (swap(one_neuron(0, 3), one_neuron(1, 7)), _swapped_neurons),
}


@pytest.mark.parametrize("name", SAME)
def test_an_edit_does_what_it_does_to_transformers_weights(name: str) -> None:
    edit, change_it = SAME[name]
    expected = of_transformers("gpt2", change_it)
    assert off(logits("gpt2", edit), expected) < limit("gpt2")
    assert off(logits("gpt2"), expected) > 1e-3, "the edit changes something"


def test_a_zeroed_head_is_a_head_whose_result_a_hook_zeroes() -> None:
    model: Any = hugging_face_model("llama")
    width = model.config.hidden_size // 4

    def hook(module: Any, inputs: tuple[Tensor, ...]) -> tuple[Tensor]:
        (z,) = inputs
        z = z.clone()
        z[..., 2 * width : 3 * width] = 0
        return (z,)

    model.model.layers[0].self_attn.o_proj.register_forward_pre_hook(hook)
    with torch.no_grad():
        expected = model(tokens()).logits
    assert off(logits("llama", zero(heads([(0, 2)]))), expected) < limit("llama")


@pytest.mark.parametrize("name", ["gpt2", "neox", "llama", "qwen3"])
def test_a_zeroed_mlp_writes_nothing(name: str) -> None:
    graph = after(name, zero(mlp(1)))
    assert not plain_values(graph, tokens(), None, ["blocks.1.mlp"])["blocks.1.mlp"].any()


def test_shared_keys_are_zeroed_with_all_heads_that_share_them() -> None:
    graph = after("llama", zero(heads([(0, 0), (0, 1)], part="k")))
    k = plain_values(graph, tokens(), None, ["blocks.0.attn.k"])["blocks.0.attn.k"]
    assert not k[:, :, :2].any()
    assert k[:, :, 2:].all()


# Laws


def same_bits(one: Graph, other: Graph) -> bool:
    assert one.weights is not None
    assert other.weights is not None
    pairs = zip(tensors(one.weights), tensors(other.weights), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


HEADS = [(layer, head) for layer in range(2) for head in range(2)]
SWAPS = st.one_of(
    st.permutations(HEADS).map(lambda h: swap(heads(h[:2]), heads(h[2:]))),
    st.permutations(HEADS).map(lambda h: swap(heads(h[:1]), heads(h[1:2]))),
    st.just(swap(mlp(0), mlp(1))),
    st.tuples(st.integers(0, 31), st.integers(0, 31)).map(
        lambda n: swap(one_neuron(0, n[0]), one_neuron(1, n[1]))
    ),
    st.permutations(range(32)).map(lambda n: swap(one_neuron(1, n[0]), one_neuron(1, n[1]))),
)


@given(SWAPS)
@settings(max_examples=40, deadline=None)
def test_swapped_twice_is_the_original(edit: Edit) -> None:
    original = family_models.graph("gpt2")
    assert not same_bits(after("gpt2", edit), original)
    assert same_bits(after("gpt2", edit, edit), original)


@given(SWAPS)
@settings(max_examples=20, deadline=None)
def test_parts_of_one_layer_trade_names_alone(edit: Any) -> None:
    pairs = zip(edit.first, edit.second, strict=True)
    moves = any(one.layer != other.layer for one, other in pairs)
    moved = off(logits("gpt2", edit), logits("gpt2")) > 1e-9
    assert moved == moves


@given(st.lists(st.sampled_from(HEADS), min_size=1, unique=True), st.floats(-2, 2))
@settings(max_examples=20, deadline=None)
def test_a_scaled_head_writes_so_many_times_as_much(chosen: Any, by: float) -> None:
    name = "blocks.0.attn.result"
    before = plain_values(family_models.graph("gpt2"), tokens(), None, [name])[name]
    found = plain_values(after("gpt2", scale(heads(chosen), by)), tokens(), None, [name])[name]
    factor = torch.tensor(
        [by if (0, head) in chosen else 1.0 for head in range(2)], dtype=torch.float64
    )
    assert torch.allclose(found, before * factor[:, None], rtol=1e-9, atol=1e-12)


def test_no_edit_and_a_scale_of_1_give_the_same_bits() -> None:
    original = family_models.graph("gpt2")
    assert same_bits(after("gpt2"), original)
    assert same_bits(after("gpt2", scale(heads(HEADS), 1), scale(mlp(0, 1), 1)), original)
    model = describe("ioi-planted")
    plain = load(model, dtype=torch.float32, device="cpu")
    unedited = load(describe(edited("ioi-planted")), dtype=torch.float32, device="cpu")
    assert same_bits(unedited.graph, plain.graph)
    assert (unedited.sha256, unedited.name) == (plain.sha256, "ioi-planted")


def rows() -> Dataset:
    found = np.random.default_rng(3).integers(0, 11, (40, 8))
    lengths = np.full(40, 8) - np.arange(40) % 3
    return Dataset(
        "rows", inputs={"tokens": found}, lengths=lengths, positions={"end": lengths - 1}
    )


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=15, deadline=None)
def test_rank_one_maps_the_key_and_leaves_orthogonal_keys(seed: int, moment: bool) -> None:
    random = np.random.default_rng(seed)
    key, value, other = random.normal(size=32), random.normal(size=8), random.normal(size=32)
    edit = rank_one(mlp(1), at=key, to=value, over=rows() if moment else None)
    graph, new = family_models.graph("gpt2"), after("gpt2", edit)
    assert graph.weights is not None
    assert new.weights is not None
    old_mlp, new_mlp = graph.weights.blocks[1].mlp, new.weights.blocks[1].mlp
    assert old_mlp is not None
    assert new_mlp is not None
    assert torch.allclose(new_mlp.post(torch.from_numpy(key)), torch.from_numpy(value), atol=1e-6)
    direction = key
    if moment:
        posts = plain_values(graph, *inputs(rows()), ["blocks.1.mlp_post"])["blocks.1.mlp_post"]
        real = np.arange(8) < rows().lengths[:, None]
        keys = posts[:, :, 0][torch.from_numpy(real)].numpy()
        direction = np.linalg.solve(keys.T @ keys / len(keys), key)
    other -= direction * (direction @ other) / (direction @ direction)
    before, now = (m.post(torch.from_numpy(other)) for m in (old_mlp, new_mlp))
    assert torch.allclose(before, now, atol=1e-5)
    assert int(torch.linalg.matrix_rank(new_mlp.post.weight - old_mlp.post.weight)) == 1
    assert torch.equal(new_mlp.pre.weight, old_mlp.pre.weight)


def inputs(data: Dataset) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(data.inputs["tokens"].copy()), torch.from_numpy(data.lengths.copy())


def test_rank_one_writes_at_a_row_what_the_mlp_writes_at_another() -> None:
    data = rows()
    edit = rank_one(
        mlp(0), at=activation(data, rows=1, at="end"), to=activation(data, rows=5, at=2), over=data
    )
    name = "blocks.0.mlp"
    before = plain_values(family_models.graph("gpt2"), *inputs(data), [name])[name]
    found = plain_values(after("gpt2", edit), *inputs(data), [name])[name]
    end = int(data.positions["end"][1])
    assert torch.allclose(found[1, end], before[5, 2], atol=1e-9)
    assert not torch.allclose(found[1, end], before[1, end], atol=1e-3)


def test_rank_one_reads_the_model_as_edits_before_have_left_it() -> None:
    data, graph = rows(), after("gpt2", zero(mlp(0)))
    edit = rank_one(mlp(1), at=activation(data, at="end"), to=np.zeros(8))
    alone = change(edit, family_models.graph("gpt2"), None, None)
    assert not torch.allclose(change(edit, graph, None, None), alone)
    both = after("gpt2", zero(mlp(0)), edit)
    in_turn, _ = edited_graph((edit,), graph, None, None)
    assert same_bits(both, in_turn)


def test_rank_one_at_the_mean_of_rows() -> None:
    data = rows()
    name = "blocks.1.mlp_post"
    posts = plain_values(family_models.graph("gpt2"), *inputs(data), [name])[name][:, :, 0]
    mean = posts[torch.arange(3), torch.from_numpy(data.positions["end"][:3].copy())].mean(0)
    read = rank_one(mlp(1), at=activation(data, rows=(0, 1, 2), at="end"), to=np.ones(8))
    told = rank_one(mlp(1), at=mean, to=np.ones(8))
    graph = family_models.graph("gpt2")
    assert torch.allclose(change(read, graph, None, None), change(told, graph, None, None))


def test_a_tied_unembedding_stays() -> None:
    graph = after("gpt2", zero(token_embedding()))
    assert graph.weights is not None
    assert not graph.weights.embedding.any()
    assert graph.weights.unembedding.weight.any()


def test_edits_of_an_edited_model_are_all_edits_in_turn() -> None:
    first, second = zero(heads([(0, 1)])), swap(mlp(0), mlp(2))
    both = describe(edited(edited("ioi-planted", first), second))
    assert both.name == "ioi-planted, edited: zero head 0.1; swap MLP 0 and MLP 2"
    at_once = describe(edited("ioi-planted", first, second))
    found, expected = (load(m, dtype=torch.float32, device="cpu") for m in (both, at_once))
    assert same_bits(found.graph, expected.graph)
    assert found.sha256 == expected.sha256 == sha256_of(found.graph.weights)  # type: ignore[arg-type]


def test_a_name_of_its_own_and_a_hash_of_its_weights() -> None:
    model = describe(edited("ioi-planted", zero(mlp(1)), name="no MLP 1"))
    assert model.name == "no MLP 1"
    loaded = load(model, dtype=torch.float32, device="cpu")
    other = load(describe(edited("ioi-planted", zero(mlp(2)))), dtype=torch.float32, device="cpu")
    base = load(describe("ioi-planted"), dtype=torch.float32, device="cpu")
    assert len({loaded.sha256, other.sha256, base.sha256}) == 3
    wide = load(model, dtype=torch.float64, device="cpu")
    assert wide.sha256 == loaded.sha256, "whatever the precision"


def test_a_model_in_memory_can_be_edited() -> None:
    model = hugging_face_model("gpt2")
    found = load(describe(edited(model, zero(heads([(1, 0)])))), dtype=torch.float64, device="cpu")
    assert off(plain_logits(found.graph, tokens()), of_transformers("gpt2", _zero_head)) < 1e-9
