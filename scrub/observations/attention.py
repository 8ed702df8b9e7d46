"""Attention from one position to others, and how much is moved along it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scrub import names
from scrub.hypothesis.sites import Head
from scrub.observations.heads import by_layer, head_name, named_heads
from scrub.observations.observation import SPREAD, Observation, frame_of, mean, spread
from scrub.observations.picture import Grid
from scrub.observations.subject import Part, Subject

MOVED = (
    "moved: attention times the norm of the value there as the head writes it (of v·W_O); of all: "
    "its share of the sum over positions"
)


def attention(subject: Subject, of: Any = None, at: Any = None, to: Any = None) -> Observation:
    """How much each head attends from a position to others, and how much it moves from there.

    `moved` is the value-weighted attention a·‖v·W_O‖ (Kobayashi et al. 2020), in the units of the
    residual stream; `of_all` its share of the sum over source positions.

    Args:
        of: heads; default: all.
        at: the position that attends; default: that of the behaviour's metric.
        to: positions that are attended to; default: all columns of the data.

    Returns:
        One row a head and column: component, layer, head, at, to; attention (mean over rows), sd,
        low, high, n; moved, moved_sd, of_all.

    Raises:
        UserError: there is no such head or column, or what is named is no head.
    """
    heads = named_heads(of, subject.model, "attention patterns")
    query, keys = subject.position(at), subject.positions(to)
    found = [_of_heads(part, heads, query, keys) for part in subject.values.parts(_read(heads))]
    attended, moved, share = (torch.cat(parts).cpu().numpy() for parts in zip(*found, strict=True))
    rows = []
    for number, head in enumerate(heads):
        for place, key in enumerate(keys):
            sizes = moved[:, number, place]
            deviation = sizes.std(ddof=1) if len(sizes) > 1 else np.nan
            figures = {
                "component": head_name(head), "layer": head[0], "head": head[1],
                "at": query, "to": key, **spread(attended[:, number, place], "attention"),
                "moved": sizes.mean(), "moved_sd": deviation,
                "of_all": mean(share[:, number, place]),
            }  # fmt: skip
            rows.append(figures)
    picture = Grid("component", "to", ("attention",), "attention")
    return Observation(
        f"Attention from {query}",
        subject.about,
        frame_of(rows),
        (MOVED, SPREAD),
        picture,
        ("attention",),
    )


def _read(heads: Sequence[Head]) -> list[str]:
    layers = dict.fromkeys(layer for layer, _ in heads)
    return [names.attention_site(layer, part) for layer in layers for part in ("pattern", "v")]


def _of_heads(
    part: Part, heads: tuple[Head, ...], query: Any, keys: Sequence[Any]
) -> tuple[Tensor, Tensor, Tensor]:
    """Attention, what is moved, and its share, of some rows: each [rows, heads, columns]."""
    at, to = part.index(query), part.index(*keys)
    found = [
        tuple(value.gather(-1, to[:, None].expand(-1, value.shape[1], -1)) for value in values)
        for values in _weighted(part, heads, at)
    ]
    attended, moved, share = (torch.cat(values, dim=1) for values in zip(*found, strict=True))
    return attended, moved, share


def _weighted(
    part: Part, heads: tuple[Head, ...], at: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The same for all source positions, layer by layer: each [rows, heads, positions]."""
    weights = part.cache.graph.weights
    assert weights is not None
    for layer, numbers in by_layer(heads).items():
        pattern = part.value(names.attention_site(layer, "pattern"), at)[:, 0, numbers].double()
        values = part.value(names.attention_site(layer, "v"))[:, :, numbers]
        moved = pattern * written_norms(values, weights.blocks[layer].attention.output[numbers])
        yield pattern, moved, moved / moved.sum(-1, keepdim=True)


def written_norms(
    values: Float[Tensor, "rows positions heads d_head"],
    output: Float[Tensor, "heads d_head d_model"],
) -> Float[Tensor, "rows heads positions"]:
    """‖v·W_O‖ of each value, by way of W_O·W_Oᵀ, which is small."""
    wide = output.double()
    gram = wide @ wide.transpose(1, 2)
    values = values.double()
    squares = torch.einsum("nkhe,hef,nkhf->nhk", values, gram, values)
    return squares.clamp(min=0).sqrt()
