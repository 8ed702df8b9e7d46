"""Next scores, computed straight from the weights of a model without norms; and what is refused."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from scrub import observe
from scrub.datasets import sequences
from scrub.errors import UserError
from scrub.model.registry import EMBEDDED, describe
from support.command import inside

PLANTED = "sequences-planted"
HEADS = [(layer, head) for layer in range(3) for head in range(4)]


def by_hand(words: list[str], shift: int, within: int) -> dict[str, float]:
    """Shares of words whose word `shift` further on is among the largest logits of OV, by head."""
    state = load_file(EMBEDDED / PLANTED / "model.safetensors")
    tokenizer = describe(PLANTED).tokenizer
    ids = [tokenizer.encode(word)[0] for word in words]
    embedded = state["embed.W_E"][ids[:-1]]
    pre = (embedded @ state["blocks.0.mlp.W_in"] + state["blocks.0.mlp.b_in"]).relu()
    later = embedded + pre @ state["blocks.0.mlp.W_out"] + state["blocks.0.mlp.b_out"]
    wanted = torch.tensor(ids[shift : len(ids) - 1 + shift])
    found = {}
    for layer, head in HEADS:
        value, bias, output = (state[f"blocks.{layer}.attn.{p}"] for p in ("W_V", "b_V", "W_O"))
        z = (later if layer else embedded) @ value[head] + bias[head]
        logits = z @ output[head] @ state["unembed.W_U"] + state["unembed.b_U"]
        among = (logits.topk(within, dim=1).indices == wanted[:, None]).any(1)
        found[f"head {layer}.{head}"] = among.double().mean().item()
    return found


@pytest.mark.parametrize("within", [1, 5])
def test_shares_are_those_of_the_weights(within: int) -> None:
    kinds = {"months": [*sequences.KINDS["months"]], "words": [*sequences.KINDS["words"][4:]]}
    frame = observe.next_scores(PLANTED, kinds, within=within).frame.set_index("component")
    for kind, words in kinds.items():
        for score, shift in (("next", 1), ("copying", 0)):
            expected = by_hand(words, shift, within)
            assert dict(frame[f"{score} {kind}"]) == pytest.approx(expected), (kind, score)


def test_next_heads_are_those_that_are_planted() -> None:
    frame = observe.next_scores(PLANTED, sequences.KINDS).frame
    for kind in sequences.KINDS:
        assert set(frame.role[frame[f"next {kind}"] > 0.6]) == {"next"}


def test_a_word_that_follows_itself_is_copied() -> None:
    frame = observe.next_scores("ioi-planted", {"names": ["Mary", "Mary"]}).frame
    assert (frame["next names"] == frame["copying names"]).all()
    assert 0 < frame["next names"].mean() < 1


def test_what_is_not_one_token_is_left_out() -> None:
    words = ["3", "4", "fourteen", "5", "6"]
    shown = observe.next_scores(PLANTED, {"digits": words})
    assert shown.title.startswith("OV circuits on 2 digits")


def test_what_is_refused() -> None:
    with pytest.raises(UserError) as error:
        observe.next_scores(PLANTED, {"a": ["x", "y"], "b": "12", "c": ["1", "?"]})
    assert len(error.value.problems) == 3
    with pytest.raises(UserError, match="kinds is empty"):
        observe.next_scores(PLANTED, {})
    with pytest.raises(UserError, match="no head 7"):
        observe.next_scores(PLANTED, sequences.KINDS, of="7.1")
    with pytest.raises(UserError, match="within"):
        observe.next_scores(PLANTED, sequences.KINDS, within=0)


def test_the_command_looks_at_digits_words_and_months() -> None:
    done = inside("look", PLANTED, "--what", "next", "--of", "next")
    assert done.code == 0
    assert "next digits 100.0%, next words 100.0%, next months 100.0%" in " ".join(done.out.split())
