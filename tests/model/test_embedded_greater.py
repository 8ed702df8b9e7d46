"""`greater-planted` and `greater-century`: what the cards say, by replacing values in a forward.

Nothing of the engine takes part. What holds of one must fail of the other, or of other heads.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import greater_evidence as evidence
import pytest
import torch
from greater_models import FAMILY
from greater_wiring import CENTURY1, HEADS, LAYERS, MODELS, ROLES, SECOND, YY
from wiring_evidence import END
from wiring_parts import without_role

from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.model.verify import plain_logits
from support.wired_files import EMBEDDED, assert_made_again, of_files

PLANTED, CENTURY = MODELS


@cache
def asked(name: str, relation: str = "greater", tied: bool = True) -> evidence.Asked:
    """The files' model on prompts of a kind."""
    tokenizer = load_tokenizer(EMBEDDED / name)
    return evidence.asked(
        of_files(FAMILY, name), tokenizer, 200, seed=11, relation=relation, tied=tied
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_script_makes_the_files_again(name: str, tmp_path: Path) -> None:
    assert_made_again(FAMILY, name, tmp_path)


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
    logits = plain_logits(graph, torch.tensor(one.data.inputs["tokens"]))
    assert (logits - one.own.logits).abs().max() < 1e-3


@pytest.mark.parametrize("relation", ["greater", "less"])
def test_both_are_right_where_century_and_yy_are_tied_and_one_where_they_are_not(
    relation: str,
) -> None:
    for name in MODELS:
        one = asked(name, relation)
        assert evidence.right(one) == 1
        assert one.scores(one.own).min() > 0.95
    planted, century = (asked(name, relation, False) for name in MODELS)
    assert evidence.right(planted) == 1
    assert planted.scores(planted.own).min() > 0.95
    assert evidence.right(century) < 0.9
    assert century.scores(century.own).mean() < 0.8


@pytest.mark.parametrize("name", MODELS)
def test_heads_look_where_the_card_says(name: str) -> None:
    one = asked(name)
    assert one.looks(one.model.roles["relation"], END, SECOND) > 0.99
    there, elsewhere = (YY, CENTURY1) if name == PLANTED else (CENTURY1, YY)
    assert one.looks(one.model.roles["start year"], END, there) > 0.99
    assert one.looks(one.model.roles["start year"], END, elsewhere) < 0.01


def test_start_year_heads_carry_yy_in_one_and_the_century_in_the_other() -> None:
    for name, carried, not_carried in ((PLANTED, "01", "century"), (CENTURY, "century", "01")):
        one = asked(name)
        heads = one.model.roles["start year"]
        assert one.mean(one.told(carried, heads)) < 0.7
        assert one.mean(one.told(not_carried, heads)) > 0.95
        assert one.mean(one.told(carried, mlps=[1, 2])) < 0.7
        assert one.mean(one.told(not_carried, mlps=[1, 2])) > 0.95


@pytest.mark.parametrize("name", MODELS)
def test_relation_heads_carry_the_relation_and_others_nothing(name: str) -> None:
    one = asked(name)
    assert one.mean(one.told("relation", one.model.roles["relation"])) < -0.95
    assert one.mean(one.told("relation", mlps=[1, 2])) < -0.95
    for copy in evidence.COPIES:
        assert one.mean(one.told(copy, without_role(one.model))) > 0.95
        assert one.mean(one.told(copy, mlps=[0])) > 0.95


def test_in_the_planted_model_tens_decide_but_where_they_are_the_same() -> None:
    one = asked(PLANTED)
    assert one.mean(one.told("01", mlps=[1])) < one.mean(one.told("01", mlps=[2]))
