"""Arguments of samplers that make no sense: one sentence each, where the sampler is written."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from scrub import (
    Agree,
    Dataset,
    Differ,
    Exact,
    Fixed,
    Generate,
    Input,
    Paired,
    Pool,
    Together,
    Uncond,
    UserError,
    Weighted,
)
from scrub.data.dataset import Rows
from scrub.draw import KeyedRandomness
from scrub.samplers import Sampler
from support.bad_input import HEADER, refused

DATA = Dataset(
    "four",
    {"x": np.arange(4.0)},
    np.ones(4),
    {"kind": [0, 0, 1, 1], "nearly": ["a", "a", None, "b"], "once": [1.0, 1.0, math.nan, 2.0]},
)


def drawn(sampler: Sampler) -> list[int]:
    references = Rows(DATA, np.arange(4))
    return sampler.draw(references, KeyedRandomness(0, ("node",), 4)).index.tolist()


NAMES = 'is no name of a feature. Give one name, or several: "io", ["io", "s"].'
MAP = (
    "give a dataset, a recipe of one, or for every row the row number of its donor, such as "
    "[1, 0, 3, 2]."
)
WHOLE = "no row number. Give one whole number for each row of the data."
PAIR = (
    "give the name of a column whose value two rows share, or a dataset (or recipe of one) whose "
    "row i is the donor of row i."
)


def no_arguments() -> Input:
    raise AssertionError


WRONG: dict[str, tuple[Callable[..., Any], str]] = {
    "features=5": (partial(Agree, 5), f"Agree: 5 {NAMES}"),
    "features=None": (partial(Agree, None), f"Agree: None {NAMES}"),
    "features=dict": (partial(Agree, {"io": 1}), f"Agree: a dict {NAMES}"),
    "a number among them": (partial(Agree, ["io", 3.5]), f"Agree: 3.5 {NAMES}"),
    "a list in the list": (partial(Agree, ["io", ["s"]]), f"Agree: a list {NAMES}"),
    "bytes": (partial(Agree, b"io"), f"Agree: 105 {NAMES}"),
    "differ=True": (partial(Agree, "io", differ=True), f"Agree: True {NAMES}"),
    "Differ(1)": (partial(Differ, 1), f"Differ: 1 {NAMES}"),
    "features of a pool": (partial(Pool, 2, "p", 7), f"Pool: 7 {NAMES}"),
    "features of Generate": (
        partial(Generate, lambda r, g: r, features=[None]),
        f"Generate: None {NAMES}",
    ),
    "several arguments": (
        partial(Agree, "io", "s"),
        "Agree('io', 's'): its features are one argument. Write Agree(['io', 's']) where donors "
        "agree on all of them, Agree('io', differ='s') where they differ on one.",
    ),
    "Weighted(5)": (
        partial(Weighted, 5),
        'Weighted(5): give the name of a column, as in "weight".',
    ),
    "Weighted of a list": (
        partial(Weighted, [0.5, 0.5]),
        'Weighted(a list): give the name of a column, as in "weight".',
    ),
    "Pool(True)": (
        partial(Pool, True, "p"),
        "Pool(True, …): a pool stores a whole number of draws, at least 1.",
    ),
    "Pool(2.0)": (
        partial(Pool, 2.0, "p"),
        "Pool(2.0, …): a pool stores a whole number of draws, at least 1.",
    ),
    "Pool turned round": (
        partial(Pool, "p", 2),
        "Pool('p', …): a pool stores a whole number of draws, at least 1.",
    ),
    "a pool's name": (
        partial(Pool, 2, name=5),
        'Pool: 5 is no name of a pool. Give one in quotes, such as "names".',
    ),
    "Together's name": (
        partial(Together, ["io"]),
        'Together: a list is no name of a pool. Give one in quotes, such as "names".',
    ),
    "Fixed(5)": (partial(Fixed, 5), f"Fixed(5): {MAP}"),
    "Fixed(None)": (partial(Fixed, None), f"Fixed(None): {MAP}"),
    "Fixed of a column": (partial(Fixed, "pair"), f"Fixed('pair'): {MAP}"),
    "Fixed of a dict": (partial(Fixed, {0: 1, 1: 0}), f"Fixed(a dict): {MAP}"),
    "Fixed of a set": (partial(Fixed, {0, 1}), f"Fixed(a set): {MAP}"),
    "Fixed of a function": (partial(Fixed, len), f"Fixed(a builtin_function_or_method): {MAP}"),
    "half a row": (partial(Fixed, [0, 1.5]), f"Fixed: the row map gives row 1 1.5, {WHOLE}"),
    "a digit": (partial(Fixed, ["1", "0"]), f"Fixed: the row map gives row 0 '1', {WHOLE}"),
    "a mask": (partial(Fixed, [True, False]), f"Fixed: the row map gives row 0 True, {WHOLE}"),
    "not a number": (partial(Fixed, [0, math.nan]), f"Fixed: the row map gives row 1 nan, {WHOLE}"),
    "infinite": (partial(Fixed, [math.inf]), f"Fixed: the row map gives row 0 inf, {WHOLE}"),
    "huge": (partial(Fixed, [10**30]), f"Fixed: the row map gives row 0 {10**30}, {WHOLE}"),
    "missing": (partial(Fixed, [0, None]), f"Fixed: the row map gives row 1 None, {WHOLE}"),
    "two axes": (
        partial(Fixed, np.zeros((2, 1))),
        f"Fixed: the row map gives row 0 a ndarray, {WHOLE}",
    ),
    "ragged": (partial(Fixed, [[0], [1, 2]]), f"Fixed: the row map gives row 0 a list, {WHOLE}"),
    "Paired(5)": (partial(Paired, 5), f"Paired(5): {PAIR}"),
    "Paired(None)": (partial(Paired, None), f"Paired(None): {PAIR}"),
    "Paired of a list": (partial(Paired, ["io"]), f"Paired(a list): {PAIR}"),
    "Generate(5)": (
        partial(Generate, 5),
        "Generate(5): 5 is no function. Give a function(reference, generator) that returns an "
        "Input.",
    ),
    "Generate(Input)": (
        partial(Generate, no_arguments),
        "Generate(no_arguments): it is called with (reference, generator), and takes () -> 'Input'."
        " Give a function(reference, generator) that returns an Input.",
    ),
    "tries=True": (
        partial(Generate, lambda r, g: r, tries=True),
        "Generate(…, tries=True): give a whole number of tries, at least 1.",
    ),
    "tries=2.5": (
        partial(Generate, lambda r, g: r, tries=2.5),
        "Generate(…, tries=2.5): give a whole number of tries, at least 1.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_arguments_that_make_no_sense(name: str) -> None:
    make, message = WRONG[name]
    with pytest.raises(UserError) as wrong:
        make()
    assert str(wrong.value) == message


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (
            Fixed([1, 2]),
            "Fixed: the row map has 2 rows, the data 4. Row i is the donor of row i, so give one "
            "row for each.",
        ),
        (
            Fixed([0, 1, 4, 3]),
            "Fixed: the row map gives row 2 the donor 4; the data has rows 0 to 3.",
        ),
        (
            Fixed([0, -1, 2, 3]),
            "Fixed: the row map gives row 1 the donor -1; the data has rows 0 to 3.",
        ),
        (
            Fixed([0, 2**64 - 1, 2, -3]),
            f"Fixed: the row map gives row 1 the donor {2**64 - 1}; the data has rows 0 to 3.",
        ),
        (
            Paired("kin"),
            'Dataset "four" has no feature "kin". The nearest is "kind"; there are: kind, nearly, '
            "once.",
        ),
        (
            Paired("nearly"),
            'Paired(nearly): row 2 of dataset "four" has no pair: nearly is missing (2 rows are '
            "like that). Give the two rows of a pair one value that no other row has.",
        ),
        (
            Paired("once"),
            'Paired(once): row 2 of dataset "four" has no pair: once is missing (2 rows are like '
            "that). Give the two rows of a pair one value that no other row has.",
        ),
        (
            Weighted("wait"),
            'Dataset "four" has no feature "wait". There are: kind, nearly, once.',
        ),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit_the_data(sampler: Sampler, message: str) -> None:
    with pytest.raises(UserError) as wrong:
        drawn(sampler)
    assert str(wrong.value) == message


@pytest.mark.parametrize(
    "row_map",
    [
        [1, 0, 3, 2],
        (1, 0, 3, 2),
        np.array([1, 0, 3, 2], dtype=np.uint64),
        np.array([1.0, 0.0, 3.0, 2.0]),
        pd.Series([1, 0, 3, 2], index=[9, 8, 7, 6]),
        pd.Index([1, 0, 3, 2]),
        torch.tensor([1, 0, 3, 2]),
        iter([1, 0, 3, 2]),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_row_map_in_any_form(row_map: Any) -> None:
    assert drawn(Fixed(row_map)) == [1, 0, 3, 2]


def test_names_in_any_form() -> None:
    """A set's order is that of its hashes, which must not decide anything."""
    assert Agree({"s", "io"}).features == ("io", "s"), (
        "a set has no order: its hash must not decide"
    )
    assert Agree(np.array(["io", "s"])).features == ("io", "s")
    assert Agree(pd.Index(["io"])).features == ("io",)
    assert Agree("io", differ=["s"]) == Agree(["io"], differ="s")
    assert Pool(np.int64(3), "p").size == 3


def test_on_the_command_line(tmp_path: Path) -> None:
    body = """
@ioi_claim
def several(model):
    return InterpNode("logits", Agree("io", "s"))

@ioi_claim
def pool(model):
    return InterpNode("logits", Pool(2.0, "p"))
"""
    (tmp_path / "mine.py").write_text(HEADER + body)
    assert refused(tmp_path, "check", "mine.py").splitlines() == [
        f"error: mine.py::several: {WRONG['several arguments'][1]}",
        f"error: mine.py::pool: {WRONG['Pool(2.0)'][1]}",
    ]


FOR = "for rows that agree with the reference on a feature."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Uncond("io"),
            "Uncond('io'): Uncond draws any row, and takes nothing. Write Uncond(), or Agree('io') "
            + FOR,
        ),
        (
            lambda: Uncond(features=["io", "s"]),
            "Uncond(features=a list): Uncond draws any row, and takes nothing. Write Uncond(), or "
            f"Agree(['io', 's']) {FOR}",
        ),
        (
            lambda: Exact("io", "s"),
            "Exact('io', 's'): Exact is the reference itself, and takes nothing. Write Exact(), or "
            f"Agree(['io', 's']) {FOR}",
        ),
        (
            lambda: Exact(3),
            "Exact(3): Exact is the reference itself, and takes nothing. Write Exact(), or "
            f"Agree('feature') {FOR}",
        ),
    ],
)
def test_samplers_that_take_nothing(make: Callable[[], Sampler], message: str) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value) == message
    assert Uncond() == Uncond()
    assert Uncond() != Exact()
