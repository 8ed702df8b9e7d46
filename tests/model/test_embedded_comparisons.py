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
from comparisons_models import FAMILY, WHERE
from comparisons_wiring import MODELS, comparisons
from wiring_parts import without_role

from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.model.verify import plain_logits
from support.paths import ROOT
from support.wired_files import EMBEDDED, assert_made_again, of_files

KINDS = tuple(comparisons.CHANGES)
PAIRS = [(name, kind) for name in MODELS for kind in KINDS]


@cache
def asked(name: str, kind: str) -> evidence.Asked:
    return evidence.asked(
        of_files(FAMILY, name), load_tokenizer(EMBEDDED / name), kind, 80, seed=11
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_script_makes_the_files_again(name: str, tmp_path: Path) -> None:
    assert_made_again(FAMILY, name, tmp_path)


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
    assert one.share("answer") == 1
    assert one.scores(one.own).min() > 5


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_heads_without_a_role_say_nothing(name: str, kind: str) -> None:
    one = asked(name, kind)
    rest = without_role(of_files(FAMILY, name))
    for what in comparisons.CHANGES[kind]:
        assert evidence.kept(one, rest, what) == pytest.approx(1, abs=0.05)


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
    heads = of_files(FAMILY, name).roles["comparison"]
    for what, kept in TOLD.items():
        assert evidence.kept(one, heads, what) == pytest.approx(kept[name], abs=0.1), what
    held = evidence.kept(one, of_files(FAMILY, name).roles["holder"], "names", ("word1", "word2"))
    assert held == pytest.approx(TOLD["names"][name], abs=0.1)


@pytest.mark.parametrize("name", MODELS)
def test_opposites_are_neurons_of_mlp_1_and_comparing_needs_none(name: str) -> None:
    assert evidence.kept_by_neurons(asked(name, "antonyms"), 1, "adjectives") == pytest.approx(
        -1, abs=0.1
    )
    assert evidence.kept_by_neurons(asked(name, "antonyms"), 0, "adjectives") == pytest.approx(
        1, abs=0.1
    )
    assert evidence.kept_by_neurons(asked(name, "adjectives"), 1, "question") == pytest.approx(
        1, abs=0.1
    )


@pytest.mark.parametrize("name", MODELS)
def test_heads_attend_where_the_card_says(name: str) -> None:
    one = asked(name, "adjectives")
    roles = of_files(FAMILY, name).roles
    for role, (start, to) in evidence.LOOKS.items():
        assert one.looks(roles[role], start, to) > 0.9, role
        assert one.looks(roles[role], start, "wrong") < 0.1, role
