"""LLaVA models, and data for them, that are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import evolve

from scrub import Correspondence, Exact, InterpNode, UserError
from scrub.checks.structure import check
from scrub.data.dataset import Dataset
from scrub.hypothesis.sites import output
from scrub.metrics import logit_diff
from scrub.model.graph import Graph
from scrub.model.processor_files import FILES
from scrub.model.registry import describe, load
from support import tiny_llava
from support.llava_rows import rows_of, values


def problems(data: Dataset, graph: Graph) -> list[str]:
    root = InterpNode("logits", Exact(), other=Exact())
    claimed = Correspondence({root: output(at="end")})
    return [str(p) for p in check(claimed, graph, data, logit_diff("io", "s"))]


def test_images_of_another_size(loaded: Graph) -> None:
    assert problems(rows_of(1, 1), loaded) == []
    assert problems(rows_of(1, 1, size=14), loaded) == [
        'Dataset "rows" has images of 14 x 14 pixels, which the model\'s processor would rescale '
        "to 12 x 12: patches would smear. Make them 12 x 12."
    ]


def test_images_for_a_model_that_reads_text_only() -> None:
    from support.family_models import graph

    data = evolve(rows_of(1, count=2), inputs={"tokens": [[3, 5, 5, 4, 5, 3]], "images": [[0]]})
    assert problems(data, graph("llama")) == [
        'Dataset "rows" has images, and the model reads text only. Use a vision-language model, or '
        "data without images."
    ]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([[0, 1], [2, -1]], "2 images and 1 <image> in its text in row 0"),
        ([[-1], [0]], "0 images and 1 <image> in its text in row 0"),
    ],
)
def test_more_or_fewer_images_than_in_the_text(numbers: Any, message: str, loaded: Graph) -> None:
    data = rows_of(1, 1, 1).take([0, 1])
    data = evolve(data, inputs={**data.inputs, "images": numbers})
    assert problems(data, loaded) == [
        f'Dataset "rows" has {message}. Give one image for each <image>, of 9 tokens.'
    ]


def test_part_of_an_image(loaded: Graph) -> None:
    (message,) = problems(rows_of(1, 1, count=8), loaded)
    assert "1 image and 8 image tokens, and an image has 9 in row 0" in message


def test_image_tokens_without_images(loaded: Graph) -> None:
    data = rows_of(1, 1)
    text = evolve(data, inputs={"tokens": data.inputs["tokens"]}, images=None)
    assert "0 images and 1 <image>" in problems(text, loaded)[0]
    assert problems(rows_of(0, 0), loaded) == []


Edit = Callable[[dict[str, Any]], object]


def edited(folder: Path, name: str, edit: Edit) -> None:
    path = folder / name
    settings = json.loads(path.read_text())
    edit(settings)
    path.write_text(json.dumps(settings))


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as error:
        load(describe(folder), dtype=torch.float32, device="cpu")
    (problem,) = error.value.problems
    return str(problem).replace(str(folder), "DIR")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "llava"
    shutil.copytree(tiny_llava.directory(), folder)
    return folder


EDITS: dict[str, tuple[str, Edit, str]] = {
    "strategy": (
        "config.json",
        lambda c: c.update(vision_feature_select_strategy="cls"),
        'vision_feature_select_strategy = "cls" is not supported; there are: default, full.',
    ),
    "tower": (
        "config.json",
        lambda c: c["vision_config"].update(model_type="siglip_vision_model"),
        'Its vision tower is a "siglip_vision_model", which is not supported; there is: '
        '"clip_vision_model".',
    ),
    "language model": (
        "config.json",
        lambda c: c["text_config"].update(model_type="gemma2"),
        'The architecture "gemma2" is not supported; there are: ',
    ),
    "layer": (
        "config.json",
        lambda c: c.update(vision_feature_layer=7),
        "Models with vision_feature_layer = 7 in their config.json are not supported.",
    ),
    "no vision": (
        "config.json",
        lambda c: c.pop("vision_config"),
        "vision_config is missing",
    ),
    "another token": (
        "config.json",
        lambda c: c.update({"image_token_index": 3, "image_token_id": 3}),
        'has token 10 for "<image>", where config.json says that token 3 is an image\'s.',
    ),
    "another patch": (
        "processor_config.json",
        lambda c: c.update(patch_size=8),
        "makes 1 tokens of an image by patches of 8 pixels, and config.json 4 by patches of 4.",
    ),
    "no patch": (
        "processor_config.json",
        lambda c: c.pop("patch_size"),
        "names no patch_size",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_settings_that_are_refused(name: str, copied: Path) -> None:
    file, edit, message = EDITS[name]
    edited(copied, file, edit)
    assert message in refused(copied)


def test_a_processor_that_scales_or_crops(copied: Path) -> None:
    def edit(settings: dict[str, Any]) -> None:
        images = settings.get("image_processor", settings)
        images["crop_size"] = {"height": 6, "width": 6}

    name = next(n for n in FILES[:2] if "crop_size" in _text(copied / n))
    edited(copied, name, edit)
    assert refused(copied) == (
        "The image processor in DIR makes images 6 pixels large (crop_size), and the vision tower "
        "reads 8 x 8. Copy both from the same model."
    )


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def test_a_processor_that_is_missing(copied: Path) -> None:
    for name in FILES[:2]:
        (copied / name).unlink(missing_ok=True)
    assert describe(copied).vision is not None, "enough to plan"
    assert refused(copied) == (
        "DIR holds a vision-language model without its processor: processor_config.json and "
        "preprocessor_config.json are missing. Write what LlavaProcessor.save_pretrained writes "
        "beside the weights."
    )


def test_weights_of_the_vision_tower_that_are_missing(copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = copied / "model.safetensors"
    kept = {n: t for n, t in load_file(path).items() if "vision_tower" not in n}
    save_file(kept, path, metadata={"format": "pt"})
    message = refused(copied)
    assert message.startswith("The weights in DIR are incomplete: of the CLIPVisionModel ")
    kept = {n: t for n, t in load_file(path).items() if "multi_modal_projector" not in n}
    assert "others are missing. Copy or download them again." in message


def test_weights_of_the_language_model_that_are_missing(copied: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = copied / "model.safetensors"
    kept = {
        n: t for n, t in load_file(path).items() if not n.endswith("layers.1.mlp.up_proj.weight")
    }
    save_file(kept, path, metadata={"format": "pt"})
    assert refused(copied).startswith("The language model in DIR is not one whose weights")


def test_names_of_older_and_newer_files(copied: Path) -> None:
    """Both ways in which Hugging Face has written such models."""
    from safetensors.torch import load_file, save_file

    path = copied / "model.safetensors"
    state = {}
    for name, tensor in load_file(path).items():
        plain = name.removeprefix("model.")
        plain = plain.replace("language_model.model.", "language_model.")
        plain = plain.replace("vision_tower.vision_model.", "vision_tower.")
        state[plain.replace("language_model.lm_head", "lm_head")] = tensor
    old = {
        name.replace("language_model.", "language_model.model.")
        .replace("vision_tower.", "vision_tower.vision_model.")
        .replace("lm_head.", "language_model.lm_head."): tensor
        for name, tensor in state.items()
    }
    new = {n if n.startswith("lm_head") else f"model.{n}": t for n, t in state.items()}
    expected = values(tiny_llava.graph(torch.float32), rows_of(0), "logits")["logits"]
    for tensors in (old, new):
        assert tensors.keys() != state.keys()
        save_file(tensors, path, metadata={"format": "pt"})
        graph = load(describe(copied), dtype=torch.float32, device="cpu").graph
        assert torch.equal(values(graph, rows_of(0), "logits")["logits"], expected)


def test_a_model_in_memory_is_refused() -> None:
    with pytest.raises(UserError, match="Write model and processor to one directory"):
        describe(tiny_llava.hugging_face_model())
