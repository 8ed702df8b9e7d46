"""Datasets from pandas frames: whatever a frame holds is either taken as it is meant, or refused.

Refused is what would otherwise be scored as something else: an unknown word, half a token id, a
missing value. Messages name the column, the row (counted from 0, and by its index where the frame
has one of its own), the value, and what to give.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable, Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
import pandas as pd
from attrs import evolve, frozen

from scrub.data.dataset import (
    Dataset,
    Recipe,
    Tokenizer,
    pad,
)
from scrub.data.image_layout import expanded, image_table
from scrub.data.images import Images
from scrub.data.values import (
    as_array,
    first_of,
    missing,
    position_problems,
    unhashable,
    whole,
    wholes,
)
from scrub.errors import Problems, UserError, did_you_mean
from scrub.printing import name_problem, printed

END = "end"
"""The position column that is added: the last token."""


def from_frame(
    frame: pd.DataFrame,
    *,
    text: str | None = None,
    tokens: str | None = None,
    image: str | None = None,
    positions: str | Iterable[str] = (),
    labels: str | Iterable[str] = (),
    name: str = "frame",
) -> Recipe:
    """A dataset from a pandas frame: one column of text or of token lists, the others features.

    Rows are taken in the frame's order, whatever its index says. Whole numbers may be floats, as
    pandas makes them of a column that once lacked one. Nothing may be missing: a feature that does
    not apply to some rows has a value that says so.

    Args:
        frame: one row an input.
        text: the column that holds the prompt as text of known words (give this or `tokens`).
        tokens: the column that holds lists of token ids.
        image: the column that holds the path of an image file, or a list of paths, one for each
            "<image>" in the text. Each "<image>" becomes as many tokens as the model has for one,
            and the special tokens are added that the model's own processor adds. The paths are a
            feature as well.
        positions: columns with token positions, counted from 0. A column "end" (the last token)
            is added where there is none.
        labels: columns whose text is one token (as a continuation, with its leading space). They
            are features as well, by their text.
        name: what reports call the dataset.

    Raises:
        UserError: what is given is no frame; or when the dataset is made, with every column that
            is missing or has values that are not as said above.
    """
    if not isinstance(frame, pd.DataFrame):
        raise UserError(f"from_frame takes a pandas frame, not a {type(frame).__name__}.")
    arguments = {
        "frame": frame.copy(),
        "text": text,
        "tokens": tokens,
        "image": image,
        "positions": _several("positions", positions),
        "labels": _several("labels", labels),
        "name": name,
    }
    return Recipe(name, _make_from_frame, arguments)


def _several(argument: str, names: Any) -> tuple[Hashable, ...]:
    """One name of a column, or several."""
    if isinstance(names, str):
        return (names,)
    if not isinstance(names, Iterable):
        raise UserError(
            f"from_frame: {argument} is {printed(names)}. Give names of columns, in a list."
        )
    return tuple(dict.fromkeys(names))


def _make_from_frame(
    tokenizer: Tokenizer,
    *,
    frame: pd.DataFrame,
    text: Hashable | None,
    tokens: Hashable | None,
    image: Hashable | None,
    positions: tuple[Hashable, ...],
    labels: tuple[Hashable, ...],
    name: str,
) -> Dataset:
    problems = Problems()
    _columns(frame, text, tokens, image, positions, labels, problems)
    _refuse(problems, name)
    encode = tokenizer.encode if image is None else functools.partial(expanded, tokenizer)
    reader = _Reader(frame, tokenizer, problems, encode)
    rows = reader.texts(text) if text is not None else reader.token_lists(tokens)
    pictures, numbers = (None, {}) if image is None else reader.images(image)
    ids = {str(label): reader.labels(label) for label in labels}
    read = {text, tokens, image, *positions}
    features = {
        str(column): reader.values(column) if column in labels else reader.feature(column)
        for column in frame.columns
        if column not in read
    }
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    at = {str(column): reader.positions(column, lengths) for column in positions}
    _refuse(problems, name)
    paths = {} if image is None else {str(image): reader.paths(image)}
    return Dataset(
        name,
        inputs={"tokens": pad(rows, tokenizer.pad), **numbers},
        lengths=lengths,
        columns=paths | features,
        positions={END: lengths - 1} | at,
        labels=ids,
        pieces=tuple(tuple(tokenizer.decode(row)) for row in rows),
        images=pictures,
    )


def _refuse(problems: Problems, name: str) -> None:
    if problems.found:
        raise UserError(*(evolve(p, what=f'Dataset "{name}": {p.what}') for p in problems.found))


def _columns(
    frame: pd.DataFrame,
    text: Hashable | None,
    tokens: Hashable | None,
    image: Hashable | None,
    positions: Sequence[Hashable],
    labels: Sequence[Hashable],
    problems: Problems,
) -> None:
    """Columns that are missing, or mean two things."""
    if (text is None) == (tokens is None):
        problems.add("give either text= or tokens=, the name of a column.")
    if not len(frame):
        problems.add("the frame has no rows.")
    if isinstance(frame.columns, pd.MultiIndex):
        problems.add(
            "the frame's columns have several levels. Give each one name: "
            'frame.columns = ["_".join(map(str, levels)) for levels in frame.columns].'
        )
        return
    names = [str(column) for column in frame.columns]
    for column in dict.fromkeys(names):
        if problem := name_problem(column):
            problems.add(f"column {problem}")
        if (count := names.count(column)) > 1:
            problems.add(f'the frame has {count} columns "{column}". Rename or drop all but one.')
    uses: dict[Hashable, list[str]] = {}
    given = {"text": [text], "tokens": [tokens], "image": [image], "positions": positions}
    given["labels"] = labels
    for use, columns in given.items():
        for column in columns:
            if column is not None:
                uses.setdefault(column, []).append(use)
    for column, told in uses.items():
        if column not in frame.columns:
            problems.add(f'the frame has no column "{column}". {did_you_mean(str(column), names)}')
        if len(told) > 1:
            both = " and ".join(f"{use}=" for use in told)
            problems.add(f'column "{column}" is given as {both}. A column is one of them.')
    if END in names and END not in uses:
        problems.add(
            f'column "{END}" would be a feature, and every dataset has a position of that name, '
            f'the last token. Rename it; or give positions=["{END}"] if it says where that is.'
        )


@frozen(eq=False)
class _Reader:
    """Reads a frame's columns, and adds what is wrong with them to the problems.

    What it gives for a column that has problems fits the frame's rows, and means nothing.
    """

    frame: pd.DataFrame
    tokenizer: Tokenizer
    problems: Problems
    encode: Callable[[str], list[int]]

    def texts(self, column: Hashable) -> list[list[int]]:
        """Texts as token ids, one or more each."""
        values = self.values(column)
        rows = [self.encode(v) if isinstance(v, str) else [] for v in values]
        no_text = np.array([not isinstance(value, str) for value in values])
        self._refuse(column, no_text, "Give text, or drop such rows")
        empty = np.array([not row for row in rows]) & ~no_text
        self._refuse(column, empty, "Give text that is at least one token")
        self._refuse_unknown(column, values.tolist(), rows)
        return rows

    def token_lists(self, column: Hashable) -> list[list[int]]:
        """Lists of token ids, one or more each."""
        values = self.values(column)
        arrays = [_list(value) for value in values]
        found = [wholes(array) for array in arrays]
        wrong = [bad | (ids < 0) for ids, bad in found]
        self._refuse(
            column, np.array([not len(array) for array in arrays]), "Give a list of token ids"
        )
        if len(rows := np.flatnonzero([bad.any() for bad in wrong])):
            row = int(rows[0])
            at = int(np.flatnonzero(wrong[row])[0])
            self.problems.add(
                f'column "{column}" has {printed(arrays[row][at])} at {at} in {self._row(row)}. '
                "Token ids are whole numbers, 0 or more."
            )
        return [ids.tolist() for ids, _ in found]

    def labels(self, column: Hashable) -> np.ndarray:
        """Texts that are one token each, as token ids: int64 [rows]."""
        values = self.values(column)
        texts = [_as_text(value) for value in values]
        known = {text: self.tokenizer.encode(text) for text in dict.fromkeys(texts)}
        rows = [known[text] for text in texts]
        no_text = np.array([not text for text in texts])
        self._refuse(column, no_text, "Give text that is one token")
        if (long := np.array([len(row) != 1 for row in rows]) & ~no_text).any():
            row, where = first_of(long, self._row)
            self.problems.add(
                f'label "{column}" is {printed(values[row])} in {where}, which is '
                f"{len(rows[row])} tokens in {self.tokenizer.name}, not one."
            )
        self._refuse_unknown(column, texts, [row if len(row) == 1 else [] for row in rows])
        return np.array([row[0] if row else 0 for row in rows], dtype=np.int64)

    def positions(self, column: Hashable, lengths: np.ndarray) -> np.ndarray:
        """Numbers of tokens, in rows of so many."""
        values = self.values(column)
        known = np.where(lengths > 0, lengths, np.iinfo(np.int64).max)  # else it was refused
        for problem in position_problems(f'position column "{column}"', values, known, self._row):
            self.problems.add(problem)
        return values

    def images(self, column: Hashable) -> tuple[Images | None, dict[str, np.ndarray]]:
        """The images that a column names, each file once, and the numbers of each row's."""
        rows = [_paths(value) for value in self.values(column)]
        named = np.array([row is not None for row in rows])
        self._refuse(column, ~named, "Give the path of an image file, or a list of paths")
        files = list(dict.fromkeys(path for row in rows for path in row or ()))
        if not named.all() or not files:
            return None, {}
        number = {path: i for i, path in enumerate(files)}
        numbers = image_table([[number[path] for path in row or ()] for row in rows])
        try:
            return Images.read(files), {"images": numbers}
        except UserError as error:
            self.problems.extend(error.problems)
            return None, {}

    def paths(self, column: Hashable) -> np.ndarray:
        """A column of paths as a feature: a text, or of several paths a tuple."""
        found = np.empty(len(self.frame), dtype=object)
        for row, value in enumerate(self.values(column)):
            paths = _paths(value) or ()
            found[row] = paths[0] if len(paths) == 1 else paths
        return found

    def feature(self, column: Hashable) -> np.ndarray:
        """Values that can be told apart, none of them missing."""
        values = self.values(column)
        absent = missing(values)
        name = f'frame["{column}"]'
        self._refuse(
            column, absent, f'Fill it, as in {name}.fillna("none"), or drop the row or the column'
        )
        self._refuse(column, unhashable(values) & ~absent, "Give a text, a number or a tuple")
        return values

    def values(self, column: Hashable) -> np.ndarray:
        """A column as it stands."""
        return self.frame[column].to_numpy()

    def _row(self, number: int) -> str:
        """A row, with what the index calls it where it does not count rows."""
        plain = self.frame.index.equals(pd.RangeIndex(len(self.frame)))
        return f"row {number}" + ("" if plain else f" (index {printed(self.frame.index[number])})")

    def _refuse(self, column: Hashable, wrong: np.ndarray, fix: str) -> None:
        if wrong.any():
            row, where = first_of(wrong, self._row)
            value = printed(self.values(column)[row])
            self.problems.add(f'column "{column}" is {value} in {where}.', f"{fix}.")

    def _refuse_unknown(
        self, column: Hashable, texts: Sequence[Any], rows: Sequence[Sequence[int]]
    ) -> None:
        """Refuse words that the tokenizer does not know, but for its own word for them."""
        unknown = getattr(self.tokenizer, "unknown", None)
        if unknown is None:
            return
        sign = self.tokenizer.decode([unknown])[0].strip()
        wrong = [
            row.count(unknown) > text.count(sign) if unknown in row else False
            for text, row in zip(texts, rows, strict=True)
        ]
        if any(wrong):
            row, where = first_of(np.array(wrong), self._row)
            words = (word for word in texts[row].split() if sign not in word)
            word = next((w for w in words if unknown in self.tokenizer.encode(w)), texts[row])
            self.problems.add(
                f'column "{column}" has {printed(word)} in {where}, which {self.tokenizer.name} '
                f"does not know and would read as {sign}.",
                "Give words that it knows.",
            )


def _paths(value: Any) -> tuple[str, ...] | None:
    """A path, or several; None if it is neither."""
    several = [value] if isinstance(value, str | PathLike) else value
    if not isinstance(several, Iterable) or isinstance(several, bytes):
        return None
    paths = tuple(several)
    known = all(isinstance(path, str | PathLike) for path in paths)
    return tuple(str(fspath(path)) for path in paths) if known else None


def _list(value: Any) -> np.ndarray:
    """A list of numbers as an array; empty if it is none."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return np.empty(0)
    found = as_array(value if hasattr(value, "__len__") else list(value))
    return found if found.ndim == 1 else np.empty(0)


def _as_text(value: Any) -> str:
    """The text of a label, which may be written as a whole number; "" if it is neither."""
    if isinstance(value, str):
        return value
    number = whole(value)
    return "" if number is None else str(number)
