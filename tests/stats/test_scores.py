"""Scores: where they are defined, their means, and joining those of several chunks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scrub.stats.intervals import loss_recovered
from scrub.stats.scores import COLUMNS, Scores, joined

NAN = math.nan
SOME = Scores(
    np.array([0.0, NAN, 1.0, NAN]),
    np.array([1.0, NAN, 2.0, 3.0]),
    np.array([4.0, NAN, 5.0, 6.0]),
)


def test_a_score_is_undefined_where_it_is_nan_whatever_the_model_computes() -> None:
    assert SOME.defined.tolist() == [True, False, True, True]


def test_means_leave_out_what_is_undefined_and_nothing_else() -> None:
    means = SOME.means
    assert (means["scrubbed"], means["baseline"]) == (2.0, 5.0)
    assert math.isnan(means["original"])  # NaN for some references only: not left out
    nothing = SOME.where(np.array([1]))
    assert all(math.isnan(mean) for mean in nothing.means.values())


def test_loss_recovered_is_of_the_references_on_which_the_metric_is_defined() -> None:
    here = SOME.where(np.array([0, 1, 2] * 20))
    kept = here.where(here.defined)
    expected = loss_recovered(kept.original, kept.scrubbed, kept.baseline, looks=2)
    assert here.recovered(looks=2) == expected
    assert here.recovered().mean == pytest.approx(0.75)
    assert here.recovered(0.99).confidence == 0.99


def test_chunks_that_are_joined_are_the_whole() -> None:
    for cut in range(5):
        parts = [SOME.where(np.arange(cut)), SOME.where(np.arange(cut, 4))]
        whole = joined(parts)
        for name in COLUMNS:
            assert getattr(whole, name).tobytes() == getattr(SOME, name).tobytes()
