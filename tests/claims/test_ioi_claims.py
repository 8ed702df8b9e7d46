"""The files about IOI: what they find on ioi-planted; and that they run on the roles of GPT-2."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from ioi_table import believed

import scrub
from scrub.hypothesis.collect import collect, collect_behaviour
from scrub.model.registry import EMBEDDED, describe
from support.command import ROOT, inside

FILES = {
    path.stem: path
    for path in sorted((ROOT / "hypotheses").glob("ioi_*.py"))
    if path.stem not in ("ioi_claim3", "ioi_parts")  # the first has tests of its own
}
PAGE = (ROOT / "docs" / "ioi.md").read_text(encoding="utf-8")
TOLD = [
    tuple(re.sub(r"^`|`$", "", cell) for cell in line.strip("| ").split(" | "))
    for line in PAGE.splitlines()
    if line.startswith("| `") and line.count("|") == 6
]
"""The page's tables: claim, what it says, belief, figure, verdict."""
MISSING = {"induction", "previous token", "negative name mover", "backup name mover"}
"""Roles that ioi-planted lacks."""


def results(file: Path, folder: Path, *arguments: str) -> tuple[int, dict[str, dict]]:
    done = inside("test", file, "--no-diagnose", "-q", "--json", folder / "r.json", *arguments)
    assert done.err == ""
    found = json.loads((folder / "r.json").read_text())["results"]
    return done.code, {one["claim"]: one for one in found}


def test_there_is_a_file_for_each_claim() -> None:
    assert {f"ioi_claim{number}" for number in (1, 2, 4, 5, 6)} < set(FILES)
    assert {"ioi_claim3_more", "ioi_moving_pieces"} < set(FILES)
    assert all(f"`hypotheses/{name}.py`" in PAGE for name in (*FILES, "ioi_claim3"))


@pytest.mark.parametrize("name", FILES)
def test_on_ioi_planted_each_comes_out_as_its_file_expects(name: str, tmp_path: Path) -> None:
    code, found = results(FILES[name], tmp_path, "--samples", "200")
    inapplicable = {n for n, one in found.items() if one["verdict"] == "not applicable"}
    assert code == (5 if inapplicable == set(found) else 0)
    for claim in inapplicable:
        assert any(role in found[claim]["reason"] for role in MISSING)
    assert inapplicable == {n for n, one in found.items() if one["passed"] is None}
    told = {row[0]: row for row in TOLD if row[0] in found}
    assert [*told] == [*found]
    for claim, one in found.items():
        assert told[claim][1:3] == (one["belief"], believed(one))
        assert told[claim][4] == one["verdict"]


def test_which_comes_first_is_one_claim_of_either_name(tmp_path: Path) -> None:
    _, found = results(FILES["ioi_claim3_more"], tmp_path, "--samples", "20", "-k", "comes_first")
    io, s = (found[f"whether_{name}_comes_first"] for name in ("the_io", "s"))
    assert io["recovered"] == s["recovered"]
    assert io["with_any_input"] == s["with_any_input"]


def test_the_files_can_fail(tmp_path: Path) -> None:
    """On ioi-shortcut, which has the behaviour and the table of roles, and not the algorithm."""
    code, found = results(
        *(FILES["ioi_claim2"], tmp_path, "--samples", "60", "--model", "ioi-shortcut"),
        *("-k", "composes or queries"),
    )
    assert code == 1
    assert found["s_inhibition_q_composes"]["verdict"] == "refuted"


def test_no_other_head_alone_turns_the_difference() -> None:
    removing = collect_behaviour(f"{FILES['ioi_claim6']}::removing").behaviour
    model = describe("ioi-planted")
    frame = scrub.patch(
        removing, restore=False, at="end", through="anything", samples=60, model="ioi-planted"
    ).frame.set_index("sender")
    movers = [f"head {layer}.{head}" for layer, head in model.role("name mover")]
    # the difference is about 8 in every prompt, the total effect of an average prompt about −8
    assert frame.drop(movers)["low"].min() > -2
    assert frame.loc[movers, "high"].max() < -1


# GPT-2's shape and published roles, with random weights


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory called gpt2, in Hugging Face format: 12 layers of 12 heads, and small."""
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("models") / "gpt2"
    folder.mkdir()
    planted = EMBEDDED / "ioi-planted"
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(planted / name, folder)
    size = json.loads((planted / "config.json").read_text())["vocab_size"]
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=size, n_positions=48, n_embd=24, n_layer=12, n_head=12, n_inner=24
    )
    GPT2LMHeadModel(config).eval().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_on_the_roles_of_gpt2_each_claim_is_applicable_and_runs(
    gpt2: Path, name: str, tmp_path: Path
) -> None:
    assert describe(str(gpt2)).roles.keys() > MISSING
    code, found = results(FILES[name], tmp_path, "--samples", "4", "--model", str(gpt2))
    assert code in (0, 1)
    assert found.keys() == {item.claim.name for item in collect([str(FILES[name])])}
    verdicts = {one["verdict"] for one in found.values()}
    assert verdicts <= {"supported", "refuted", "inconclusive", "vacuous"}
