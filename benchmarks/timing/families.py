"""Families as a sweep runs them: one plan for all hypotheses with one root, on common draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

from scrub.draw import Draws, draw
from scrub.engine.activations import ActivationCache
from scrub.engine.family import execute_family, plan_family
from scrub.engine.family_cost import fit_family
from scrub.hypothesis.tree import Tree, treeify, united
from scrub.runner.scoring import measuring_several
from scrub.stats.ratio import ratio_set
from scrub.stats.scores import Scores
from timing.ours import Work
from timing.setting import MEMORY


@frozen(eq=False)
class Swept:
    """What a sweep knows of one hypothesis.

    Attributes:
        interval: of loss recovered.
    """

    draws: Draws
    scores: Scores
    interval: tuple[float, float]


def sweep(work: Work, cache: ActivationCache) -> list[Swept]:
    """Plan, draw, execute and measure the hypotheses of some work, with an interval for each."""
    trees = [treeify(hypothesis) for hypothesis in work.hypotheses]
    roots: dict[object, list[int]] = {}
    for number, tree in enumerate(trees):
        roots.setdefault((tree.path, tree.routes), []).append(number)
    found: dict[int, Swept] = {}
    for numbers in roots.values():
        swept = _family(work, [trees[number] for number in numbers], cache)
        found.update(zip(numbers, swept, strict=True))
    return [found[number] for number in range(len(trees))]


def _family(work: Work, trees: Sequence[Tree], cache: ActivationCache) -> list[Swept]:
    plan = plan_family(trees, work.graph, columns=work.metric.of_labels is not None)
    draws = draw(united(trees), work.data, samples=work.references, seed=0)
    scores = np.empty((3, len(trees), work.references))
    for output in execute_family(plan, draws, cache, fit_family(plan, draws, cache, MEMORY)):
        here = draws.references.at(draws.references.index[output.samples])
        measured = measuring_several(plan.members[0], work.metric, here, output.original)
        (scores[0, :, output.samples],) = measured(output.original, 1)
        (scores[2, :, output.samples],) = measured(output.baseline, 1)
        for batch in output.batches():
            several = measured(batch.value, len(batch.members))
            scores[1, list(batch.members), output.samples] = several
    original, scrubbed, baseline = scores
    low, high = ratio_set(baseline - scrubbed, baseline - original, 0.95)
    return [
        Swept(draws, Scores(*numbers), (float(low[i]), float(high[i])))
        for i, numbers in enumerate(scores.swapaxes(0, 1))
    ]
