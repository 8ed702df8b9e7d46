"""Random data for random hypotheses: rows of ragged lengths, and splits of a model's sites."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import evolve

from oracle.net import SOURCES, cells, kind, net_of
from scrub.data.dataset import Dataset, Rows, pad
from scrub.data.images import Images
from scrub.hypothesis.splits import Split, estimate, neurons, projection, source_positions
from support import tiny_models
from support.virtual_samplers import SIZES

ROWS = 10
SHORTEST = 3


def random_dataset(rng: np.random.Generator, name: str, shapes: int = 0) -> Dataset:
    """Rows of ragged lengths, with position columns a < b < end and features of two and three.

    Args:
        shapes: of how many shapes (length and positions) rows are, by column "shape"; 0: of any.
    """
    longest = int(rng.integers(SHORTEST + 2, tiny_models.WIDTH + 1))
    lengths = rng.permutation([longest, *rng.integers(SHORTEST, longest + 1, ROWS - 1)])
    shape = np.arange(ROWS) % (shapes or ROWS)
    if shapes:  # some row is as long as indices go
        lengths = lengths[np.argsort(lengths != longest, kind="stable")]
    lengths, shaped = lengths[shape], {"shape": shape} if shapes else {}
    tokens = [rng.integers(0, tiny_models.VOCABULARY, length).tolist() for length in lengths]
    b = rng.integers(1, lengths - 1)
    a = rng.integers(0, b)
    a, b = a[shape], b[shape]
    at_a = np.array([row[i] for row, i in zip(tokens, a, strict=True)])
    return Dataset(
        name,
        inputs={"tokens": pad(tokens, int(rng.integers(tiny_models.VOCABULARY)))},
        lengths=lengths,
        columns={"two": at_a % 2, "three": rng.integers(0, 3, ROWS)} | shaped,
        positions={"a": a, "b": b, "end": lengths - 1},
    )


def with_images(rng: np.random.Generator, data: Dataset, token: int, count: int) -> Dataset:
    """The same rows, most of which have an image of so many tokens, at a random place.

    A row has no image where it is too short, or by chance; two rows may have the same one.
    """
    tokens, numbers = data.inputs["tokens"].copy(), np.full((len(data), 1), -1)
    tokens[tokens == token] = 0
    for row, length in enumerate(data.lengths.tolist()):
        if length >= count and rng.random() < 0.85:
            start = int(rng.integers(length - count + 1))
            tokens[row, start : start + count] = token
            numbers[row] = rng.integers(4)
    pixels = rng.integers(256, size=(4, 8, 8, 3), dtype=np.uint8)
    inputs = {"tokens": tokens, "images": numbers}
    return evolve(data, inputs=inputs, images=Images(pixels))


Made = tuple[str, tuple[str, ...], Split]
"""A split with its kind and the names of its summands."""


def random_splits(rng: np.random.Generator, shape: tiny_models.Shape) -> dict[str, Made]:
    """Splits of one or two sites."""
    sites = sorted({c.site for c in cells(net_of(shape)) if kind(c) in SIZES})
    likely = np.array([4.0 if site.endswith(LIKELY) else 1.0 for site in sites])
    chosen = rng.choice(sites, int(rng.integers(1, 3)), replace=False, p=likely / likely.sum())
    return {str(site): random_split(rng, shape, str(site)) for site in chosen}


LIKELY = (".z", ".result", ".mlp", "embed", ".mlp_post")


def random_split(rng: np.random.Generator, shape: tiny_models.Shape, site: str) -> Made:
    size = getattr(shape, SIZES[site.split(".")[-1]])
    kinds = ["projection", "estimate"]
    kinds += ["neurons"] * (SIZES[site.split(".")[-1]] == "d_mlp") * 2
    kinds += ["sources"] * site.endswith(".z") * 2
    made = str(rng.choice(kinds))
    match made:
        case "projection":
            basis, _ = np.linalg.qr(rng.normal(size=(size, 3)))
            return made, ("one", "plane", "rest"), projection(one=basis[:, 0], plane=basis[:, 1:])
        case "neurons":
            numbers = rng.permutation(size)
            split = neurons(few=numbers[:3].tolist(), half=numbers[3 : size // 2].tolist())
            return made, ("few", "half", "rest"), split
        case "estimate":
            return made, ("phi", "rest"), estimate(random_estimate(rng, size))
    return made, (*SOURCES, "rest"), source_positions()


def random_estimate(rng: np.random.Generator, size: int) -> Callable[[Rows], np.ndarray]:
    """An estimate from the token at each position that the data has, or from a row's feature."""
    table = rng.normal(size=(tiny_models.VOCABULARY, size))
    by_token = rng.random() < 0.6

    def phi(rows: Rows) -> np.ndarray:
        tokens = rows.data.inputs["tokens"][rows.index]
        return table[tokens] if by_token else table[rows.feature("three")]

    return phi
