"""The claims about sequences: what they find on the planted model and on its twins."""

from __future__ import annotations

import json
from pathlib import Path

from support.command import ROOT, inside

FILE = ROOT / "hypotheses" / "sequences.py"
WRONG = {
    "next_looks_at_the_noun", "direction_alone", "any_sequence", "start_instead_of_last",
    "down_without_the_mlp",
}  # fmt: skip
OWN_HEADS = {
    "next_finds_the_last_of_any_kind", "words_by_the_same_heads", "months_by_the_same_heads",
    "a_step_is_a_step",
}  # fmt: skip
"""Wrong where digits have heads of their own."""
LOOKING = {
    "similar_type_finds_the_member_before", "next_finds_the_last_member",
    "next_finds_the_last_of_any_kind",
}  # fmt: skip
"""Wrong where heads look so many tokens back."""


def refuted(model: str, folder: Path) -> set[str]:
    done = inside(
        *("test", FILE, "--samples", "200", "--no-diagnose", "-q", "--model", model),
        *("--json", folder / "r.json"),
    )
    assert done.err == ""
    found = json.loads((folder / "r.json").read_text())["results"]
    assert len(found) == 13
    assert {one["verdict"] for one in found} == {"supported", "refuted"}
    return {one["claim"] for one in found if one["verdict"] == "refuted"}


def test_on_planted_all_is_as_expected(tmp_path: Path) -> None:
    assert refuted("sequences-planted", tmp_path) == WRONG


def test_heads_of_their_own_do_no_other_kind(tmp_path: Path) -> None:
    assert refuted("sequences-separate", tmp_path) == WRONG | OWN_HEADS


def test_offsets_find_no_member_where_words_stand_between(tmp_path: Path) -> None:
    assert refuted("sequences-offset", tmp_path) == WRONG | LOOKING
