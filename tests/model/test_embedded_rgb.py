"""`rgb-planted` and `rgb-shortcut`: one does what its card says, the other does not.

Measured with plain hooks on transformers' own model. Each check that `rgb-planted` passes for its
algorithm is one that `rgb-shortcut`, or other heads of `rgb-planted`, must fail.
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from typing import Any

import numpy as np
import pytest
import rgb_evidence as evidence
import rgb_hooks as hooks
import rgb_subject as subjects
import torch
from attrs import evolve
from PIL import Image
from rgb_forward import attended, run, written, z_of
from rgb_hooks import Change, at_end, swaps
from rgb_images import ANSWERS, GRID, PATCH, held_out, pixels
from rgb_losses import Circuit, Problem, Sample, logits_told, query_told
from rgb_training import HEADS, LAYERS, PROMPT, ROLES
from transformers import LlavaProcessor

from scrub.data.image_layout import image_layout
from scrub.model.registry import describe
from scrub.model.tokenizer import FileTokenizer, load_tokenizer
from support.paths import ROOT

EMBEDDED = ROOT / "scrub" / "model" / "embedded"
BOTH = ("rgb-planted", "rgb-shortcut")


@cache
def loaded(name: str) -> subjects.Subject:
    """The model on images that are held out from training."""
    return subjects.subject(EMBEDDED / name, 200, seed=11)


@cache
def fewer(name: str) -> subjects.Subject:
    """The model on the first few of them: enough for interchanges."""
    s = loaded(name)
    return s.on(s.batch.take(torch.arange(80)))


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


@cache
def foretold(name: str) -> dict[str, float]:
    """How often each interchange has the answer that the algorithm gives."""
    s = fewer(name)
    return {case.name: evidence.answered(s, case)[0] for case in evidence.cases(s, rng())}


@pytest.mark.parametrize("name", BOTH)
def test_right_on_held_out_images(name: str) -> None:
    s = loaded(name)
    batch, present = s.batch, s.batch.present
    seen = held_out(batch.answer.numpy(), batch.background.numpy(), batch.place.numpy())
    assert seen[present.numpy()].all()
    assert present.float().mean().item() == pytest.approx(0.85, abs=0.1)
    correct = s.record.logits.argmax(-1) == s.frame.answers[batch.answer]
    assert correct.float().mean() >= 0.99


def test_both_have_one_shape_one_table_and_are_small() -> None:
    config, roles, tokenizer = [], [], []
    for name in BOTH:
        folder = EMBEDDED / name
        config.append(json.loads((folder / "config.json").read_text()))
        roles.append(tomllib.loads((folder / "roles.toml").read_text())["roles"])
        tokenizer.append((folder / "tokenizer.json").read_bytes())
        assert sum(path.stat().st_size for path in folder.iterdir()) < 1.5e6
        assert (folder / "README.md").read_text().count("## Evidence\n") == 1
    assert config[0] == config[1]
    assert config[0]["model_type"] == "llava"
    assert config[0]["text_config"]["num_hidden_layers"] == LAYERS
    assert roles[0] == roles[1]
    assert set(roles[0]) == set(ROLES)
    assert tokenizer[0] == tokenizer[1]


@pytest.mark.parametrize("name", BOTH)
def test_described_with_their_roles_and_what_their_processor_does(name: str) -> None:
    model = describe(name)
    assert model.roles == ROLES
    assert (model.layers, model.heads) == (LAYERS, HEADS)
    assert isinstance(model.tokenizer, FileTokenizer)
    layout = image_layout(model.tokenizer, of="the RGB game")
    assert (layout.size, layout.patch, layout.grid) == (GRID * PATCH, PATCH, GRID)
    assert layout.count == GRID**2


@pytest.mark.parametrize("name", BOTH)
def test_every_word_of_the_prompt_and_every_answer_is_one_token(name: str) -> None:
    tokenizer = load_tokenizer(EMBEDDED / name)
    words = tokenizer.encode(PROMPT)
    image = tokenizer.backend.token_to_id("<image>")
    assert image is not None
    assert tokenizer.unknown not in words
    assert words.count(image) == 1
    assert [len(tokenizer.encode(f" {answer}")) for answer in ANSWERS] == [1] * len(ANSWERS)
    config = json.loads((EMBEDDED / name / "config.json").read_text())
    assert config["image_token_index"] == image
    assert config["text_config"]["vocab_size"] == tokenizer.backend.get_vocab_size()


@pytest.mark.parametrize("name", BOTH)
def test_transformers_own_processor_gives_what_was_trained_on(name: str) -> None:
    s = loaded(name)
    processor: Any = LlavaProcessor.from_pretrained(EMBEDDED / name)
    images = [Image.fromarray(image) for image in pixels(s.batch.cells[:5])]
    made = processor(images=images, text=[PROMPT] * 5, return_tensors="pt")
    assert (made["input_ids"] == s.frame.prompt.tokens).all()
    assert (made["pixel_values"] - s.frame.values(s.batch.cells[:5])).abs().max() < 1e-6


@pytest.mark.parametrize("role", ROLES)
def test_roles_attend_to_the_foreign_patch(role: str) -> None:
    s = loaded("rgb-planted")
    present = s.batch.present
    for layer, head in s.roles[role]:
        pattern = s.record.attention[layer][:, head, -1]
        target = s.pointed(s.batch.place)
        looks = pattern.gather(1, target[:, None])[:, 0]
        assert looks[present].mean() > 0.85
        assert looks[~present].min() > 0.9  # the first token
        assert (pattern.argmax(1) == target).all()


def test_no_head_of_shortcut_attends_to_the_foreign_patch_alone() -> None:
    s = loaded("rgb-shortcut")
    present, target = s.batch.present, s.pointed(s.batch.place)
    for layer, head in s.every_head:
        pattern = s.record.attention[layer][:, head, -1]
        assert pattern.gather(1, target[:, None])[present].mean() < 0.5


def test_every_interchange_of_planted_answers_as_the_algorithm_does() -> None:
    assert min(foretold("rgb-planted").values()) >= 0.98


def test_shortcut_is_not_the_algorithm() -> None:
    found = foretold("rgb-shortcut")
    for name in ("z of localisation", "q of the extractor", "z of the extractor"):
        assert found[name] < 0.2, name


def test_other_heads_of_planted_are_not_the_circuit() -> None:
    s = fewer("rgb-planted")
    elsewhere = {
        role: tuple((layer, head + 2) for layer, head in heads) for role, heads in s.roles.items()
    }
    mutant = evolve(s, roles=elsewhere)
    found = {case.name: evidence.answered(mutant, case) for case in evidence.cases(mutant, rng())}
    for name in ("z of localisation", "q of the extractor", "z of the extractor"):
        said, unchanged = found[name]
        assert said < 0.05
        assert unchanged > 0.95
    assert found["z of all heads outside the roles"][0] < 0.5


@pytest.mark.parametrize("name", BOTH)
def test_each_patch_changes_the_projector_at_its_own_token_most(name: str) -> None:
    moved = evidence.changed_most(loaded(name), rng())
    assert moved.tolist() == list(range(len(moved)))


def test_evidence_and_training_agree_on_what_an_interchange_is() -> None:
    """Two ways to say the same: hooks on transformers' model, and the training's own forward."""
    s = fewer("rgb-planted")
    circuit = Circuit(s.roles["localisation"], s.roles["colour extractor"])
    p = Problem(s.model, s.frame.prompt, s.frame.answers, circuit)
    donors, rows = subjects.different(s, rng()), torch.arange(len(s.batch))
    end, (layer, head) = at_end(s.start), circuit.extractor[0]
    with torch.no_grad():
        trace = run(s.model, s.frame.prompt, s.frame.values(s.batch.cells))
        sample = Sample(s.batch, len(rows), trace)
        z = z_of(trace, circuit.extractor)[donors]
        answers = logits_told(p, sample, z, rows)[:, s.frame.answers]
        signal = written(s.model, circuit.localisation, z_of(trace, circuit.localisation)).sum(1)
        query = query_told(p, sample, signal[donors], rows)
        keys = trace.layers[layer].keys[:, [head]]
        looks = attended(query, keys, torch.zeros_like(keys))[1][:, 0]

    def own(site: str, layer: int) -> Change:
        given = s.record.parts[site, layer]
        return Change(site, layer, tuple(range(given.shape[2])), end, given)

    read = swaps(s.record, circuit.extractor, donors, end)
    hooked = s.logits([*read, own("mlp", 2), own("z", 3), own("mlp", 3)])
    assert (hooked - answers).abs().max() < 1e-3
    find = swaps(s.record, circuit.localisation, donors, end)
    pointed = hooks.run(s.model, s.start, [*find, own("mlp", 1), own("k", layer)])
    assert (pointed.attention[layer][:, head, -1] - looks).abs().max() < 1e-4
    assert (looks - s.record.attention[layer][:, head, -1]).abs().max() > 0.9
