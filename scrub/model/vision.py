"""What a vision-language model makes of images: a vision tower, and a projector to its embeddings.

The tower is run once for each distinct picture, and what the projector gives of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

import numpy as np
import torch
from attrs import field, frozen
from jaxtyping import Float, Int
from torch import Tensor

from scrub.data.dataset import Dataset, Rows, padded_tokens
from scrub.data.image_layout import ImageLayout
from scrub.data.images import Images

AT_ONCE = 8
"""Images in one pass of the tower, whose attention is over all patches of each."""
Project = Callable[[Float[Tensor, "images 3 side side"]], Float[Tensor, "images count d_model"]]
"""Values of images, as the processor gives them → the projector's output at their tokens."""


@frozen
class VisionShape:
    """How large a vision tower (CLIP's) and its projector are.

    Attributes:
        size, patch: pixels a side of an image and of a patch.
        layers: of the tower; all are run, whichever the features are taken after.
        width, mlp: of the tower's residual stream, and its neurons per layer.
        features: size of what the projector reads at each token.
        count: image tokens of one image.
        d_model: size of the projector's output.
    """

    size: int
    patch: int
    layers: int
    width: int
    mlp: int
    features: int
    count: int
    d_model: int

    @property
    def flops(self) -> int:
        """Operations of matrix products for one image."""
        patches = (self.size // self.patch) ** 2
        tokens = patches + 1
        embedding = 2 * patches * 3 * self.patch**2 * self.width
        attention = tokens * self.width * (8 * self.width + 4 * tokens)
        neurons = 4 * tokens * self.width * self.mlp
        projector = 2 * self.count * self.d_model * (self.features + self.d_model)
        return embedding + self.layers * (attention + neurons) + projector

    @property
    def parameters(self) -> int:
        """Numbers in the weights, biases and norms left out."""
        layer = self.width * (4 * self.width + 2 * self.mlp)
        positions = (self.size // self.patch) ** 2 + 1
        embedding = self.width * (3 * self.patch**2 + positions)
        return embedding + self.layers * layer + self.d_model * (self.features + self.d_model)


@frozen(eq=False)
class Vision:
    """How a model reads images.

    Attributes:
        project: None until the weights are loaded.
    """

    layout: ImageLayout
    shape: VisionShape
    dtype: torch.dtype = torch.float32
    project: Project | None = field(default=None, repr=False)
    _kept: dict[str, Tensor] = field(factory=dict, init=False, repr=False)
    """By the hash of an image the projector's output [count, d_model], on the host."""

    @property
    def bytes(self) -> int:
        """Bytes that are kept of one image."""
        return self.shape.count * self.shape.d_model * self.dtype.itemsize

    def held_after(self, hashes: Set[str]) -> int:
        """Bytes that are kept once these images are seen, those that were seen before included."""
        return len(hashes | self._kept.keys()) * self.bytes

    def values(
        self, rows: Rows, width: int, device: torch.device
    ) -> Float[Tensor, "rows width 1 d_model"]:
        """The projector's output at the image tokens of some rows; zero elsewhere.

        The n-th image token of a row is the n-th of its images' tokens together.
        """
        data = rows.data
        found = torch.zeros(len(rows), width, self.shape.d_model, dtype=self.dtype, device=device)
        if data.images is not None and len(rows):
            at, number, token = self._places(rows, width)
            which, of = np.unique(number, return_inverse=True)
            if len(which):
                features = self.features(data.images, which)
                there = tuple(torch.from_numpy(axis) for axis in at)
                here = features[torch.from_numpy(of), torch.from_numpy(token)]
                found[tuple(axis.to(device) for axis in there)] = here.to(device)
        return found[:, :, None]

    def _places(
        self, rows: Rows, width: int
    ) -> tuple[tuple[np.ndarray, ...], Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Row and position of each image token; its image; and its number among that's tokens."""
        data, count = rows.data, self.layout.count
        tokens = padded_tokens(data, width)[rows.index]
        real = np.arange(width) < data.lengths[rows.index][:, None]
        is_image = (tokens == self.layout.token) & real
        at = np.nonzero(is_image)
        order = (is_image.cumsum(axis=1) - 1)[at]
        number = data.inputs["images"][rows.index][at[0], order // count]
        assert (number >= 0).all(), "a row has more image tokens than images"
        return at, number, order % count

    def features(
        self, images: Images, which: Int[np.ndarray, " n"]
    ) -> Float[Tensor, "n count d_model"]:
        """The projector's output of some images, on the host."""
        hashes = [images.hashes[number] for number in which.tolist()]
        lacking = {h: n for h, n in zip(hashes, which.tolist(), strict=True) if h not in self._kept}
        for start in range(0, len(lacking), AT_ONCE):
            some = list(lacking.items())[start : start + AT_ONCE]
            values = self.layout.values(images.pixels[[number for _, number in some]])
            made = self._projected(torch.from_numpy(values))
            self._kept.update(zip([name for name, _ in some], made.unbind(), strict=True))
        return torch.stack([self._kept[name] for name in hashes])

    def _projected(self, values: Float[Tensor, "n 3 side side"]) -> Tensor:
        assert self.project is not None, "the model has no weights yet"
        with torch.no_grad():
            return self.project(values).to("cpu", self.dtype)


def drawn_images(drawn: Iterable[Rows]) -> frozenset[str]:
    """The hashes of the pictures that some rows have."""
    return frozenset[str]().union(*(_hashes(rows.data, rows.index) for rows in drawn))


def _hashes(data: Dataset, index: np.ndarray) -> set[str]:
    """Of virtual rows, those of all rows that their values may come from."""
    if data.given is not None:
        return _hashes(data.given.source, np.arange(len(data.given.source)))
    if data.images is None:
        return set()
    numbers = np.unique(data.inputs["images"][index])
    return {data.images.hashes[number] for number in numbers[numbers >= 0].tolist()}
