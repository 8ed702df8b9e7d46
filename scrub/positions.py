"""Put values that are known at some positions among values at others, row by row."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def place(
    base: Float[Tensor, "n p *rest"],
    target: Int[Tensor, "n p"],
    value: Float[Tensor, "n t *rest"],
    index: Int[Tensor, "n t"],
) -> Float[Tensor, "n p *rest"]:
    """`base`, with `value` where `target` and `index` name the same position of a row.

    Where two entries of `index` coincide, the first stands.
    """
    for column in reversed(range(index.shape[1])):
        here = _fitting(target == index[:, column : column + 1], base)
        base = torch.where(here, value[:, column : column + 1], base)
    return base


def add(
    base: Float[Tensor, "n p *rest"],
    target: Int[Tensor, "n p"],
    value: Float[Tensor, "n t *rest"],
    index: Int[Tensor, "n t"],
) -> Float[Tensor, "n p *rest"]:
    """`base` plus `value` where `target` and `index` name the same position; once a position."""
    return base + place(torch.zeros_like(base), target, value, index)


def _fitting(mask: Tensor, value: Tensor) -> Tensor:
    return mask.reshape(*mask.shape, *[1] * (value.dim() - 2))
