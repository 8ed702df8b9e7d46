"""The residual stream at some point of a model, as sites that a node may stand for.

A residual stream is a sum: a node that stands for it claims all that was written to it up to there,
as everything behind that point reads it. So what was written is claimed along all paths that pass
nothing which wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from scrub import names
from scrub.errors import UserError
from scrub.hypothesis.sites import ALL, Route, Sites, Spec, anything
from scrub.names import Cell
from scrub.printing import printed


def residual(
    model: Any, layer: int, *, at: Spec | Sequence[Spec] = ALL, middle: bool = False
) -> Sites:
    """The residual stream before a layer, as that layer, all later ones and the logits read it.

    Law: a leaf that stands for it is the stream's activation patch: its value in place of the
    parent's, everywhere downstream.

    Args:
        model: what the claim's function is given.
        layer: after the last layer, the number of layers.
        middle: between the layer's attention and its MLP instead.

    Raises:
        UserError: the model has no such stream.
    """
    stream = (names.resid_mid if middle else names.resid_pre)(layer)
    if stream not in model.graph.streams:
        raise UserError(
            f"residual(model, {printed(layer)}): the model has no such residual stream. "
            + _what_there_is(model, middle=middle)
        )
    written = [cell for name in model.graph.writers(stream) for cell in _cells(model, name)]
    through = evolve(anything, never=tuple(written))
    return Sites((Route(tuple(written), at=at, through=through),))


def _what_there_is(model: Any, *, middle: bool) -> str:
    """What to give instead; in a parallel block attention and MLP read the same stream."""
    if middle and names.resid_mid(0) not in model.graph.streams:
        return "It has none between attention and MLP. Leave out middle=."
    return f"Give a layer from 0 to {model.layers - middle}."


def _cells(model: Any, name: str) -> tuple[Cell, ...]:
    return model.graph.sites[name].cells()
