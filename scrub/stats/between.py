"""Loss recovered on fresh rows: the spread between datasets of one recipe, beside that within one.

A claim's interval is about the rows that it was tested on: more references tell their value more
closely, and nothing of rows that the recipe could have made instead. Of datasets with other seeds
each recovers something else, and how far they differ says how far the value on fresh rows may lie.

Datasets are independent and alike, the claim's own among them, so they are the units: the interval
is Student's t of what they recover, with one degree of freedom less than there are datasets. Both
the spread between and the one within are in it, since each was measured with its own references.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen
from scipy import special

from scrub.stats.intervals import CONFIDENCE, Interval
from scrub.stats.ratio import rule_of_three
from scrub.stats.scores import Scores


@frozen
class Fresh:
    """What a claim recovers on datasets of one recipe: its own first, then those of other seeds.

    Attributes:
        seeds: of the other datasets.
        recovered: on its own data, and on each of the others.
        between: standard deviation of what a dataset recovers in truth, one to the next; 0 where
            they differ by no more than their references explain. NaN where it is not known.
        within: standard error of what one dataset recovers, from the draws of its references.
        value: recovered on fresh rows, with the interval that has both in it.
    """

    seeds: tuple[int, ...]
    recovered: tuple[Interval, ...]
    between: float
    within: float
    value: Interval


def spread(scores: Sequence[Scores], seeds: Sequence[int], rows: int) -> Fresh:
    """Compare datasets: the claim's scores on its own data, then on those of other seeds.

    Failures that no row showed are allowed for as in one dataset (the rule of three), and a row
    that comes again shows nothing new: so many are independent as there are references or rows.

    Args:
        rows: of all datasets together.
    """
    found = tuple(one.recovered() for one in scores)
    means = np.array([one.mean for one in found])
    errors = np.array([math.nan if one.error is None else one.error for one in found])
    unknown = int((~np.isfinite(errors)).sum())
    if unknown:
        reasons = ", ".join(dict.fromkeys(one.reason for one in found if one.reason))
        reason = f"on {unknown} of {len(found)} datasets, {reasons}"
        value = Interval(float(means.mean()), -math.inf, math.inf, reason=reason)
        return Fresh(tuple(seeds), found, math.nan, math.nan, value)
    variance, within = means.var(ddof=1), (errors**2).mean()
    gaps = [(one.baseline - one.original)[one.defined] for one in scores]
    unseen = rule_of_three(np.concatenate(gaps), CONFIDENCE, units=rows)
    t = special.stdtrit(len(means) - 1, (1 + CONFIDENCE) / 2)
    half = max(float(t * math.sqrt(variance / len(means))), float(unseen))
    mean = float(means.mean())
    return Fresh(
        seeds=tuple(seeds),
        recovered=found,
        between=math.sqrt(max(0.0, variance - within)),
        within=math.sqrt(within),
        value=Interval(mean, mean - half, mean + half),
    )
