"""The spread between datasets and the one within: by hand, laws, and how often intervals hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from hypothesis import given
from hypothesis import strategies as st
from scrub.results.population import FAR_ABOVE, biased_by_small_classes, coverage_on_fresh_rows
from scrub.stats.between import Fresh, spread
from scrub.stats.intervals import Interval
from scrub.stats.scores import Scores

SAMPLES = 400


def dataset(recovered: float, error: float, samples: int = SAMPLES) -> Scores:
    """Numbers that recover this, with this standard error: the gap is 1 in every reference."""
    noise = error * math.sqrt(samples - 1) * np.where(np.arange(samples) % 2, 1.0, -1.0)
    return Scores(np.zeros(samples), 1 - recovered + noise, np.ones(samples))


def spread_of(recovered: Sequence[float], error: float = 0.01, rows: int = 10**6) -> Fresh:
    numbers = [dataset(one, error) for one in recovered]
    return spread(numbers, range(1, len(numbers)), rows)


def test_by_hand() -> None:
    """0.5, 0.7 and 0.6 have variance 0.01, of which 0.0001 is within; t is 4.303 for 2 degrees."""
    found = spread_of([0.5, 0.7, 0.6])
    assert found.seeds == (1, 2)
    assert [one.mean for one in found.recovered] == pytest.approx([0.5, 0.7, 0.6])
    assert found.within == pytest.approx(0.01)
    assert found.between == pytest.approx(math.sqrt(0.0099))
    half = 4.302653 * math.sqrt(0.01 / 3)
    ends = [found.value.mean, found.value.low, found.value.high]
    assert ends == pytest.approx([0.6, 0.6 - half, 0.6 + half])
    assert (found.value.confidence, found.value.reason) == (0.95, "")


def test_datasets_that_differ_by_no_more_than_chance() -> None:
    found = spread_of([0.6, 0.605], error=0.01)
    assert found.between == 0
    assert found.within == pytest.approx(0.01)


@pytest.mark.parametrize(("rows", "units"), [(10**6, 2 * SAMPLES), (30, 30)])
def test_no_narrower_than_what_no_row_showed(rows: int, units: int) -> None:
    """A row that comes again shows nothing new."""
    found = spread_of([1.0, 1.0], error=0.0, rows=rows)
    half = 1 - 0.025 ** (1 / units)
    assert [found.value.low, found.value.high] == pytest.approx([1 - half, 1 + half])


def test_a_dataset_of_which_nothing_is_known() -> None:
    nothing = Scores(np.ones(5), np.ones(5), np.ones(5))
    found = spread([dataset(0.5, 0.01), nothing, nothing], (1, 2), 100)
    assert math.isnan(found.between)
    assert math.isnan(found.within)
    assert math.isnan(found.value.mean)
    assert (found.value.low, found.value.high) == (-math.inf, math.inf)
    undefined = "baseline and original are equal, so loss recovered is undefined"
    assert found.value.reason == f"on 2 of 3 datasets, {undefined}"


def test_a_dataset_whose_baseline_is_not_told_from_the_original() -> None:
    gap = np.random.default_rng(0).normal(0.01, 1, 50)
    untold = Scores(np.zeros(50), gap / 2, gap)
    found = spread([untold, dataset(0.5, 0.01)], (1,), 100)
    assert math.isfinite(found.value.mean)
    assert found.value.low == -math.inf
    assert found.value.reason.startswith("on 1 of 2 datasets, the baseline is not told from")


@given(
    recovered=st.lists(st.floats(-0.5, 1.5), min_size=2, max_size=6),
    error=st.floats(0.001, 0.1),
    shift=st.floats(-0.5, 0.5),
    order=st.randoms(use_true_random=False),
)
def test_laws(recovered: list[float], error: float, shift: float, order) -> None:
    """Order does not matter, a shift shifts, and both spreads together are that of the figures."""
    found = spread_of(recovered, error)
    sd = float(np.std(recovered, ddof=1))
    assert found.within == pytest.approx(error, rel=1e-6)
    assert math.hypot(found.between, error) == pytest.approx(max(sd, error), abs=1e-6)
    t = stats.t.ppf(0.975, len(recovered) - 1)
    assert found.value.half_width >= t * sd / math.sqrt(len(recovered)) - 1e-9
    moved = list(recovered)
    order.shuffle(moved)
    other = spread_of([one + shift for one in moved], error)
    assert other.value.mean == pytest.approx(found.value.mean + shift, abs=1e-6)
    assert other.value.half_width == pytest.approx(found.value.half_width, abs=1e-6)
    assert other.between == pytest.approx(found.between, abs=1e-4)


def test_how_often_each_interval_holds_the_value_on_fresh_rows() -> None:
    """The spread between is three times the error within: a plain interval holds 1.96/√10 of it."""
    rng, runs = np.random.default_rng(4), 400
    plain = fresh = 0
    for _ in range(runs):
        values = rng.normal(0.6, 0.03, 4)
        noise = rng.normal(0, 0.01 * math.sqrt(100), (4, 100))
        each = zip(values, noise, strict=True)
        numbers = [Scores(np.zeros(100), 1 - v + e, np.ones(100)) for v, e in each]
        found = spread(numbers, (1, 2, 3), 10**6)
        plain += found.recovered[0].low <= 0.6 <= found.recovered[0].high
        fresh += found.value.low <= 0.6 <= found.value.high
    assert 0.95 - 3.5 * 0.011 < fresh / runs < 1
    assert plain / runs < 0.85  # 100 references have a wide rule of three: ±0.036


def test_the_limit_above_which_a_reader_is_warned() -> None:
    assert coverage_on_fresh_rows(1_000, 1_000) == pytest.approx(0.834, abs=0.001)
    assert coverage_on_fresh_rows(FAR_ABOVE * 1_000, 1_000) == pytest.approx(0.742, abs=0.001)
    assert coverage_on_fresh_rows(1_000, 100) == pytest.approx(0.445, abs=0.001)
    assert coverage_on_fresh_rows(1, 10**9) == pytest.approx(0.95, abs=1e-6)


def test_small_classes_flatter_only_where_there_is_something_to_lose() -> None:
    value = Interval(0.8, 0.77, 0.83)
    assert biased_by_small_classes(0.2, 0.8, value)
    assert not biased_by_small_classes(0.2, 0.9, value)
    assert not biased_by_small_classes(0.0, 0.0, value)
