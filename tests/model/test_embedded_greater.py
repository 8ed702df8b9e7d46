"""`greater-planted` and `greater-century`: what the cards say, by replacing values in a forward.

Nothing of the engine takes part. What holds of one must fail of the other, or of other heads.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import greater_evidence as evidence
import pytest
import torch
from greater_models import save, save_tokenizer, token_ids
from greater_wiring import CENTURY1, HEADS, LAYERS, MODELS, ROLES, SECOND, YY, Wired, wired
from safetensors.torch import load_file

from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.model.verify import plain_logits
from support.paths import ROOT

EMBEDDED = ROOT / "scrub" / "model" / "embedded"
PLANTED, CENTURY = MODELS


@cache
def asked(name: str, relation: str = "greater", tied: bool = True) -> evidence.Asked:
    """The files' model, with the files' roles."""
    roles = {
        role: tuple((layer, head) for layer, head in heads)
        for role, heads in tomllib.loads((EMBEDDED / name / "roles.toml").read_text())[
            "roles"
        ].items()
    }
    model = Wired(name, roles, load_file(EMBEDDED / name / "model.safetensors"))
    tokenizer = load_tokenizer(EMBEDDED / name)
    return evidence.asked(model, tokenizer, 200, seed=11, relation=relation, tied=tied)


@pytest.mark.parametrize("name", MODELS)
def test_the_script_makes_the_files_again(name: str, tmp_path: Path) -> None:
    tokenizer = save_tokenizer(tmp_path)
    save(wired(name, token_ids(tokenizer)), tmp_path, tokenizer, 5, 7)
    files = ("config.json", "model.safetensors", "roles.toml", "tokenizer.json")
    for file in (*files, "tokenizer_config.json"):
        assert (tmp_path / file).read_bytes() == (EMBEDDED / name / file).read_bytes(), file
    before = (EMBEDDED / name / "README.md").read_text().split("## Evidence")[0]
    assert (tmp_path / "README.md").read_text().split("## Evidence")[0] == before


def test_both_have_one_shape_and_are_small() -> None:
    for file in ("config.json", "tokenizer.json"):
        one, other = ((EMBEDDED / name / file).read_bytes() for name in MODELS)
        assert one == other
    for name in MODELS:
        assert sum(path.stat().st_size for path in (EMBEDDED / name).iterdir()) < 3e5
        model = describe(name)
        assert (model.layers, model.heads) == (LAYERS, HEADS)
        assert set(model.roles) == set(ROLES)


@pytest.mark.parametrize("name", MODELS)
def test_the_forward_pass_of_the_evidence_is_that_of_the_graph(name: str) -> None:
    one = asked(name)
    graph = load(describe(name), dtype=torch.float32, device="cpu").graph
    logits = plain_logits(graph, torch.tensor(one.data.inputs["tokens"]))[:, -1]
    assert (logits - one.own.logits).abs().max() < 1e-3


@pytest.mark.parametrize("relation", ["greater", "less"])
def test_both_are_right_where_century_and_yy_are_tied_and_one_where_they_are_not(
    relation: str,
) -> None:
    for name in MODELS:
        one = asked(name, relation)
        assert one.right() == 1
        assert one.difference(one.own).min() > 0.95
    planted, century = (asked(name, relation, False) for name in MODELS)
    assert planted.right() == 1
    assert planted.difference(planted.own).min() > 0.95
    assert century.right() < 0.9
    assert century.difference(century.own).mean() < 0.8


@pytest.mark.parametrize("name", MODELS)
def test_heads_look_where_the_card_says(name: str) -> None:
    one = asked(name)
    assert one.looks(one.model.roles["relation"], SECOND) > 0.99
    there, elsewhere = (YY, CENTURY1) if name == PLANTED else (CENTURY1, YY)
    assert one.looks(one.model.roles["start year"], there) > 0.99
    assert one.looks(one.model.roles["start year"], elsewhere) < 0.01


def test_start_year_heads_carry_yy_in_one_and_the_century_in_the_other() -> None:
    for name, carried, not_carried in ((PLANTED, "01", "century"), (CENTURY, "century", "01")):
        one = asked(name)
        heads = one.model.roles["start year"]
        assert one.with_heads(heads, carried) < 0.7
        assert one.with_heads(heads, not_carried) > 0.95
        assert one.with_mlps([1, 2], carried) < 0.7
        assert one.with_mlps([1, 2], not_carried) > 0.95


@pytest.mark.parametrize("name", MODELS)
def test_relation_heads_carry_the_relation_and_others_nothing(name: str) -> None:
    one = asked(name)
    named = {head for heads in one.model.roles.values() for head in heads}
    rest = [(i, j) for i in range(LAYERS) for j in range(HEADS) if (i, j) not in named]
    assert one.with_heads(one.model.roles["relation"], "relation") < -0.95
    assert one.with_mlps([1, 2], "relation") < -0.95
    for copy in evidence.COPIES:
        assert one.with_heads(rest, copy) > 0.95
        assert one.with_mlps([0], copy) > 0.95


def test_in_the_planted_model_tens_decide_but_where_they_are_the_same() -> None:
    one = asked(PLANTED)
    assert one.with_mlps([1], "01") < one.with_mlps([2], "01")
