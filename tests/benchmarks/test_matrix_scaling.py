"""The prediction of how a matrix scales keeps to what no schedule can beat."""

from __future__ import annotations

import pytest
from attrs import evolve
from matrix_scaling import Costs, predicted

from hypothesis import given
from hypothesis import strategies as st
from support.matrices import CELL

cells_and_costs = st.lists(
    st.tuples(st.sampled_from("abc"), st.floats(0.1, 10)), min_size=1, max_size=12
)


@given(given_=cells_and_costs, workers=st.integers(1, 5), load=st.floats(0, 5))
def test_no_schedule_is_faster(given_: list[tuple[str, float]], workers: int, load: float) -> None:
    cells = [evolve(CELL, model=model, seed=seed) for seed, (model, _) in enumerate(given_)]
    costs = Costs(
        {cell.key: cost for cell, (_, cost) in zip(cells, given_, strict=True)},
        dict.fromkeys("abc", load),
        start=1.0,
    )
    found = predicted(cells, costs, workers)
    work = sum(costs.cells.values())
    assert found.seconds >= found.least - 1e-9
    assert found.efficiency == pytest.approx(work / (workers * found.seconds))
    alone = predicted(cells, costs, 1)
    assert alone.seconds == pytest.approx(work + (1 + load) * len({c.model for c in cells}))
