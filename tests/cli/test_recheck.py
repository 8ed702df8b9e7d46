"""`--recheck`: the check of weights that is made once is made again, and the progress says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import scrub
from scrub.hypothesis.collect import collect
from scrub.model import hf_directory
from scrub.model.bridge import boot
from scrub.model.hf_directory import CHECKING
from support.command import IOI, ROOT, inside
from support.spoilt_models import change, copy

CLAIM = f"{ROOT / IOI}::by_value"
FEW = ("--samples", "20")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that nobody has checked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    directory = copy(tmp_path)
    change(directory, lambda state: {name: 1.0001 * tensor for name, tensor in state.items()})
    return directory


def said(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> list[str]:
    """What a command's progress says of the check."""
    texts: list[str] = []
    with monkeypatch.context() as patched:
        bar = "scrub.report.progress_bar.ProgressBar.says"
        patched.setattr(bar, lambda self, text: texts.append(text))
        done = inside(*arguments)
    assert done.code in (0, 1), done.err
    assert (done.err, texts[0]) == ("", "loading the model")
    return [text for text in texts if text == CHECKING]


def test_the_progress_says_when_a_model_is_checked(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("test", CLAIM, "--model", model, *FEW)
    assert said(monkeypatch, *run) == [CHECKING]
    assert said(monkeypatch, *run) == []
    assert said(monkeypatch, *run, "--recheck") == [CHECKING]
    explain = ("explain", CLAIM, "--model", model, *FEW)
    assert said(monkeypatch, *explain) == []
    assert said(monkeypatch, *explain, "--recheck") == [CHECKING]
    compare = ("compare", CLAIM, "--model", model, "--model", "ioi-planted", *FEW)
    assert said(monkeypatch, *compare) == []
    assert said(monkeypatch, *compare, "--recheck") == [CHECKING] * 2


def test_a_session_checks_again_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    booted: list[Path] = []

    def counted(directory: Path, **more: Any) -> Any:
        booted.append(directory)
        return boot(directory, **more)

    monkeypatch.setattr(hf_directory, "boot", counted)
    (item,) = collect([CLAIM])
    session = scrub.Session()
    options: dict[str, Any] = {"samples": 20, "model": model, "session": session}
    found = [scrub.run(item.claim, **options, recheck=again) for again in (False, True, True)]
    assert booted == [model, model]
    assert len({result.recovered.mean for result in found}) == 1
