"""What a model's processor makes of an image: which pixels it takes, and which tokens it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from attrs import frozen
from jaxtyping import Float32, Int, UInt8

from scrub.errors import UserError

IMAGE = "<image>"
"""Where an image stands in a text, unless a processor calls it otherwise."""


@frozen
class ImageLayout:
    """How a model reads images.

    Attributes:
        size: pixels a side of an image that the processor leaves alone: it is neither scaled nor
            cropped.
        patch: pixels a side of a patch.
        token: id of the image token.
        count: image tokens of one image.
        mean, std: of red, green and blue, by which values from 0 to 1 are normalised.
        rescale: what pixels from 0 to 255 are multiplied with before that.
        marker: the image token as it is written in a text.
        special: how many tokens of an image stand before those of its patches (the class token,
            where a model takes it too).
    """

    size: int
    patch: int
    token: int
    count: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    rescale: float = 1 / 255
    marker: str = IMAGE
    special: int = 0

    @property
    def grid(self) -> int:
        """Patches a side."""
        return self.size // self.patch

    def position(self, row: int, column: int, first: int = 0) -> int:
        """The index of a patch's token in a row of the data.

        Args:
            row: of the patch, from the top, from 0.
            column: of the patch, from the left, from 0.
            first: index of the image's first token.

        Raises:
            UserError: the grid has no such patch.
        """
        if not (0 <= row < self.grid and 0 <= column < self.grid):
            raise UserError(
                f"There is no patch in row {row}, column {column}: the model's grid is "
                f"{self.grid} x {self.grid}, counted from 0."
            )
        return first + self.special + row * self.grid + column

    def values(
        self, pixels: UInt8[np.ndarray, "images height width 3"]
    ) -> Float32[np.ndarray, "images 3 height width"]:
        """What the vision tower reads of images of this size.

        Law: the bits of Hugging Face's CLIPImageProcessor (PIL), which is asked when a model is
        loaded.
        """
        scaled = (pixels.astype(np.float64) * self.rescale).astype(np.float32)
        mean, std = (np.array(of, dtype=np.float32) for of in (self.mean, self.std))
        return np.ascontiguousarray(np.moveaxis((scaled - mean) / std, -1, 1))

    def images_of(
        self, tokens: Int[np.ndarray, "rows width"], lengths: Int[np.ndarray, " rows"]
    ) -> Int[np.ndarray, " rows"]:
        """How many image tokens each row has, pads not counted."""
        real = np.arange(tokens.shape[1]) < lengths[:, None]
        return ((tokens == self.token) & real).sum(axis=1)


class ImageTokenizer(Protocol):
    """What is needed of a tokenizer of a model that reads images."""

    @property
    def name(self) -> str: ...

    @property
    def images(self) -> ImageLayout | None: ...

    def encode_whole(self, text: str) -> list[int]:
        """Token ids of a text with the special tokens that the model's own processor adds."""
        ...


def image_layout(tokenizer: object, of: str) -> ImageLayout:
    """How the model of a tokenizer reads images.

    Args:
        of: what asks for it, as messages call it: "rgb.game".

    Raises:
        UserError: the model does not read images.
    """
    layout = getattr(tokenizer, "images", None)
    if not isinstance(layout, ImageLayout):
        name = getattr(tokenizer, "name", "the model")
        raise UserError(
            f"{of} needs a model that reads images, and {name} reads text only. Use a "
            "vision-language model, such as llava-hf/llava-1.5-7b-hf."
        )
    return layout


def expanded(tokenizer: object, text: str) -> list[int]:
    """Token ids of a text in which images stand, as the model's own processor gives them.

    Each "<image>" becomes as many image tokens as an image has; special tokens are added (the one
    that begins a text, of Llama).

    Raises:
        UserError: the model does not read images.
    """
    layout = image_layout(tokenizer, "A text with images")
    reader: ImageTokenizer = tokenizer  # type: ignore[assignment]  # it has a layout
    return reader.encode_whole(text.replace(layout.marker, layout.marker * layout.count))


def size_problem(layout: ImageLayout, size: tuple[int, int]) -> str:
    """What is wrong with images of this height and width; "" if nothing."""
    height, width = size
    if (height, width) == (layout.size, layout.size):
        return ""
    side = layout.size
    return (
        f"images of {width} x {height} pixels, which the model's processor would rescale to "
        f"{side} x {side}: patches would smear. Make them {side} x {side}."
    )


def count_problem(
    layout: ImageLayout,
    tokens: Int[np.ndarray, "rows width"],
    lengths: Int[np.ndarray, " rows"],
    images: Int[np.ndarray, "rows most"],
) -> tuple[int, str] | None:
    """The first row whose image tokens are not those of its images, and what is wrong with it."""
    found, given = layout.images_of(tokens, lengths), (images >= 0).sum(axis=1)
    wrong = np.flatnonzero(found != given * layout.count)
    if not len(wrong):
        return None
    row = int(wrong[0])
    there, whole = int(found[row]), found[row] % layout.count == 0
    said = (
        f"{there // layout.count} {layout.marker} in its text"
        if whole
        else f"{there} image tokens, and an image has {layout.count}"
    )
    return row, f"{given[row]} image{'s' * (int(given[row]) != 1)} and {said}"


def image_table(rows: Sequence[Iterable[int]]) -> Int[np.ndarray, "rows most"]:
    """Numbers of the images of each row as `Dataset.inputs["images"]` has them: −1 fills up."""
    listed = [list(row) for row in rows]
    table = np.full((len(listed), max(map(len, listed), default=0)), -1, dtype=np.int64)
    for row, numbers in zip(table, listed, strict=True):
        row[: len(numbers)] = numbers
    return table
