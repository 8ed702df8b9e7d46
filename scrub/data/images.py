"""Images: a frozen table of pictures of one size, which rows of a dataset name by their numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from os import PathLike, fspath
from typing import Any

import numpy as np
from attrs import field, frozen
from jaxtyping import Int, UInt8

from scrub.errors import Problem, UserError
from scrub.printing import one_line, printed


def _pixels(values: Any) -> np.ndarray:
    """Whole numbers from 0 to 255 as uint8 of their own, read-only; others as they are."""
    found = np.asarray(values)
    if found.dtype.kind in "iu" and found.size and found.min() >= 0 and found.max() <= 255:
        found = found.astype(np.uint8)
    if found.dtype == np.uint8:
        found = found.copy()
        found.setflags(write=False)
    return found


@frozen(eq=False, repr=False)
class Images:
    """Pictures of one size in red, green and blue, each from 0 to 255.

    Attributes:
        pixels: rows from the top, columns from the left.

    Raises:
        UserError: they are of another shape, or no such numbers.
    """

    pixels: UInt8[np.ndarray, "images height width 3"] = field(converter=_pixels)

    def __attrs_post_init__(self) -> None:
        shape, kind = list(self.pixels.shape), self.pixels.dtype
        if len(shape) != 4 or shape[-1] != 3 or 0 in shape:
            raise UserError(f"Images are of shape {shape}. Give pixels [images, height, width, 3].")
        if kind != np.uint8:
            raise UserError(f"Images are of type {kind}. Give whole numbers from 0 to 255, uint8.")

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of each, in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """The hash of each: two of one size with one hash are the same picture."""
        return tuple(hashlib.sha256(one.tobytes()).hexdigest() for one in self.pixels)

    def sha256(self, number: int) -> str:
        """The hash of one."""
        return self.hashes[number]

    @cached_property
    def distinct(self) -> Int[np.ndarray, " images"]:
        """For each the number of the first that is the same picture."""
        first: dict[str, int] = {}
        return np.array([first.setdefault(one, i) for i, one in enumerate(self.hashes)])

    @staticmethod
    def read(paths: Iterable[str | PathLike[str]]) -> Images:
        """Pictures from files, in their order; of gray, palette or transparent ones the colours.

        Raises:
            UserError: files are missing, cut short, no pictures, or of several sizes; with all.
        """
        named = [fspath(path) for path in paths]
        if not named:
            raise UserError("No image files are named. Give the path of one or more.")
        tried = {path: _read(path) for path in dict.fromkeys(named)}
        problems = [found for found in tried.values() if isinstance(found, Problem)]
        if problems:
            raise UserError(*problems)
        pixels = [np.asarray(tried[path]) for path in named]
        sizes = {one.shape[:2]: path for path, one in zip(named, pixels, strict=True)}
        if len(sizes) > 1:
            listed = ", ".join(f"{path} is {w} x {h}" for (h, w), path in sizes.items())
            raise UserError(f"Images of one dataset are of one size (width x height): {listed}.")
        return Images(np.stack(pixels))

    def __repr__(self) -> str:
        height, width = self.size
        return one_line(f"Images({len(self)} of {width} x {height} pixels)")


def _read(path: str) -> np.ndarray | Problem:
    """The pixels of a file, or what is wrong with it."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except FileNotFoundError:
        return Problem(f"There is no image file {printed(path)}.")
    except IsADirectoryError:
        return Problem(f"{printed(path)} is a folder.", "Give the path of an image file.")
    except UnidentifiedImageError:
        return Problem(f"{printed(path)} is no image that can be read.", "Give a PNG or JPEG file.")
    except PermissionError:
        return Problem(f"The image file {printed(path)} cannot be read: permission denied.")
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        return Problem(
            f"The image file {printed(path)} is cut short or damaged ({reason}).",
            "Copy or write it again.",
        )
