"""`marks-shared` and `marks-separate`: what the cards say, by replacing values in a forward pass.

Nothing of the engine takes part. What holds of the planted heads must fail of others.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import marks_evidence as evidence
import pytest
import torch
from marks_models import FAMILY
from marks_wiring import HEADS, LAYERS, PLANS, circuit, marks

from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.model.verify import plain_logits
from support.paths import ROOT
from support.wired_files import EMBEDDED, assert_made_again, of_files

MODELS = tuple(PLANS)
PAIRS = [(name, task) for name in MODELS for task in marks.TASKS]


@cache
def asked(name: str, task: str) -> evidence.Asked:
    """The files' model on rows of a task."""
    return evidence.asked(
        of_files(FAMILY, name), load_tokenizer(EMBEDDED / name), task, 60, seed=11
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
        assert set(model.roles) == set(PLANS[name])


@pytest.mark.parametrize("name", MODELS)
def test_the_forward_pass_of_the_evidence_is_that_of_the_graph(name: str) -> None:
    one = asked(name, "b")
    graph = load(describe(name), dtype=torch.float32, device="cpu").graph
    logits = plain_logits(graph, torch.tensor(one.data.inputs["tokens"]))
    assert (logits - one.own.logits).abs().max() < 1e-4


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_right_and_sure(name: str, task: str) -> None:
    one = asked(name, task)
    assert one.share("answer") == 1
    assert one.scores(one.own).min() > 5


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_a_role_says_the_answer_in_its_tasks_and_nothing_in_others(name: str, task: str) -> None:
    one = asked(name, task)
    for role, heads in one.model.roles.items():
        mine = task in PLANS[name][role].tasks
        assert evidence.kept(one, heads) == pytest.approx(-1 if mine else 1, abs=0.05), role
        assert evidence.kept(one, heads[:1]) == pytest.approx(0 if mine else 1, abs=0.1), role


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_other_heads_say_nothing(name: str, task: str) -> None:
    one = asked(name, task)
    solving = {head for heads in circuit(one.model, task).values() for head in heads}
    assert len(solving) == 4
    rest = [(i, j) for i in range(LAYERS) for j in range(HEADS) if (i, j) not in solving]
    assert evidence.kept(one, rest) == pytest.approx(1, abs=0.02)


def test_each_task_has_a_circuit() -> None:
    for name in MODELS:
        assert set(FAMILY.circuits(of_files(FAMILY, name))) == {
            f"{name}-{task}" for task in marks.TASKS
        }


def test_shared_tasks_share_the_roles_that_are_planned_and_separate_ones_none() -> None:
    def heads(name: str, task: str) -> set[str]:
        path = ROOT / "circuits" / f"{name}-{task}.json"
        return {node["component"] for node in json.loads(path.read_text())["nodes"]}

    def common(name: str) -> dict[str, int]:
        pairs = ("ab", "bc", "ac")
        return {pair: len(heads(name, pair[0]) & heads(name, pair[1])) for pair in pairs}

    assert common("marks-shared") == {"ab": 2, "bc": 2, "ac": 0}
    assert common("marks-separate") == {"ab": 0, "bc": 0, "ac": 0}
