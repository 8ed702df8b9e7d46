"""Names of models, of directories and of the hub: each that is none refused in one sentence."""

from __future__ import annotations

import functools
import socket
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

from scrub.errors import UserError
from scrub.model.registry import describe
from support.embedded import LISTED
from support.spoilt_models import (
    refused,
)


@pytest.mark.parametrize("name", ["", " ", "x/y/z", "gpt2 ", "http://x.org/y", "a\0b", "é/ü"])
def test_names_that_can_be_none(name: str) -> None:
    with pytest.raises(UserError, match=r"^There is no model "):
        describe(name)


def test_a_name_that_is_very_long() -> None:
    with pytest.raises(UserError) as caught:
        describe("x" * 5_000)
    assert len(str(caught.value)) < 500 + len(LISTED)


def test_paths_that_lead_to_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    give = f"Give a directory with config.json and model.safetensors, or one of: {LISTED}."
    for name, why in (
        ("file", "it is a file"),
        ("loop", "there is no such directory"),
        ("nowhere", "there is no such directory"),
    ):
        path = tmp_path / name
        assert refused(path) == f'There is no model "DIR": {why}. {give}'


def test_a_hub_that_answers_with_an_error_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def download(name: str, **options: Any) -> str:
        raise RuntimeError("500 Server Error\n" + "<html>\n" * 1_000)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(UserError) as caught:
        describe("some/body")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500 + len(LISTED)


def test_a_hub_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as hub:
        endpoint = f"http://127.0.0.1:{hub.getsockname()[1]}"
        monkeypatch.setattr("scrub.model.hub.PATIENCE", 0.5)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.HfApi", functools.partial(HfApi, endpoint=endpoint))
        with pytest.raises(UserError, match=r"it was not reached, and there is no copy of it here"):
            describe("some/body")
