"""Datasets made by hand: tables that fit together, of values that mean what they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import scrub
from scrub import Correspondence, Dataset, Exact, InterpNode, UserError, claim, output
from scrub.metrics import custom, logit_diff

TOKENS = [[5, 6, 7], [8, 9, 0]]
LEGAL: dict[str, Any] = {
    "name": "data",
    "inputs": {"tokens": TOKENS},
    "lengths": [3, 2],
    "columns": {"town": ["Rome", None]},
    "positions": {"at": [2, 1]},
    "labels": {"io": [4, 5]},
    "pieces": (("a", "b", "c"), ("d", "e")),
}


def made(**changed: Any) -> Dataset:
    given: dict[str, Any] = LEGAL | changed
    return Dataset(**given)


NUMBER = "Give the number of a token, counted from 0, a whole number."
REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no rows": ({"lengths": []}, ["it has no rows."]),
    "no inputs": ({"inputs": {}}, ["it has no inputs. Give what the model reads, such as tokens."]),
    "a length of 0": ({"lengths": [3, 0]}, ["lengths is 0 in row 1. Give 1 to 3, the width of its "
    "tokens.", 'position column "at" is 1 in row 1, which has 0 tokens. Positions are counted from '
    "0, the first token."]),
    "a length past the width": (
        {"lengths": [4, 4]},
        ["lengths is 4 in row 0 (2 rows are like that). Give 1 to 3, the width of its tokens."],
    ),
    "half a length": (
        {"lengths": [2.5, 2], "positions": {}},
        ["lengths is 2.5 in row 0. Give the number of real tokens, a whole number."],
    ),
    "one number for all lengths": ({"lengths": 3}, ["lengths are one number a row."]),
    "other rows": (
        {"labels": {"io": [1, 2, 3]}, "columns": {"town": ["Rome"], "one": 1}, "pieces": (("a",),)},
        [
            'column "town" has 1 rows, the dataset 2.',
            'column "one" has one value, 1, the dataset 2.',
            'label "io" has 3 rows, the dataset 2.',
            "pieces has 1 rows, the dataset 2.",
        ],
    ),
    "a table as a column": (
        {"columns": {"xy": [[1, 2], [3, 4]]}},
        ['column "xy" has 2 dimensions. Give one value a row.'],
    ),
    "lists of several lengths": (
        {"columns": {"names": [["Mary"], ["John", "Paul"]]}},
        [
            "column \"names\" is ['Mary'] in row 0 (2 rows are like that), which cannot be "
            "compared. Give a text, a number or a tuple."
        ],
    ),
    "half a position": (
        {"positions": {"at": [0.5, 1]}},
        [f'position column "at" is 0.5 in row 0. {NUMBER}'],
    ),
    "NaN as a position": (
        {"positions": {"at": [1, float("nan")]}},
        [f'position column "at" is nan in row 1. {NUMBER}'],
    ),
    "bool as a position": (
        {"positions": {"at": [True, False]}},
        [f'position column "at" is True in row 0 (2 rows are like that). {NUMBER}'],
    ),
    "a position past a row's end": (
        {"positions": {"at": [2, 2]}},
        [
            'position column "at" is 2 in row 1, which has 2 tokens. Positions are counted from 0, '
            "the first token."
        ],
    ),
    "words as labels": (
        {"labels": {"io": ["Mary", "John"]}},
        [
            "label \"io\" is 'Mary' in row 0 (2 rows are like that). Give the id of a token, a "
            "whole number."
        ],
    ),
    "a negative label": (
        {"labels": {"io": [1, -1]}},
        ['label "io" is -1 in row 1. Give the id of a token, 0 or more.'],
    ),
    "a row of tokens": (
        {"inputs": {"tokens": [5, 6]}},
        ["tokens are of shape [2]. Give [rows, width], padded on the right."],
    ),
    "ragged tokens": (
        {"inputs": {"tokens": [[5, 6], [7]]}, "positions": {}},
        ["tokens are of shape [2]. Give [rows, width], padded on the right."],
    ),
    "half a token": (
        {"inputs": {"tokens": [[5, 6, 3.5], [7, 8, 0]]}},
        ["token 2 of row 0 is 3.5. Token ids are whole numbers, 0 or more."],
    ),
    "a negative token": (
        {"inputs": {"tokens": [[5, 6, 7], [7, -8, 0]]}},
        ["token 1 of row 1 is -8. Token ids are whole numbers, 0 or more."],
    ),
    "words as inputs": (
        {"inputs": {"x": ["a", "b"]}},
        ['input "x" is of type object. A model reads numbers.'],
    ),
    "several things": (
        {"positions": {"at": [9, 0.5]}, "labels": {"io": [None, 1]}},
        [
            f'position column "at" is 0.5 in row 1. {NUMBER}',
            'position column "at" is 9 in row 0, which has 3 tokens. Positions are counted from 0, '
            "the first token.",
            'label "io" is None in row 0. Give the id of a token, a whole number.',
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_dataset_may_not_hold(what: str) -> None:
    changed, messages = REFUSED[what]
    with pytest.raises(UserError) as refused:
        made(**changed)
    assert [str(p) for p in refused.value.problems] == [f'Dataset "data": {m}' for m in messages]


def test_names_that_cannot_be_printed() -> None:
    names = "data\n", "\x1b[31mred", "", 5
    for name in names:
        with pytest.raises(UserError, match="name"):
            made(name=name)
        if isinstance(name, str):
            with pytest.raises(UserError, match=r"name|printed"):
                made(columns={name: [1, 2]})
    assert made(name="[bold]", columns={"a/b [x]": [1, 2]}).columns


def test_tables_that_are_no_tables() -> None:
    with pytest.raises(UserError, match="columns by name"):
        made(positions=["at"])


def test_numbers_are_kept_in_64_bits_and_read_only() -> None:
    small = {"positions": {"at": np.array([2, 1], np.int8)}, "lengths": np.array([3.0, 2.0])}
    data = made(**small, labels={"io": pd.array([4, 5], dtype="Int64")})
    found = [data.lengths, data.positions["at"], data.labels["io"], data.inputs["tokens"]]
    assert [values.dtype for values in found] == [np.int64] * 4
    for values in found:
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1


def test_a_label_beyond_the_model_s_vocabulary_is_refused() -> None:
    data = made(positions={"end": [2, 1]}, labels={"io": [4, 9999], "s": [1, 2]})

    @claim(data=data, metric=logit_diff("io", "s"), model="ioi-planted")
    def answers(model: object) -> Correspondence:
        return Correspondence({InterpNode("logits", Exact()): output(at="end")})

    with pytest.raises(
        UserError, match='has label "io" 9999 in row 1; the model knows tokens 0 to'
    ):
        scrub.run(answers)


# Frames


def test_a_frame_overwrites_no_feature() -> None:
    """README's own sampler agrees on a feature called length."""
    features = {name: [10, 20] for name in ("length", "text", "at at", "length of the input")}
    frame = made(columns=features).frame
    assert list(frame.columns) == [
        "text of the input", "length", "text", "at at", "length of the input",
        "at at of the input", "length of the input of the input",
    ]  # fmt: skip
    assert frame["length"].tolist() == [10, 20]
    assert frame["text of the input"].tolist() == ["abc", "de"]
    assert frame["length of the input of the input"].tolist() == [3, 2]
    plain = made().frame
    assert list(plain.columns) == ["text", "town", "at at", "length"]


def test_a_result_s_frame_overwrites_no_feature() -> None:
    features = {name: [f"{name} 0", f"{name} 1"] for name in ("row", "original", "length")}
    data = made(columns=features, positions={"end": [2, 1]})

    @claim(data=data, metric=custom(lambda value, references: value[:, 0]), model="ioi-planted")
    def nothing(model: object) -> Correspondence:
        return Correspondence({InterpNode("logits", Exact()): output(at="end")})

    result = scrub.run(nothing, samples=5)
    frame = result.frame
    rows = result.draws.references.index
    assert frame["row"].tolist() == rows.tolist()
    assert frame["row of the input"].tolist() == [f"row {row}" for row in rows]
    assert frame["original of the input"].tolist() == [f"original {row}" for row in rows]
    assert frame["original"].tolist() == result.scores.original.tolist()
    assert frame["length of the input"].tolist() == data.lengths[rows].tolist()
    assert frame["length"].tolist() == [f"length {row}" for row in rows]
