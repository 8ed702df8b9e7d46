"""Models wired by hand do what their parts say; and the evidence's forward pass is the graph's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from wiring_forward import run
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


def model(looks: tuple, name: str = "tiny", noise: float = 0.005) -> Wired:
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
    layers = [Layer({"mover": (head, 2)}, [all_of([a, b], {LAYOUT["pair"][0]: 1.0})]), Layer()]
    shape = Shape(LAYOUT, 3, 8, 5, LENGTH, IDS, reads=("word", "position"))
    parts = {"embedding": embedding, "positions": positions, "unembedding": unembedding}
    return wired(name, shape, layers, **parts, seed=3, noise=noise)


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
