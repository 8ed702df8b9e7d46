"""Nothing that scrub does installs anything."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from scrub.errors import UserError
from scrub.model.bridge import wrapped
from scrub.model.no_installing import HELPERS, INSTALLER, installs, nothing_installed
from scrub.model.registry import describe, embedded_names, load
from support import family_models, tiny_llava

_started: list[list[Any]] = []


@pytest.fixture
def started() -> Iterator[list[Any]]:
    """What processes are started, however that is done."""
    found: list[Any] = []
    _listen()
    _started.append(found)
    yield found
    _started.remove(found)


def _listen(known: list[bool] = []) -> None:  # noqa: B006  # a hook cannot be taken away again
    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
            for found in _started:
                found.append((event, arguments))

    if not known:
        known.append(True)
        sys.addaudithook(heard)


def installed() -> set[tuple[str, str]]:
    return {(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()}


def test_loading_every_family_leaves_the_environment_as_it_is(
    started: list[Any], tmp_path: Path
) -> None:
    before = installed()
    for name in ("gpt2", "neox", "llama", "mistral", "qwen2", "qwen3"):
        family_models.save(family_models.hugging_face_model(name), tmp_path / name)
        load(describe(tmp_path / name), dtype=torch.float32, device="cpu", recheck=True)
    for name in embedded_names():
        load(describe(name), dtype=torch.float32, device="cpu")
    model = describe(tiny_llava.directory())
    load(model, dtype=torch.float32, device="cpu", recheck=True)
    assert started == []
    assert installed() == before


def test_a_process_is_heard(started: list[Any]) -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert len(started) > 0


def test_what_transformer_lens_would_install_is_refused() -> None:
    helpers = __import__(HELPERS, fromlist=["helpers"])
    right = getattr(helpers, INSTALLER)
    with (
        nothing_installed(),
        pytest.raises(UserError, match="scrub installs nothing"),
    ):
        getattr(helpers, INSTALLER)()
    assert getattr(helpers, INSTALLER) is right


def test_a_llava_behind_a_bridge_is_refused_and_not_installed_for(
    started: list[Any], tmp_path: Path
) -> None:
    """The way by which TransformerLens comes to its installer: there is no processor."""
    model = tiny_llava.hugging_face_model()
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="scrub installs nothing") as refused:
        wrapped(model.float(), str(tmp_path))
    assert len(refused.value.problems) == 1
    assert started == []


def test_an_installer_is_refused_and_other_processes_are_not() -> None:
    popen = subprocess.Popen
    with nothing_installed():
        subprocess.run([sys.executable, "-c", ""], check=True)
        with pytest.raises(UserError, match="scrub installs nothing"):
            subprocess.check_call([sys.executable, "-m", "pip", "install", "nothing-at-all"])
    assert subprocess.Popen is popen


@pytest.mark.parametrize(
    ("command", "is_one"),
    [
        (["/usr/bin/python", "-m", "pip", "install", "x"], True),
        (["uv", "pip", "install", "x", "-q"], True),
        ("pip install x", True),
        (["/opt/conda/bin/conda", "install", "x"], True),
        (["ls", "install"], False),
        (["pip", "list"], False),
    ],
)
def test_which_commands_install(command: Any, is_one: bool) -> None:
    assert installs(command) == is_one
