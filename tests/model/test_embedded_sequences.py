"""The models of sequences: what the cards say, by replacing values in a forward pass.

Nothing of the engine takes part. What holds of a model's parts must fail of its twins'.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sequences_evidence as evidence
import torch
from sequences_models import FAMILY
from sequences_wiring import KINDS, SEEDS, circuit

from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.model.verify import plain_logits
from support.wired_files import EMBEDDED, assert_made_again, of_files

MODELS = tuple(SEEDS)
PLANTED, SEPARATE, OFFSET = MODELS
GAPS = {**evidence.ALL, "gaps": 2}


@cache
def asked(name: str, kind: str, gaps: int = 0) -> evidence.Asked:
    tokenizer = load_tokenizer(EMBEDDED / name)
    prompted: dict[str, Any] = {**evidence.ALL, "gaps": gaps}
    return evidence.asked(of_files(FAMILY, name), tokenizer, 100, seed=11, kinds=kind, **prompted)


@pytest.mark.parametrize("name", MODELS)
def test_the_script_makes_the_files_again(name: str, tmp_path: Path) -> None:
    assert_made_again(FAMILY, name, tmp_path)


def test_all_have_one_tokenizer_and_are_small() -> None:
    assert len({(EMBEDDED / name / "tokenizer.json").read_bytes() for name in MODELS}) == 1
    for name in MODELS:
        assert sum(path.stat().st_size for path in (EMBEDDED / name).iterdir()) < 4e5
        assert set(describe(name).roles) == set(of_files(FAMILY, name).roles)


@pytest.mark.parametrize("name", MODELS)
def test_the_forward_pass_of_the_evidence_is_that_of_the_graph(name: str) -> None:
    one = asked(name, "words")
    graph = load(describe(name), dtype=torch.float32, device="cpu").graph
    logits = plain_logits(graph, torch.tensor(one.data.inputs["tokens"]))
    assert (logits - one.own.logits).abs().max() < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_all_are_right_and_but_for_the_offsets_whatever_stands_between(kind: str) -> None:
    for name in MODELS:
        assert asked(name, kind).share("next") == 1
        between = asked(name, kind, gaps=2)
        if name == OFFSET:
            assert between.share("next") < 0.3
        else:
            assert between.share("next") == 1


@pytest.mark.parametrize("name", MODELS)
def test_heads_look_where_the_cards_say(name: str) -> None:
    for role, heads in of_files(FAMILY, name).roles.items():
        at, to = evidence.LOOKS[role.removesuffix(" of words")]
        kind = "months" if role.endswith(" of words") else "digits"
        assert asked(name, kind).looks(heads, at, *to) > 0.99, role
        least = asked(name, kind, gaps=2).looks(heads, at, *to)
        assert (least < 0.1) == (name == OFFSET), role


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_a_kind_is_done_by_its_circuit(name: str, kind: str) -> None:
    """Each part of it matters; and all that is none of it, at once, does not."""
    model, one = of_files(FAMILY, name), asked(name, kind)
    parts, mlps = circuit(model, kind)
    assert len(parts) == 3
    for role, heads in parts.items():
        assert one.mean(evidence.with_others(one, heads)) < 0.3, role
    for layer in mlps:
        assert one.mean(evidence.with_others(one, (), (layer,))) < 0.3
    solving = {head for heads in parts.values() for head in heads}
    every = [(i, j) for i in range(model.layers) for j in range(model.shape.heads)]
    rest = [head for head in every if head not in solving]
    idle = [layer for layer in range(model.layers) if layer not in mlps]
    assert one.mean(evidence.with_others(one, rest, idle)) == 1


def test_digits_have_heads_and_mlps_of_their_own_in_separate_alone() -> None:
    def common(name: str, one: str, other: str) -> tuple[int, int]:
        both = [circuit(of_files(FAMILY, name), kind) for kind in (one, other)]
        heads = [{head for own in roles.values() for head in own} for roles, _ in both]
        mlps = [set(layers) for _, layers in both]
        return len(heads[0] & heads[1]), len(mlps[0] & mlps[1])

    assert common(PLANTED, "digits", "words") == (6, 2)
    assert common(SEPARATE, "digits", "words") == (0, 0)
    assert common(SEPARATE, "words", "months") == (6, 2)
