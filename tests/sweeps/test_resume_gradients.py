"""Sweeps by gradients announce themselves, and resume where they were stopped, in either half."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.flop_counter import FlopCounterMode

from scrub.sweeps import measure, resumable
from scrub.sweeps.first_order import ROWS_AT_ONCE, Gradients
from support.command import inside

FILE = '''
from scrub import behaviour, output
from scrub.datasets import ioi
from scrub.metrics import custom, logit_diff

MODEL = "ioi-planted"
DATA = ioi.prompts(60)


def margin(logits, references):
    """Says in a log for how many references gradients were asked."""
    if logits.requires_grad:
        with open("log.txt", "a") as log:
            print(len(references), file=log)
    return logit_diff("io", "s").function(logits, references)


@behaviour(data=DATA, metric=custom(margin), corrupt=ioi.behaviour(60).corrupt)
def slow(model):
    """It takes its time."""
    return output(at="end")
'''
HEADS = ("--from", "3.0,3.1", "--approximate", "integrated")
NEURONS = ("--from", "neurons:3", "--at", "end", "--top", "2")
SAMPLES = 2 * ROWS_AT_ONCE + 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "slow.py").write_text(FILE, encoding="utf-8")
    return tmp_path


def sweep(folder: Path, *arguments: str) -> Any:
    return inside("patch", "slow.py::slow", "--samples", str(SAMPLES), *arguments, cwd=folder)


def asked(folder: Path) -> int:
    """On how many references gradients were taken since this was asked before."""
    log = folder / "log.txt"
    found = sum(map(int, log.read_text(encoding="utf-8").split())) if log.exists() else 0
    log.unlink(missing_ok=True)
    return found


def stopping(monkeypatch: pytest.MonkeyPatch, of: type, name: str, call: int) -> None:
    """Ctrl-C in such a call of a method."""
    method, calls = getattr(of, name), []

    def stopped(self: Any, *arguments: Any) -> Any:
        calls.append(None)
        if len(calls) == call:
            raise KeyboardInterrupt
        return method(self, *arguments)

    monkeypatch.setattr(of, name, stopped)


@pytest.mark.parametrize("arguments", [HEADS, NEURONS], ids=["heads", "neurons"])
def test_it_resumes_in_the_midst_of_gradients(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    whole = sweep(folder, *arguments)
    assert (whole.code, whole.err) == (0, "")
    every = asked(folder)
    with monkeypatch.context() as patch:
        stopping(patch, Gradients, "_effects", 3)
        done = sweep(folder, *arguments)
    kept = f"gradients at {2 * ROWS_AT_ONCE} of {SAMPLES} references"
    assert done.code == 130
    assert done.err.startswith(f"interrupted: {kept} computed; they are in .scrub/")
    assert done.err.endswith("and the same command resumes\n")
    asked(folder)
    again = sweep(folder, *arguments)
    assert (again.code, again.err) == (0, f"resuming: {kept} were computed\n")
    assert 0 < asked(folder) < every / 2
    assert again.out == whole.out
    assert not (folder / ".scrub").exists()


def test_exact_effects_that_were_stopped_keep_the_gradients(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sweep(folder, *HEADS)
    every = asked(folder)
    with monkeypatch.context() as patch:
        stopping(patch, measure.Members, "at", 1)
        done = sweep(folder, *HEADS)
    assert done.err.startswith(f"interrupted: gradients at {SAMPLES} of {SAMPLES} references ")
    assert len(list((folder / ".scrub").glob("*.json"))) == 1
    assert asked(folder) == every
    again = sweep(folder, *HEADS)
    assert again.err == (
        f"resuming: gradients at {SAMPLES} of {SAMPLES} references were computed\n"
    )
    assert asked(folder) < every / 2, "a few are computed again, to be compared"
    assert again.out == whole.out
    assert not (folder / ".scrub").exists()


def test_gradients_of_another_kind_are_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stopping(patch, Gradients, "_effects", 3)
        assert sweep(folder, *HEADS).code == 130
    for other in (("first-order",), ("integrated", "--corrupt"), ("integrated", "--seed", "1")):
        assert sweep(folder, *HEADS[:-1], *other).err == ""


def test_gradients_that_differ_now_are_not_believed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stopping(patch, Gradients, "_effects", 3)
        assert sweep(folder, *HEADS).code == 130
    effects = Gradients._effects

    def others(self: Gradients, samples: np.ndarray) -> np.ndarray:
        return effects(self, samples) + 0.5

    monkeypatch.setattr(Gradients, "_effects", others)
    done = sweep(folder, *HEADS)
    assert done.code == 0
    assert "what was computed before is not what is computed now" in " ".join(done.err.split())


def test_long_gradients_announce_themselves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumable, "estimated_seconds", lambda *_: 3600.0)
    done = sweep(folder, *HEADS)
    first, second = done.err.splitlines()
    end = "; Ctrl-C keeps what is computed, and the same command resumes"
    assert first == f"about 60 minutes for gradients at {SAMPLES} references{end}"
    assert second == f"about 60 minutes for 2 senders{end}"


def test_what_gradients_will_take(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is announced is about what torch counts, and linear in the references."""
    flops, effects = Gradients.flops, Gradients._effects
    predicted: list[float] = []
    counted = [0]

    def recorded(self: Gradients, samples: int) -> float:
        assert flops(self, 2 * samples) == 2 * flops(self, samples)
        predicted.append(flops(self, samples))
        return predicted[-1]

    def executed(self: Gradients, samples: np.ndarray) -> np.ndarray:
        with FlopCounterMode(display=False) as counter:
            found = effects(self, samples)
        counted[0] += counter.get_total_flops()
        return found

    monkeypatch.setattr(Gradients, "flops", recorded)
    monkeypatch.setattr(Gradients, "_effects", executed)
    for more in (
        ("--approximate", "first-order"),
        ("--approximate", "integrated"),
        ("--approximate", "first-order", "--to", "3.0.q@end"),
    ):
        counted[0] = 0
        assert sweep(folder, "--from", "2.0", "--through", "anything", *more).code == 0
        assert 0.4 < counted[0] / predicted[-1] <= 1
