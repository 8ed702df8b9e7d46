"""Model directories to spoil, and what is said of them."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from scrub.errors import UserError
from scrub.model.registry import describe, load
from support import native_models
from support.command import ROOT

PLANTED = ROOT / "scrub" / "model" / "embedded" / "ioi-planted"
State = dict[str, Tensor]
MISSING = object()
"""In the place of a setting: there is none of this name."""


def copy(folder: Path) -> Path:
    """A directory of GPT-2 to spoil."""
    return Path(shutil.copytree(PLANTED, folder / "copy"))


def in_lens_naming(folder: Path) -> Path:
    """A directory in TransformerLens naming, without MLPs and norms."""
    return native_models.save(native_models.module("bare"), folder / "lens")


def set_in(directory: Path, **settings: Any) -> None:
    path = directory / "config.json"
    config = json.loads(path.read_text()) | settings
    path.write_text(json.dumps({n: v for n, v in config.items() if v is not MISSING}))


def change(directory: Path, edit: Callable[[State], State]) -> None:
    path = directory / "model.safetensors"
    save_file(edit(load_file(path)), path, metadata={"format": "pt"})


def refused(directory: Path) -> str:
    """What is said, which is one line."""
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        load(describe(directory), dtype=torch.float32, device="cpu")
    assert time.monotonic() - started < 30
    (problem,) = caught.value.problems
    message = str(problem).replace(str(directory), "DIR")
    assert "\n" not in message
    return message


def loads(directory: Path) -> bool:
    return load(describe(directory), dtype=torch.float32, device="cpu").sha256 != ""
