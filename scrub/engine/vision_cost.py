"""What it takes to see the images of the rows that were drawn: once for each distinct picture."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from scrub.data.dataset import Rows
from scrub.model.graph import Graph
from scrub.model.vision import drawn_images


@frozen
class VisionCost:
    """What the vision tower and the projector take.

    Attributes:
        images: distinct pictures.
        flops: operations, where none was seen before.
        bytes: of what is kept of them, and of those that were seen before.
    """

    images: int = 0
    flops: int = 0
    bytes: int = 0


def vision_cost(graph: Graph, drawn: Iterable[Rows]) -> VisionCost:
    """What it takes to see the images of these rows; nothing where a model reads text only."""
    vision = graph.vision
    if vision is None:
        return VisionCost()
    seen = drawn_images(drawn)
    return VisionCost(
        images=len(seen), flops=len(seen) * vision.shape.flops, bytes=vision.held_after(seen)
    )
