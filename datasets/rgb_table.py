"""The choices behind the images of the RGB game, and the images that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from attrs import evolve, frozen

from scrub.data.image_layout import ImageLayout
from scrub.data.images import Images

from .ioi_draws import fresh_numbers

Change = Literal["recoloured", "removed", "moved"]

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "purple": (128, 0, 128),
    "orange": (255, 165, 0),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
}
"""Red, green and blue of each colour, 0 to 255."""


@frozen(eq=False)
class Table:
    """The choices behind the images; arrays [rows]. Colours are indices into a list of words."""

    foreign: np.ndarray
    background: np.ndarray
    new: np.ndarray
    row: np.ndarray
    column: np.ndarray
    present: np.ndarray


def changed(table: Table, what: Change, inner: int, uniform: np.ndarray) -> Table:
    """A table with one thing changed.

    Args:
        inner: patches a side that do not lie on the border.
        uniform: a number of [0, 1) for each row.
    """
    match what:
        case "recoloured":
            return evolve(table, foreign=table.new, new=table.foreign)
        case "removed":
            return evolve(table, present=np.zeros_like(table.present))
        case "moved":
            here = (table.row - 1) * inner + table.column - 1
            there = fresh_numbers(inner * inner, uniform, here)
            return evolve(table, row=1 + there // inner, column=1 + there % inner)


def images_of(table: Table, words: Sequence[str], layout: ImageLayout) -> tuple[Images, np.ndarray]:
    """Each distinct image once, and which of them each row has: int64 [rows, 1]."""
    shown = np.where(table.present, table.foreign, table.background)
    looks = np.stack([table.background, shown, table.row, table.column])
    looks[2:, ~table.present] = 0  # what is all background looks the same wherever the patch was
    distinct, which = np.unique(looks, axis=1, return_inverse=True)
    palette = np.array([COLOURS[word] for word in words], dtype=np.uint8)
    grids = np.broadcast_to(distinct[0, :, None, None], (distinct.shape[1], *[layout.grid] * 2))
    grids = grids.copy()
    grids[np.arange(len(grids)), distinct[2], distinct[3]] = distinct[1]
    pixels = palette[grids].repeat(layout.patch, axis=1).repeat(layout.patch, axis=2)
    return Images(pixels), which.reshape(-1, 1)


def tokens_of(layout: ImageLayout, first: int, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """The image token of each of these patches, given that of the image's first: int64 [rows]."""
    return np.array(
        [layout.position(int(r), int(c), first) for r, c in zip(row, column, strict=True)]
    )
