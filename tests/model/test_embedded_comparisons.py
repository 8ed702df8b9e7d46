"""`comparisons-planted` and `comparisons-value`: what the cards say, by a plain forward pass.

Nothing of the engine takes part. What is true of one model's comparison heads must fail of the
other's.
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path

import comparisons_evidence as evidence
import pytest
import torch
from comparisons_models import WHERE, card, save_circuit, token_ids
from comparisons_wiring import MODELS, built, comparisons
from wiring_parts import Wired, save

from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.model.verify import plain_logits
from support.paths import ROOT

EMBEDDED = ROOT / "scrub" / "model" / "embedded"
KINDS = tuple(comparisons.CHANGES)
PAIRS = [(name, kind) for name in MODELS for kind in KINDS]


@cache
def wired(name: str) -> Wired:
    return built(name, token_ids(load_tokenizer(EMBEDDED / name)))


@cache
def asked(name: str, kind: str) -> evidence.Asked:
    return evidence.asked(wired(name), load_tokenizer(EMBEDDED / name), kind, 80, seed=11)


@pytest.mark.parametrize("name", MODELS)
def test_the_script_makes_the_files_again(name: str, tmp_path: Path) -> None:
    text = card(wired(name), load_tokenizer(EMBEDDED / name), 5, 7)
    save(wired(name), tmp_path, text)
    for file in ("config.json", "model.safetensors", "roles.toml"):
        assert (tmp_path / file).read_bytes() == (EMBEDDED / name / file).read_bytes(), file
    written = (EMBEDDED / name / "README.md").read_text()
    assert text.split("## Evidence")[0] == written.split("## Evidence")[0]
    save_circuit(wired(name), tmp_path / f"{name}.json")
    kept = ROOT / "circuits" / f"{name}.json"
    assert (tmp_path / kept.name).read_bytes() == kept.read_bytes()


def test_both_have_one_shape_the_same_roles_and_are_small() -> None:
    for file in ("config.json", "tokenizer.json", "roles.toml"):
        one, other = ((EMBEDDED / name / file).read_bytes() for name in MODELS)
        assert one == other
    for name in MODELS:
        assert sum(path.stat().st_size for path in (EMBEDDED / name).iterdir()) < 3e5
        roles = tomllib.loads((EMBEDDED / name / "roles.toml").read_text())["roles"]
        assert roles.keys() == WHERE.keys()
        nodes = json.loads((ROOT / "circuits" / f"{name}.json").read_text())["nodes"]
        assert {node["component"] for node in nodes} == {
            f"{layer}.{head}" for heads in roles.values() for layer, head in heads
        }


@pytest.mark.parametrize("name", MODELS)
def test_the_forward_pass_of_the_evidence_is_that_of_the_graph(name: str) -> None:
    one = asked(name, "acts")
    graph = load(describe(name), dtype=torch.float32, device="cpu").graph
    logits = plain_logits(graph, torch.tensor(one.data.inputs["tokens"]))
    assert (logits - one.own.logits).abs().max() < 1e-4


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_right_and_sure(name: str, kind: str) -> None:
    one = asked(name, kind)
    assert one.right() == 1
    assert one.difference(one.own).min() > 5


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_heads_without_a_role_say_nothing(name: str, kind: str) -> None:
    one = asked(name, kind)
    rest = evidence.groups(wired(name))["all without a role"]
    for what in comparisons.CHANGES[kind]:
        assert one.kept(rest, what) == pytest.approx(1, abs=0.05)


TOLD = {
    # by order of the sentences, by the name: what is kept of the logit difference
    "names": {"comparisons-planted": 1, "comparisons-value": -1},
    "order": {"comparisons-planted": -1, "comparisons-value": 1},
    "question": {"comparisons-planted": -1, "comparisons-value": -1},
    "adjectives": {"comparisons-planted": -1, "comparisons-value": -1},
    "scale": {"comparisons-planted": 1, "comparisons-value": 1},
}


@pytest.mark.parametrize("name", MODELS)
def test_comparison_heads_tell_the_order_or_the_name(name: str) -> None:
    one = asked(name, "adjectives")
    heads = wired(name).roles["comparison"]
    for what, kept in TOLD.items():
        assert one.kept(heads, what) == pytest.approx(kept[name], abs=0.1), what
    held = one.kept(wired(name).roles["holder"], "names", ("word1", "word2"))
    assert held == pytest.approx(TOLD["names"][name], abs=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_opposites_are_neurons_of_mlp_1_and_comparing_needs_none(name: str) -> None:
    assert asked(name, "antonyms").kept_by_neurons(1, "adjectives") == pytest.approx(-1, abs=0.1)
    assert asked(name, "antonyms").kept_by_neurons(0, "adjectives") == pytest.approx(1, abs=0.1)
    assert asked(name, "adjectives").kept_by_neurons(1, "question") == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_heads_attend_where_the_card_says(name: str) -> None:
    one = asked(name, "adjectives")
    roles = wired(name).roles
    for role, start, to in (
        ("holder", "asked", "answer"),
        ("question", "end", "question"),
        ("comparison", "end", "asked"),
        ("name mover", "end", "answer"),
    ):
        assert one.looks(roles[role], start, to) > 0.9, role
        assert one.looks(roles[role], start, "wrong") < 0.1, role
