"""Differences between scrubs as shares of what is at stake."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scrub.stats.scores import Scores
from scrub.stats.shares import share

ORIGINAL = np.arange(20.0)
SCORES = Scores(ORIGINAL, ORIGINAL + 1, ORIGINAL + 4 + ORIGINAL % 2)


def test_a_share_is_of_baseline_minus_original() -> None:
    assert share(SCORES.scrubbed - SCORES.original, SCORES).mean == pytest.approx(1 / 4.5)
    assert share(SCORES.baseline - SCORES.original, SCORES).mean == pytest.approx(1)
    assert share(0 * ORIGINAL, SCORES).mean == pytest.approx(0)


def test_towards_the_baseline_is_a_loss_whichever_side_it_is_on() -> None:
    below = Scores(-SCORES.original, -SCORES.scrubbed, -SCORES.baseline)
    ours, theirs = (share(s.scrubbed - s.original, s) for s in (SCORES, below))
    assert (ours.mean, ours.low, ours.high) == pytest.approx((theirs.mean, theirs.low, theirs.high))


def test_references_on_which_the_metric_is_undefined_are_left_out() -> None:
    change = SCORES.scrubbed - SCORES.original
    columns = (SCORES.original, SCORES.scrubbed, SCORES.baseline)
    more = Scores(*(np.append(column, math.nan) for column in columns))
    assert share(np.append(change, math.nan), more) == share(change, SCORES)
