"""`scrub.run(claim, model=…)` on a TransformerBridge or a Hugging Face model in memory."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scrub
from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    claim,
    from_frame,
    heads,
    inconclusive,
    output,
)
from scrub.data.dataset import Dataset
from scrub.errors import UserError
from scrub.metrics import logit_diff
from scrub.model.registry import describe, load
from scrub.model.verify import plain_logits
from scrub.results.result import Result
from support import family_models, native_models
from support.family_models import FAMILIES, off


def data() -> Dataset:
    tokens = np.random.default_rng(0).integers(0, 11, (40, 6))
    return Dataset(
        "rows",
        inputs={"tokens": tokens},
        lengths=np.full(40, 6),
        columns={"first": tokens[:, 0]},
        labels={"right": tokens[:, 5], "wrong": tokens[:, 4]},
    )


@claim(data=data(), metric=logit_diff("right", "wrong"), expect=inconclusive(above=0.5))
def about_a_head(model: Any) -> Correspondence:
    logits = InterpNode("logits", Exact(), other=Exact())
    below = logits.child("below", Agree("first"))
    return Correspondence({logits: output(at=5), below: heads([(1, 0)], at=5)})


def run(model: Any, **options: Any) -> Result:
    return scrub.run(about_a_head, model=model, samples=60, **options)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    family_models.save(family_models.hugging_face_model("gpt2"), tmp_path / "gpt2")
    return tmp_path / "gpt2"


def same(one: Result, other: Result) -> bool:
    columns = ["original", "scrubbed", "baseline"]
    return one.frame[columns].equals(other.frame[columns])


def test_a_bridge_and_a_hugging_face_model_are_what_their_directory_is(directory: Path) -> None:
    expected = run(directory)
    bridge = family_models.boot(directory, torch.float32)
    model = family_models.hugging_face_model("gpt2").to(torch.float32)
    of_bridge, of_model = run(bridge), run(model)
    assert same(of_bridge, expected)
    assert same(of_model, expected)
    assert of_bridge.model == f"{directory} in memory"
    assert of_model.model == "GPT2LMHeadModel in memory"
    assert len(of_bridge.weights_sha256) == len(of_model.weights_sha256) == 64


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_in_memory(name: str) -> None:
    model: Any = family_models.hugging_face_model(name)
    tokens = family_models.tokens()
    with torch.no_grad():
        expected = model(tokens).logits
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    made = load(describe(model), dtype=torch.float64, device="cpu")
    assert off(plain_logits(made.graph, tokens), expected) < family_models.TOLERANCE[torch.float64]
    # It was copied, not taken apart: the modules are the user's.
    assert model.state_dict().keys() == state.keys()
    assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())


@pytest.mark.parametrize("name", native_models.KINDS)
def test_transformer_lens_own_models_in_memory(name: str) -> None:
    made = load(describe(native_models.bridge(name)), dtype=torch.float64, device="cpu").graph
    tokens = torch.randint(native_models.VOCABULARY, (3, 7))
    assert off(plain_logits(made, tokens), plain_logits(native_models.graph(name), tokens)) < 1e-9


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_it_is_run_in_the_precision_that_is_asked_for(dtype: torch.dtype) -> None:
    model = family_models.hugging_face_model("gpt2").to(dtype)
    expected = family_models.hugging_face_model("gpt2").to(dtype).to(torch.float32)
    assert same(run(model), run(expected))
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}


def test_later_edits_change_nothing_that_was_begun() -> None:
    model: Any = family_models.hugging_face_model("gpt2")
    described = describe(model)
    tokens = family_models.tokens()
    before = plain_logits(load(described, dtype=torch.float64, device="cpu").graph, tokens)
    with torch.no_grad():
        model.transformer.h[0].attn.c_attn.weight.mul_(-1)
    after = plain_logits(load(described, dtype=torch.float64, device="cpu").graph, tokens)
    assert torch.equal(before, after)


def test_a_session_sees_that_a_model_was_edited() -> None:
    """Also by `.data`, which leaves no trace but the numbers."""
    model: Any = family_models.hugging_face_model("gpt2").to(torch.float32)
    session = scrub.Session()
    first, again = run(model, session=session), run(model, session=session)
    assert same(first, again)
    assert first.weights_sha256 == again.weights_sha256
    model.transformer.h[1].attn.c_proj.weight.data.mul_(-1)
    edited = run(model, session=session)
    assert not same(first, edited)
    assert same(edited, run(copy.deepcopy(model)))
    assert edited.weights_sha256 != first.weights_sha256


def test_dropout_does_not_count_and_the_mode_stays(directory: Path) -> None:
    bridge = family_models.boot(directory, torch.float32)
    expected = run(bridge)
    bridge.train()
    assert same(run(bridge), expected)
    assert bridge.training
    assert all(part.training for part in bridge.modules())


def test_hooks_are_refused(directory: Path) -> None:
    bridge = family_models.boot(directory, torch.float32)
    session = scrub.Session()
    expected = run(bridge, session=session)
    bridge.add_hook("blocks.0.attn.hook_z", lambda value, hook: 0 * value)
    for options in ({}, {"session": session}):
        with pytest.raises(UserError, match=r"model= has hooks at .*Take them away by reset_hooks"):
            run(bridge, **options)
    bridge.reset_hooks()
    assert same(run(bridge), expected)


def test_what_scrub_would_not_compute_is_found_by_the_probe(directory: Path) -> None:
    bridge = family_models.boot(directory, torch.float32)
    forward = bridge.original_model.forward

    def doubled(*given: Any, **more: Any) -> Any:
        out = forward(*given, **more)
        out["logits"] = 2 * out.logits
        return out

    bridge.original_model.forward = doubled
    with pytest.raises(UserError, match="The graph disagrees with the model it was made from"):
        run(bridge)


def test_weights_that_are_not_finite_are_refused() -> None:
    model: Any = family_models.hugging_face_model("gpt2")
    model.transformer.h[0].mlp.c_fc.weight.data[0, :2] = torch.inf
    with pytest.raises(UserError) as caught:
        describe(model)
    assert str(caught.value) == (
        'Model "GPT2LMHeadModel in memory" cannot be used. Its weights hold numbers that are NaN '
        "or infinite: 2 of 256 in blocks.0.mlp.pre.weight. Training diverged, or the file was "
        "damaged, or its numbers are too large for the precision that they are read in."
    )


def test_modules_that_are_not_those_of_the_configuration() -> None:
    model: Any = family_models.hugging_face_model("gpt2")
    model.transformer.h[0].mlp.act = torch.nn.ReLU()
    with pytest.raises(UserError, match="unless you changed its modules or its code yourself"):
        describe(model)
    model = family_models.hugging_face_model("gpt2")
    model.transformer.h = model.transformer.h[:1]
    with pytest.raises(UserError, match="It has 1 layers, and its configuration says 2"):
        describe(model)


def test_the_bridge_brings_its_tokenizer(directory: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "prompt": [f"word{a} word{b} word{c}" for a in (1, 2) for b in (3, 4) for c in (5, 6)],
            "right": "word7",
            "wrong": "word8",
        }
    )

    @claim(
        data=from_frame(frame, text="prompt", labels=["right", "wrong"]),
        metric=logit_diff("right", "wrong"),
        expect=inconclusive(above=0.5),
    )
    def of_text(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact())
        return Correspondence({logits: output(at="end")})

    bridge = family_models.boot(directory, torch.float32)
    padding = bridge.tokenizer.backend_tokenizer.padding
    expected = scrub.run(of_text, model=directory, samples=20)
    assert same(scrub.run(of_text, model=bridge, samples=20), expected)
    assert bridge.tokenizer.backend_tokenizer.padding == padding
    with pytest.raises(UserError, match=r"GPT2LMHeadModel in memory.* has no tokenizer"):
        scrub.run(of_text, model=family_models.hugging_face_model("gpt2"))


class HookedTransformer(torch.nn.Module):
    """As TransformerLens 2 has it."""


HookedTransformer.__module__ = "transformer_lens.HookedTransformer"

NO_MODELS = {
    "a module": (
        torch.nn.Linear(2, 2),
        "model= is a Linear, a module of which scrub does not know",
    ),
    "a hooked transformer": (
        HookedTransformer(),
        "model= is a HookedTransformer. Write its state_dict() and its configuration as a",
    ),
    "nothing": (object(), "model= is of type object, which is no model. Give the name of an"),
    "a number": (5, "model= is of type int, which is no model. Give the name of an embedded"),
    "bytes": (b"gpt2", "model= is of type bytes, which is no model. Give the name of an"),
    "a list": (["gpt2"], "model= is of type list, which is no model. Give the name of an"),
    "a class": (torch.nn.Linear, "model= is of type type, which is no model. Give the name of an"),
}


@pytest.mark.parametrize("case", NO_MODELS)
def test_what_is_no_model_is_refused_in_a_sentence(case: str) -> None:
    given, message = NO_MODELS[case]
    with pytest.raises(UserError, match=re.escape(message)):
        run(given)
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        describe(given)


def test_models_of_hugging_face_that_are_not_supported() -> None:
    from transformers import GPT2Config, GPT2Model, OPTConfig, OPTForCausalLM

    tiny = {"n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 11, "n_positions": 8}
    with pytest.raises(UserError, match=r'"OPTForCausalLM in memory" cannot be used\. The archi'):
        describe(
            OPTForCausalLM(
                OPTConfig(
                    vocab_size=11, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                    ffn_dim=8, max_position_embeddings=8, word_embed_proj_dim=8,
                )
            )
        )  # fmt: skip
    with pytest.raises(UserError, match='"GPT2Model in memory" cannot be used'):
        describe(GPT2Model(GPT2Config(**tiny)))
    with torch.device("meta"):
        empty = family_models.BUILDERS["gpt2"]()
    with pytest.raises(UserError, match="model= has its weights on meta"):
        describe(empty)
