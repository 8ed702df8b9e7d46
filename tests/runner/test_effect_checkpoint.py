"""Checkpoints of claims about effects have one column more, and are not taken for others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve, field, frozen

from hypothesis import given
from hypothesis import strategies as st
from scrub import raises, supported
from scrub.draw import draw
from scrub.hypothesis.collect import collect
from scrub.results.result import Result
from scrub.runner.checkpoint import Checkpoint, Checkpoints
from scrub.runner.context import Context
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.options import Options
from scrub.runner.pipeline import scrub_claim
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import Prepared, prepare
from scrub.runner.progress import Silent
from scrub.runner.session import Session
from scrub.stats.scores import BEFORE, COLUMNS, Scores
from support.command import SUMS
from support.paths import ROOT

NAMES = (*COLUMNS, BEFORE)
NOTHING = Fingerprints({}, "")


@pytest.fixture(scope="module")
def claims() -> dict[str, Prepared]:
    """The same claim, about what it recovers and about its effect."""
    (item,) = collect([f"{ROOT / SUMS}::by_hand"])
    expected = {"scrub": supported(above=0.1), "effect": supported(raises(by=0.1))}
    return {
        kind: prepare([evolve(item, claim=evolve(item.claim, expect=expect))], Session(), OPTIONS)[
            0
        ]
        for kind, expect in expected.items()
    }


OPTIONS = Options(samples=120)


@given(numbers=st.lists(st.tuples(*(st.floats(width=64) for _ in NAMES)), min_size=1))
def test_every_column_comes_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[tuple[float, ...]]
) -> None:
    columns = dict(zip(NAMES, map(np.array, zip(*numbers, strict=True)), strict=True))
    written = Checkpoints(NOTHING, {"abc": Checkpoint("claim", [(Scores(**columns),)])})
    file = tmp_path_factory.mktemp("kept") / "r.json"
    file.write_text(json.dumps({"partial": True, "kept": written.as_json()}), encoding="utf-8")
    read = Checkpoints.read(file, NOTHING)
    assert read.trouble == ""
    (found,) = read.by_fingerprint["abc"].first(len(numbers))
    for name, column in columns.items():
        assert found.columns[name].tobytes() == column.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_column_is_found_out(name: str, tmp_path: Path) -> None:
    columns = {column: np.arange(3.0) for column in NAMES}
    entries = Checkpoints(NOTHING, {"abc": Checkpoint("claim", [(Scores(**columns),)])}).as_json()
    (metric,) = entries[0]["float64"]
    metric[name] = metric[name].replace("A", "B", 1)
    file = tmp_path / "r.json"
    file.write_text(json.dumps({"partial": True, "kept": entries}), encoding="utf-8")
    assert "it is damaged" in Checkpoints.read(file, NOTHING).trouble


def test_an_effect_is_not_resumed_from_a_scrub(claims: dict[str, Prepared]) -> None:
    """Only the belief differs, not even the file's text."""

    def fingerprint(claim: Prepared) -> str:
        draws = draw(claim.tree, claim.data, samples=50, seed=0)
        made = Fingerprints({claim.name: "text"}, "")
        return made.of(claim, claim.model, OPTIONS, draws)

    found = {kind: fingerprint(claim) for kind, claim in claims.items()}
    assert found["scrub"] != found["effect"]


@frozen
class Counted(Silent):
    done: list[int] = field(factory=list)

    def advance(self, samples: int) -> None:
        self.done.append(samples)


@pytest.mark.parametrize("known", [1, 50, 120])
def test_an_effect_goes_on_from_where_it_was_stopped(
    known: int, claims: dict[str, Prepared]
) -> None:
    whole = scrubbed(claims["effect"])
    kept = Checkpoint(parts=[(whole.scores.where(np.s_[:known]),)], unchecked=True)
    progress = Counted()
    resumed = scrubbed(claims["effect"], kept, progress)
    assert not kept.stale
    assert progress.done[0] == known
    assert resumed.effect == whole.effect
    for name in NAMES:
        assert (resumed.scores.columns[name] == whole.scores.columns[name]).all()


@pytest.mark.parametrize("spoil", ["before", "no before"])
def test_what_no_longer_holds_is_computed_anew(spoil: str, claims: dict[str, Prepared]) -> None:
    whole = scrubbed(claims["effect"])
    scores = whole.scores
    assert scores.before is not None
    changed = None if spoil == "no before" else scores.before + 1
    kept = Checkpoint(parts=[(evolve(scores, before=changed),)], unchecked=True)
    again = scrubbed(claims["effect"], kept)
    assert kept.stale
    assert again.effect == whole.effect


def scrubbed(
    claim: Prepared, kept: Checkpoint | None = None, progress: Silent | None = None
) -> Result:
    context = Context(Session(), OPTIONS, progress or Silent())
    planned = plan_claim(claim, context)
    return scrub_claim(planned if kept is None else evolve(planned, checkpoint=kept), context)
