"""The rows of contraction prompts, of the choices that were drawn for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from attrs import evolve, frozen

from scrub.data.dataset import Dataset, pad
from scrub.errors import UserError

from .contractions_text import CONTRACTION, FORMS, Usable, capital, too_few
from .ioi_tokens import Pieces

Change = Literal["spelled", "contraction", "last"]


@frozen
class Row:
    """What was drawn for a row.

    Attributes:
        first, last: pronouns, as they stand inside a sentence.
        contracted: whether the first clause is.
        words: verb, owner, adjective ("" for none), thing, conjunction.
    """

    first: str
    last: str
    contracted: bool
    words: tuple[str, ...]

    @property
    def parts(self) -> list[str]:
        """The text in pieces, of which the first is the pronoun and the second the form."""
        short = CONTRACTION[self.first]
        form = short if self.contracted else f" {FORMS[short]}"
        said = (*self.words, self.last)
        return [capital(self.first), form, *(f" {word}" for word in said if word)]


def changed_row(row: Row, what: Change, uniform: float, used: Usable) -> Row:
    """A row with one thing changed; what is drawn for it is drawn by `uniform`, on [0, 1)."""
    match what:
        case "spelled":
            return evolve(row, contracted=not row.contracted)
        case "contraction":
            return evolve(row, first=_other(row.first, row.last, uniform, used))
        case "last":
            return evolve(row, last=_other(row.last, row.first, uniform, used))


def _other(now: str, beside: str, uniform: float, used: Usable) -> str:
    """A pronoun that takes another contraction, and is not the other one of the row."""
    fits = [
        pronoun
        for pronoun in used.pronouns
        if CONTRACTION[pronoun] != CONTRACTION[now] and pronoun != beside
    ]
    if not fits:
        why = f'none takes another contraction than "{now}" (and is not "{beside}")'
        raise too_few(used, "changed", why)
    return fits[int(uniform * len(fits))]


def dataset(name: str, rows: Sequence[Row], used: Usable, pieces: Pieces) -> Dataset:
    """The dataset of these rows.

    Raises:
        UserError: the tokenizer merges tokens across words.
    """
    ids = [_tokens(row, pieces) for row in rows]
    lengths = np.array([len(row) for row in ids])
    here = np.zeros(len(rows), dtype=np.int64)
    tokens = {True: used.contracted, False: used.spelled}
    pairs = [f"{CONTRACTION[row.first]} … {row.last}" for row in rows]
    return Dataset(
        name,
        inputs={"tokens": pad(ids, pieces.tokenizer.pad)},
        lengths=lengths,
        columns={
            "first": np.array([capital(row.first) for row in rows], dtype=object),
            "last": np.array([row.last for row in rows], dtype=object),
            "contracted": np.array([row.contracted for row in rows]),
            "pair": np.array(pairs, dtype=object),
        },
        positions={"pronoun1": here, "contraction": here + 1, "end": lengths - 1},
        labels={
            "answer": np.array([tokens[row.contracted][CONTRACTION[row.last]] for row in rows]),
            "other": np.array([tokens[not row.contracted][CONTRACTION[row.last]] for row in rows]),
            "copied": np.array([tokens[row.contracted][CONTRACTION[row.first]] for row in rows]),
        },
        pieces=tuple(tuple(pieces.tokenizer.decode(row)) for row in ids),
    )


def _tokens(row: Row, pieces: Pieces) -> list[int]:
    start, *rest = row.parts
    tokens = [*pieces.first(start), *(token for part in rest for token in pieces.inside(part))]
    text = "".join(row.parts)
    if tokens != pieces.tokenizer.encode(text):
        raise UserError(
            f"contractions.prompts: {pieces.tokenizer.name} merges tokens across words in "
            f'"{text}", so that its contraction has no token of its own there.'
        )
    return tokens
