"""What the config.json of a LLaVA says: of its language model, and of how it reads images.

Settings that a file leaves out are those that Hugging Face's classes have for them. No library is
imported here: a model is described in a moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrub.errors import UserError
from scrub.model.config import unsupported
from scrub.model.config_values import (
    FLAG,
    HEADS,
    LAYERS,
    LENGTH,
    SIZE,
    TABLE,
    TEXT,
    Config,
    Kind,
    check_divides,
    check_settings,
    refuse,
    whole,
)
from scrub.model.vision import VisionShape

LLAVA = "llava"
"""The `model_type` of such a model."""
CLIP = "clip_vision_model"
"""The `model_type` of the vision towers that are supported."""
SELECTED = {"default": 0, "full": 1}
"""By strategy, how many tokens of an image stand before those of its patches (the class token)."""

SETTINGS: dict[str, Kind] = {
    "image_token_id": LENGTH,
    "image_token_index": LENGTH,
    "multimodal_projector_bias": FLAG,
    "projector_hidden_act": TEXT,
    "tie_word_embeddings": FLAG,
    "vision_feature_select_strategy": TEXT,
}
LANGUAGE: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "vocab_size": 32000,
}
"""Of a language model that is a Llama, where its table leaves them out."""
VISION: dict[str, Any] = {
    "model_type": CLIP,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_channels": 3,
    "image_size": 224,
    "patch_size": 32,
}
"""Of a vision tower, where its table leaves them out."""
VISION_SETTINGS: dict[str, Kind] = {
    "hidden_size": SIZE,
    "intermediate_size": SIZE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_channels": whole(3, 3),
    "image_size": LENGTH,
    "patch_size": LENGTH,
}


def is_llava(config: Config) -> bool:
    """Whether it is the configuration of a LLaVA."""
    return config.get("model_type") == LLAVA


def check_llava(config: Config) -> None:
    """Refuse settings of another kind than they must be.

    Raises:
        UserError: with all of them.
    """
    tables: dict[str, Kind] = {"text_config": TABLE, "vision_config": TABLE}
    check_settings(config, required=tables, optional=SETTINGS)


def language_config(config: Config) -> dict[str, Any]:
    """The configuration of the language model, as it would have it by itself."""
    given = dict(config["text_config"])
    kind = given.get("model_type", LANGUAGE["model_type"])
    known = dict(LANGUAGE) if kind == LANGUAGE["model_type"] else {"model_type": kind}
    tied = bool(config.get("tie_word_embeddings")) or bool(given.get("tie_word_embeddings"))
    return {**known, **given, "tie_word_embeddings": tied}


def strategy(config: Config) -> str:
    """Which of an image's features are its tokens."""
    return config.get("vision_feature_select_strategy") or "default"


def feature_layers(config: Config) -> tuple[int, ...]:
    """After which layers of the tower the features are taken (0: before the first)."""
    given = config.get("vision_feature_layer")
    layers = (-2 if given is None else given,) if not isinstance(given, list) else tuple(given)
    whole_ones = all(isinstance(n, int) and not isinstance(n, bool) for n in layers)
    most = _vision_settings(config)["num_hidden_layers"]
    if not whole_ones or not layers or any(not -most - 1 <= n <= most for n in layers):
        raise unsupported("vision_feature_layer", given)
    return layers


def image_token(config: Config) -> int:
    """The id of the image token."""
    for name in ("image_token_id", "image_token_index"):
        if config.get(name) is not None:
            return config[name]
    return 32000


def vision_shape(config: Config) -> VisionShape:
    """How large the vision tower and the projector are.

    Raises:
        UserError: settings are missing or of another kind, or the tower is one that scrub does not
            know.
    """
    vision = _vision_settings(config)
    if strategy(config) not in SELECTED:
        raise UserError(
            f'vision_feature_select_strategy = "{strategy(config)}" is not supported; there are: '
            f"{', '.join(SELECTED)}."
        )
    size, patch, width = vision["image_size"], vision["patch_size"], vision["hidden_size"]
    grid = size // patch
    if not grid:
        refuse([f"a patch of {patch} pixels is larger than an image of {size}"])
    return VisionShape(
        size=size,
        patch=patch,
        layers=vision["num_hidden_layers"],
        width=width,
        mlp=vision["intermediate_size"],
        features=width * len(feature_layers(config)),
        count=grid**2 + SELECTED[strategy(config)],
        d_model=language_config(config)["hidden_size"],
    )


def _vision_settings(config: Config) -> Mapping[str, Any]:
    """The vision tower's settings."""
    vision = {**VISION, **config["vision_config"]}
    if vision["model_type"] != CLIP:
        raise UserError(
            f'Its vision tower is a "{vision["model_type"]}", which is not supported; there is: '
            f'"{CLIP}".'
        )
    check_settings(vision, required=VISION_SETTINGS, optional={})
    check_divides(vision, "hidden_size", "num_attention_heads")
    return vision
