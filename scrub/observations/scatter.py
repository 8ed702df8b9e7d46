"""A head's output along a direction against its attention, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scrub import names
from scrub.errors import UserError
from scrub.observations.final_norm import STATED, direction_of, readout, token_readout
from scrub.observations.heads import head_name, named_heads
from scrub.observations.observation import Observation, frame_of
from scrub.observations.picture import Points
from scrub.observations.subject import Subject, check_words, weights_of


def scatter(
    subject: Subject,
    of: Any,
    to: Any = None,
    at: Any = None,
    direction: Any = None,
    by: str | None = None,
) -> Observation:
    """How a head's attention to a position goes with what it writes, one point a row.

    Args:
        of: one head: "9.9", [(9, 9)].
        to: positions that are attended to, each a point of every row; default: all columns.
        at: the position that attends; default: that of the behaviour's metric.
        direction: a label or two; default: the logit of the token that stands where it attends to
            (Wang et al. 2022, figure 3).
        by: a feature that colours the points; default: to which position.

    Returns:
        One row a row of the data and position: row, at, to, attention, writes (in logits), and the
        feature.

    Raises:
        UserError: it is not one head; or there is no such position, label or feature.
    """
    chosen = named_heads(of, subject.model, "attention patterns")
    if len(chosen) != 1:
        raise UserError(
            f"A scatter plot is of one head, not of {len(chosen)}. Name one: of=[(9, 9)]."
        )
    ((layer, head),) = chosen
    query, keys = subject.position(at), subject.positions(to)
    colours = {} if by is None else {by: subject.feature(by)}
    model, rows = subject.model, subject.values.rows
    along = None
    if direction is None:
        check_words(model)
    else:
        along = direction_of(direction, subject.metric, rows, model)
    last = names.resid_pre(len(weights_of(model).blocks))
    pattern, result = (names.attention_site(layer, part) for part in ("pattern", "result"))
    attention, writes = [], []
    with torch.no_grad():
        for part in subject.values.parts([last, pattern, result]):
            index, places = part.index(query), part.index(*keys)
            stream = part.value(last, index)[:, 0, 0]
            written = part.value(result, index)[:, 0, head]
            paid = part.value(pattern, index)[:, 0, head].gather(-1, places)
            attention.append(paid.double().cpu().numpy())
            if along is not None:
                each = [readout(model, stream, part.rows, along).of(written)] * len(keys)
            else:
                tokens = torch.tensor(subject.data.inputs["tokens"][part.rows.index])
                there = tokens.to(places.device).gather(1, places)
                each = [token_readout(model, stream, ids).of(written) for ids in there.T]
            writes.append(torch.stack(each, dim=1).cpu().numpy())
    paid, put = np.concatenate(attention), np.concatenate(writes)
    points = [
        {"row": int(row), "at": query, "to": key, "attention": paid[n, k], "writes": put[n, k]}
        | {name: values[n] for name, values in colours.items()}
        for k, key in enumerate(keys)
        for n, row in enumerate(rows.index)
    ]
    summed = [
        {"to": key, "attention": paid[:, k].mean(), "writes": put[:, k].mean(),
         "correlation": correlation(paid[:, k], put[:, k]), "n": len(paid)}
        for k, key in enumerate(keys)
    ]  # fmt: skip
    wrote = "the token there" if along is None else str(along)
    title = f"{head_name(chosen[0])} at {query}: attention, and what it writes of {wrote}"
    return Observation(
        title, subject.about, frame_of(points), (STATED,),
        Points("attention", "writes", by or "to"), tables=(frame_of(summed),),
    )  # fmt: skip


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation; NaN where one of the two does not vary."""
    if len(one) < 2 or not one.std() or not other.std():
        return np.nan
    return float(np.corrcoef(one, other)[0, 1])
