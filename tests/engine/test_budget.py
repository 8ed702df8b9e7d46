"""Fitting a run into its memory: what is cached, how many samples at once, and what is refused."""

from __future__ import annotations

import pytest
from attrs import evolve

from hypothesis import given
from hypothesis import strategies as st
from scrub.engine.budget import (
    FEW,
    LONG,
    Budget,
    budget,
)
from scrub.engine.cost import Cost
from scrub.errors import UserError

COST = Cost(flops=1, bytes=1_000, drawn_bytes=50_000, forward_bytes=2_000)
ROW = 10_000

sizes = st.integers(1, 10_000)


def fit(memory: int, *, samples: int = 100, rows: int = 50, held: int = 0) -> Budget:
    alone = rows * ROW
    return budget(COST, samples=samples, rows=rows, cached=held + alone, alone=alone, memory=memory)


@given(memory=st.integers(10**5, 10**9), samples=sizes, rows=sizes, held=st.integers(0, 10**8))
def test_what_is_planned_stays_within_the_memory(
    memory: int, samples: int, rows: int, held: int
) -> None:
    found = fit(memory, samples=samples, rows=rows, held=held)
    assert 1 <= found.chunk <= samples
    assert 1 <= found.forward <= rows
    assert found.peak <= memory


@given(memory=st.integers(10**5, 10**8), samples=sizes, rows=sizes)
def test_more_memory_never_means_fewer_samples_at_once(
    memory: int, samples: int, rows: int
) -> None:
    less, more = (fit(m, samples=samples, rows=rows) for m in (memory, 2 * memory))
    assert more.keep_cache >= less.keep_cache
    if more.keep_cache == less.keep_cache:
        assert more.chunk >= less.chunk


def test_plain_values_are_kept_where_they_fit_and_forgotten_where_not() -> None:
    assert fit(1_000_000).keep_cache
    assert not fit(400_000).keep_cache
    assert not fit(1_000_000, held=800_000).keep_cache


def test_a_memory_that_takes_no_sample_is_refused_with_the_least_that_would_do() -> None:
    with pytest.raises(UserError) as refused:
        fit(10_000)
    message = str(refused.value)
    assert message == (
        "max_memory= (--max-memory on the command line) of 10,000 bytes is too little: one sample "
        "of this claim needs 57,778. Give at least 57778."
    )
    assert fit(57_778).chunk == 1
    with pytest.raises(UserError):
        fit(57_777)


def test_a_smaller_forward_pass_is_taken_before_the_run_is_refused() -> None:
    greedy = evolve(COST, forward_bytes=20_000)
    found = budget(greedy, samples=10, rows=50, cached=500_000, alone=500_000, memory=90_000)
    assert found.forward == 1


def test_a_chunk_ends_after_so_many_operations() -> None:
    slow = evolve(COST, flops=10**10)
    found = budget(slow, samples=1_000, rows=50, cached=500_000, alone=500_000, memory=10**9)
    assert found.chunk == LONG // 10**10
    endless = evolve(COST, flops=10**12)
    found = budget(endless, samples=1_000, rows=50, cached=500_000, alone=500_000, memory=10**9)
    assert found.chunk == FEW
