"""A tiny LLaVA of two images in a row, on disk and loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scrub.model.graph import Graph
from scrub.model.registry import describe, load
from support import tiny_llava


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 x 3 patches, two images in a row of at most 40 tokens."""
    folder = tmp_path_factory.mktemp("large")
    tiny_llava.save(folder, grid=3, width=40)
    return folder


@pytest.fixture(scope="session")
def loaded(large: Path) -> Graph:
    return load(describe(large), dtype=torch.float64, device="cpu", recheck=True).graph
