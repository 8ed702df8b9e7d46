"""Columns that divide the rows alike: by hand, and that names of values do not matter."""

from __future__ import annotations

import numpy as np
import pytest

from hypothesis import given
from hypothesis import strategies as st
from scrub.analysis.confounding import confounded
from scrub.data.dataset import Dataset
from scrub.datasets import ioi
from scrub.errors import UserError
from scrub.runner.session import Session

ROWS = 6
DATA = Dataset(
    "six rows",
    inputs={"x": np.arange(float(ROWS))},
    lengths=np.full(ROWS, 3),
    columns={
        "first": [True, True, False, False, True, False],
        "order": ["ABBA", "ABBA", "BABA", "BABA", "ABBA", "BABA"],
        "nearly": ["ABBA", "ABBA", "BABA", "BABA", "BABA", "BABA"],
        "coarser": [0, 0, 0, 0, 0, 0],
        "parity": [0, 1, 0, 1, 0, 1],
        "both": [1, 2, 3, 4, 1, 4],
        "missing": [1.0, 1.0, np.nan, np.nan, 1.0, np.nan],
    },
    positions={"verb": [2, 2, 0, 0, 2, 0]},
    labels={"answer": [7, 7, 9, 9, 7, 9], "parity": [5, 5, 5, 5, 5, 5]},
)


def test_columns_that_divide_the_rows_alike_are_named() -> None:
    assert confounded(DATA, ["first"]) == ("order", "missing", "verb", "answer")
    assert confounded(DATA, ["verb"]) == ("first", "order", "missing", "answer")


def test_a_column_that_differs_in_one_row_or_is_coarser_or_finer_is_not() -> None:
    assert confounded(DATA, ["nearly"]) == ()
    assert confounded(DATA, ["coarser"]) == ()


def test_several_features_divide_the_rows_together() -> None:
    assert confounded(DATA, ["first", "parity"]) == ("both",)
    assert confounded(DATA, ["both"]) == ()


def test_no_features_divide_nothing() -> None:
    assert confounded(DATA, []) == ("coarser",)


def test_an_unknown_feature_is_named() -> None:
    with pytest.raises(UserError, match="order"):
        confounded(DATA, ["ordr"])


def test_which_name_comes_first_and_the_order_of_ioi_are_one() -> None:
    session = Session()
    data = session.data(ioi.prompts(50), session.describe("ioi-planted"))
    assert confounded(data, ["io_is_first"]) == ("order",)
    assert "s2" in confounded(data, ["s"])


@given(st.data())
def test_a_column_under_other_names_is_found_and_one_row_moved_is_not(data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 3), min_size=2, max_size=12))
    names = data.draw(st.permutations(["a", "b", "c", "d"]))
    row = data.draw(st.integers(0, len(values) - 1))
    moved = list(values)
    moved[row] = 4  # a class of its own, unless it was one before
    table = Dataset(
        "rows",
        inputs={"x": np.arange(float(len(values)))},
        lengths=np.ones(len(values), dtype=np.int64),
        columns={"feature": values, "renamed": [names[v] for v in values], "moved": moved},
    )
    alone = values.count(values[row]) == 1
    assert confounded(table, ["feature"]) == (("renamed", "moved") if alone else ("renamed",))
