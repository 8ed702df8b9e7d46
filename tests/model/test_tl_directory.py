"""Weights that nobody here made: a real Llama, and directories in TransformerLens naming."""

from __future__ import annotations

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

from scrub.errors import UserError
from scrub.model.registry import describe, load
from scrub.model.transformer import transformer
from scrub.model.verify import plain_logits
from scrub.model.weights import Weights
from support import family_models
from support.family_models import TOLERANCE, blocks, facts, norms, off
from support.paths import SHARED_MODELS

STORIES, PARENS = SHARED_MODELS / "stories260k", SHARED_MODELS / "parens"


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
    assert facts(model.graph) == facts(described.graph)
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
    monkeypatch.setattr("scrub.model.tl_directory.transformer", lambda w: transformer(mutate(w)))
    with pytest.raises(UserError, match="The graph disagrees with the model it was made from"):
        load(describe(PARENS), dtype=torch.float64, device="cpu")


@needs_parens
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("act_fn", "solu_ln"),
        ("attention_dir", "sideways"),
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

    assert message(**{"unembed.b_U": None}) == (
        f"The weights in {tmp_path} lack unembed.b_U. (Biases are left out all or none.)"
    )
    assert message(**{"blocks.1.mlp.W_in": None, "unembed.b_U": None}) == (
        f"The weights in {tmp_path} lack blocks.1.mlp.W_in, unembed.b_U."
    )
    assert message(**{"blocks.0.attn.q_norm.w": torch.ones(28)}) == (
        f"The weights in {tmp_path} hold blocks.0.attn.q_norm.w, which such a model has no place "
        "for."
    )
    assert message(**{"unembed.b_U": torch.zeros(3)}) == (
        f"In {tmp_path} unembed.b_U is [3], where config.json says [2]."
    )
