"""The table of claims: means, loss recovered with its interval, and verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from scrub.hypothesis.belief import Expectation
from scrub.report.columns import Column, table
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.stats.intervals import CONFIDENCE
from scrub.stats.rounding import interval, number
from scrub.stats.scores import Scores

RECOVERED = f"recovered [{CONFIDENCE:.0%}]"
EFFECT = f"effect [{CONFIDENCE:.0%}]"
ANY_INPUT = "with any\ninput"
"""The figure with any input in place of inputs that agree on the nodes' features."""
MEANS = {"original": 4, "scrubbed": 5, "baseline": 2}
"""The columns of means, and in which turn each is left out of a narrow table."""
AROUND = {"before": 4, "after": 5, "original": 2}
"""The same of claims about effects: on the root's other input, scrubbed, and on the reference."""


def claims_table(results: Sequence[Result], width: int) -> Table:
    """One row a claim, in a terminal that is `width` cells wide.

    Law: the claim, its interval and its verdict are never cut short or left out.
    """
    bounds = [(r.expect.low, r.expect.high) if r.expect else () for r in results]
    shown = [Column("claim", [result.claim.name for result in results], fold=True)]
    shown += mean_columns([result.scores for result in results])
    intervals = [interval(r.figure, b) for r, b in zip(results, bounds, strict=True)]
    shown.append(Column(figure_name(results[0]), intervals))
    if any(result.support.states for result in results):
        shown.append(Column(ANY_INPUT, [_any_input(r) for r in results], right=True, drop=6))
    shown += [
        Column("belief", [bounds_in_words(result.expect) for result in results], drop=3),
        Column("verdict", [_verdict(result) for result in results]),
        Column("expected", [r.expect.verdict if r.expect else "–" for r in results], drop=7),
        Column("seconds", [f"{r.seconds:.1f}" for r in results], right=True, drop=1),
    ]
    return table(shown, width)


def inapplicable_table(results: Sequence[Inapplicable], width: int) -> Table:
    """One row a claim that does not apply to its model, with the reason."""
    return table(
        [
            Column("claim", [one.claim.name for one in results], fold=True),
            Column("reason", [one.reason for one in results], fold=True),
        ],
        width,
    )


def figure_name(result: Result) -> str:
    """The heading of what a claim's belief is about: "recovered [95%]", "effect [95%]"."""
    return f"{result.belief.figure if result.belief else 'recovered'} [{CONFIDENCE:.0%}]"


def mean_columns(scores: Sequence[Scores]) -> list[Column]:
    """The means of the model as it is and scrubbed, and of what that is compared with."""
    effect = any(one.before is not None for one in scores)
    means = [one.means | {"after": one.means["scrubbed"]} for one in scores]
    return [
        Column(name, [number(mean.get(name, math.nan)) for mean in means], right=True, drop=turn)
        for name, turn in (AROUND if effect else MEANS).items()
    ]


def _any_input(result: Result) -> str:
    loosened = result.with_any_input
    return "–" if loosened is None else number(loosened.mean)


def _verdict(result: Result) -> Text:
    verdict = result.judgement.verdict or "–"
    colour = "green" if result.passed else "red"
    return Text(verdict, style=colour if result.expect else "")


def others_table(results: Sequence[Result], width: int) -> Table:
    """One row for each claim and each of its metrics that decide no verdict."""
    rows = [(result, other) for result in results for other in result.others]
    return table(
        [
            Column("claim", [result.claim.name for result, _ in rows], fold=True),
            Column("metric", [other.metric.name for _, other in rows], fold=True),
            *mean_columns([other.scores for _, other in rows]),
            Column(
                EFFECT if any(other.effect for _, other in rows) else RECOVERED,
                [interval(other.figure) for _, other in rows],
            ),
        ],
        width,
    )


def bounds_in_words(expect: Expectation | None) -> str:
    """ "≥ 0.7, ≤ 1.2", "raises by 0.5": the belief of which a verdict is given."""
    return expect.belief.words if expect and expect.belief else "–"
