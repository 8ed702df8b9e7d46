"""The two embedded models: they load anywhere, answer right, and differ in how they do it.

Figures are measured with `benchmarks/evidence_claims.py`: plain hooks on transformers' GPT-2. Each
check that `ioi-planted` passes for its algorithm is one that `ioi-shortcut` must fail.
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from typing import Any

import evidence
import evidence_claims as claims
import numpy as np
import pytest
import torch
from attrs import evolve
from cards import HEADING
from ioi_forward import run
from ioi_losses import (
    Circuit,
    Setting,
    groups_written,
    inhibition_from,
    logits_from,
    movers_from,
)
from transformers import AutoModelForCausalLM, AutoTokenizer

from scrub.datasets import ioi
from scrub.model.tokenizer import load_tokenizer
from support.paths import ROOT

EMBEDDED = ROOT / "scrub" / "model" / "embedded"
BOTH = ("ioi-planted", "ioi-shortcut")
ROWS = 2000


@cache
def answered(name: str) -> tuple[claims.Subject, np.ndarray]:
    """The model on held-out prompts, and the template of each."""
    return evidence.load(EMBEDDED / name, ROWS, seed=11)


@cache
def loaded(name: str) -> claims.Subject:
    """The model on the first few of them: enough for effects, which are means."""
    return answered(name)[0].take(torch.arange(500))


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def kept(s: claims.Subject, role: str) -> float:
    """Logit difference left when the role's z comes from prompts with the other order, of 1."""
    at, _ = evidence.PLACES[role]
    donors = claims.opposite(s.batch.io_is_first, rng())
    after = claims.difference(claims.swapped(s, s.roles[role], at, donors), s.batch).mean()
    return (after / claims.difference(s.logits(s.record), s.batch).mean()).item()


@pytest.mark.parametrize("name", BOTH)
def test_loads_with_transformers_and_bridge_alike(name: str) -> None:
    from transformer_lens.model_bridge import TransformerBridge

    text = "It rained. Then, Mary and John talked, and John said to"
    model = AutoModelForCausalLM.from_pretrained(EMBEDDED / name).eval()
    ours = load_tokenizer(EMBEDDED / name)
    theirs: Any = AutoTokenizer.from_pretrained(EMBEDDED / name)
    tokens = torch.tensor([ours.encode(text)])
    assert theirs(text, add_special_tokens=False)["input_ids"] == tokens[0].tolist()
    assert theirs.unk_token_id not in tokens
    bridge = TransformerBridge.boot_transformers(str(EMBEDDED / name), device="cpu")
    with torch.no_grad():
        expected, got = model(tokens).logits, bridge(tokens)
    assert (expected - got).abs().max() < 1e-4
    assert ours.decode([int(expected[0, -1].argmax())]) == [" Mary"]


def test_both_have_one_shape_one_table_and_are_small() -> None:
    config, roles, tokenizer, size = [], [], [], 0
    for name in BOTH:
        folder = EMBEDDED / name
        config.append(json.loads((folder / "config.json").read_text()))
        roles.append(tomllib.loads((folder / "roles.toml").read_text())["roles"])
        tokenizer.append((folder / "tokenizer.json").read_bytes())
        size += sum(path.stat().st_size for path in folder.iterdir())
        assert (folder / "README.md").read_text().count(HEADING) == 1
    assert config[0] == config[1]
    assert config[0]["n_layer"] >= 4
    assert config[0]["n_head"] >= 4
    assert roles[0] == roles[1]
    assert set(roles[0]) == set(evidence.PLACES)
    assert tokenizer[0] == tokenizer[1]
    assert size < 4e6


@pytest.mark.parametrize("name", BOTH)
def test_vocabulary_is_the_datasets(name: str) -> None:
    words = json.loads((EMBEDDED / name / "tokenizer.json").read_text())["model"]["vocab"]
    assert set(ioi.vocabulary()) == set(words) - {"<pad>", "<unk>"}
    config = json.loads((EMBEDDED / name / "config.json").read_text())
    assert config["vocab_size"] == len(words)


@pytest.mark.parametrize("name", BOTH)
def test_right_on_every_template(name: str) -> None:
    s, template = answered(name)
    correct = (s.logits(s.record).argmax(-1) == s.batch.name("io")).numpy()
    assert s.batch.io_is_first.float().mean().item() == pytest.approx(0.5, abs=0.05)
    for index in range(len(ioi.TEMPLATES)):
        assert (template == index).sum() > 50
        assert correct[template == index].mean() >= 0.99, ioi.TEMPLATES[index]


def attention_to_target(s: claims.Subject, role: str) -> list[float]:
    query, key = evidence.PLACES[role]
    rows = torch.arange(len(s.batch))
    return [
        s.record.attention[layer][rows, head, getattr(s.batch, query), getattr(s.batch, key)]
        .mean()
        .item()
        for layer, head in s.roles[role]
    ]


@pytest.mark.parametrize("role", evidence.PLACES)
def test_roles_attend_to_their_target_in_planted_only(role: str) -> None:
    assert min(attention_to_target(loaded("ioi-planted"), role)) > 0.9
    assert max(attention_to_target(loaded("ioi-shortcut"), role)) < 0.7


@pytest.mark.parametrize("role", ["duplicate token", "S-inhibition"])
def test_interchange_flips_planted_and_not_shortcut(role: str) -> None:
    assert kept(loaded("ioi-planted"), role) == pytest.approx(-1, abs=0.1)
    assert kept(loaded("ioi-shortcut"), role) > 0.8


def test_s_inhibition_carries_the_order_and_no_name_or_place() -> None:
    s = loaded("ioi-planted")
    batch = s.batch

    def left(feature: torch.Tensor) -> tuple[float, float]:
        donors = claims.agree(feature, rng())
        order = batch.io_is_first[donors] == batch.io_is_first
        ideal = 2 * order.float().mean().item() - 1
        return claims.recovered(s, claims.query_swapped(s, donors), rng()), ideal

    assert left(batch.io_is_first)[0] > 0.95
    for feature in (batch.name("io"), batch.name("s1"), batch.io, batch.end - batch.io):
        got, ideal = left(feature)
        assert got == pytest.approx(ideal, abs=0.1)
        assert got < 0.7


def circuit_recovers(s: claims.Subject, own_prompt: bool) -> float:
    logits = claims.circuit_alone(s, claims.parts(s, rng(), own_prompt=own_prompt))
    return claims.recovered(s, logits, rng())


@pytest.mark.parametrize("own_prompt", [True, False])
def test_circuit_alone_is_enough_in_planted_only(own_prompt: bool) -> None:
    assert circuit_recovers(loaded("ioi-planted"), own_prompt) >= 0.9
    assert circuit_recovers(loaded("ioi-shortcut"), own_prompt) < 0.5


def test_other_heads_of_planted_are_not_the_circuit() -> None:
    s = loaded("ioi-planted")
    elsewhere = {
        role: tuple((layer, head + 2) for layer, head in heads) for role, heads in s.roles.items()
    }
    mutant = evolve(s, roles=elsewhere)
    for role in elsewhere:
        assert kept(mutant, role) == pytest.approx(1, abs=0.15)
    assert circuit_recovers(mutant, True) < 0.5


def test_evidence_and_training_agree_on_what_an_interchange_is() -> None:
    """Two ways to say the same: hooks on transformers' model, and the training's own forward."""
    s = loaded("ioi-planted").take(torch.arange(50))
    for own_prompt in (True, False):
        which = claims.parts(s, rng(), own_prompt=own_prompt)
        circuit = Circuit(
            s.roles["duplicate token"], s.roles["S-inhibition"], s.roles["name mover"]
        )
        setting = Setting(
            torch.arange(50), which.signal, which.inhibition, which.query, which.keys, which.rest
        )
        with torch.no_grad():
            trace = run(s.model, s.batch.tokens)
            own = groups_written(s.model, circuit, s.batch, trace)
            signal = inhibition_from(s.model, circuit, s.batch, trace, own, setting)
            movers, _ = movers_from(s.model, circuit, s.batch, trace, own, setting, signal)
            expected = logits_from(s.model, s.batch, trace, own, setting, movers)
        assert (claims.circuit_alone(s, which) - expected).abs().max() < 1e-3
