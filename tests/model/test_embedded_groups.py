"""`ioi-planted-2`: each group of heads does what its card says, measured with plain hooks.

Every figure is one that other heads of the same layers, in the same places, must miss.
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from typing import Any

import evidence
import evidence_claims as claims
import evidence_groups as groups
import numpy as np
import pytest
import torch
from attrs import evolve
from cards import HEADING
from ioi_votes import TABLE
from transformers import AutoModelForCausalLM, AutoTokenizer

from scrub.datasets import ioi
from scrub.model.tokenizer import load_tokenizer
from support.paths import ROOT

HOME = ROOT / "scrub" / "model" / "embedded" / "ioi-planted-2"


@cache
def answered() -> tuple[claims.Subject, np.ndarray]:
    """The model on held-out prompts, and the template of each."""
    return evidence.load(HOME, 1500, seed=11)


@cache
def loaded() -> claims.Subject:
    """The model on the first few of them: enough for effects, which are means."""
    return answered()[0].take(torch.arange(300))


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_loads_with_transformers_and_bridge_alike() -> None:
    from transformer_lens.model_bridge import TransformerBridge

    text = "It rained. Then, Mary and John talked, and John said to"
    model = AutoModelForCausalLM.from_pretrained(HOME).eval()
    ours = load_tokenizer(HOME)
    theirs: Any = AutoTokenizer.from_pretrained(HOME)
    tokens = torch.tensor([ours.encode(text)])
    assert theirs(text, add_special_tokens=False)["input_ids"] == tokens[0].tolist()
    bridge = TransformerBridge.boot_transformers(str(HOME), device="cpu")
    with torch.no_grad():
        expected, got = model(tokens).logits, bridge(tokens)
    assert (expected - got).abs().max() < 1e-4
    assert ours.decode([int(expected[0, -1].argmax())]) == [" Mary"]


def test_its_files_are_small_and_say_which_heads() -> None:
    roles = tomllib.loads((HOME / "roles.toml").read_text())["roles"]
    assert {role: tuple(map(tuple, heads)) for role, heads in roles.items()} == {
        role: group.heads for role, group in TABLE.items()
    }
    assert list(roles) == list(groups.PLACES)
    other = HOME.parent / "ioi-planted"
    assert (HOME / "tokenizer.json").read_bytes() == (other / "tokenizer.json").read_bytes()
    words = json.loads((HOME / "tokenizer.json").read_text())["model"]["vocab"]
    assert set(ioi.vocabulary()) == set(words) - {"<pad>", "<unk>"}
    assert (HOME / "README.md").read_text().count(HEADING) == 1
    assert sum(path.stat().st_size for path in HOME.iterdir()) < 2e6


def test_right_on_every_template() -> None:
    s, template = answered()
    correct = (s.logits(s.record).argmax(-1) == s.batch.name("io")).numpy()
    for index in range(len(ioi.TEMPLATES)):
        assert (template == index).sum() > 40
        assert correct[template == index].mean() >= 0.95, ioi.TEMPLATES[index]
    assert correct.mean() >= 0.99


@pytest.mark.parametrize("role", groups.PLACES)
def test_every_head_attends_to_its_target(role: str) -> None:
    s = loaded()
    place = groups.PLACES[role]
    query, key = (groups.position(s.batch, c) for c in (place.columns[0], place.target))
    for layer, head in s.roles[role]:
        seen = s.record.attention[layer][torch.arange(len(s.batch)), head, query, key]
        assert seen.mean() > 0.9, f"{layer}.{head}"


def swapped(*roles: str, s: claims.Subject | None = None) -> float:
    """Logit difference kept when these roles' z are of prompts with the other order."""
    s = s or loaded()
    donors = claims.opposite(s.batch.io_is_first, rng())
    edits = [edit for role in roles for edit in groups.swap(s, role, s.roles[role], donors)]
    return groups.kept(s, groups.after(s, *edits))


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        (("previous token",), 0),
        (("duplicate token",), 0),
        (("induction",), 0),
        (("duplicate token", "induction"), -1),
        (("previous token", "duplicate token"), -1),
        (("S-inhibition",), -1),
    ],
)
def test_votes_for_the_order_add_up(roles: tuple[str, ...], says: float) -> None:
    assert swapped(*roles) == pytest.approx(says, abs=0.2)


def test_what_previous_token_heads_write_is_heard_by_the_keys_of_induction_heads() -> None:
    s = loaded()
    heads = s.roles["previous token"]
    edge = groups.along_edge(s, "previous token", heads, torch.arange(len(s.batch)))
    assert groups.kept(s, groups.after(s, *edge)) == pytest.approx(0, abs=0.2)
    elsewhere = [evolve(read, ports="v") for read in edge]
    assert groups.kept(s, groups.after(s, *elsewhere)) > 0.8


def test_movers_raise_and_the_negative_one_lowers_the_answer() -> None:
    s = loaded()
    donors = claims.uncond(len(s.batch), rng())
    for head in s.roles["name mover"]:
        assert groups.direct(s, (head,), donors) > 3
    for head in s.roles["negative name mover"]:
        assert groups.direct(s, (head,), donors) < -0.3


def test_other_heads_are_not_the_circuit() -> None:
    s = loaded()
    named = {head for group in s.roles.values() for head in group}
    free = [(layer, head) for layer in range(1, 6) for head in range(4)]
    free = [head for head in free if head not in named]
    mutant = evolve(
        s,
        roles={
            role: tuple(next(f for f in free if f[0] >= layer) for layer, _ in heads)
            for role, heads in s.roles.items()
        },
    )
    for role in ("previous token", "duplicate token", "induction", "S-inhibition"):
        assert swapped(role, s=mutant) == pytest.approx(1, abs=0.15), role


def test_circuit_alone_is_enough() -> None:
    s = loaded()
    assert claims.recovered(s, groups.circuit_alone(s, rng()), rng()) >= 0.9
