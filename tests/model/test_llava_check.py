"""What is found when a LLaVA is checked against Hugging Face's own model and processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from scrub import UserError
from scrub.model import llava_check
from scrub.model.graph import Graph
from scrub.model.llava_check import (
    check_graph,
    check_patches,
    logits_on,
    probe_data,
    processor_of,
)
from scrub.model.registry import describe
from scrub.model.vision import Vision
from support import tiny_llava


def mistaken(graph: Graph, **layout: Any) -> Vision:
    assert graph.vision is not None
    return evolve(graph.vision, layout=evolve(graph.vision.layout, **layout))


def test_patches_that_stand_elsewhere_are_found(loaded: Graph) -> None:
    assert loaded.vision is not None
    check_patches(loaded.vision)
    with pytest.raises(UserError, match="patches cannot be told apart by their tokens"):
        check_patches(mistaken(loaded, special=1))


def test_patches_read_column_by_column_are_found(loaded: Graph) -> None:
    vision = loaded.vision
    assert vision is not None
    assert vision.project is not None
    right = vision.project
    turned = evolve(vision, project=lambda pixels: right(pixels.transpose(2, 3)))
    with pytest.raises(UserError, match="patches cannot be told apart"):
        check_patches(turned)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mean": (0.5, 0.5, 0.5)}, "other pixel values"),
        ({"count": 8}, "The model's own processor"),
    ],
    ids=str,
)
def test_a_processor_that_is_read_wrongly_is_found(
    changed: dict[str, Any], message: str, large: Path, loaded: Graph
) -> None:
    tokenizer, vision = describe(large).tokenizer, mistaken(loaded, **changed)
    assert tokenizer is not None
    wrong: Any = evolve(tokenizer, images=vision.layout)  # type: ignore[misc]
    with pytest.raises(UserError, match=message):
        llava_check.check_processor(processor_of(large), wrong, vision.layout)


def test_other_weights_of_the_tower_are_found(loaded: Graph) -> None:
    from scrub.model.transformer import transformer

    assert loaded.vision is not None
    assert loaded.vision.project is not None
    assert loaded.weights is not None
    right = loaded.vision.project
    vision = evolve(loaded.vision, project=lambda pixels: 1.001 * right(pixels))
    layout = vision.layout
    probe = probe_data(layout, _shape(tiny_llava.directory(), width=40), 0)
    expected = logits_on(tiny_llava.hugging_face_model(grid=3, width=40), probe, layout)
    check_graph(loaded, probe, expected)
    with pytest.raises(UserError, match="The graph disagrees with the model"):
        check_graph(transformer(loaded.weights, vision), probe, expected)


def _shape(directory: Path, **more: Any) -> Any:
    from scrub.model.directory import read_config
    from scrub.model.families import shape_of

    return evolve(shape_of(read_config(directory)), **more)


def test_the_probe_has_one_image_two_none_and_pads(loaded: Graph) -> None:
    assert loaded.vision is not None
    probe = probe_data(loaded.vision.layout, _shape(tiny_llava.directory(), width=40), 0)
    assert (probe.inputs["images"] >= 0).sum(axis=1).tolist() == [1, 2, 0, 1]
    assert probe.lengths[3] < probe.lengths[0]
