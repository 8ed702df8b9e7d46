"""What a sampler of the user's own may return: row numbers in any form, or one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from attrs import frozen

from scrub import Dataset, Generate, Input, UserError
from scrub.data.dataset import Rows
from scrub.draw import KeyedRandomness, donors
from support.bad_input import HEADER, refused

DATA = Dataset("five", {"x": np.arange(5.0)}, np.ones(5))
ROWS = [4, 0, 2]


@frozen
class Returning:
    """Whatever this makes of the references."""

    made: Callable[[Rows], Any]

    def draw(self, references: Rows, randomness: Any) -> Any:
        return self.made(references)


def drawn(made: Callable[[Rows], Any]) -> Rows:
    references = Rows(DATA, np.zeros(3, dtype=int))
    return donors(Returning(made), references, KeyedRandomness(0, ("node", "own"), 3), ("node",))


@pytest.mark.parametrize(
    "index",
    [
        ROWS,
        tuple(ROWS),
        np.array(ROWS),
        np.array(ROWS, dtype=np.uint64),
        np.array(ROWS, dtype=np.int8),
        torch.tensor(ROWS),
        torch.tensor(ROWS, dtype=torch.int32),
        pd.Index(ROWS),
        pd.Series(ROWS, index=[7, 8, 9]),
        [np.int64(4), np.uint8(0), 2],
    ],
    ids=lambda index: type(index).__name__,
)
def test_row_numbers_in_any_form(index: Any) -> None:
    found = drawn(lambda references: references.donors(index))
    assert found.index.dtype == np.int64
    assert found.index.tolist() == ROWS
    assert found.data is DATA


REFUSED: dict[str, tuple[Callable[[Rows], Any], str]] = {
    "two axes": (
        lambda r: r.donors(np.zeros((3, 1), dtype=int)),
        "row numbers of shape [3, 1] for 3 references. Return references.donors(row numbers), one "
        "number for each.",
    ),
    "one number": (
        lambda r: r.donors(2),  # type: ignore[arg-type]
        "row numbers of shape [] for 3 references. Return references.donors(row numbers), one "
        "number for each.",
    ),
    "too few": (
        lambda r: r.donors(np.array([1])),
        "1 donors for 3 references. Return one row for each reference.",
    ),
    "none": (
        lambda r: r.donors(np.array([])),
        "0 donors for 3 references. Return one row for each reference.",
    ),
    "below zero": (
        lambda r: r.donors(np.array([0, -1, 2])),
        'row -1 for sample 1, which is not in the dataset "five": its rows are 0 to 4.',
    ),
    "too large": (
        lambda r: r.donors(np.array([0, 1, 2**64 - 1], dtype=np.uint64)),
        f'row {2**64 - 1} for sample 2, which is not in the dataset "five": its rows are 0 to 4.',
    ),
    "huge": (
        lambda r: r.donors([0, 1, 10**30]),  # type: ignore[arg-type]
        "rows of type object. Return references.donors(row numbers), whole numbers.",
    ),
    "halves": (
        lambda r: r.donors(np.array([0.5, 1, 2])),
        "rows of type float64. Return references.donors(row numbers), whole numbers.",
    ),
    "whole floats": (
        lambda r: r.donors(torch.tensor([0.0, 1, 2])),  # type: ignore[arg-type]
        "rows of type float32. Return references.donors(row numbers), whole numbers.",
    ),
    "missing": (
        lambda r: r.donors(pd.Series([1, None, 2], dtype=object)),  # type: ignore[arg-type]
        "rows of type object. Return references.donors(row numbers), whole numbers.",
    ),
    "a mask": (
        lambda r: r.donors(np.array([True, False, True])),
        "rows of type bool. Return references.donors(row numbers), whole numbers.",
    ),
    "words": (
        lambda r: r.donors(["0", "1", "2"]),  # type: ignore[arg-type]
        "rows of type object. Return references.donors(row numbers), whole numbers.",
    ),
    "an array": (
        lambda r: r.index,
        "ndarray, not Rows. Return references.donors(row numbers).",
    ),
    "nothing": (lambda r: None, "NoneType, not Rows. Return references.donors(row numbers)."),
    "rows of a list": (
        lambda r: Rows([1, 2, 3], [0, 1, 2]),  # type: ignore[arg-type]
        "Rows of a list, not of a Dataset. Return references.donors(row numbers).",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_are_no_row_numbers(name: str) -> None:
    made, message = REFUSED[name]
    with pytest.raises(UserError) as wrong:
        drawn(made)
    assert str(wrong.value) == f'node "node": Sampler Returning returned {message}'


def test_ragged_rows_are_the_samplers_own_failure() -> None:
    with pytest.raises(UserError, match="returned rows of type object"):
        drawn(lambda references: references.donors([[1], [2, 3], []]))  # type: ignore[arg-type]


def test_what_fails_long_after_the_trial_is_said_shortly() -> None:
    """The trial draw sees 64 samples; what fails later ended with exit code 3."""

    def failing(references: Rows) -> Rows:
        raise KeyError("x" * 10_000)

    with pytest.raises(UserError) as wrong:
        drawn(failing)
    said = str(wrong.value)
    assert re.match(
        r"node \"node\": Sampler Returning failed in line \d+ of .*: KeyError: 'xx", said
    )
    assert len(said) < 400


CLAIMS = """
import numpy as np
import torch

class Square:
    def draw(self, references, randomness):
        return references.donors(references.index.reshape(-1, 1))

class Unsigned:
    def draw(self, references, randomness):
        return references.donors(references.index.astype(np.uint64))

class Tensor:
    def draw(self, references, randomness):
        return references.donors(torch.tensor(references.index))

class Rarely:
    def draw(self, references, randomness):
        if len(references) == 77:
            raise RuntimeError("seventy-seven")
        return references

def claim_with(sampler):
    logits = InterpNode("logits", Exact())
    below = logits.child("movers", sampler).child("below", Agree("io"))
    movers = below.parents[0]
    return Correspondence({logits: output(at="end"), movers: heads([(3, 0)], at="end"),
                           below: heads([(2, 0)], at="end", into="q")})

@ioi_claim
def square(model):
    return claim_with(Square())

@ioi_claim
def unsigned(model):
    return claim_with(Unsigned())

@ioi_claim
def tensor(model):
    return claim_with(Tensor())

@ioi_claim
def rarely(model):
    return claim_with(Rarely())
"""


def test_on_the_command_line(tmp_path: Path) -> None:
    """Two of them ended with exit code 3; legal ones run."""
    from support.command import inside

    (tmp_path / "mine.py").write_text(HEADER + dedent(CLAIMS))
    assert refused(tmp_path, "check", "mine.py::square") == (
        'error: mine.py::square · node "movers": Sampler Square returned row numbers of shape '
        "[64, 1] for 64 references. Return references.donors(row numbers), one number for each.\n"
    )
    done = inside("test", "mine.py", "-k", "unsigned or tensor", "--samples", "20", cwd=tmp_path)
    assert done.code == 0, done.err
    error = refused(tmp_path, "test", "mine.py::rarely", "--samples", "77")
    assert re.search(r'movers": Sampler Rarely failed in line \d+ of mine.py: Runtime', error)


def test_a_generator_that_fails_says_on_which_row() -> None:
    def failing(reference: Input, generator: np.random.Generator) -> Input:
        return 1 / 0  # type: ignore[return-value]

    with pytest.raises(UserError) as wrong:
        Generate(failing).draw(Rows(DATA, np.array([3])), KeyedRandomness(0, (), 1))
    assert re.fullmatch(
        r'Generate\(failing\): for row 3 of dataset "five" it failed in line \d+ of '
        r"test_rows_drawn\.py: ZeroDivisionError: division by zero\. It is called as "
        r"function\(reference, generator\)\.",
        str(wrong.value),
    )


def test_lines_of_our_own_files_are_not_named() -> None:
    """A column that pandas cannot compare is refused where it is made: no line of scrub is said."""
    lists = np.empty(5, dtype=object)
    lists[:] = [[1], [2], [3], [4], [5]]
    with pytest.raises(UserError, match="which cannot be compared") as refused:
        DATA.with_columns(lists=lists)
    assert " line " not in str(refused.value)
