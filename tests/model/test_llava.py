"""LLaVA models: loaded from a directory, checked against Hugging Face's own, or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from torch.utils.flop_counter import FlopCounterMode

import scrub
from scrub import Correspondence, Exact, Images, InterpNode, UserError
from scrub.checks.structure import check
from scrub.data.dataset import Dataset, Rows, pad
from scrub.data.image_layout import IMAGE, ImageLayout, expanded
from scrub.hypothesis.sites import anything, heads, none, output, projector, token_embedding
from scrub.metrics import logit_diff
from scrub.model import llava_check
from scrub.model.forward import batch_of, forward
from scrub.model.graph import Graph
from scrub.model.llava_check import (
    check_graph,
    check_patches,
    logits_on,
    noise,
    probe_data,
    processor_of,
)
from scrub.model.llava_directory import HuggingFaceVision
from scrub.model.processor_files import FILES
from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.model.vision import Vision
from scrub.reference import Pictures
from support import tiny_llava
from support.family_models import TOLERANCE, off
from support.paths import SHARED_MODELS
from support.tiny_llava import TOKENS, VOCABULARY

TOKEN = TOKENS[IMAGE]
STORIES = SHARED_MODELS / "stories260k"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 x 3 patches, two images in a row of at most 40 tokens."""
    folder = tmp_path_factory.mktemp("large")
    tiny_llava.save(folder, grid=3, width=40)
    return folder


@pytest.fixture(scope="module")
def loaded(large: Path) -> Graph:
    return load(describe(large), dtype=torch.float64, device="cpu", recheck=True).graph


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


def theirs(model: Any, data: Dataset, row: int) -> torch.Tensor:
    """Hugging Face's logits of one row by itself, unpadded: [length, vocabulary]."""
    tokens = torch.tensor(data.inputs["tokens"][row, : data.lengths[row]])[None]
    numbers = [n for n in data.inputs["images"][row].tolist() if n >= 0]
    seen: dict[str, Any] = {}
    if numbers and data.images is not None:
        layout = describe(tiny_llava.directory()).vision
        assert layout is not None
        found = layout.layout.values(data.images.pixels[numbers])
        seen["pixel_values"] = torch.from_numpy(found).double()
    with torch.no_grad():
        return model(input_ids=tokens, **seen).logits[0]


# What it computes


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_it_loads_in_every_precision(dtype: torch.dtype) -> None:
    assert tiny_llava.graph(dtype).dtype == dtype


def test_rows_with_one_image_with_two_and_with_none_equal_hugging_face(loaded: Graph) -> None:
    data = rows_of(1, 2, 0)
    found = values(loaded, data, "logits")["logits"][:, :, 0]
    model = tiny_llava.hugging_face_model(grid=3, width=40)
    for row, length in enumerate(data.lengths.tolist()):
        assert off(found[row, :length], theirs(model, data, row)) < TOLERANCE[torch.float64]


@pytest.mark.parametrize(
    "more", [{"strategy": "full"}, {"layer": [-3, -1]}, {"layer": -1}], ids=str
)
def test_other_features_of_the_tower(more: dict[str, Any], tmp_path: Path) -> None:
    tiny_llava.save(tmp_path, **more)
    model = describe(tmp_path)
    assert model.vision is not None
    assert model.vision.layout.count == 4 + ("strategy" in more)
    load(model, dtype=torch.float64, device="cpu", recheck=True)


def test_sites(loaded: Graph) -> None:
    data = rows_of(1, 0)
    found = values(loaded, data, "projector", "text_embed", "embed")
    is_image = torch.tensor(data.inputs["tokens"] == TOKEN)
    assert torch.equal(found["embed"], found["projector"] + found["text_embed"])
    assert (found["text_embed"][is_image] == 0).all()
    assert (found["projector"][~is_image] == 0).all()
    assert data.images is not None
    model = tiny_llava.hugging_face_model(grid=3, width=40)
    seen = processor_of_large(loaded, data.images)
    with torch.no_grad():
        expected = model.get_image_features(pixel_values=seen.double()).pooler_output[0]
    assert off(found["projector"][0, 1:10, 0], expected) < TOLERANCE[torch.float64]


def processor_of_large(graph: Graph, images: Images) -> torch.Tensor:
    assert graph.vision is not None
    return torch.from_numpy(graph.vision.layout.values(images.pixels))


def test_the_tower_sees_each_distinct_picture_once(loaded: Graph) -> None:
    assert loaded.vision is not None
    right, seen = loaded.vision.project, []

    def counted(pixels: torch.Tensor) -> torch.Tensor:
        assert right is not None
        seen.append(len(pixels))
        return right(pixels)

    vision = evolve(loaded.vision, project=counted)
    images = Images(np.concatenate([noise(2, 12).pixels] * 3))
    for _ in range(2):
        vision.features(images, np.arange(6))
        vision.features(Images(images.pixels[::-1]), np.arange(6))
    assert seen == [2]


def test_operations_are_those_that_torch_counts(loaded: Graph) -> None:
    vision = loaded.vision
    assert vision is not None
    assert isinstance(vision.project, HuggingFaceVision)
    counted, tower = FlopCounterMode(display=False), vision.project.tower
    values = torch.from_numpy(vision.layout.values(noise(2, 12).pixels))
    try:
        tower.set_attn_implementation("eager")  # on a CPU the counter passes over the other kind
        with counted, torch.no_grad():
            made = vision.project(values)
    finally:
        tower.set_attn_implementation("sdpa")
    assert counted.get_total_flops() == 2 * vision.shape.flops
    assert made.numel() * made.itemsize == 2 * vision.bytes


def test_the_processor_gives_the_same_bits(large: Path, loaded: Graph) -> None:
    from PIL import Image

    assert loaded.vision is not None
    images = noise(3, 12)
    shown = [Image.fromarray(pixels) for pixels in images.pixels]
    made = processor_of(large).image_processor(shown, return_tensors="np")["pixel_values"]
    assert np.array_equal(np.asarray(made), loaded.vision.layout.values(images.pixels))


def test_a_text_becomes_the_tokens_of_the_processor(large: Path) -> None:
    tokens = expanded(describe(large).tokenizer, f"{IMAGE} Which color ?")
    assert tokens[0] == TOKENS["<s>"]
    assert tokens[1:10] == [TOKEN] * 9
    assert len(tokens) == 13


@pytest.mark.skipif(not STORIES.is_dir(), reason="the shared models are not here")
@pytest.mark.parametrize("text", ["USER: {0}\nWhich one was it? A:", "{0}", "Once {0}upon {0} it"])
def test_a_llamas_own_tokenizer_reads_texts_with_images_alike(text: str, tmp_path: Path) -> None:
    """Byte-pair encoding whose words begin with "▁", as llava-1.5 has it."""
    from transformers import AutoTokenizer

    written = json.loads((STORIES / "tokenizer.json").read_text())
    added = {"id": 512, "content": IMAGE, "special": True, "normalized": False}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
    begin = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    written["added_tokens"].append(added | flags)
    written["post_processor"] |= {
        "single": begin,
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    }
    settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "legacy": False}
    for name, table in (
        ("tokenizer.json", written),
        ("tokenizer_config.json", settings),
        ("config.json", {"model_type": "llava"}),
    ):
        (tmp_path / name).write_text(json.dumps(table))
    layout = ImageLayout(16, 4, 512, 16, (0, 0, 0), (1, 1, 1))
    tokenizer = evolve(load_tokenizer(tmp_path), images=layout)
    theirs = AutoTokenizer.from_pretrained(tmp_path)(text.format(IMAGE * 16))["input_ids"]
    assert expanded(tokenizer, text.format(IMAGE)) == theirs
    assert theirs[0] == 1
    assert theirs.count(512) == 16 * text.count("{0}")


def test_scrubbed_by_a_claim(large: Path) -> None:
    """All exact is the plain model; another image's projection is another one's."""
    data = rows_of(1, 1, 1)

    def build(model: Any) -> Correspondence:
        logits = InterpNode("logits", Exact(), other=Exact())
        seen = logits.child("image", Exact())
        return Correspondence(
            {logits: output(at="end"), seen: projector(at=(1, 4), through=anything)}
        )

    claimed = scrub.claim(data=data, metric=logit_diff("io", "s"))(build)
    result = scrub.run(claimed, model=large, samples=20, dtype="float64")
    assert np.allclose(result.scores.original, result.scores.scrubbed, atol=1e-9)


# What would be wrong


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


# Bad input


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


def test_the_projector_is_a_part_of_the_embedding(loaded: Graph) -> None:
    root = InterpNode("logits", Exact(), other=Exact())
    image, beside = root.child("image", Exact()), root.child("beside", Exact())
    by_head = none.including(heads([(1, 1)]))

    def found(sites: Any) -> list[str]:
        seen = projector(at=2, through=by_head)
        claimed = Correspondence({root: output(at="end"), image: seen, beside: sites})
        return [str(p) for p in check(claimed, loaded, rows_of(1, 1), logit_diff("io", "s"))]

    (overlap,) = found(token_embedding(at=2, through=by_head))
    assert 'Its path runs through embed at 2, which "beside" claims.' in overlap
    assert found(token_embedding(at=1, through=by_head)) == []
    assert found(heads([(0, 0)], at="end")) == []


def test_the_vocabulary_is_that_of_the_language_model(loaded: Graph) -> None:
    assert loaded.vocabulary == VOCABULARY
    assert isinstance(tiny_llava.pictures(), Pictures)
