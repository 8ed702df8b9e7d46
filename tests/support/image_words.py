"""Tokenizers of models that read images, without a model."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scrub.data.image_layout import IMAGE, ImageLayout
from scrub.datasets import rgb
from scrub.model.tokenizer import FileTokenizer, word_level

BOS = "<s>"
GREY = (0.5, 0.5, 0.5)


def image_words(
    grid: int,
    *,
    patch: int = 4,
    colours: Iterable[str] = tuple(rgb.COLOURS),
    prompt: str = rgb.PROMPT,
    special: int = 0,
    begins: bool = False,
) -> FileTokenizer:
    """One token a word of the prompt and the colours, which sees a grid of patches.

    Args:
        special: image tokens before those of the patches.
        begins: whether a whole text begins with a token of its own.
    """
    from tokenizers.processors import TemplateProcessing

    words = re.findall(r"\w+|[^\w\s]", prompt.replace(IMAGE, ""))
    backend = word_level([*words, *colours])
    backend.add_special_tokens([IMAGE, BOS])
    if begins:
        backend.post_processor = TemplateProcessing(  # type: ignore[misc]  # untyped setter
            single=f"{BOS} $A", special_tokens=[(BOS, backend.token_to_id(BOS))]
        )
    layout = ImageLayout(
        size=grid * patch,
        patch=patch,
        token=backend.token_to_id(IMAGE),
        count=grid * grid + special,
        mean=GREY,
        std=GREY,
        special=special,
    )
    return FileTokenizer("image-words", 0, backend, "WordLevel", layout)
