"""Rows with images for tiny LLaVAs, and what a graph computes of them."""

from __future__ import annotations

import numpy as np
import torch

from scrub.data.dataset import Dataset, Rows, pad
from scrub.data.image_layout import IMAGE
from scrub.model.forward import batch_of, forward
from scrub.model.graph import Graph
from scrub.model.llava_check import (
    noise,
)
from support.tiny_llava import TOKENS

TOKEN = TOKENS[IMAGE]
"""The image token."""


def rows_of(*images: int, size: int = 12, count: int = 9) -> Dataset:
    """One row for each number of images, of different lengths."""
    lists = [[3, *[*[TOKEN] * count, 4] * n, 5, 2 + n] for n in images]
    number = iter(range(sum(images)))
    most = max(images, default=0)
    table = [[next(number) for _ in range(n)] + [-1] * (most - n) for n in images]
    return Dataset(
        "rows",
        inputs={"tokens": pad(lists, 0), "images": np.array(table).reshape(len(images), most)},
        lengths=[len(one) for one in lists],
        positions={"end": [len(one) - 1 for one in lists]},
        labels={"io": [3] * len(lists), "s": [4] * len(lists)},
        images=noise(max(1, sum(images)), size, seed=7),
    )


def values(graph: Graph, data: Dataset, *names: str) -> dict[str, torch.Tensor]:
    rows = Rows(data, np.arange(len(data)))
    with torch.no_grad():
        return forward(graph, batch_of(rows, data.width, graph.device), names)
