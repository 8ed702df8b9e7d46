"""Cells: what their keys see, how samples are divided, and which seeds a text names."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from hypothesis import given
from hypothesis import strategies as st
from scrub.errors import UserError
from scrub.matrix.cell import Depends, How, as_json, from_json, seeds_of
from support.matrices import CELL

OTHERS: dict[str, Any] = {
    "file": "folder/others.py",
    "claim": "two",
    "model": "ioi-shortcut",
    "seed": 1,
    "shard": 2,
    "how": [How(101, 4), How(100, 5), How(100, 4, dtype="float64"), How(100, 4, device="cuda")],
    "depends": [Depends(*("x" if i == n else str(i) for i in range(4))) for n in range(4)],
}


@given(samples=st.integers(1, 3000), shards=st.integers(1, 40))
def test_shards_partition_the_samples(samples: int, shards: int) -> None:
    if shards > samples:
        with pytest.raises(UserError, match="some would be empty"):
            How(samples, shards)
        return
    ranges = [How(samples, shards).range_of(shard) for shard in range(shards)]
    assert [number for first, last in ranges for number in range(first, last)] == [*range(samples)]
    sizes = [last - first for first, last in ranges]
    assert max(sizes) - min(sizes) <= 1


def test_a_key_sees_all_that_numbers_depend_on() -> None:
    cells = [CELL]
    for name, values in OTHERS.items():
        several = values if isinstance(values, list) else [values]
        cells += [evolve(CELL, **{name: value}) for value in several]
    assert len({cell.key for cell in cells}) == len(cells)


def test_a_key_does_not_see_where_a_cell_is_computed() -> None:
    elsewhere = evolve(
        CELL,
        path="/data/claims.py",
        file="claims.py",
        start="/",
        how=evolve(CELL.how, max_memory=5),
    )
    assert elsewhere.key == CELL.key


def test_a_cell_comes_back_from_json() -> None:
    assert from_json(as_json(CELL)) == CELL


def test_precision_needs_all_samples() -> None:
    with pytest.raises(UserError, match="exclude each other"):
        How(100, shards=2, precision=0.1)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0..4", (0, 1, 2, 3, 4)), ("3", (3,)), ("2, 0,2..3", (2, 0, 3)), ("7..7", (7,))],
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert seeds_of(text) == seeds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4..0", "--seeds 4..0: 4..0 runs backwards and is empty. Write 0..4."),
        ("a", '"a" is no seed'),
        ("", '"" is no seed'),
        ("-1", '"-1" is no seed'),
        ("0..", '"0.." is no seed'),
        ("0..99999999999", "at most 10,000"),
    ],
)
def test_no_seeds(text: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        seeds_of(text)
    assert said in str(refused.value)
