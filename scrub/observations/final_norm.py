"""The way from the residual stream to a logit as a linear map, with the final norm's scale frozen.

What a component writes has no logits of its own: the final norm divides by a scale that all of the
stream has made. *Frozen* means that this scale is held at what it is in the same row at the same
position. Then the norm is linear, and what components contribute adds up to the logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from attrs import frozen
from jaxtyping import Float
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.errors import UserError
from scrub.metrics import Metric
from scrub.model.directory import and_others
from scrub.model.registry import Model
from scrub.model.weights import LayerNorm, NoNorm, Norm, RMSNorm
from scrub.observations.subject import weights_of
from scrub.printing import printed

STATED = "final norm: its scale is held at each row's own, so that contributions add up"


@frozen
class Direction:
    """A direction of logits: a label's, or a label's minus another's.

    Attributes:
        plus, minus: names of label columns.
    """

    plus: str
    minus: str | None = None

    def __str__(self) -> str:
        if self.minus is None:
            return f"logit({self.plus})"
        return f"logit({self.plus}) − logit({self.minus})"


def direction_of(given: Any, metric: Metric, rows: Rows, model: Model) -> Direction:
    """The direction that `direction=` names; by default that of the behaviour's metric.

    Args:
        given: None; a label; or two, the second of which counts negative.

    Raises:
        UserError: the data has no such label, its tokens have no logit, or the metric is about more
            than two logits.
    """
    named = metric.labels if given is None else _labels(given)
    if not 1 <= len(named) <= 2:
        raise UserError(
            f"The metric {metric.name} is no direction of one or two labels. Give direction= "
            f"(--direction), of: {and_others(list(rows.data.labels), 20) or 'none'}."
        )
    for label in named:
        ids = rows.data.label(label)[rows.index]
        if ids.max() >= (model.graph.outputs or 0):
            raise UserError(
                f'Label "{label}" has token {ids.max()}, and model "{model.name}" gives '
                f"{model.graph.outputs} logits."
            )
    return Direction(*named)


def _labels(given: Any) -> Sequence[str]:
    named = [given] if isinstance(given, str) else given
    texts = isinstance(named, list | tuple) and all(isinstance(name, str) for name in named)
    if not texts or not 1 <= len(named) <= 2:
        raise UserError(
            f"direction={printed(given)} (--direction). Give a label, or two, as in "
            'direction=("io", "s").'
        )
    return named


@frozen(eq=False)
class Readout:
    """How the logits along a direction are read off the stream, linearly, in each row.

    Attributes:
        vector: what a contribution is multiplied with.
        constant: what the norm's bias and the unembedding's add to every row.
    """

    vector: Float[Tensor, "rows d_model"]
    constant: Float[Tensor, " rows"]

    def of(self, written: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows"]:
        """What contributions add to the logits along the direction; the first axis is rows."""
        return torch.einsum("n...d,nd->n...", written.double(), self.vector)


def readout(
    model: Model, stream: Float[Tensor, "rows d_model"], rows: Rows, direction: Direction
) -> Readout:
    """The way from the last stream, of these rows at one position, to a direction of logits.

    Law: `of(stream) + constant` is the logit difference that the model gives.
    """
    named = [direction.plus] if direction.minus is None else [direction.plus, direction.minus]
    return token_readout(model, stream, *(label_ids(rows, label, stream) for label in named))


def label_ids(rows: Rows, label: str, like: Tensor) -> Tensor:
    """Token ids of a label: int64 [rows]."""
    return torch.tensor(rows.data.label(label)[rows.index], device=like.device)


def token_readout(
    model: Model, stream: Float[Tensor, "rows d_model"], plus: Tensor, minus: Tensor | None = None
) -> Readout:
    """The same for token ids [rows], of which the second count negative."""
    weights = weights_of(model)
    table, bias = weights.unembedding.weight, weights.unembedding.bias
    wanted = table[:, plus].T.double()
    constant = torch.zeros(len(plus), dtype=torch.float64, device=table.device)
    if bias is not None:
        constant = constant + bias[plus].double()
    if minus is not None:
        wanted = wanted - table[:, minus].T.double()
        constant = constant - (0 if bias is None else bias[minus].double())
    vector, added = _through(weights.norm_final, stream.double(), wanted)
    return Readout(vector, constant + added)


def _through(norm: Norm, stream: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor | float]:
    """A direction after a norm as one before it, with the scale that the norm has on the stream."""
    if isinstance(norm, NoNorm):
        return wanted, 0.0
    before = wanted * norm.weight.double()
    if isinstance(norm, RMSNorm):
        scale = (stream.square().mean(-1, keepdim=True) + norm.epsilon).sqrt()
        return before / scale, 0.0
    assert isinstance(norm, LayerNorm)
    scale = (stream.var(-1, keepdim=True, unbiased=False) + norm.epsilon).sqrt()
    centred = before - before.mean(-1, keepdim=True)
    return centred / scale, wanted @ norm.bias.double()
