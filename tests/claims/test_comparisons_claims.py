"""The claims about comparisons: as expected of comparisons-planted, turned on its twin."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path


from support.command import ROOT, inside

FILE = ROOT / "hypotheses" / "comparisons.py"
TURNED = {
    "by_order", "by_value", "acts_by_order", "acts_by_value", "names_do_not_turn_them",
    "order_turns_them", "holders_hold_no_name", "holders_hold_the_name",
}  # fmt: skip
"""Claims of which the one model says yes and the other no."""


@cache
def verdicts(model: str, folder: Path) -> dict[str, tuple[str, str]]:
    """Claim → verdict and what the file expects."""
    done = inside(
        "test", str(FILE), "--model", model, "--samples", "300", "--json", "found.json",
        cwd=folder,
    )  # fmt: skip
    assert done.err == ""
    claims = json.loads((folder / "found.json").read_text())["claims"]
    return {each["name"].split("::")[-1]: (each["verdict"], each["expected"]) for each in claims}


def test_the_planted_model_does_it_by_order(tmp_path: Path) -> None:
    found = verdicts("comparisons-planted", tmp_path)
    assert len(found) == 13
    assert {name for name, (verdict, expected) in found.items() if verdict != expected} == set()
    assert {verdict for verdict, _ in found.values()} == {"supported", "refuted"}


def test_the_twin_does_it_by_value(tmp_path: Path) -> None:
    found = verdicts("comparisons-value", tmp_path)
    assert {name for name, (verdict, expected) in found.items() if verdict != expected} == TURNED
    assert {verdict for verdict, _ in found.values()} == {"supported", "refuted"}
