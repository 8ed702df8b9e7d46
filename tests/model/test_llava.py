"""LLaVA models that are loaded from a directory: what they compute, and when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from torch.utils.flop_counter import FlopCounterMode

import scrub
from scrub import Correspondence, Exact, Images, InterpNode
from scrub.checks.structure import check
from scrub.data.dataset import Dataset
from scrub.data.image_layout import IMAGE, ImageLayout, expanded
from scrub.hypothesis.sites import anything, heads, none, output, projector, token_embedding
from scrub.metrics import logit_diff
from scrub.model.graph import Graph
from scrub.model.llava_check import (
    noise,
    processor_of,
)
from scrub.model.llava_directory import HuggingFaceVision
from scrub.model.registry import describe, load
from scrub.model.tokenizer import load_tokenizer
from scrub.reference import Pictures
from support import tiny_llava
from support.family_models import TOLERANCE, off
from support.llava_rows import TOKEN, rows_of, values
from support.paths import SHARED_MODELS
from support.tiny_llava import TOKENS, VOCABULARY

STORIES = SHARED_MODELS / "stories260k"


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
