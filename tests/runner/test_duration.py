"""How long a run will take: said before it starts, where that is long."""

from __future__ import annotations

import re

import pytest
from attrs import evolve

from scrub.runner.checkpoint import Checkpoint
from scrub.runner.duration import announcement, estimated_seconds, rate
from scrub.runner.options import Options
from scrub.runner.remaining import RemainingWork, announced
from support.command import IOI, inside


def test_announcement() -> None:
    assert announcement(599, 5) == announcement(0, 1) == ""
    tail = "; Ctrl-C keeps what is computed, and the same command resumes"
    assert announcement(25 * 60, 5) == f"about 25 minutes for 5 claims{tail}"
    assert announcement(3 * 3600, 1) == f"about 3 hours for 1 claim{tail}"


def test_an_estimate_grows_with_the_work() -> None:
    float32 = Options().dtype
    assert estimated_seconds(1e9, "cpu", float32) == 0  # not worth measuring
    assert 1e8 < rate("cpu", float32, 0.01) < 1e15
    assert estimated_seconds(1e17, "cpu", float32) > estimated_seconds(1e15, "cpu", float32) > 0


def test_work_that_is_known_or_shared_is_not_counted() -> None:
    new = RemainingWork("a", Checkpoint(), flops=10**14, plain_flops=10**17, shared=(1, 2))
    alone = announced([new], Options()).split(" for ")[0]
    assert alone.startswith("about")
    other = evolve(new, name="b", flops=0)
    assert "2 claims" in announced([new, other], Options())
    known = evolve(new, checkpoint=Checkpoint(finished=True), flops=0, plain_flops=0)
    assert announced([known], Options()) == ""


def test_a_long_run_is_announced_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here seconds are long; the run itself is real."""
    monkeypatch.setattr("scrub.runner.duration.ANNOUNCED", 0.0)
    monkeypatch.setattr("scrub.runner.duration.WORTH_MEASURING", 0.0)
    arguments = ("test", f"{IOI}::whole_circuit", "--samples", "100")
    sentence = r"about \d+ minutes for 1 claim; Ctrl-C keeps what is computed, and .* resumes\n"
    assert re.fullmatch(sentence, inside(*arguments).err)
    assert inside(*arguments, "-q").err == ""
