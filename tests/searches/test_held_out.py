"""The two halves of a behaviour's rows, and which behaviours cannot be halved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import evolve

from hypothesis import given
from hypothesis import strategies as st
from scrub import Dataset, Fixed, Paired, Uncond, UserError, held_out
from scrub.datasets import ioi
from scrub.hypothesis.claim import definitions_made
from scrub.hypothesis.held_out import half_of, rows_of_half, searched
from scrub.model.registry import describe
from scrub.runner.session import Session

MODEL = describe("ioi-planted")


@given(st.integers(2, 300), st.integers(0, 5))
def test_each_row_is_in_one_half(rows: int, seed: int) -> None:
    halves = [rows_of_half(rows, seed, unseen=unseen) for unseen in (False, True)]
    assert np.array_equal(np.sort(np.concatenate(halves)), np.arange(rows))
    assert len(halves[0]) - len(halves[1]) == rows % 2


def test_seeds_split_in_different_ways() -> None:
    first, second = (rows_of_half(40, seed, unseen=True).tolist() for seed in (0, 1))
    assert first != second


def test_a_flipped_copy_stays_the_copy_row_by_row() -> None:
    """The half of the copy is the copy of the half."""
    behaviour = ioi.behaviour(41)
    session = Session()
    for half in (held_out(behaviour), searched(behaviour)):
        data = session.data(half.data, MODEL)
        copy = session.data(half.corrupt.pair, MODEL)
        assert len(data) == len(copy) == (20 if half.name == "ioi, held out" else 21)
        assert data.columns["io"].tolist() == copy.columns["s"].tolist()
        assert data.columns["template"].tolist() == copy.columns["template"].tolist()


def test_data_that_a_function_of_the_model_gives_is_halved() -> None:
    whole = Session().data(ioi.prompts(10), MODEL)
    behaviour = evolve(ioi.behaviour(10, corrupt=Uncond()), data=lambda model: whole)
    half = held_out(behaviour).data(MODEL)
    assert isinstance(half, Dataset)
    assert half.columns["io"].tolist() == half_of(whole, 0, unseen=True).columns["io"].tolist()


@pytest.mark.parametrize("corrupt", [Paired("pair"), Fixed([1, 0])])
def test_a_partner_may_lie_in_the_other_half(corrupt: Any) -> None:
    with pytest.raises(UserError, match="may lie in the half that is held out"):
        held_out(ioi.behaviour(2, corrupt=corrupt))


def test_one_row_has_no_halves() -> None:
    with pytest.raises(UserError, match=r"the data has 1 row\. Give two at least"):
        rows_of_half(1, 0, unseen=True)


def test_only_what_is_held_out_is_a_behaviour_of_the_file() -> None:
    whole = ioi.behaviour(4)
    with definitions_made() as made:
        searched(whole)
        assert made == []
        half = held_out(whole)
    assert made == [half]
