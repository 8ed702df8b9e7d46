"""One input of a model by itself: what a generator is given, and what it makes."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import (
    Dataset,
    Tokenizer,
    pad,
    pad_token,
)
from scrub.data.image_layout import expanded
from scrub.errors import UserError, did_you_mean
from scrub.samplers.protocol import told

TOKENS, TEXT = "tokens", "text"
MOST = 2**31
"""No vocabulary is larger."""


def _read_only(inputs: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: np.array(value) for name, value in inputs.items() if name != TEXT}
    for value in found.values():
        value.setflags(write=False)
    return found | {name: inputs[name] for name in inputs if name == TEXT}


@frozen(eq=False)
class Input:
    """One input, and all that a dataset says about it.

    Attributes:
        inputs: what the model reads, by name: "tokens" (int64 [length], no padding) for a language
            model, the input sites of another graph. Or "text", for the model's tokenizer.
        columns: its features.
        positions: named positions, counted from the first token.
        labels: token ids, by name.
    """

    inputs: Mapping[str, Any] = field(converter=_read_only)
    columns: Mapping[str, Any] = field(factory=dict)
    positions: Mapping[str, int] = field(factory=dict)
    labels: Mapping[str, int] = field(factory=dict)
    _kept: tuple[int, Mapping[str, int]] = (0, {})
    """Positions of what it was made from, which hold for an input of so many tokens."""

    @property
    def tokens(self) -> np.ndarray:
        """Token ids, int64 [length]; read-only: change a copy."""
        return self.inputs[TOKENS]

    def but(
        self,
        *,
        text: str | None = None,
        columns: Mapping[str, Any] | None = None,
        positions: Mapping[str, int] | None = None,
        labels: Mapping[str, int] | None = None,
        **inputs: Any,
    ) -> Input:
        """The same input but for this: `reference.but(tokens=new, columns={"io": "Mary"})`.

        Columns and labels that are not named stay as they are, so name all that do not hold any
        more. Positions stay if there are as many tokens as before; else all must be named.
        """
        given = dict(positions or {})
        kept = self._kept
        changed: dict[str, Any] = {**self.inputs, **inputs}
        if text is not None or TOKENS in inputs:
            if TOKENS in self.inputs:
                kept = (len(self.tokens), {**kept[1], **self.positions})
            changed = {k: v for k, v in changed.items() if k not in (TOKENS, TEXT)}
            changed |= {TEXT: text} if text is not None else {TOKENS: inputs[TOKENS]}
        else:
            given = {**self.positions, **given}
        return Input(
            changed,
            {**self.columns, **(columns or {})},
            given,
            {**self.labels, **(labels or {})},
            kept,
        )

    def feature(self, name: str) -> Any:
        """The value of a feature: a column, or failing that a position or label.

        Raises:
            UserError: it has no such feature.
        """
        for table in (self.columns, self.positions, self._kept[1], self.labels):
            if name in table:
                return table[name]
        known = [*self.columns, *self.positions, *self.labels]
        raise UserError(f'an input without "{name}". {did_you_mean(name, known)}')

    def finished(self, reference: Input, tokenizer: Tokenizer | None) -> Input:
        """The input as the model reads it: text as tokens, and all positions said.

        Raises:
            UserError: it is no input of the kind of the reference. (The sentence goes on from
                "it returned ".)
        """
        for table in (self.columns, self.positions, self.labels):
            unnamed = [name for name in table if not isinstance(name, str)]
            if unnamed:
                raise UserError(f"a value called {told(unnamed[0])}. Names are in quotes.")
        encoded = self._encoded(tokenizer) if TEXT in self.inputs else self
        wrong = encoded._unlike(reference)
        if wrong:
            raise UserError(wrong)
        if TOKENS not in encoded.inputs:
            return encoded
        length, kept = self._kept
        missing = sorted(kept.keys() - self.positions.keys())
        if len(encoded.tokens) == length or not missing:
            positions = {**kept, **self.positions}
        else:
            named = ", ".join(f'"{name}"' for name in missing)
            raise UserError(
                f"{len(encoded.tokens)} tokens for {length}, and did not say where {named} "
                "then is. Return as many tokens, or give positions= for all."
            )
        for name, at in positions.items():
            if not _is_whole(at):
                raise UserError(f'"{name}" at {told(at)}. Give the number of a token, from 0.')
            if not 0 <= at < len(encoded.tokens):
                raise UserError(
                    f'{len(encoded.tokens)} tokens with "{name}" at {at}. '
                    "Count positions from 0, the first token."
                )
        return Input(encoded.inputs, self.columns, positions, self.labels)

    def _encoded(self, tokenizer: Tokenizer | None) -> Input:
        text = self.inputs[TEXT]
        if not isinstance(text, str):
            raise UserError(f"{told(text)} as text. Return a string.")
        if tokenizer is None:
            raise UserError("text, and the model has no tokenizer. Return tokens.")
        layout = getattr(tokenizer, "images", None)
        pictured = layout is not None and layout.marker in text
        ids = expanded(tokenizer, text) if pictured else tokenizer.encode(text)
        unknown = getattr(tokenizer, "unknown", None)
        if unknown is not None and unknown in ids:
            first = ids.index(unknown)
            raise UserError(
                f'"{text}", whose token {first} (from 0) is not one that {tokenizer.name} knows. '
                "Return text of known words."
            )
        others = {name: value for name, value in self.inputs.items() if name != TEXT}
        return Input({**others, TOKENS: np.array(ids, dtype=np.int64)})

    def _unlike(self, reference: Input) -> str:
        """What keeps it from being an input of the kind of the reference; "" if nothing."""
        if self.inputs.keys() != reference.inputs.keys():
            mine, theirs = (", ".join(sorted(one.inputs)) for one in (self, reference))
            return f"an input of {mine or 'nothing'}, and the model reads {theirs}. Return that."
        for name, value in self.inputs.items():
            like = reference.inputs[name]
            if name == TOKENS:
                if value.ndim != 1 or not len(value) or value.dtype.kind not in "iu":
                    return (
                        f"tokens of shape {list(value.shape)} and type {value.dtype}. "
                        "Return a list of token ids, one or more."
                    )
                if value.min() < 0:
                    return f"token {value.min()}. Token ids are 0 or more."
                if value.max() > MOST:
                    return f"token {value.max()}. No vocabulary is so large."
            elif value.shape != like.shape or value.dtype.kind not in "iufb":
                return (
                    f'"{name}" of shape {list(value.shape)} and type {value.dtype}. The model '
                    f"reads numbers of shape {list(like.shape)}."
                )
        return ""

    @property
    def key(self) -> tuple[Any, ...]:
        """Two inputs with one key are the same."""
        tables = (self.columns, self.positions, self.labels)
        read = [(name, value.shape, value.tobytes()) for name, value in self.inputs.items()]
        return repr(sorted(read)), *(repr(sorted(table.items())) for table in tables)


def _is_whole(at: Any) -> bool:
    try:
        return operator.index(at) == at and not isinstance(at, bool | np.bool_)
    except (TypeError, ValueError):
        return False


def one_input(data: Dataset, row: int) -> Input:
    """A row of a dataset by itself."""
    inputs = {name: values[row] for name, values in data.inputs.items()}
    if TOKENS in inputs:
        inputs[TOKENS] = inputs[TOKENS][: data.lengths[row]]
    tables = (data.columns, data.positions, data.labels)
    columns, positions, labels = (
        {name: values[row : row + 1].tolist()[0] for name, values in table.items()}
        for table in tables
    )
    return Input(inputs, columns, positions, labels)


def dataset_of(
    made: Sequence[Input], name: str, like: Dataset, source: Dataset, tokenizer: Tokenizer | None
) -> Dataset:
    """Inputs as the rows of a dataset.

    Args:
        like: the dataset of the references that they were made from.
        source: where samplers of their children find donors.
    """
    first = made[0]
    inputs = {
        name: np.stack([one.inputs[name] for one in made]) for name in like.inputs if name != TOKENS
    }
    lengths, pieces = np.full(len(made), like.lengths[0]), ()
    if TOKENS in first.inputs:
        rows = [one.tokens.tolist() for one in made]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        inputs[TOKENS] = pad(rows, pad_token(source))
        if like.pieces and tokenizer is not None:
            pieces = tuple(tuple(tokenizer.decode(row)) for row in rows)
    return Dataset(
        name,
        inputs=inputs,
        lengths=lengths,
        columns={k: _column([one.columns[k] for one in made]) for k in first.columns},
        positions={k: np.array([one.positions[k] for one in made]) for k in first.positions},
        labels={k: np.array([one.labels[k] for one in made]) for k in first.labels},
        pieces=pieces,
        generated_from=source,
        images=like.images,
    )


def _column(values: list[Any]) -> np.ndarray:
    """A column that keeps what its values are: numpy would make strings of numbers beside one."""
    if len({type(value) for value in values}) == 1 and not isinstance(values[0], str):
        return np.array(values)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
