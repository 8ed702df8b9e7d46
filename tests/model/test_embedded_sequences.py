"""The models of sequences: what the cards say, by replacing values in a forward pass.

Nothing of the engine takes part. What holds of a model's parts must fail of its twins'.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sequences_evidence as evidence
import torch
from attrs import evolve
from safetensors.torch import load_file
from sequences_models import card, circuits, token_ids
from sequences_wiring import KINDS, SEEDS, circuit, made
from wiring_parts import Wired, save

from scrub import read_circuit
from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.model.verify import plain_logits
from support.paths import ROOT

EMBEDDED = ROOT / "scrub" / "model" / "embedded"
MODELS = tuple(SEEDS)
PLANTED, SEPARATE, OFFSET = MODELS
GAPS = {**evidence.ALL, "gaps": 2}


@cache
def files(name: str) -> Wired:
    """The files' weights, with the files' roles."""
    text = (EMBEDDED / name / "roles.toml").read_text(encoding="utf-8")
    roles = {
        role: tuple((layer, head) for layer, head in heads)
        for role, heads in tomllib.loads(text)["roles"].items()
    }
    model = made(name, token_ids(load_tokenizer(EMBEDDED / name)))
    return evolve(model, roles=roles, state=load_file(EMBEDDED / name / "model.safetensors"))


@cache
def asked(name: str, kind: str, gaps: int = 0) -> evidence.Asked:
    tokenizer = load_tokenizer(EMBEDDED / name)
    prompted: dict[str, Any] = {**evidence.ALL, "gaps": gaps}
    return evidence.asked(files(name), tokenizer, 100, seed=11, kinds=kind, **prompted)


@pytest.mark.parametrize("name", MODELS)
def test_the_script_makes_the_files_again(name: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(EMBEDDED / name)
    model = made(name, token_ids(tokenizer))
    save(model, tmp_path, card(model, tokenizer, 5, 7))
    for file in ("config.json", "model.safetensors", "roles.toml"):
        assert (tmp_path / file).read_bytes() == (EMBEDDED / name / file).read_bytes(), file
    before = (EMBEDDED / name / "README.md").read_text().split("## Evidence")[0]
    assert (tmp_path / "README.md").read_text().split("## Evidence")[0] == before


def test_all_have_one_tokenizer_and_are_small() -> None:
    assert len({(EMBEDDED / name / "tokenizer.json").read_bytes() for name in MODELS}) == 1
    for name in MODELS:
        assert sum(path.stat().st_size for path in (EMBEDDED / name).iterdir()) < 4e5
        assert set(describe(name).roles) == set(files(name).roles)


@pytest.mark.parametrize("name", MODELS)
def test_the_forward_pass_of_the_evidence_is_that_of_the_graph(name: str) -> None:
    one = asked(name, "words")
    graph = load(describe(name), dtype=torch.float32, device="cpu").graph
    logits = plain_logits(graph, torch.tensor(one.data.inputs["tokens"]))
    assert (logits - one.own.logits).abs().max() < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_all_are_right_and_but_for_the_offsets_whatever_stands_between(kind: str) -> None:
    for name in MODELS:
        assert asked(name, kind).right(asked(name, kind).own) == 1
        between = asked(name, kind, gaps=2)
        if name == OFFSET:
            assert between.right(between.own) < 0.3
        else:
            assert between.right(between.own) == 1


@pytest.mark.parametrize("name", MODELS)
def test_heads_look_where_the_cards_say(name: str) -> None:
    for role, heads in files(name).roles.items():
        at, to = evidence.LOOKS[role.removesuffix(" of words")]
        kind = "months" if role.endswith(" of words") else "digits"
        assert asked(name, kind).looks(heads, at, to) > 0.99, role
        least = asked(name, kind, gaps=2).looks(heads, at, to)
        assert (least < 0.1) == (name == OFFSET), role


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_a_kind_is_done_by_its_circuit(name: str, kind: str) -> None:
    """Each part of it matters; and all that is none of it, at once, does not."""
    model, one = files(name), asked(name, kind)
    parts, mlps = circuit(model, kind)
    assert len(parts) == 3
    for role, heads in parts.items():
        assert one.right(one.with_others(heads)) < 0.3, role
    for layer in mlps:
        assert one.right(one.with_others((), (layer,))) < 0.3
    solving = {head for heads in parts.values() for head in heads}
    every = [(i, j) for i in range(model.layers) for j in range(model.shape.heads)]
    rest = [head for head in every if head not in solving]
    idle = [layer for layer in range(model.layers) if layer not in mlps]
    assert one.right(one.with_others(rest, idle)) == 1


def test_digits_have_heads_and_mlps_of_their_own_in_separate_alone() -> None:
    def common(name: str, one: str, other: str) -> tuple[int, int]:
        both = [circuit(files(name), kind) for kind in (one, other)]
        heads = [{head for own in roles.values() for head in own} for roles, _ in both]
        mlps = [set(layers) for _, layers in both]
        return len(heads[0] & heads[1]), len(mlps[0] & mlps[1])

    assert common(PLANTED, "digits", "words") == (6, 2)
    assert common(SEPARATE, "digits", "words") == (0, 0)
    assert common(SEPARATE, "words", "months") == (6, 2)


def test_circuits_on_file_are_those_of_the_script() -> None:
    for name in (PLANTED, SEPARATE):
        for called, made_again in circuits(files(name)).items():
            assert read_circuit(ROOT / "circuits" / f"{called}.json") == made_again
