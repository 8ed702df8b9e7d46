"""Weights after an edit: pure functions of weights; those that an edit does not name are the same.

Edits of rank one read activations of the model as it is before them (`scrub.model.edit_reading`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from attrs import evolve
from torch import Tensor

from scrub.hypothesis.splits import REST, Coordinates, Projection
from scrub.model.edits import Part, Scale, Swap
from scrub.model.weights import MLP, Attention, Block, Linear, Weights
from scrub.model.weights import Projection as HeadProjection
from scrub.names import POS_EMBED

Change = Callable[[Tensor], Tensor]


def scaled(weights: Weights, edit: Scale) -> Weights:
    """The weights with the outputs of some parts times a number."""
    for part in edit.parts:
        weights = _scaled(weights, part, edit.by)
    return weights


def _scaled(weights: Weights, part: Part, by: float) -> Weights:
    def times(value: Tensor) -> Tensor:  # 0 times a weight may be −0
        return torch.zeros_like(value) if by == 0 else value * by

    if part.layer is None:
        name = "position_embedding" if part.cell.site == POS_EMBED else "embedding"
        return evolve(weights, **{name: times(getattr(weights, name))})
    block = weights.blocks[part.layer]
    if part.cell.head is not None:
        attention = _head_scaled(block.attention, part, part.cell.head, by, times)
        return with_block(weights, part.layer, evolve(block, attention=attention))
    assert block.mlp is not None
    return with_block(
        weights, part.layer, evolve(block, mlp=_mlp_scaled(block.mlp, part, by, times))
    )


def _head_scaled(
    attention: Attention, part: Part, head: int, by: float, times: Change
) -> Attention:
    if part.kind == "z":
        change = times if part.split is None else _along(part, by)
        return evolve(attention, output=_with_row(attention.output, head, change))
    name = {"q": "query", "k": "key", "v": "value"}[part.kind]
    projection: HeadProjection = getattr(attention, name)
    row = head * len(projection.weight) // len(attention.output)
    bias = projection.bias
    # A head that is named with all others of its group is scaled once, with the first of them.
    if head % (len(attention.output) // len(projection.weight)):
        return attention
    changed = evolve(
        projection,
        weight=_with_row(projection.weight, row, times),
        bias=None if bias is None else _with_row(bias, row, times),
    )
    return evolve(attention, **{name: changed})


def _mlp_scaled(mlp: MLP, part: Part, by: float, times: Change) -> MLP:
    if part.kind == "mlp_pre":
        return evolve(mlp, pre=_linear(mlp.pre, times))
    if part.kind == "mlp":
        change = times if part.split is None else _along(part, by)
        return evolve(mlp, post=_linear(mlp.post, change))
    weight = mlp.post.weight.clone()
    which = _neurons(part, len(weight))
    weight[which] = times(weight[which])
    return evolve(mlp, post=evolve(mlp.post, weight=weight))


def _neurons(part: Part, size: int) -> list[int]:
    """The neurons that a part is."""
    if not isinstance(part.split, Coordinates):
        return list(range(size))
    if part.cell.part != REST:
        return list(part.split.sets[str(part.cell.part)])
    named = {number for some in part.split.sets.values() for number in some}
    return [number for number in range(size) if number not in named]


def _along(part: Part, by: float) -> Change:
    """What changes the last axis along the summand's subspace alone."""
    assert isinstance(part.split, Projection)
    bases = {name: torch.from_numpy(basis.copy()) for name, basis in part.split.bases.items()}

    def change(value: Tensor) -> Tensor:
        wide = value.double()
        shares = {
            name: wide @ b.to(value.device) @ b.T.to(value.device) for name, b in bases.items()
        }
        rest = wide - sum(shares.values())
        share = rest if part.cell.part == REST else shares[str(part.cell.part)]
        return (wide + (by - 1) * share).to(value.dtype)

    return change


def swapped(weights: Weights, edit: Swap) -> Weights:
    """The weights with parts that have traded places."""
    for one, other in zip(edit.first, edit.second, strict=True):
        if one.cell.head is not None:
            weights = _heads_swapped(weights, one, other)
        elif one.kind == "mlp":
            weights = _mlps_swapped(weights, one, other)
        else:
            weights = _neurons_swapped(weights, one, other)
    return weights


def _heads_swapped(weights: Weights, one: Part, other: Part) -> Weights:
    (first, i), (second, j) = _head(one), _head(other)
    ours, theirs = (weights.blocks[layer].attention for layer in (first, second))
    shared = len(ours.output) != len(ours.key.weight)
    for name in ("query", "output") if shared else ("query", "key", "value", "output"):
        one_part, other_part = getattr(ours, name), getattr(theirs, name)
        if first == second:
            ours = theirs = evolve(ours, **{name: _rows_traded(one_part, i, one_part, j)[0]})
            continue
        traded = _rows_traded(one_part, i, other_part, j)
        ours, theirs = evolve(ours, **{name: traded[0]}), evolve(theirs, **{name: traded[1]})
    for layer, attention in ((first, ours), (second, theirs)):
        weights = with_block(weights, layer, evolve(weights.blocks[layer], attention=attention))
    return weights


def _rows_traded(one: Any, i: int, other: Any, j: int) -> tuple[Any, Any]:
    """Row i of one and row j of the other in each other's place; the two may be the same."""
    if isinstance(one, Tensor):
        ours = one.clone()
        theirs = ours if other is one else other.clone()
        ours[i], theirs[j] = other[j].clone(), one[i].clone()
        return ours, theirs
    weights = _rows_traded(one.weight, i, other.weight, j)
    biases = (None, None)
    if one.bias is not None:
        biases = _rows_traded(one.bias, i, other.bias, j)
    first, second = (
        evolve(part, weight=weight, bias=bias)
        for part, weight, bias in zip((one, other), weights, biases, strict=True)
    )
    return first, second


def _mlps_swapped(weights: Weights, one: Part, other: Part) -> Weights:
    first, second = _layer(one), _layer(other)
    ours, theirs = weights.blocks[first], weights.blocks[second]
    weights = with_block(weights, first, evolve(ours, mlp=theirs.mlp))
    return with_block(weights, second, evolve(theirs, mlp=ours.mlp))


def _neurons_swapped(weights: Weights, one: Part, other: Part) -> Weights:
    """Each neuron's weights: what it reads, and what it writes."""
    first, second = _layer(one), _layer(other)
    blocks = list(weights.blocks)
    sizes = [len(_mlp(blocks[layer]).post.weight) for layer in (first, second)]
    for i, j in zip(_neurons(one, sizes[0]), _neurons(other, sizes[1]), strict=True):
        ours, theirs = _mlp(blocks[first]), _mlp(blocks[second])
        for name in ("pre", "linear", "post"):
            traded = _neuron_traded(getattr(ours, name), i, getattr(theirs, name), j, name)
            if traded is not None:
                ours = evolve(ours, **{name: traded[0]})
                theirs = ours if first == second else evolve(theirs, **{name: traded[1]})
        blocks[first] = evolve(blocks[first], mlp=ours)
        blocks[second] = evolve(blocks[second], mlp=theirs)
    return evolve(weights, blocks=tuple(blocks))


def _neuron_traded(
    one: Linear | None, i: int, other: Linear | None, j: int, name: str
) -> tuple[Linear, Linear] | None:
    if one is None or other is None:
        return None
    if name == "post":  # its bias is the layer's
        rows = _rows_traded(one.weight, i, other.weight, j)
        return evolve(one, weight=rows[0]), evolve(other, weight=rows[1])
    turned = one.weight.T, other.weight.T
    if one is other:
        turned = turned[0], turned[0]
    columns = _rows_traded(turned[0], i, turned[1], j)
    biases = (one.bias, other.bias)
    if one.bias is not None and other.bias is not None:
        biases = _rows_traded(one.bias, i, other.bias, j)
    return (
        Linear(columns[0].T.contiguous(), biases[0]),
        Linear(columns[1].T.contiguous(), biases[1]),
    )


def mapped(weights: Weights, layer: int, change: Tensor) -> Weights:
    """The weights with `change` [d_mlp, d_model] added to an MLP's output weights."""
    mlp = _mlp(weights.blocks[layer])
    weight = (mlp.post.weight.double() + change).to(mlp.post.weight.dtype)
    changed = evolve(mlp, post=evolve(mlp.post, weight=weight))
    return with_block(weights, layer, evolve(weights.blocks[layer], mlp=changed))


def with_block(weights: Weights, layer: int, block: Block) -> Weights:
    """The weights with another layer in one's place."""
    blocks = (*weights.blocks[:layer], block, *weights.blocks[layer + 1 :])
    return evolve(weights, blocks=blocks)


def _with_row(value: Tensor, row: int, change: Change) -> Tensor:
    found = value.clone()
    found[row] = change(value[row])
    return found


def _linear(linear: Linear, change: Change) -> Linear:
    bias = linear.bias
    return Linear(change(linear.weight), None if bias is None else change(bias))


def _mlp(block: Block) -> MLP:
    assert block.mlp is not None
    return block.mlp


def _layer(part: Part) -> int:
    assert part.layer is not None
    return part.layer


def _head(part: Part) -> tuple[int, int]:
    assert part.cell.head is not None
    return _layer(part), part.cell.head
