"""Whole attention patterns of one row: from each token to each token, head by head."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import evolve

from scrub import names
from scrub.data.dataset import Rows
from scrub.errors import UserError
from scrub.observations.attention_view import Patterns
from scrub.observations.heads import by_layer, head_name, named_heads
from scrub.observations.observation import Observation, frame_of
from scrub.observations.picture import Panels
from scrub.observations.subject import Subject
from scrub.printing import printed
from scrub.runner.options import is_whole


def patterns(subject: Subject, of: Any = None, row: int = 0) -> Observation:
    """How much each token of one row attends to each, head by head.

    Law: from each token they add up to 1.

    Args:
        of: heads; default: all.
        row: of the data, from 0.

    Returns:
        One row a head and pair of tokens: component, layer, head, at and to (indices), token and
        attended (their texts), attention.

    Raises:
        UserError: there is no such head or row.
    """
    data = subject.data
    if not is_whole(row) or row not in range(len(data)):
        raise UserError(
            f'row= is {printed(row)}: dataset "{data.name}" has the rows 0 to {len(data) - 1}.'
        )
    heads = named_heads(of, subject.model, "attention patterns")
    by = by_layer(heads)
    sites = {layer: names.attention_site(layer, "pattern") for layer in by}
    values = evolve(subject.values, rows=Rows(data, np.array([row])))
    (part,) = values.parts(sites.values())
    size = int(data.lengths[row])
    found = [part.value(sites[layer])[0][:size, numbers, :size] for layer, numbers in by.items()]
    weights = np.concatenate([one.double().cpu().numpy() for one in found], axis=1).swapaxes(0, 1)
    texts = data.pieces[row] if data.pieces else [str(t) for t in data.inputs["tokens"][row]]
    called = tuple(map(head_name, heads))
    seen = Patterns(called, tuple(texts[:size]), weights)
    return Observation(
        f"Attention patterns in row {row}",
        subject.about,
        frame_of(_rows(heads, seen)),
        ("attention: from the token at `at` to that at `to`; from each they add up to 1",),
        Panels("component", "at", "to", "attention", ("token", "attended")),
        ("attention",),
        patterns=seen,
    )


def _rows(heads: tuple[tuple[int, int], ...], seen: Patterns) -> list[dict[str, Any]]:
    return [
        {
            "component": seen.heads[number], "layer": layer, "head": head, "at": at, "to": to,
            "token": seen.tokens[at], "attended": seen.tokens[to], "attention": weight,
        }
        for number, (layer, head) in enumerate(heads)
        for at, row in enumerate(seen.weights[number].tolist())
        for to, weight in enumerate(row)
    ]  # fmt: skip
