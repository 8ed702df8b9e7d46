"""The logit lens: what the residual stream after each layer would say, were it the last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from scrub import names
from scrub.model.registry import Model
from scrub.observations.final_norm import Direction, direction_of, label_ids, readout
from scrub.observations.observation import Observation, frame_of, spread
from scrub.observations.picture import Lines
from scrub.observations.subject import Part, Subject, weights_of

if TYPE_CHECKING:
    import pandas as pd

NORM = (
    "final norm: `value` with the stream's own scale, as if it were the last; `frozen` with that "
    "of the last stream of the row, so that differences are what layers add"
)


@frozen
class Place:
    """A stream: its name in the graph, what tables call it, and the layer that it follows."""

    stream: str
    shown: str
    layer: int | None


@frozen(eq=False)
class _Seen:
    """Of one stream at one position, in some rows, each [rows]; `top` is a token."""

    value: np.ndarray
    frozen: np.ndarray
    rank: np.ndarray
    top: np.ndarray


def logit_lens(subject: Subject, at: Any = None, direction: Any = None) -> Observation:
    """The logits of the stream before the first layer, and after each, by position.

    Law: the last stream's value, own or frozen, is what the model gives.

    Args:
        at: positions; default: all columns of the data and that of the metric.
        direction: a label or two; default: those of the behaviour's metric.

    Returns:
        One row a stream and position: stream, layer, at; value (mean over rows), sd, low, high, n;
        frozen; rank (median of the first label's, 0 the largest) and first, in what share of rows
        it is the largest; top, the token that has the largest logit most often, and top_share, in
        what share of rows.

    Raises:
        UserError: there is no such position or label.
    """
    along = direction_of(direction, subject.metric, subject.values.rows, subject.model)
    specs = subject.positions(at)
    places = streams(subject.model)
    with torch.no_grad():
        parts = [
            list(_seen(part, subject.model, places, specs, along))
            for part in subject.values.parts([place.stream for place in places])
        ]
    rows = []
    for place_and_spec, *seen in zip(_cells(places, specs), *parts, strict=True):
        place, spec = place_and_spec
        value, frozen_, rank, top = (
            np.concatenate([getattr(one, name) for one in seen])
            for name in ("value", "frozen", "rank", "top")
        )
        ((token, often),) = Counter(top.tolist()).most_common(1)
        row = {
            "stream": place.shown, "layer": place.layer, "at": spec, **spread(value, "value"),
            "frozen": frozen_.mean(), "rank": np.median(rank), "first": (rank == 0).mean(),
            "top": _text(subject.model, token), "top_share": often / len(top),
        }  # fmt: skip
        rows.append(row)
    frame = frame_of(rows)
    title = f"Logit lens, {along}"
    return Observation(
        title,
        subject.about,
        frame,
        (NORM,),
        Lines("stream", "value", "at"),
        tables=_tables(frame, subject.at),
    )


def streams(model: Model) -> list[Place]:
    """The residual stream before the first layer, after each attention and after each layer."""
    blocks = weights_of(model).blocks
    found = [Place(names.resid_pre(0), "embeddings", None)]
    for layer in range(len(blocks)):
        if names.resid_mid(layer) in model.graph.streams:
            found.append(Place(names.resid_mid(layer), f"attention {layer}", layer))
        found.append(Place(names.resid_pre(layer + 1), f"layer {layer}", layer))
    return found


def _cells(places: Sequence[Place], specs: Sequence[Any]) -> Iterator[tuple[Place, Any]]:
    return ((place, spec) for place in places for spec in specs)


def _seen(
    part: Part, model: Model, places: Sequence[Place], specs: Sequence[Any], along: Direction
) -> Iterator[_Seen]:
    """Each stream at each position, in some rows."""
    at = part.index(*specs)
    last = part.value(places[-1].stream, at)[:, :, 0]
    reads = [readout(model, last[:, n], part.rows, along) for n in range(len(specs))]
    for place in places:
        values = part.value(place.stream, at)[:, :, 0]
        for n, read in enumerate(reads):
            fixed = read.of(values[:, n]) + read.constant
            yield _of_stream(model, values[:, n], part, along, fixed)


def _of_stream(model: Model, stream: Tensor, part: Part, along: Direction, fixed: Tensor) -> _Seen:
    weights = weights_of(model)
    logits = weights.unembedding(weights.norm_final(stream))
    plus = logits.gather(-1, label_ids(part.rows, along.plus, logits)[:, None])
    value = plus[:, 0].double()
    if along.minus is not None:
        minus = label_ids(part.rows, along.minus, logits)
        value = value - logits.gather(-1, minus[:, None])[:, 0].double()
    found = (value, fixed, (logits > plus).sum(-1), logits.argmax(-1))
    return _Seen(*(one.cpu().numpy() for one in found))


def _text(model: Model, token: int) -> str:
    """A token's text; the number of a logit that is no token."""
    words = model.graph.outputs == model.graph.vocabulary and model.tokenizer is not None
    if not words:
        return str(token)
    assert model.tokenizer is not None
    return model.tokenizer.decode([token])[0].strip()


def _tables(frame: pd.DataFrame, at: Any) -> tuple[pd.DataFrame, ...]:
    """The value by stream and position; and more of it at the position that the metric reads."""
    order = list(dict.fromkeys(frame["at"]))
    wide = frame.pivot(index="stream", columns="at", values="value")
    wide = wide.loc[list(dict.fromkeys(frame["stream"])), order].reset_index()
    wide.columns = [str(name) for name in wide.columns]
    there = at if at in order else order[-1]
    shown = ["stream", "at", "value", "sd", "frozen", "rank", "first", "top", "top_share"]
    return wide, frame.loc[frame["at"] == there, shown]
