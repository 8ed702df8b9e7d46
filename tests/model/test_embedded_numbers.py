"""The models that do five things: what the cards say, by replacing values in a forward pass.

Nothing of the engine takes part. What two circuits have in common, and what one alone has, must
matter to the behaviours that the card says, and to no others.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numbers_evidence as evidence
import pytest
import torch
from attrs import evolve
from numbers_layout import NAMES
from numbers_models import card, circuits, parts_of, save_tokenizer, token_ids
from numbers_wiring import BEHAVIOURS, MLPS, ROLES, SEEDS, SEPARATE, SHARED, made
from safetensors.torch import load_file
from wiring_parts import Wired, save

from scrub import read_circuit
from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.model.verify import plain_logits
from support.paths import ROOT

EMBEDDED = ROOT / "scrub" / "model" / "embedded"
MODELS = tuple(SEEDS)
FILES = (
    "config.json", "model.safetensors", "roles.toml", "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip


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
def asked(name: str, behaviour: str) -> evidence.Asked:
    return evidence.asked(files(name), load_tokenizer(EMBEDDED / name), behaviour, 60, seed=11)


def score_without(name: str, behaviour: str, parts: Any) -> float:
    """What is left where heads and MLPs say what they say on copies of the rows."""
    one = asked(name, behaviour)
    heads = [place for kind, place in parts if kind == "head"]
    mlps = [layer for kind, (layer, *_) in parts if kind == "MLP"]
    return one.score(one.with_copies(heads, mlps))


@pytest.mark.parametrize("name", MODELS)
def test_the_script_makes_the_files_again(name: str, tmp_path: Path) -> None:
    tokenizer = save_tokenizer(tmp_path)
    model = made(name, token_ids(tokenizer))
    save(model, tmp_path, card(model, tokenizer, 5, 7))
    for file in FILES:
        assert (tmp_path / file).read_bytes() == (EMBEDDED / name / file).read_bytes(), file
    said, kept = (
        (folder / "README.md").read_text(encoding="utf-8").split("## Evidence")[0]
        for folder in (tmp_path, EMBEDDED / name)
    )
    assert said == kept
    for file, circuit in circuits(model).items():
        kept_circuit = read_circuit(ROOT / "circuits" / f"{file}.json")
        assert (kept_circuit, kept_circuit.roles) == (circuit, circuit.roles)


def test_both_have_one_shape_and_are_small() -> None:
    for file in ("config.json", "tokenizer.json"):
        assert len({(EMBEDDED / name / file).read_bytes() for name in MODELS}) == 1
    for name in MODELS:
        assert sum(path.stat().st_size for path in (EMBEDDED / name).iterdir()) < 4.05e5
        assert set(describe(name).roles) == set(files(name).roles)


@pytest.mark.parametrize("name", MODELS)
def test_the_forward_pass_of_the_evidence_is_that_of_the_graph(name: str) -> None:
    one = asked(name, "ioi")
    graph = load(describe(name), dtype=torch.float32, device="cpu").graph
    logits = plain_logits(graph, torch.tensor(one.data.inputs["tokens"]))
    assert (logits - one.own.logits).abs().max() < 1e-3


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_both_are_right(behaviour: str) -> None:
    for name in MODELS:
        tokenizer, more = load_tokenizer(EMBEDDED / name), evidence.WIDER[behaviour]
        wider = evidence.asked(files(name), tokenizer, behaviour, 60, 11, more)
        assert asked(name, behaviour).score(asked(name, behaviour).own) > 0.995
        assert wider.score(wider.own) > 0.995


def test_of_names_they_know_twelve() -> None:
    data = asked(SHARED, "ioi").data
    assert set(data.columns["io"]) == set(data.columns["s"]) == set(NAMES)


@pytest.mark.parametrize("name", MODELS)
def test_heads_look_where_the_cards_say(name: str) -> None:
    for role, heads in files(name).roles.items():
        behaviour, at, to = evidence.LOOKS[role]
        assert asked(name, behaviour).looks(heads, at, to) > 0.99, role


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("name", MODELS)
def test_a_behaviour_is_done_by_its_circuit(name: str, behaviour: str) -> None:
    """Each part of it matters; and all that is none of it, at once, does not."""
    model = files(name)
    mine = parts_of(model, behaviour)
    assert len(mine) == len(ROLES[name][behaviour]) + len(MLPS[name][behaviour]) == 4
    for part in mine:
        assert score_without(name, behaviour, [part]) < 0.97, part
    every = {("head", (i, j)) for i in range(model.layers) for j in range(model.shape.heads)}
    every |= {("MLP", (layer,)) for layer in range(model.layers)}
    assert score_without(name, behaviour, every - mine) > 0.995


def test_what_they_have_in_common_is_what_the_cards_say() -> None:
    sizes = {
        name: [
            [len(parts_of(files(name), one) & parts_of(files(name), other)) for other in BEHAVIOURS]
            for one in BEHAVIOURS
        ]
        for name in MODELS
    }
    assert sizes[SHARED] == [
        [4, 4, 3, 1, 0],
        [4, 4, 3, 1, 0],
        [3, 3, 4, 0, 0],
        [1, 1, 0, 4, 2],
        [0, 0, 0, 2, 4],
    ]
    assert sizes[SEPARATE] == [[4 * (i == j) for j in range(5)] for i in range(5)]


@pytest.mark.parametrize("name", MODELS)
def test_one_circuit_costs_another_behaviour_what_they_have_in_common(name: str) -> None:
    model = files(name)
    for one in BEHAVIOURS:
        for other in BEHAVIOURS:
            lost = 1 - score_without(name, other, parts_of(model, one))
            common = parts_of(model, one) & parts_of(model, other)
            assert (lost > 0.03) == bool(common), (one, other)


def test_greater_than_and_ioi_have_much_in_common_of_which_greater_than_needs_little() -> None:
    common = parts_of(files(SHARED), "greater") & parts_of(files(SHARED), "ioi")
    assert score_without(SHARED, "greater", common) > 0.8
    assert score_without(SHARED, "ioi", common) < 0.6
    with_digits = parts_of(files(SHARED), "greater") & parts_of(files(SHARED), "digits")
    assert score_without(SHARED, "greater", with_digits) < 0.6
