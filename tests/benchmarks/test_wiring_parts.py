"""Models wired by hand do what their parts say; and the evidence's forward pass is the graph's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from wiring_forward import run
from wiring_idle import MIXING, Idle, at_once, copying
from wiring_parts import (
    Head,
    Layer,
    Layout,
    Shape,
    Wired,
    all_of,
    at_distance,
    copies,
    flagged,
    match,
    rest,
    save,
    waves,
    wired,
    without_role,
)

from scrub.model.registry import describe, load
from scrub.model.tokenizer import save_word_level
from scrub.model.verify import plain_logits

WORDS = ("a", "b", "c", "d")
PERIODS = (16.0, 5.0, 2.0)
LENGTH = 8
LAYOUT = Layout({"word": 4, "first": 1, "position": 6, "before": 4, "pair": 1, "spare": 3})
FIRST = LAYOUT["first"][0]
IDS = 2 + len(WORDS)


def model(
    looks: tuple, name: str = "tiny", noise: float = 0.005, idle: Idle = MIXING, **said: Any
) -> Wired:
    """Writes to `before` what stands where it looks, and to `pair` whether that is a, before b."""
    embedding = np.zeros((IDS, LAYOUT.size))
    embedding[2:, list(LAYOUT["word"])] = np.eye(4)
    positions = np.zeros((LENGTH, LAYOUT.size))
    positions[:, list(LAYOUT["position"])] = waves(LENGTH, PERIODS)
    positions[0, FIRST] = 1
    unembedding = np.zeros((LAYOUT.size, IDS))
    unembedding[list(LAYOUT["before"]), 2:] = 8 * np.eye(4)
    unembedding[LAYOUT["pair"][0], 0] = 20
    head = Head(looks, copies(LAYOUT["word"], LAYOUT["before"]))
    a, b = LAYOUT["before"][0], LAYOUT["word"][1]
    table = [all_of([a, b], {LAYOUT["pair"][0]: 1.0})]
    orders = {name: said.pop(name) for name in ("head_order", "neuron_order") if name in said}
    layers = [Layer({"mover": (head, 2)}, table, **orders), Layer()]
    shape = Shape(LAYOUT, 3, 8, 5, LENGTH, IDS, reads=("word", "position"), idle=idle)
    parts = {"embedding": embedding, "positions": positions, "unembedding": unembedding}
    return wired(name, shape, layers, **parts, noise=noise, **({"seed": 3} | said))


def rows(count: int = 20) -> torch.Tensor:
    return torch.randint(2, IDS, (count, LENGTH), generator=torch.Generator().manual_seed(0))


def test_exactly_so_many_back() -> None:
    made = model(at_distance(LAYOUT["position"], PERIODS, 2, 15.0))
    record = run(made.state, rows())
    for layer, head in made.roles["mover"]:
        looked = record.attention[:, layer, head, 2:]
        assert looked.diagonal(dim1=1, dim2=2).min() > 0.99
    said = record.logits[:, 2:, 2:].argmax(-1)
    assert torch.equal(said, rows()[:, :-2] - 2)


def test_a_line_of_a_table() -> None:
    made = model(at_distance(LAYOUT["position"], PERIODS, 2, 15.0))
    tokens = rows(200)
    pair = (tokens[:, :-2] == 2) & (tokens[:, 2:] == 3)
    assert pair.any()
    assert torch.equal(run(made.state, tokens).logits[:, 2:].argmax(-1) == 0, pair)


def test_matched_and_flagged_and_resting() -> None:
    word = LAYOUT["word"]
    asks = dict.fromkeys(word[1:], 1.0)
    looks = (*match(word, word, 10.0), flagged({word[3]: 1.0}, 30.0), rest(asks, FIRST, 60.0))
    made = model(looks)
    tokens = torch.tensor([[4, 2, 3, 4, 2, 4, 5, 3]])
    layer, head = made.roles["mover"][0]
    looked = run(made.state, tokens).attention[0, layer, head]
    assert looked[[1, 4], 0].min() > 0.99  # a asks for nothing
    assert looked[3, [0, 3]].sum() > 0.99  # c matches c, before there is a d
    assert looked[7, 6] > 0.99  # d is flagged, whoever asks


def test_the_forward_pass_is_that_of_the_graph(tmp_path: Path) -> None:
    made = model(at_distance(LAYOUT["position"], PERIODS, 1, 15.0))
    directory = tmp_path / "tiny"
    save_word_level(directory, WORDS, LENGTH)
    save(made, directory, "# tiny\n")
    described = describe(str(directory))
    assert described.roles.keys() == {"mover"}
    graph = load(described, dtype=torch.float32, device="cpu").graph
    record = run(made.state, rows())
    assert (plain_logits(graph, rows()) - record.logits).abs().max() < 1e-4


def test_what_is_given_is_read() -> None:
    made = model(at_distance(LAYOUT["position"], PERIODS, 2, 15.0))
    tokens = rows()
    other = run(made.state, tokens.flip(0))
    mover = made.roles["mover"]
    told = other.logits[:, 2:, 2:].argmax(-1)
    z = {(layer, head): other.z[:, layer, head] for layer, head in mover}
    assert torch.equal(run(made.state, tokens, z).logits[:, 2:, 2:].argmax(-1), told)
    nowhere = torch.zeros(len(tokens), LENGTH, 5)
    assert not (run(made.state, tokens, neurons={0: nowhere}).logits.argmax(-1) == 0).any()
    self_alone = torch.eye(LENGTH).expand(len(tokens), -1, -1)
    kept = run(made.state, tokens, attention=dict.fromkeys(mover, self_alone))
    assert torch.equal(kept.logits[..., 2:].argmax(-1), tokens - 2)


def test_too_many_copies_are_refused() -> None:
    with pytest.raises(AssertionError, match="d_head"):
        model(tuple(match(range(9), range(9), 1.0)))


def test_parts_take_the_places_that_are_told() -> None:
    looks = at_distance(LAYOUT["position"], PERIODS, 2, 15.0)
    made = model(looks, noise=0, head_order=(2, 0, 1), neuron_order=(4, 3, 2, 1, 0))
    assert made.roles == {"mover": ((0, 0), (0, 2))}
    assert without_role(made) == [(0, 1), (1, 0), (1, 1), (1, 2)]
    written = made.state["blocks.0.mlp.W_out"][:, LAYOUT["pair"][0]]
    assert written.tolist() == [0, 0, 0, 0, 1]


def test_a_generator_goes_on_from_where_it_is() -> None:
    looks = at_distance(LAYOUT["position"], PERIODS, 2, 15.0)
    first, again = (model(looks, seed=seed) for seed in (3, np.random.default_rng(3)))
    assert all(torch.equal(first.state[part], again.state[part]) for part in first.state)
    drawn = np.random.default_rng(3)
    drawn.normal()
    other = model(looks, seed=drawn)
    assert not torch.equal(first.state["embed.W_E"], other.state["embed.W_E"])


def test_noise_is_drawn_in_the_order_that_is_told() -> None:
    """What comes first has the first draws after those of the weights, whatever it is."""
    looks = at_distance(LAYOUT["position"], PERIODS, 2, 15.0)
    bias = np.arange(IDS) / 2
    usual, first = (
        model(looks, noise=1, bias=bias, **order)
        for order in ({}, {"noisy_first": ("unembed.b_U", "embed.W_E")})
    )
    plain = model(looks, noise=0, bias=bias).state
    assert torch.equal(plain["unembed.b_U"], torch.tensor(bias).float())
    embeds = (usual.state["embed.W_E"] - plain["embed.W_E"]).flatten()
    biases = first.state["unembed.b_U"] - plain["unembed.b_U"]
    assert torch.allclose(embeds[:IDS], biases, atol=1e-5)
    assert usual.state.keys() == first.state.keys()


def test_idle_heads_move_what_they_are_told_and_write_where_nobody_reads() -> None:
    moved = np.eye(4, 8)
    looks = at_distance(LAYOUT["position"], PERIODS, 2, 15.0)
    made = model(looks, noise=0, idle=Idle(copying(moved), at_once))
    for layer, head in without_role(made):
        value = made.state[f"blocks.{layer}.attn.W_V"][head]
        assert torch.equal(value[list(LAYOUT["word"])], torch.tensor(moved).float())
        assert value.abs().sum() == 4
        output = made.state[f"blocks.{layer}.attn.W_O"][head]
        assert not output[:, : LAYOUT["spare"][0]].any()
        assert output[:, list(LAYOUT["spare"])].all()
