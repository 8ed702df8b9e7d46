"""The reference evaluator on every family of models, against their bridges and ordinary hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from oracle import hooked
from oracle.net import Net, cells
from scrub.data.dataset import Dataset, Rows, pad
from scrub.draw import Draws, NodeDraw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    Route,
    Sites,
    anything,
    heads,
    mlp,
    output,
)
from scrub.names import Cell
from scrub.reference import evaluate
from scrub.samplers import Exact, Uncond
from support.tiny_models import FAMILIES, SHAPES, bridge, hugging_face_model

ROWS = [[1, 2, 3, 4, 5, 6], [7, 8, 9], [10, 3, 0, 2], [4, 4, 1, 5, 9, 8, 2], [6, 1, 7], [5, 0]]
DATA = Dataset(
    "by hand",
    inputs={"tokens": pad(ROWS, 0)},
    lengths=[len(row) for row in ROWS],
    positions={"end": [len(row) - 1 for row in ROWS], "a": [3, 0, 1, 2, 1, 0]},
)
PARENT, DONOR = [0, 3, 2], [3, 0, 1]
TOLERANCE = {"gpt2": 1e-9, "neox": 1e-9, "neox-sequential": 1e-9}
"""Against the bridge as it comes; the others cast to float32 in norms and softmax."""


def rows(index: list[int]) -> Rows:
    return Rows(DATA, np.array(index))


def plain(name: str, index: list[int], sites: Sites) -> Tensor:
    root = InterpNode("root", Exact())
    draws = Draws(rows(index), rows(index), {("root",): NodeDraw(rows(index))})
    return evaluate(Correspondence({root: sites}), draws, bridge(name))


def scrubbed(name: str, root: Sites, child: Sites, grandchild: Sites | None = None) -> Tensor:
    """The root on PARENT with a child on DONOR, or on PARENT with a grandchild on DONOR."""
    above = InterpNode("root", Exact())
    below = above.child("child", Uncond())
    nodes = {above: root, below: child}
    drawn = {("root",): NodeDraw(rows(PARENT), rows(PARENT))}
    drawn["root", "child"] = NodeDraw(rows(DONOR))
    if grandchild is not None:
        nodes[below.child("inner", Uncond())] = grandchild
        drawn["root", "child"] = NodeDraw(rows(DONOR), rows(PARENT))
        drawn["root", "child", "inner"] = NodeDraw(rows(DONOR))
    draws = Draws(rows(PARENT), rows(PARENT), drawn)
    return evaluate(Correspondence(nodes), draws, bridge(name))


def difference(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


# The plain model


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_are_those_of_the_bridge_as_it_comes(name: str) -> None:
    found = plain(name, list(range(len(ROWS))), output())[:, :, 0]
    for row, tokens in zip(found, ROWS, strict=True):
        with torch.no_grad():
            expected = bridge(name)(torch.tensor([tokens]))[0]
        assert difference(row[: len(tokens)], expected) <= TOLERANCE.get(name, 1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_site_is_that_of_the_forward(name: str) -> None:
    width = DATA.width
    run = hooked.Run.of(name, {}, rows([0, 2, 4]), width)
    sites = set(cells(Net(SHAPES[name])))
    assert sites == set(run.plain)
    for cell in sites:
        found = plain(name, [0, 2, 4], Sites((Route((cell,)),)))[:, :, 0]
        assert difference(found.double(), run.plain[cell].double()) <= 1e-9, cell


@pytest.mark.parametrize("name", FAMILIES)
def test_the_twin_is_the_same_model(name: str) -> None:
    tokens = torch.tensor([ROWS[3], ROWS[3][::-1]])
    with torch.no_grad():
        expected = hugging_face_model(name)(tokens).logits
        assert difference(hooked.twin(name)(tokens), expected) <= 1e-6


# Nested, by hooks of the bridge as it comes


Change = Callable[[Tensor], Tensor]
Values = dict[str, Tensor]
NO_CHANGE: dict[str, Change] = {}


def forward(name: str, index: list[int], changes: Mapping[str, Change] = NO_CHANGE) -> Values:
    """All hooks of a forward in which some are changed."""
    seen: dict[str, Tensor] = {}

    def watch(value: Tensor, hook: Any) -> Tensor:
        seen[hook.name] = changes.get(hook.name, lambda value: value)(value)
        return seen[hook.name]

    tokens = torch.tensor(DATA.inputs["tokens"][index])
    real = (torch.arange(DATA.width) < torch.tensor(DATA.lengths[index])[:, None]).long()
    with torch.no_grad():
        bridge(name).run_with_hooks(
            tokens,
            attention_mask=real,
            fwd_hooks=[(lambda site: not site.endswith(("_result", "_input", "_in")), watch)],
        )
    return seen


def put(new: Tensor, column: str, *more: int) -> Change:
    """Puts a value of DONOR at a column, [samples, …], in the place of PARENT's."""

    def change(value: Tensor) -> Tensor:
        value = value.clone()
        value[(*at(column, PARENT), *more)] = new
        return value

    return change


def at(column: str, index: list[int]) -> tuple[Tensor, Tensor]:
    return torch.arange(len(index)), torch.tensor(DATA.positions[column][index])


@pytest.mark.parametrize("name", ["llama", "qwen2", "qwen3"])
def test_a_key_is_rotated_where_it_lands(name: str) -> None:
    """Logits ← both heads that read key-value head 1 of layer 1 ← the key at another position."""
    key = "hook_k_normed" if name == "qwen3" else "k.hook_out"
    site = f"blocks.1.attn.{key}"
    donor, parent = forward(name, DONOR)[site], forward(name, PARENT)
    if name == "qwen3":  # this hook has heads before positions
        donor = donor.transpose(1, 2)
    landing = put(donor[at("a", DONOR)][:, 1], "a", 1)

    def change(k: Tensor) -> Tensor:
        return landing(k.transpose(1, 2)).transpose(1, 2) if name == "qwen3" else landing(k)

    frozen = parent["blocks.1.mlp.hook_out"]
    changes = {site: change, "blocks.1.mlp.hook_out": lambda value: frozen}
    expected = forward(name, PARENT, changes)["unembed.hook_out"]
    readers = [(1, 2), (1, 3)]
    keys = heads(readers, part="k", at="a")
    found = scrubbed(name, output(at="end"), heads(readers, at="end"), keys)
    assert difference(found[:, 0, 0], expected[at("end", PARENT)]) <= 1e-6
    assert difference(found[:, 0, 0], parent["unembed.hook_out"][at("end", PARENT)]) > 1e-3
    assert (DATA.positions["a"][PARENT] != DATA.positions["a"][DONOR]).any()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_key_belongs_to_the_query_head_that_reads_it(name: str) -> None:
    """One query head's key leaves the other that reads the same key-value head as it was."""
    both = heads([(0, 0), (0, 1)], part="scores")
    found = scrubbed(name, both, heads([(0, 0)], part="k"))
    plain_scores = plain(name, PARENT, both)
    assert difference(found[:, :, 1], plain_scores[:, :, 1]) == 0
    assert difference(found[:, :, 0], plain_scores[:, :, 0]) > 1e-3


@pytest.mark.parametrize("name", ["llama", "mistral", "qwen3"])
def test_activation_patching_of_a_gated_mlp(name: str) -> None:
    """Logits ← the linear half of MLP 0 at a column, through anything."""
    hook = "blocks.0.mlp.in.hook_out"
    donor = forward(name, DONOR)[hook][at("a", DONOR)]
    patched = forward(name, PARENT, {hook: put(donor, "a")})
    expected = patched["unembed.hook_out"][at("end", PARENT)]
    linear = Sites((Route((Cell("blocks.0.mlp_pre_linear"),), "a", through=anything),))
    assert difference(scrubbed(name, output(at="end"), linear)[:, 0, 0], expected) <= 1e-6


def test_parallel_blocks_read_the_same_stream() -> None:
    """In a parallel block no path leads from an MLP to the heads of its own layer."""
    child = heads([(0, 0)], at="a", through=anything)
    for name, moves in {"neox": False, "neox-sequential": True}.items():
        found = scrubbed(name, mlp(0, at="a"), child)
        assert (difference(found, plain(name, PARENT, mlp(0, at="a"))) > 1e-3) == moves


@pytest.mark.parametrize("name", FAMILIES)
def test_attention_output_is_the_sum_of_its_heads(name: str) -> None:
    all_heads = [(1, head) for head in range(SHAPES[name].heads)]
    whole = Sites((Route((Cell("blocks.1.attn_out"),)),))
    found = scrubbed(name, whole, heads(all_heads, part="result"))
    assert difference(found, plain(name, DONOR, whole)) <= 1e-12
    results = plain(name, DONOR, heads(all_heads, part="result")).sum(dim=2)
    bias = bridge(name).blocks[1].attn.b_O
    bias = torch.zeros(()) if bias is None else bias.detach()
    assert difference(results + bias, found[:, :, 0]) <= 1e-12
