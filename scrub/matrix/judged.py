"""From the records of a claim's shards to its figure and verdict, as `scrub test` comes to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from attrs import frozen

from scrub.analysis.support import in_vain
from scrub.analysis.vacuity import SAME_VALUES, changed_nothing
from scrub.hypothesis.belief import Verdict
from scrub.matrix.record import Record
from scrub.runner.looks import sample_sizes
from scrub.runner.options import DTYPES
from scrub.stats.bonferroni import confidence_among
from scrub.stats.figure import figure
from scrub.stats.intervals import Interval
from scrub.stats.scores import Scores, joined
from scrub.stats.verdict import Judgement, judge


@frozen(eq=False)
class Judged:
    """A claim on one model with one seed, all its shards together.

    Attributes:
        which: what the figure is: recovered, effect, share or attention.
        figure: with its interval of 95%.
        corrected: the interval that the verdict is read off, where several claims are judged.
        any_input: the figure with any input in place of those that agree; None: not known.
    """

    scores: Scores
    which: str
    figure: Interval
    corrected: Interval
    any_input: Interval | None
    expected: Verdict | None
    judgement: Judgement


def judged(shards: Sequence[Record], family: int) -> Judged:
    """Judge the merged samples.

    Law: figure and verdict are those of `scrub test` with the same model, seed and number of
    samples, whatever the number of shards; the figure but for rounding.

    Args:
        shards: all of them, in order.
        family: how many claims are judged in one run, as on the command line.
    """
    first = shards[0]
    expect, how = first.expect, first.cell.how
    belief = expect.belief if expect else None
    scores = joined([shard.scores for shard in shards if shard.scores is not None])
    looks = len(sample_sizes(how.options("", 0)))
    confidence = confidence_among(family if first.cell.judged else 1)
    found = figure(scores, belief, looks=looks)
    corrected = figure(scores, belief, confidence, looks=looks)
    vacuous, loose = _vacuous(shards, scores, DTYPES[how.dtype]), None
    with_any = [shard.anything for shard in shards if shard.anything is not None]
    if first.states and len(with_any) == len(shards) and not vacuous:
        anything = joined(with_any)
        loose = figure(anything, belief)
        if corrected.mean == corrected.mean:  # not NaN
            vacuous = in_vain(first.states, scores, anything, corrected, expect)
    return Judged(
        scores,
        belief.figure if belief else "recovered",
        found,
        corrected,
        loose,
        expect.verdict if expect else None,
        judge(corrected, expect, len(scores.original), vacuous),
    )


def _vacuous(shards: Sequence[Record], scores: Scores, dtype: torch.dtype) -> str:
    """Why nothing was put to the test by swapping inputs; "" if something was.

    Where the scrub changed nothing in all samples, it did so in the shard with the largest number,
    against which rounding is measured: that one has asked whether all inputs have the same values.
    """
    if shards[0].nothing_swapped:
        return shards[0].nothing_swapped
    same = any(shard.same_values for shard in shards)
    return SAME_VALUES if same and changed_nothing(scores, dtype) else ""


def numbers(one: Judged) -> dict[str, Any]:
    """The columns of a table that say what came out."""
    interval = one.figure
    return {
        "samples": len(one.scores.original),
        **{name: one.scores.means[name] for name in ("original", "scrubbed", "baseline")},
        "figure": one.which,
        "mean": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "error": float("nan") if interval.error is None else interval.error,
        "with_any_input": float("nan") if one.any_input is None else one.any_input.mean,
        "verdict": one.judgement.verdict,
        "expected": one.expected,
        "passed": one.judgement.passed,
    }
