"""The images of a run record: each that was drawn once, and which of them each input has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from scrub.data.dataset import Dataset, codes_of


def with_images(found: Mapping[str, np.ndarray], drawn: Iterable[Dataset]) -> dict[str, np.ndarray]:
    """The tensors of a record, with its images as a table and numbers in it.

    Args:
        found: tensors, those called NAME.images with codes of images.
        drawn: what was drawn from.
    """
    datasets = [data if data.given is None else data.given.source for data in drawn]
    pixels = {
        code: image
        for data in datasets
        if data.images is not None
        for code, image in zip(codes_of(data.images).tolist(), data.images.pixels, strict=True)
    }
    if not pixels:
        return dict(found)
    read = {name: values for name, values in found.items() if name.endswith(".images")}
    codes = np.unique(np.concatenate([values.ravel() for values in read.values()]))
    codes = codes[codes >= 0]
    numbers = {
        name: np.where(values < 0, -1, np.searchsorted(codes, values))
        for name, values in read.items()
    }
    return {**found, **numbers, "images": np.stack([pixels[code] for code in codes.tolist()])}
