"""docs/extend/model_family.md as pasted, on a tiny Granite; and families that are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import evolve

import scrub
from scrub.errors import UserError
from scrub.model.bridge import weights_of
from scrub.model.config import Shape
from scrub.model.families import known_families, shape_of, temporary_families
from scrub.model.registry import describe, load
from scrub.model.verify import plain_logits
from support.command import ROOT, Finished, inside
from support.family_models import VOCABULARY, WIDTH, off, randomised, save, tokens

PAGE = (ROOT / "docs" / "extend" / "model_family.md").read_text(encoding="utf-8")
FAMILY, HYPOTHESIS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
DEFINED: dict[str, Any] = {}
with temporary_families():
    exec(FAMILY, DEFINED)
FACTORS = {
    "embedding_multiplier": 3.0,
    "attention_multiplier": 0.3,
    "residual_multiplier": 0.5,
    "logits_scaling": 4.0,
}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    with temporary_families():
        yield


def granite(directory: Path) -> Any:
    """A tiny Granite, saved; and as Hugging Face has it."""
    from transformers import GraniteConfig, GraniteForCausalLM

    config = GraniteConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=20,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=WIDTH,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        **FACTORS,
    )
    model = randomised(GraniteForCausalLM(config))
    save(model, directory)
    return model


def family(config: Any) -> Shape:
    """The page's function, by another name."""
    return DEFINED["shape"](config)


def scrubbed(folder: Path, family: str) -> Finished:
    """`scrub test` of the page's hypothesis, beside this file of a family."""
    granite(folder / "model")
    (folder / "granite.py").write_text(family)
    (folder / "about_granite.py").write_text(HYPOTHESIS)
    options = ("--model", "model", "--samples", "20", "--no-diagnose")
    with temporary_families():
        return inside("test", "about_granite.py", *options, cwd=folder)


def test_the_page_as_pasted(tmp_path: Path) -> None:
    done = scrubbed(tmp_path, FAMILY)
    assert (done.code, done.err) == (0, "")
    assert "head_0_1" in done.out


def test_a_factor_that_is_forgotten_is_found(tmp_path: Path) -> None:
    done = scrubbed(tmp_path, FAMILY.replace("attention.output * factor", "attention.output"))
    assert done.code == 2
    assert "The graph disagrees with the model it was made from" in done.err


def test_a_registered_model_computes_what_hugging_face_computes(tmp_path: Path) -> None:
    model = granite(tmp_path)
    scrub.register_family("granite", family, weights=DEFINED["weights"])
    with torch.no_grad():
        expected = model(tokens()).logits
    described = describe(tmp_path)
    loaded = load(described, dtype=torch.float64, device="cpu")
    assert off(plain_logits(loaded.graph, tokens()), expected) < 3e-6
    assert list(described.graph.values) == list(loaded.graph.values)
    in_memory = load(describe(model), dtype=torch.float64, device="cpu")
    assert off(plain_logits(in_memory.graph, tokens()), expected) < 3e-6


# What is refused


def said(directory: Path) -> str:
    with pytest.raises(UserError) as refused:
        load(describe(directory), dtype=torch.float64, device="cpu")
    (problem,) = refused.value.problems
    return problem.what


def test_an_unknown_family_names_those_that_are_registered(tmp_path: Path) -> None:
    granite(tmp_path)
    assert said(tmp_path).endswith(
        'The architecture "granite" is not supported; there are: gpt2, gpt_neox, llama, mistral, '
        "qwen2, qwen3, llava."
    )
    scrub.register_family("sandstone", family)
    assert said(tmp_path).endswith("qwen2, qwen3, llava, sandstone.")


def test_families_that_go_wrong(tmp_path: Path) -> None:
    granite(tmp_path)

    def message(change: Any, weights: Any = None) -> str:
        with temporary_families():
            scrub.register_family("granite", change, weights=weights)
            return said(tmp_path)

    assert message(dict).endswith("(dict of builtins) gave a value of type dict, not Shape.")
    assert "failed: KeyError: 'n_embd'." in message(lambda config: config["n_embd"])
    wrong = message(lambda config: evolve(family(config), layers=2.0))
    assert wrong.endswith("layers = 2.0 is not a whole number from 1.")
    wrong = message(lambda config: evolve(family(config), scales=(1.0,)))
    assert wrong.endswith("scales = (1.0,) is not a tuple with one entry per layer.")
    wrong = message(lambda config: evolve(family(config), activation="mish"))
    assert 'The activation "mish" is not supported; there are: ' in wrong
    assert "gave a value of type NoneType, not Weights." in message(family, lambda *_: None)
    assert "failed: ZeroDivisionError: division by zero." in message(family, lambda *_: 1 / 0)

    def one_block_less(bridge: Any, shape: Shape) -> Any:
        plain = weights_of(bridge, shape)
        return evolve(plain, blocks=plain.blocks[1:])

    wrong = message(family, one_block_less)
    assert (
        'The weights of the family "granite" make other sites than its shape: attn_out.1' in wrong
    )


def test_registering_again() -> None:
    scrub.register_family("granite", family)
    scrub.register_family("granite", family)
    assert known_families()[-1] == "granite"

    def another(config: Any) -> Shape:
        return family(config)

    with pytest.raises(UserError, match='"granite" is registered already, by family of '):
        scrub.register_family("granite", another)
    with pytest.raises(UserError, match='"gpt2" comes with scrub and cannot be replaced'):
        scrub.register_family("gpt2", family)
    with pytest.raises(UserError, match="None, which is no function"):
        scrub.register_family("slate", None)  # type: ignore[arg-type]  # a user's mistake
    with pytest.raises(UserError, match="3 is none"):
        scrub.register_family(3, family)  # type: ignore[arg-type]  # a user's mistake


def test_what_is_registered_is_forgotten() -> None:
    with temporary_families():
        scrub.register_family("granite", family)
    assert "granite" not in known_families()
    with pytest.raises(UserError, match='"granite" is not supported'):
        shape_of({"model_type": "granite"})
