"""The claims about the RGB game: what they find on rgb-planted and rgb-shortcut, and the sweeps."""

from __future__ import annotations

import json
from pathlib import Path

import scrub
from scrub.hypothesis.collect import collect_behaviour
from scrub.model.registry import describe
from support.command import ROOT, inside

FILE = ROOT / "hypotheses" / "rgb_game.py"
BELIEF = "place_by_query_colour_by_value"
WRONG = {
    "localisation_tells_the_colour", "extractor_reads_the_neighbour", "pattern_depends_on_colour",
    "colour_by_the_background",
}  # fmt: skip
ANY_MODEL = {"prediction_2_repainted", "prediction_4_answer", "prediction_4_nothing_changes"}
"""Predictions that hold wherever the answer follows the patch: nothing needs to be restored."""


def verdicts(model: str, folder: Path) -> dict[str, str]:
    done = inside(
        *("test", FILE, "--samples", "200", "--no-diagnose", "-q", "--model", model),
        *("--json", folder / "r.json"),
    )
    assert done.err == ""
    found = json.loads((folder / "r.json").read_text())["results"]
    return {one["claim"]: one["verdict"] for one in found}


def test_on_planted_the_belief_and_its_predictions_hold(tmp_path: Path) -> None:
    found = verdicts("rgb-planted", tmp_path)
    refuted = WRONG | {"prediction_3_not_the_colour"}
    assert {name for name, verdict in found.items() if verdict == "refuted"} == refuted
    assert {name for name, verdict in found.items() if verdict == "supported"} == (
        found.keys() - refuted
    )
    assert len(found) == 13


def test_on_shortcut_they_do_not(tmp_path: Path) -> None:
    found = verdicts("rgb-shortcut", tmp_path)
    supported = {name for name, verdict in found.items() if verdict == "supported"}
    assert supported == ANY_MODEL | {"colour_by_the_background"}
    assert found[BELIEF] == "refuted"
    assert found["pattern_depends_on_colour"] == "vacuous"


def test_sweeps_find_the_planted_heads_without_being_told() -> None:
    model = describe("rgb-planted")

    def found(name: str, metric: str) -> dict[str, float]:
        frame = scrub.patch(
            collect_behaviour(f"{FILE}::{name}").behaviour,
            model="rgb-planted",
            at="end",
            through="anything",
            metric=[metric],
            samples=50,
        ).frame
        assert len(frame) == model.layers * model.heads
        return {f"{one.sender} {'+' if one.effect > 0 else '-'}": one.effect
                for one in frame.itertuples() if abs(one.effect) > 2}  # fmt: skip

    def signed(role: str, sign: str) -> set[str]:
        return {f"head {layer}.{head} {sign}" for layer, head in model.role(role)}

    extractor = signed("colour extractor", "+")
    assert found("output_of_each_head", "logit(foreign)").keys() == extractor
    pointing = signed("localisation", "+") | signed("colour extractor", "-")
    assert found("pointing_of_each_head", "logit_diff").keys() == pointing
