"""Two attention heads, small enough to compute by hand.

A token has three numbers: a (how much it is attended to), c (how sharply it attends) and v (what it
says). Head 0 attends from i to j in proportion to a_j to the power c_i, head 1 to all alike. The
output at a position is its own v, and what either head reads there. Nothing is normalised. In a
second layer, which is like the first, both heads also read what head 0 of the first has written.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from oracle.by_hand import Drawn, root_value
from scrub.data.dataset import Dataset
from scrub.hypothesis.correspondence import InterpNode
from scrub.hypothesis.sites import (
    Sites,
    heads,
    output,
)
from scrub.hypothesis.tree import NamePath
from scrub.model.graph import Graph
from scrub.model.transformer import transformer
from scrub.model.weights import MLP, Attention, Block, Linear, Projection, Weights
from scrub.samplers import Exact

A = [[1, 2, 3], [2, 5, 1], [4, 1, 3], [3, 2, 9]]
C = [[2, 2, 1], [1, 1, 2], [1, 0, 1], [1, 2, 1]]
V = [[1, 2, 4], [10, 20, 40], [100, 200, 400], [1000, 2000, 4000]]
"""Per row of the data, per position. The last token of row 2 is padding."""

DATA = Dataset(
    "tokens",
    inputs={"tokens": np.arange(12).reshape(4, 3)},  # every row has tokens of its own
    lengths=np.array([3, 3, 2, 3]),
    positions={"name": np.array([0, 1, 0, 1]), "end": np.array([2, 2, 1, 2])},
)


def two_heads(*, causal: bool = True, layers: int = 1) -> Graph:
    """The stream: log a, c, v, what head 0 reads, what head 1 reads."""
    a, c, v = (torch.tensor(numbers, dtype=torch.float64).flatten() for numbers in (A, C, V))
    nothing, unit = torch.zeros_like(a), torch.eye(5, dtype=torch.float64)

    def reading(of_head_0: torch.Tensor, of_head_1: torch.Tensor) -> Projection:
        return Projection(torch.stack([of_head_0, of_head_1])[:, :, None])

    attention = Attention(
        norm=as_it_is,
        query=reading(unit[1], 0 * unit[1]),
        key=reading(unit[0], unit[0]),
        value=reading(unit[2] + unit[3], unit[2] + unit[3]),
        output=unit[3:, None],
        output_bias=None,
        scale=1.0,
    )
    idle = Linear(0 * unit)
    weights = Weights(
        embedding=torch.stack([a.log(), c, v, nothing, nothing], dim=1),
        position_embedding=None,
        blocks=(Block(attention, MLP(as_it_is, idle, None, idle, "relu")),) * layers,
        norm_final=as_it_is,
        unembedding=Linear(unit[:, 2:]),
        width=3,
        causal=causal,
    )
    return transformer(weights)


def as_it_is(x: torch.Tensor) -> torch.Tensor:
    return x


def attended(weights: list[int], values: list[float]) -> float:
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def scrubbed(
    sites: Mapping[InterpNode, Sites],
    drawn: Mapping[NamePath, Drawn],
    model: Graph | None = None,
) -> list[list[float]]:
    """Per sample: v, what heads 0 read and what heads 1 read, one position after the other."""
    value = root_value(model or two_heads(), DATA, sites, drawn)
    return value[:, :, 0].flatten(1).tolist()


def close(expected: list[list[float]]) -> object:
    return [pytest.approx(sample, rel=1e-12) for sample in expected]


def root() -> InterpNode:
    return InterpNode("out", Exact(), other=Exact())


BOTH = [(0, 0), (0, 1)]
IN_ROW_0 = [4, attended([1, 2, 3], [1, 2, 4]), attended([1, 1, 1], [1, 2, 4])]
"""The plain output at the end of row 0."""


def below_heads(
    where: Sites, row: int, *, other: int = 0, at: str | tuple[str | int, ...] = "end"
) -> list[float]:
    """The output where both heads stand on one row and what these sites say is another row's."""
    top = root()
    both = top.child("heads", Exact())
    below = both.child("below", Exact())
    claimed = {top: output(at=at), both: heads(BOTH, at=at), below: where}
    drawn = {
        ("out",): ((0,), (3,)),
        ("out", "heads"): ((2,), (other,)),
        ("out", "heads", "below"): (row,),
    }
    (value,) = scrubbed(claimed, drawn)
    return value
