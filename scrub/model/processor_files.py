"""How a model reads images, by the files of its processor: what `LlavaProcessor` would do.

What these files say is checked against Hugging Face's own processor when the model is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve

from scrub.data.image_layout import IMAGE, ImageLayout
from scrub.errors import UserError
from scrub.model.config_values import Config
from scrub.model.llava_config import SELECTED, image_token, strategy, vision_shape
from scrub.model.tokenizer import FileTokenizer

PROCESSOR, PREPROCESSOR = "processor_config.json", "preprocessor_config.json"
FILES = (PROCESSOR, PREPROCESSOR, "tokenizer.json", "tokenizer_config.json")
"""What determines how a text with images is read."""
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of CLIP's image processors, where a file names none."""


def layout_of(directory: Path, config: Config) -> ImageLayout:
    """How the model in a directory reads images.

    Where the directory has no processor, as the configuration says alone: enough to plan.

    Raises:
        UserError: its files cannot be read, disagree with config.json, or ask for what is not
            supported.
    """
    shape = vision_shape(config)
    layout = ImageLayout(
        size=shape.size,
        patch=shape.patch,
        token=image_token(config),
        count=shape.count,
        mean=CLIP_MEAN,
        std=CLIP_STD,
        special=SELECTED[strategy(config)],
    )
    if not (directory / PROCESSOR).is_file():
        return layout
    processor, images = _settings(directory)
    _check_count(directory, processor, layout)
    _check_size(directory, images, shape.size)
    normal = images.get("do_normalize", True)
    return ImageLayout(
        size=shape.size,
        patch=shape.patch,
        token=image_token(config),
        count=shape.count,
        mean=_colours(directory, images, "image_mean", CLIP_MEAN) if normal else (0.0, 0.0, 0.0),
        std=_colours(directory, images, "image_std", CLIP_STD) if normal else (1.0, 1.0, 1.0),
        rescale=_factor(directory, images),
        marker=processor.get("image_token") or IMAGE,
        special=SELECTED[strategy(config)],
    )


def require_processor(directory: Path) -> None:
    """Refuse a model without a processor: how it reads images would be a guess.

    Raises:
        UserError: names the files that are missing.
    """
    lacking = [name for name in (PROCESSOR, "tokenizer.json") if not (directory / name).is_file()]
    inner = "image_processor" in _read(directory / PROCESSOR)
    if not inner and not (directory / PREPROCESSOR).is_file():
        lacking.append(PREPROCESSOR)
    if lacking:
        raise UserError(
            f"{directory} holds a vision-language model without its processor: "
            f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing. Write what "
            "LlavaProcessor.save_pretrained writes beside the weights."
        )


def with_images(tokenizer: FileTokenizer, layout: ImageLayout, directory: Path) -> FileTokenizer:
    """The tokenizer of a model that reads images so.

    Raises:
        UserError: it has no image token, or another than config.json.
    """
    token = tokenizer.backend.token_to_id(layout.marker)
    if token != layout.token:
        has = "no token" if token is None else f"token {token} for"
        raise UserError(
            f'{directory / "tokenizer.json"} has {has} "{layout.marker}", where config.json says '
            f"that token {layout.token} is an image's. Copy both from the same model."
        )
    return evolve(tokenizer, images=layout)


def _settings(directory: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The processor's settings, and those of its image processor, in whichever file they are."""
    processor, images = _read(directory / PROCESSOR), _read(directory / PREPROCESSOR)
    inner = processor.get("image_processor")
    return processor, inner if isinstance(inner, Mapping) else images


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {error}. Copy the model's own.") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no table of settings. Copy the model's own.")
    return found


def _check_count(directory: Path, processor: Mapping[str, Any], layout: ImageLayout) -> None:
    """Refuse a processor that writes more or fewer image tokens than the model has features."""
    patch, more = processor.get("patch_size"), processor.get("num_additional_image_tokens", 0)
    if not isinstance(patch, int) or patch < 1 or not isinstance(more, int):
        raise UserError(
            f"{directory / PROCESSOR} names no patch_size, so that nobody knows how many tokens an "
            f"image is. Set patch_size to {layout.patch}, vision_feature_select_strategy to that "
            "of config.json and num_additional_image_tokens to 1, as the model's own has them."
        )
    minus = processor.get("vision_feature_select_strategy") == "default"
    tokens = (layout.size // patch) ** 2 + more - minus
    if (patch, tokens) != (layout.patch, layout.count):
        raise UserError(
            f"{directory / PROCESSOR} makes {tokens} tokens of an image by patches of {patch} "
            f"pixels, and config.json {layout.count} by patches of {layout.patch}. Copy both from "
            "the same model."
        )


def _check_size(directory: Path, images: Mapping[str, Any], size: int) -> None:
    """Refuse a processor that would scale or crop images of the size that the tower reads."""
    steps = {"size": images.get("do_resize", True), "crop_size": images.get("do_center_crop", True)}
    for name, done in steps.items():
        sides = _sides(images.get(name)) if done else {size}
        if sides != {size}:
            listed = " x ".join(map(str, sorted(sides))) or "nothing that it names"
            raise UserError(
                f"The image processor in {directory} makes images {listed} pixels large "
                f"({name}), and the vision tower reads {size} x {size}. Copy both from the same "
                "model."
            )
    for name in ("do_pad",):
        if images.get(name):
            raise UserError(f"Image processors with {name} = true are not supported ({directory}).")


def _sides(given: Any) -> set[int]:
    """The sides that a size names."""
    if isinstance(given, int):
        return {given}
    if not isinstance(given, Mapping):
        return set()
    return {side for side in given.values() if isinstance(side, int)}


def _factor(directory: Path, images: Mapping[str, Any]) -> float:
    if not images.get("do_rescale", True):
        return 1.0
    factor = images.get("rescale_factor", 1 / 255)
    if not isinstance(factor, int | float) or not factor > 0:
        raise UserError(f"The image processor in {directory} has rescale_factor = {factor!r}.")
    return float(factor)


def _colours(
    directory: Path, images: Mapping[str, Any], name: str, default: tuple[float, float, float]
) -> tuple[float, float, float]:
    given = images.get(name) or default
    known = isinstance(given, list | tuple) and len(given) == 3
    if not known or not all(isinstance(value, int | float) for value in given):
        raise UserError(
            f"The image processor in {directory} has {name} = {given!r}. Give three numbers: of "
            "red, green and blue."
        )
    red, green, blue = map(float, given)
    return red, green, blue
