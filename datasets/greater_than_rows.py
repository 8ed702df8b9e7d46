"""The rows of `scrub.datasets.greater_than`: their frames, tokens, and sets of right years."""

from __future__ import annotations

from typing import Literal

import numpy as np
from attrs import frozen

from scrub.data.dataset import Dataset, Tokenizer, pad
from scrub.errors import UserError

from .greater_than_years import Years

Relation = Literal["greater", "less"]

FRAMES: dict[Relation, str] = {
    "greater": "The {noun} lasted from the year {century}{yy:02d} to the year {century}",
    "less": "The {noun} lasted to the year {century}{yy:02d} from the year {century}",
}
RIGHT = tuple(f"right_{i}" for i in range(99))
WRONG = tuple(f"wrong_{i}" for i in range(99))


@frozen(eq=False)
class Table:
    """The choices behind the rows, int64 [rows] each: indices of nouns, centuries; YY; relation."""

    noun: np.ndarray
    century: np.ndarray
    yy: np.ndarray
    relation: Relation


def tokenized(
    name: str, table: Table, words: list[str], years: Years, tokenizer: Tokenizer
) -> Dataset:
    """The dataset of a table.

    Raises:
        UserError: the tokenizer merges tokens across words, so that years have none of their own.
    """
    frame = FRAMES[table.relation]
    start = frame.split(" {century}")[0].format(noun=words[0])
    before = len(tokenizer.encode(start))
    rows = []
    for noun, century, yy in zip(table.noun, table.century, table.yy, strict=True):
        text = frame.format(noun=words[noun], century=years.centuries[century], yy=yy)
        tokens = tokenizer.encode(text)
        token = years.century_tokens[century]
        year = [token, years.answers[yy]]
        if tokens[before : before + 2] != year or tokens[-1] != token:
            raise UserError(
                f'greater_than.prompts: {tokenizer.name} merges tokens across words in "{text}", '
                "so that years have no tokens of their own there."
            )
        rows.append(tokens)
    lengths = np.array([len(row) for row in rows])
    at = np.full(len(rows), before)
    return Dataset(
        name,
        inputs={"tokens": pad(rows, tokenizer.pad)},
        lengths=lengths,
        columns={
            "century": np.array(years.centuries)[table.century],
            "yy": table.yy,
            "noun": np.array(words, dtype=object)[table.noun],
        },
        positions={"century1": at, "yy": at + 1, "end": lengths - 1},
        labels=_labels(table, years.answers),
        pieces=tuple(tuple(tokenizer.decode(row)) for row in rows),
    )


def _labels(table: Table, answers: np.ndarray) -> dict[str, np.ndarray]:
    """The sets of years that are right and wrong: [rows] each of 99 label columns, in order."""
    place = np.arange(len(RIGHT))[None]
    yy = table.yy[:, None]
    above, up_to = np.minimum(yy + 1 + place, 99), np.minimum(place, yy)
    below, from_here = np.minimum(place, np.maximum(yy - 1, 0)), np.minimum(yy + place, 99)
    right, wrong = (above, up_to) if table.relation == "greater" else (below, from_here)
    return {
        label: answers[years[:, i]]
        for labels, years in ((RIGHT, right), (WRONG, wrong))
        for i, label in enumerate(labels)
    }
