"""Looks: the sample sizes at which a run asks whether its interval is narrow enough."""

from __future__ import annotations

from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.planned import Planned
from scrub.runner.resume import scores_of_first
from scrub.stats.figure import figure
from scrub.stats.scores import Scores

FEWEST = 200
"""Samples at the first look, at least: fewer show too little of a skewed loss."""


def sample_sizes(options: Options) -> tuple[int, ...]:
    """The sample sizes at which the interval is looked at: with a precision, doubling ones.

    Where losses are skewed a run stops early because their tail has not shown yet. So the intervals
    of all looks hold together (Bonferroni), and with them the one that the run stops at, whatever
    stopped it; docs/statistics.md has the coverage.
    """
    sizes = [options.samples]
    while options.precision is not None and sizes[0] >= 2 * FEWEST:
        sizes.insert(0, sizes[0] // 2)
    return tuple(sizes)


def scores_until_precise(planned: Planned, context: Context) -> tuple[Scores, ...]:
    """The scores of as many samples as the precision takes, metric by metric.

    Raises:
        UserError: one sample does not fit into the memory, or a metric of the user's fails.
    """
    sizes, precision = sample_sizes(context.options), context.options.precision
    for samples in sizes[:-1]:
        scores = scores_of_first(planned, samples, context)
        found = figure(scores[0], planned.prepared.belief, looks=len(sizes))
        if precision is not None and found.half_width <= precision:
            return scores
    return scores_of_first(planned, sizes[-1], context)
