"""Random samplers of virtual rows, for random hypotheses."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from attrs import frozen

from scrub.samplers import Constant, Mean, Sampler, Steer, Zero
from support import tiny_models

SIZES = {
    **dict.fromkeys(("q", "k", "v", "z"), "d_head"),
    **dict.fromkeys(("mlp_pre", "mlp_pre_linear", "mlp_post"), "d_mlp"),
    **dict.fromkeys(("embed", "pos_embed", "result", "mlp", "mlp_in", "mlp_normed"), "d_model"),
    **dict.fromkeys((f"{port}_{end}" for port in "qkv" for end in ("in", "normed")), "d_model"),
    **dict.fromkeys(("logits_in", "logits_normed"), "d_model"),
}
"""Sites that can be split, and the name of the size of their last axis."""


@frozen
class VirtualRows:
    """Chooses samplers of virtual rows.

    Attributes:
        shapes: of how many shapes rows are, by their column "shape"; 0: no virtual rows.
        shape: of the model.
    """

    rng: np.random.Generator
    shapes: int
    shape: tiny_models.Shape

    def chance(self) -> bool:
        return bool(self.shapes) and bool(self.rng.random() < 0.5)

    def mean(self) -> Mean:
        options = [Mean("shape"), Mean("shape", "two")]
        return (options + [Mean()] * (self.shapes == 1))[self.rng.integers(len(options))]

    def other(self) -> Sampler:
        return self.mean() if self.rng.random() < 0.7 else Zero()

    def own(self, claimed: Set[str]) -> Sampler:
        """Values that fit the sites of a leaf, of these kinds. A mask is only averaged."""
        sizes = set(map(self.size, claimed))
        if "mask" in claimed or self.rng.random() < 0.4:
            return self.mean()
        (size,) = sizes if len(sizes) == 1 else (None,)
        if size is None:
            return Zero() if self.rng.random() < 0.5 else Constant(self.rng.normal())
        vector = self.rng.normal(size=size)
        every = self.rng.normal(size=(tiny_models.WIDTH, size))
        options = [Zero(), Constant(vector), Constant(every), Steer(vector, by=-1.5)]
        return options[self.rng.integers(len(options))]

    def size(self, part: str) -> int | None:
        """How many numbers a site has at one position; None: of logits, or source positions."""
        named = "d_model" if part == "attn_out" else SIZES.get(part)
        return None if named is None else getattr(self.shape, named)
