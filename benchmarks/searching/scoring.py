"""How much of what is true a search has found, and how well it orders what it has not."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Set
from typing import TypeVar

import numpy as np
from attrs import frozen
from scipy.stats import rankdata

T = TypeVar("T", bound=Hashable)


@frozen
class Counted:
    """What was found of what is true, among all that is counted."""

    found: int
    right: int
    true: int

    @property
    def precision(self) -> float:
        """Right among found; NaN where nothing is found."""
        return self.right / self.found if self.found else math.nan

    @property
    def recall(self) -> float:
        """Found among true; NaN where nothing is true."""
        return self.right / self.true if self.true else math.nan


def counted(found: Iterable[T], true: Set[T], every: Set[T]) -> Counted:
    """Law: precision and recall are 1 if and only if what is found of `every` is what is true."""
    assert true <= every
    mine = set(found) & every
    return Counted(len(mine), len(mine & true), len(true))


def area(scores: Mapping[T, float], true: Set[T], every: Set[T]) -> float:
    """The area under the ROC curve: how often a true one scores above a false one, a tie as half.

    What has no score is below all that has one. NaN where all are true, or none.

    Laws: 1 where every true one is above every false one; scores in the opposite order give
    1 − area; all scores alike give ½. Source: Hanley and McNeil 1982 (the Mann–Whitney statistic).
    """
    assert true <= every
    order = list(every)
    values = np.array([scores.get(one, -math.inf) for one in order])
    assert not np.isnan(values).any()
    of_true = np.array([one in true for one in order])
    count, others = int(of_true.sum()), int((~of_true).sum())
    if not count or not others:
        return math.nan
    above = rankdata(values)[of_true].sum() - count * (count + 1) / 2
    return float(above / (count * others))


def first(scores: Mapping[T, float], true: Set[T], every: Set[T]) -> int:
    """How many of the first n of the ranking are true, where n are.

    Of parts that score alike as many as would be among them on average, rounded down.
    """
    order = sorted((scores.get(one, -math.inf) for one in every), reverse=True)
    count = len(true)
    if not count:
        return 0
    last = order[count - 1]
    above = [one for one in every if scores.get(one, -math.inf) > last]
    level = [one for one in every if scores.get(one, -math.inf) == last]
    left = count - len(above)
    sure = sum(one in true for one in above)
    return sure + math.floor(left * sum(one in true for one in level) / len(level))
