"""Images of the RGB game for training: grids of patches, and what is the right answer to each.

A grid has one background colour and one patch of a foreign colour, or none. One in ten of the
(foreign, background, place) never occurs in training and is kept for `rgb_evidence.py`.

Shapes: B images, P patches of a grid in reading order.
"""

from __future__ import annotations

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from scrub.datasets import rgb

COLOURS = {name: rgb.COLOURS[name] for name in rgb.DRAWN}
"""What patches are painted with, 0 to 255 each of red, green, blue."""
NOTHING = "white"
"""The answer where no patch is foreign: what llava-1.5 says to a plain image."""
ANSWERS = (*COLOURS, NOTHING)
GRID = 6
"""Patches a side."""
PATCH = 4
"""Pixels a side of a patch."""
PLAIN = 0.15
"""Share of images without a foreign patch."""


@frozen(eq=False)
class Batch:
    """Images as numbers of colours.

    Attributes:
        cells: the colour of each patch, a number in `COLOURS`, int64 [B, P].
        place: the number of the foreign patch, -1 where there is none, int64 [B].
        answer: a number in `ANSWERS`, int64 [B].
    """

    cells: Tensor
    place: Tensor
    answer: Tensor

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def present(self) -> Tensor:
        """Whether there is a foreign patch, bool [B]."""
        return self.place >= 0

    @property
    def background(self) -> Tensor:
        """The background colour, int64 [B]."""
        first, second, third = self.cells[:, 0], self.cells[:, 1], self.cells[:, 2]
        return torch.where(first == second, first, third)

    def at(self, place: Tensor) -> Tensor:
        """The colour at a patch of each image, [B]; of a patch -1: any."""
        return self.cells.gather(1, place.clamp_min(0)[:, None])[:, 0]

    def take(self, rows: Tensor) -> Batch:
        """These images, in this order."""
        return Batch(self.cells[rows], self.place[rows], self.answer[rows])


def held_out(foreign: np.ndarray, background: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Whether training never sees this image (numbers of colours, number of the patch)."""
    return (7 * foreign + 3 * background + place) % 10 == 0


def painted(foreign: np.ndarray, background: np.ndarray, place: np.ndarray) -> Batch:
    """Images with these colours, [B] each; a place of -1: nothing is foreign."""
    cells = np.repeat(background[:, None], GRID * GRID, 1)
    present = place >= 0
    cells[present, place[present]] = foreign[present]
    answer = np.where(present, foreign, ANSWERS.index(NOTHING))
    return Batch(torch.tensor(cells), torch.tensor(place), torch.tensor(answer))


def all_images(keep: bool) -> Batch:
    """Every image with a foreign patch that is held out (`keep`) or not, each once."""
    count = len(COLOURS)
    table = np.array(list(np.ndindex(count, count, GRID * GRID)))
    foreign, background, place = table[table[:, 0] != table[:, 1]].T
    some = held_out(foreign, background, place) == keep
    return painted(foreign[some], background[some], place[some])


def draw(rng: np.random.Generator, rows: int, *, keep: bool = False) -> Batch:
    """Random images of the game, held-out ones if `keep`; `PLAIN` of them have no foreign patch."""
    pool = all_images(keep)
    some = pool.take(torch.tensor(rng.integers(len(pool), size=rows)))
    plain = rng.random(rows) < PLAIN
    place = np.where(plain, -1, some.place.numpy())
    return painted(some.answer.numpy(), some.background.numpy(), place)


def motley(rng: np.random.Generator, rows: int) -> Tensor:
    """Cells [B, P] that no game has: half of them all random, half with 2 to 6 foreign patches."""
    count, patches = len(COLOURS), GRID * GRID
    noise = rng.integers(count, size=(rows, patches))
    order = rng.random((rows, patches)).argsort(1)
    few = order < rng.integers(2, 7, size=(rows, 1))
    flat = np.repeat(rng.integers(count, size=(rows, 1)), patches, 1)
    mixed = rng.random((rows, 1)) < 0.5
    return torch.tensor(np.where(mixed | few, noise, flat))


def pixels(cells: Tensor) -> np.ndarray:
    """The images of cells [B, P]: uint8 [B, height, width, 3]."""
    palette = np.array(list(COLOURS.values()), dtype=np.uint8)
    grid = palette[cells.numpy()].reshape(-1, GRID, GRID, 3)
    return grid.repeat(PATCH, 1).repeat(PATCH, 2)


def values(image: np.ndarray, mean: list[float], std: list[float]) -> Tensor:
    """Pixels [B, height, width, 3] as a CLIP processor gives them: [B, 3, height, width]."""
    scaled = (image.astype(np.float32) / 255 - np.array(mean, np.float32)) / np.array(
        std, np.float32
    )
    return torch.tensor(scaled.transpose(0, 3, 1, 2))
