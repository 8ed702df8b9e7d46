"""Put values that are known at some positions among values at others, row by row."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def scatter(
    base: Float[Tensor, "n p *rest"],
    target: Int[Tensor, "n p"],
    value: Float[Tensor, "n t *rest"],
    index: Int[Tensor, "n t"],
) -> Float[Tensor, "n p *rest"]:
    """`base`, with `value` where `target` and `index` name the same position of a row.

    Where two entries of `index` coincide, the first stands.
    """
    count = index.shape[1]
    span = int(max(int(target.max()), int(index.max()))) + 1
    entry = torch.arange(count, device=index.device).expand(len(index), count)
    here = torch.full((len(index), span), count, device=index.device)
    which = here.scatter_reduce(1, index, entry, "amin").gather(1, target)
    rows = torch.arange(len(index), device=index.device)[:, None] * count
    taken = value.flatten(0, 1)[rows + which.clamp(max=count - 1)]
    return torch.where(_fitting(which < count, taken), taken, base)


def scatter_add(
    base: Float[Tensor, "n p *rest"],
    target: Int[Tensor, "n p"],
    value: Float[Tensor, "n t *rest"],
    index: Int[Tensor, "n t"],
) -> Float[Tensor, "n p *rest"]:
    """`base` plus `value` where `target` and `index` name the same position; once a position."""
    return base + scatter(torch.zeros_like(base), target, value, index)


def _fitting(mask: Tensor, value: Tensor) -> Tensor:
    return mask.reshape(*mask.shape, *[1] * (value.dim() - 2))
