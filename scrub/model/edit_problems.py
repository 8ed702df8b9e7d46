"""What is wrong with edits, given the model: parts that it lacks, with the nearest that it has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scrub import names
from scrub.errors import Problem
from scrub.hypothesis.splits import Coordinates, Projection
from scrub.model.edits import Activation, Edit, Part, RankOne, Scale, Swap
from scrub.model.weights import Attention, Weights


def edit_problems(edits: tuple[Edit, ...], weights: Weights | None, model: str) -> list[Problem]:
    """Why these edits cannot be made of a model, a sentence each.

    Args:
        weights: the model's, of which the shapes alone are looked at.
        model: what messages call it.
    """
    if weights is None:
        what = f'Model "{model}" is a graph of plain functions, which has no weights to edit.'
        return [Problem(what, "Give a transformer.")]
    found: dict[Problem, None] = {}
    for edit in edits:
        for what, fix in _problems(edit, weights, model):
            found[Problem(f'Edit "{edit}": {what}', fix)] = None
    return list(found)


Said = Iterator[tuple[str, str]]


def _problems(edit: Edit, weights: Weights, model: str) -> Said:
    match edit:
        case Scale(parts=parts):
            for part in parts:
                lacking = list(_lacking(part, weights, model))
                yield from lacking or _unscalable(part, edit, weights)
        case Swap(first=first, second=second):
            lacking = [
                said for part in (*first, *second) for said in _lacking(part, weights, model)
            ]
            yield from lacking
            if not lacking:
                for one, other in zip(first, second, strict=True):
                    yield from _unlike(one, other, weights)
        case RankOne():
            lacking = list(_lacking_mlp(edit.layer, weights, model))
            yield from lacking or _wrong_sizes(edit, weights)


def _lacking(part: Part, weights: Weights, model: str) -> Said:
    """Why a model does not have a part."""
    layer, cell = part.layer, part.cell
    if layer is None:
        if cell.site == names.POS_EMBED and weights.position_embedding is None:
            yield f'model "{model}" has no position embedding: it turns queries and keys.', ""
        return
    if cell.head is not None:
        layers, heads = len(weights.blocks), weights.blocks[0].attention.output.shape[0]
        if not (0 <= layer < layers and 0 <= cell.head < heads):
            nearest = f"{_within(layer, layers)}.{_within(cell.head, heads)}"
            yield (
                f'model "{model}" has no head {layer}.{cell.head}: it has heads 0.0 to '
                f"{layers - 1}.{heads - 1}.",
                f"The nearest is {nearest}.",
            )
            return
    elif lacking := list(_lacking_mlp(layer, weights, model)):
        yield from lacking
        return
    yield from _lacking_summand(part, weights, model)


def _lacking_mlp(layer: int, weights: Weights, model: str) -> Said:
    have = [number for number, block in enumerate(weights.blocks) if block.mlp is not None]
    if not have:
        yield f'model "{model}" has no MLPs.', "Edit heads."
    elif layer not in have:
        nearest = min(have, key=lambda number: abs(number - layer))
        yield (
            f'model "{model}" has no MLP {layer}: it has MLPs {have[0]} to {have[-1]}.',
            f"The nearest is {nearest}.",
        )


def _lacking_summand(part: Part, weights: Weights, model: str) -> Said:
    """Why a site of the model has no such summand."""
    d_model = weights.embedding.shape[1]
    match part.split:
        case Coordinates(sets=sets):
            size = _neurons(part.layer, weights)
            for number in sorted(n for some in sets.values() for n in some if n >= size):
                yield (
                    f'MLP {part.layer} of model "{model}" has no neuron {number}: it has 0 to '
                    f"{size - 1}.",
                    f"The nearest is {size - 1}.",
                )
        case Projection(bases=bases):
            for name, basis in bases.items():
                if len(basis) != d_model:
                    yield (
                        f'direction "{name}" has {len(basis)} numbers, and {part.cell._whole()} '
                        f"writes {d_model}.",
                        f"Give {d_model}.",
                    )


def _unscalable(part: Part, edit: Scale, weights: Weights) -> Said:
    """Why the weights cannot do to a part what the edit says."""
    if part.kind not in ("q", "k", "v") or part.layer is None:
        return
    attention = weights.blocks[part.layer].attention
    projection = {"q": attention.query, "k": attention.key, "v": attention.value}[part.kind]
    if projection.norm is not None and edit.by != 0:
        yield (
            f"{part} is normalised after its weights, which undoes any scale but 0.",
            "Scale the head's output.",
        )
    group = len(attention.output) // len(projection.weight)
    head = part.cell.head
    if group > 1 and head is not None:
        first = head // group * group
        needed = set(range(first, first + group))
        given = {p.cell.head for p in edit.parts if (p.layer, p.kind) == (part.layer, part.kind)}
        if not needed <= given:
            listed = ", ".join(f"{part.layer}.{n}" for n in sorted(needed))
            yield f"{part} is shared by heads {listed}.", "Name all of them."


def _unlike(one: Part, other: Part, weights: Weights) -> Said:
    """Why two parts cannot trade places."""
    assert one.layer is not None
    assert other.layer is not None
    if one.cell.head is not None and other.cell.head is not None:
        ours, theirs = (weights.blocks[p.layer or 0].attention for p in (one, other))
        if _grouped(ours) > 1:
            group = _grouped(ours)
            if (one.layer, one.cell.head // group) != (other.layer, other.cell.head // group):
                yield (
                    f"{one} and {other} share keys and values with other heads, which would have "
                    "to move too.",
                    f"Swap heads of one group of {group}.",
                )
        elif (ours.scale, ours.window) != (theirs.scale, theirs.window):
            yield f"{one} and {other} differ in the scale of scores or in the window.", ""
    elif one.kind == "mlp_post":
        counts = [len(_coordinates(part)) for part in (one, other)]
        if counts[0] != counts[1]:
            yield f"{one} are {counts[0]}, {other} are {counts[1]}.", "Give as many."


def _wrong_sizes(edit: RankOne, weights: Weights) -> Said:
    sizes = {"at": _neurons(edit.layer, weights), "to": weights.embedding.shape[1]}
    for (argument, size), given in zip(sizes.items(), (edit.key, edit.value), strict=True):
        if isinstance(given, np.ndarray) and len(given) != size:
            yield f"{argument}= has {len(given)} numbers, where {size} are needed.", ""
        if isinstance(given, Activation) and isinstance(given.of, str) and not given.of.strip():
            yield f"{argument}= is an empty text.", "Give a prompt."


def _coordinates(part: Part) -> tuple[int, ...]:
    assert isinstance(part.split, Coordinates)
    assert part.cell.part is not None
    return part.split.sets[part.cell.part]


def _grouped(attention: Attention) -> int:
    """How many heads share keys and values."""
    return len(attention.output) // len(attention.key.weight)


def _neurons(layer: int | None, weights: Weights) -> int:
    mlp = weights.blocks[layer or 0].mlp
    assert mlp is not None
    return mlp.post.weight.shape[0]


def _within(number: int, size: int) -> int:
    return min(max(number, 0), size - 1)
