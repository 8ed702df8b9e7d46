"""Directories in TransformerLens naming without MLPs, norms or biases, and with other outputs.

The oracle is TransformerLens' own module of such a model, and a forward that is written out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve

import scrub
from oracle import hooked_native
from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    anything,
    claim,
    heads,
    inconclusive,
    mlp,
    mlps,
    output,
)
from scrub.data.dataset import Dataset
from scrub.errors import UserError
from scrub.hypothesis.sites import Sites, mlp_part
from scrub.metrics import logit_diff
from scrub.model.registry import describe, load
from scrub.model.transformer import transformer
from scrub.model.verify import plain_logits
from scrub.model.weights import LayerNorm, Weights
from support import native_models
from support.family_models import blocks, off
from support.native_models import KINDS, VOCABULARY, WIDTH

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.bfloat16: 1e-1}


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Ragged rows, and which of their positions are real."""
    tokens = torch.randint(VOCABULARY, (4, WIDTH), generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([WIDTH, 3, 5, WIDTH - 1])
    return tokens, torch.arange(WIDTH) < lengths[:, None]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", KINDS)
def test_a_directory_computes_what_transformer_lens_does(name: str, dtype: torch.dtype) -> None:
    tokens, real = batch()
    model = native_models.module(name)
    with torch.no_grad():
        expected = model(tokens, attention_mask=real.long())
        made = plain_logits(native_models.graph(name, dtype), tokens, real.sum(1))
        written_out = hooked_native.forward(model, tokens, real, lambda cell, value: value)
    limit = max(TOLERANCE[dtype], 1e-6 * (KINDS[name].norm == "LNPre"))  # theirs is in float32
    assert off(made, expected) < limit
    assert off(made, written_out) < TOLERANCE[dtype]
    assert made.shape[-1] == (KINDS[name].outputs or VOCABULARY)


# The probe must be able to fail


def positioned(weights: Weights) -> Weights:
    return evolve(weights, position_embedding=0 * weights.embedding[:WIDTH])


MUTANTS: dict[str, tuple[str, Callable[[Weights], Weights]]] = {
    "a norm where there is none": ("bare", lambda w: evolve(w, norm_final=LAYER_NORM)),
    "a norm before heads": (
        "bare both ways", lambda w: blocks(w, lambda a: evolve(a, norm=LAYER_NORM)),
    ),
    "causal": ("bare both ways", lambda w: evolve(w, causal=True)),
    "not causal": ("attention-only", lambda w: evolve(w, causal=False)),
    "no output bias": ("bare", lambda w: blocks(w, lambda a: evolve(a, output_bias=None))),
    "no bias of the logits": (
        "no norms", lambda w: evolve(w, unembedding=evolve(w.unembedding, bias=None)),
    ),
    "MLPs left out": (
        "no norms both ways",
        lambda w: evolve(w, blocks=tuple(evolve(b, mlp=None) for b in w.blocks)),
    ),
    "a layer left out": ("attention-only", lambda w: evolve(w, blocks=w.blocks[:-1])),
    "no positions": ("bare", positioned),
}  # fmt: skip
LAYER_NORM = LayerNorm(
    torch.ones(native_models.D_MODEL, dtype=torch.float64),
    torch.zeros(native_models.D_MODEL, dtype=torch.float64),
    1e-3,
)


@pytest.mark.parametrize("case", MUTANTS)
def test_the_probe_catches_mutants(
    case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, mutate = MUTANTS[case]
    where = native_models.save(
        native_models.module(name), tmp_path, biases=native_models.KINDS[name].biases
    )
    monkeypatch.setattr("scrub.model.tl_directory.transformer", lambda w: transformer(mutate(w)))
    with pytest.raises(UserError, match="The graph disagrees with the model it was made from"):
        load(describe(where), dtype=torch.float64, device="cpu")


PLAIN = native_models.Kind()


@pytest.mark.parametrize(
    ("scale", "settings"),
    [
        (2.0, {"attn_scale": -1.0, "d_vocab_out": -1, "attention_dir": None}),
        (2.0, {"attn_scale": 2.0, "rotary_dim": None, "n_key_value_heads": None}),
        (3.0, {"attn_scale": 3.0, "dtype": "torch.float32", "seed": 0}),
    ],
)
def test_what_transformer_lens_derives_is_derived(
    scale: float, settings: dict[str, Any], tmp_path: Path
) -> None:
    """Configurations as TransformerLens writes them: −1 and null, or what it makes of them."""
    model, (tokens, real) = native_models.native(PLAIN), batch()
    where = native_models.save(model, tmp_path, **settings)
    for block in model.layers:
        block.attn.scale = scale
    with torch.no_grad():
        expected = model(tokens, attention_mask=real.long())
    made = load(describe(where), dtype=torch.float64, device="cpu").graph
    assert off(plain_logits(made, tokens, real.sum(1)), expected) < 1e-9


# Claims about such models


def data(outputs: int = VOCABULARY) -> Dataset:
    random = np.random.default_rng(0)
    tokens = random.integers(0, VOCABULARY, (40, 6))
    return Dataset(
        "rows",
        inputs={"tokens": tokens},
        lengths=np.full(40, 6),
        columns={"first": tokens[:, 0]},
        labels={"right": tokens[:, 5] % outputs, "wrong": (tokens[:, 5] + 1) % outputs},
    )


def tried(model: Path, sites: Sites, outputs: int = VOCABULARY) -> Any:
    """A claim that a node below the logits takes any input with the same first token."""

    @claim(data=data(outputs), metric=logit_diff("right", "wrong"), expect=inconclusive(above=0.5))
    def one(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Exact())
        below = logits.child("below", Agree("first"))
        return Correspondence({logits: output(at=5), below: sites})

    return scrub.run(one, model=model, samples=50)


def bare(tmp_path: Path) -> Path:
    return native_models.save(native_models.module("bare"), tmp_path / "bare")


def test_claims_run_on_a_model_without_mlps_and_norms(tmp_path: Path) -> None:
    direct = tried(bare(tmp_path), heads([(1, 0)], at=5), 3)
    free = tried(bare(tmp_path), heads([(0, 0)], at=5, through=mlps), 3)
    anyway = tried(bare(tmp_path), heads([(0, 0)], at=5), 3)
    assert np.isfinite(direct.recovered.mean)
    # There is nothing to pass, so paths through MLPs are direct paths.
    assert np.array_equal(free.frame["scrubbed"], anyway.frame["scrubbed"])


def test_claims_about_mlps_are_refused_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        tried(bare(tmp_path), mlp(0, 1, at=5) | mlp_part("post", 0, at=5), 3)
    assert [(p.node, p.what) for p in caught.value.problems] == [
        ("below", "There is no MLP 0: the model has no MLPs."),
        ("below", "There is no MLP 1: the model has no MLPs."),
        ("below", "There is no mlp_post of layer 0: the model has no MLPs."),
    ]
    excluded = anything.excluding(mlp(1))
    with pytest.raises(UserError, match="There is no MLP 1: the model has no MLPs"):
        tried(bare(tmp_path), heads([(0, 0)], at=5, through=excluded), 3)


def test_labels_beyond_the_logits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        tried(bare(tmp_path), heads([(1, 0)], at=5))
    wrong, right = data().labels["wrong"], data().labels["right"]
    said = [
        f'Metric "logit(right) − logit(wrong)": label "{name}" is {column[column > 2][0]} in row '
        f"{np.flatnonzero(column > 2)[0]} ({(column > 2).sum()} rows are like it); the model gives "
        "logits 0 to 2."
        for name, column in (("right", right), ("wrong", wrong))
    ]
    assert [problem.what for problem in caught.value.problems] == said


def test_more_logits_than_tokens(tmp_path: Path) -> None:
    where = native_models.save(native_models.module("no norms"), tmp_path)
    assert describe(where).graph.outputs == 17
    assert np.isfinite(tried(where, heads([(1, 0)], at=5), 17).recovered.mean)
