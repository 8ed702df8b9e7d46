"""Images that a model cannot read as they are: every problem, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scrub.data.dataset import Dataset
from scrub.data.image_layout import count_problem, size_problem
from scrub.errors import Problem
from scrub.model.graph import Graph


def image_problems(data: Dataset, graph: Graph, whose: str, node: str) -> Iterator[Problem]:
    """What keeps the model from reading a dataset's images.

    Args:
        whose: how messages begin: 'Dataset "x" has'.
        node: the node that drew its rows; "" for the data.
    """
    vision, tokens = graph.vision, data.inputs.get("tokens")
    if tokens is None:
        return
    if vision is None:
        if data.images is not None:
            yield Problem(
                f"{whose} images, and the model reads text only.",
                "Use a vision-language model, or data without images.",
                node=node,
            )
        return
    layout = vision.layout
    if data.images is not None and (wrong := size_problem(layout, data.images.size)):
        yield Problem(f"{whose} {wrong}", node=node)
    none = np.empty((len(data), 0), dtype=np.int64)
    numbers = none if data.images is None else data.inputs["images"]
    found = count_problem(layout, tokens, data.lengths, numbers)
    if found is not None:
        row, wrong = found
        yield Problem(
            f"{whose} {wrong} in row {row}.",
            f"Give one image for each {layout.marker}, of {layout.count} tokens.",
            node=node,
        )
