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
MEANS = ("original", "scrubbed", "baseline")
"""The columns of means."""
AROUND = ("before", "after", "original")
"""The same of claims about effects: on the root's other input, scrubbed, and on the reference."""
LEFT_OUT = {
    MEANS: ("seconds", "baseline", "belief", "original", "scrubbed", ANY_INPUT, "expected"),
    AROUND: ("seconds", "original", "belief", "before", "after", ANY_INPUT, "expected"),
}
"""The columns that a narrow table leaves out, the first to go first. The claim, its interval and
its verdict are in every table."""


def claims_table(results: Sequence[Result], width: int) -> Table:
    """One row a claim, in a terminal that is `width` cells wide.

    Law: the claim, its interval and its verdict are never cut short or left out.
    """
    turn = _turns([result.scores for result in results])
    shown = [Column("claim", [result.claim.name for result in results], fold=True)]
    shown += mean_columns([result.scores for result in results])
    intervals = [interval(result.figure, bounds_of(result)) for result in results]
    shown.append(Column(figure_name(results[0]), intervals))
    if any(result.support.states for result in results):
        any_input = [_any_input(result) for result in results]
        shown.append(Column(ANY_INPUT, any_input, right=True, drop=turn[ANY_INPUT]))
    beliefs = [bounds_in_words(result.expect) for result in results]
    expected = [result.expect.verdict if result.expect else "–" for result in results]
    seconds = [f"{result.seconds:.1f}" for result in results]
    shown += [
        Column("belief", beliefs, drop=turn["belief"]),
        Column("verdict", [_verdict(result) for result in results]),
        Column("expected", expected, drop=turn["expected"]),
        Column("seconds", seconds, right=True, drop=turn["seconds"]),
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
    means = [one.means | {"after": one.means["scrubbed"]} for one in scores]
    turn = _turns(scores)
    return [
        Column(
            name, [number(mean.get(name, math.nan)) for mean in means], right=True, drop=turn[name]
        )
        for name in _means(scores)
    ]


def _means(scores: Sequence[Scores]) -> tuple[str, ...]:
    return AROUND if any(one.before is not None for one in scores) else MEANS


def _turns(scores: Sequence[Scores]) -> dict[str, int]:
    """In which turn each column is left out, from 1."""
    return {name: turn for turn, name in enumerate(LEFT_OUT[_means(scores)], start=1)}


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


def bounds_of(result: Result) -> tuple[float | None, ...]:
    """The bounds that its interval must not seem to touch."""
    return (result.expect.low, result.expect.high) if result.expect else ()


def bounds_in_words(expect: Expectation | None) -> str:
    """ "≥ 0.7, ≤ 1.2", "raises by 0.5": the belief of which a verdict is given."""
    return expect.belief.words if expect and expect.belief else "–"
