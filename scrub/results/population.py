"""Sentences on the rows that figures hold for, and warnings where fresh rows may differ."""

from __future__ import annotations

import math

from scipy import special

from scrub.data.dataset import Recipe
from scrub.results.result import Result
from scrub.stats.intervals import CONFIDENCE, Interval

FAR_ABOVE = 2
"""References a row above which a reader is warned that an interval is about these rows only.

With m references on n rows the variance of an estimate about the rows' own value is σ²/m; what the
value itself varies by from dataset to dataset is as much as σ²/n, where the rows differ more than
the draws of one row do. An interval of 95% then holds the value on fresh rows in
2Φ(1.96 / √(1 + m/n)) − 1 of runs: in 83% with as many references as rows, in 74% with twice as
many. With fewer than three runs in four it is no longer nearly what it says.
"""
SEEDS = 5
"""Other seeds that a warning names: the interval of six datasets is 1.3 times as wide as if the
spread between them were known; that of two 6.5 times."""


def coverage_on_fresh_rows(references: int, rows: int) -> float:
    """The lowest share of runs, about, in which an interval holds the value on fresh rows."""
    z = special.ndtri((1 + CONFIDENCE) / 2)
    return float(2 * special.ndtr(z / math.sqrt(1 + references / rows)) - 1)


def on_rows(result: Result) -> str:
    """ "on these 1,000 ioi prompts, mixed order, seed 0"; "on these 120 rows: mine"."""
    return rows_in_words(result.data_name, result.rows)


def references_in_words(count: int) -> str:
    """ "1 reference", "1,000 references"."""
    return f"{count:,} reference{'s' if count != 1 else ''}"


def rows_in_words(name: str, rows: int) -> str:
    """The same for a dataset of this name."""
    if rows == 1:
        return f"on this one row: {name}"
    for count in (f"{rows} ", f"{rows:,} "):
        if name.startswith(count):
            return f"on these {rows:,} {name.removeprefix(count)}"
    return f"on these {rows:,} rows: {name}"


def few_rows(result: Result) -> list[str]:
    """A warning where references are far more than rows, and no other dataset was scrubbed."""
    references, rows = result.samples, result.rows
    bounded = math.isfinite(result.figure.low)
    if references <= FAR_ABOVE * rows or result.fresh is not None or not bounded:
        return []
    these = "this row, not about others like it" if rows == 1 else f"these {rows:,} rows alone"
    todo = "give more rows"
    if isinstance(result.claim.data, Recipe) and result.claim.data.seed is not None:
        todo += f", or see what other seeds give: fresh={SEEDS} (--fresh {SEEDS})"
    held = f"{coverage_on_fresh_rows(references, rows):.0%}"
    return [
        f"intervals are about {these}: with {references:,} references they may hold the value on "
        f"fresh rows in only {held} of runs; unless there are no others, {todo}"
    ]


def biased_by_small_classes(own: float, recovered: float, value: Interval) -> bool:
    """Whether small classes may raise the value on fresh data by more than its half-width.

    Args:
        own: share of draws whose donor is the reference itself. Such a draw loses nothing; any
            other loses about the claim's loss per draw.
        recovered: loss recovered on the claim's own rows.
        value: loss recovered on fresh data.
    """
    return own * (1 - recovered) > value.half_width


def small_classes(result: Result) -> list[str]:
    """A warning where datasets of this size recover too much, whatever their seed.

    A donor that is its own reference loses nothing, and in an unlimited dataset there is none.
    """
    fresh, recovered = result.fresh, result.recovered.mean
    own = [1 - node.donors_changed for node in result.nodes if node.sampler.startswith("Agree(")]
    if fresh is None or not biased_by_small_classes(max(own, default=0.0), recovered, fresh.value):
        return []
    return [
        f"{max(own):.0%} of its donors are the reference itself, since few of {result.rows:,} rows "
        "agree: on more rows it recovers less, which other seeds do not show; give more rows"
    ]
