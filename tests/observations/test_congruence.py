"""Congruence of neurons: its law, by weights, and what it finds where the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from scrub import Session, observe
from scrub.datasets import comparisons
from scrub.errors import UserError
from scrub.model.registry import describe, load
from scrub.observations.congruence import congruence
from scrub.observations.subject import weights_of
from support.command import inside

SESSION = Session()
WIRED = "comparisons-planted"


def of_wired(words: Any, **given: Any) -> Any:
    return observe.congruence(WIRED, words, session=SESSION, **given).frame


def test_one_neuron_says_each_opposite_and_adds_what_it_says_where_that_is_right() -> None:
    behaviour = comparisons.behaviour(60, kind="antonyms", model=WIRED)
    options = {"by": "neurons:1", "direction": "answer", "session": SESSION}
    adds = observe.attribution(behaviour, **options).frame["adds"]  # type: ignore[arg-type]
    for word in (word for scale in comparisons.SCALES for word in scale[:2]):
        frame = of_wired([word], of="neurons:1")
        (best,) = frame.index[frame["congruence"] > 1]
        assert frame["congruence"][best] > 7
        assert frame["says"][best] == word
        assert adds[best] > 0.1


def test_a_difference_is_that_of_two_words() -> None:
    one, other, both = (of_wired(words) for words in (["short"], ["tall"], ["short", "tall"]))
    assert len(both) == 30, "neurons of all layers"
    assert np.allclose(one["congruence"] - other["congruence"], both["congruence"])


def test_a_norm_takes_the_mean_off_and_weighs() -> None:
    """By hand: W_out · (w ∘ (u − mean)), where the mean is that of w ∘ u, for LayerNorm."""
    model = load(describe("ioi-planted"), dtype=torch.float32, device="cpu")
    weights = weights_of(model)
    frame = congruence(model, ["Mary"], of="neurons:2").frame
    assert model.tokenizer is not None
    (token,) = model.tokenizer.encode(" Mary")
    along = weights.norm_final.weight.double() * weights.unembedding.weight[:, token].double()  # type: ignore[union-attr]
    along = along - along.mean()
    mlp = weights.blocks[2].mlp
    assert mlp is not None
    expected = mlp.post.weight.double() @ along
    assert np.allclose(frame["congruence"], expected.numpy(), atol=1e-9)
    assert frame["cosine"].abs().max() < 1
    without_centring = mlp.post.weight.double() @ (along + 1)
    assert not np.allclose(frame["congruence"], without_centring.numpy(), atol=1e-3)


REFUSED = {
    "no layer": (
        {"words": ["tall"], "of": "neurons:7"},
        "of='neurons:7' (--of): congruence is of neurons. The nearest is \"neurons:2\"; there are: "
        "neurons:0, neurons:1, neurons:2.",
    ),
    "three words": (
        {"words": ["tall", "short", "old"]},
        "words=['tall', 'short', 'old'] (--direction): name one word, or two for a difference: "
        '["short", "tall"] (--direction short,tall).',
    ),
    "an unknown word": (
        {"words": ["tall", "huge"]},
        "words (--direction): 'huge': no token of its own in comparisons-planted. Name words that "
        "have one.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(name: str) -> None:
    given, message = REFUSED[name]
    with pytest.raises(UserError) as refused:
        of_wired(**given)  # type: ignore[arg-type]
    assert str(refused.value) == message


def test_from_the_command_line(tmp_path: Any) -> None:
    arguments = ("--what", "congruence", "--of", "neurons:1", "--direction", "short,tall")
    done = inside("look", WIRED, *arguments, "--plot", "seen.svg", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    assert "Congruence of neurons with logit(short) − logit(tall)" in done.out
    assert b"<svg" in (tmp_path / "seen.svg").read_bytes()
