"""The figures of a claim by a column of the data (--by)."""

from __future__ import annotations

from rich.table import Table

from scrub.data.partition import by_kind, parts_by
from scrub.report.claims_table import figure_name, mean_columns
from scrub.report.columns import Column, table
from scrub.results.result import Result
from scrub.stats.figure import figure
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval
from scrub.stats.scores import Scores


def breakdown(result: Result, column: str, width: int) -> Table:
    """Every figure by a column of the reference (--by), of every metric.

    A part's references are drawn uniformly from the rows that it has, so its interval is as honest
    as the whole's; each holds by itself, not all together.

    Raises:
        UserError: the data has no such column.
    """
    numbered, values = parts_by(result.draws.references.feature(column))
    measured = [(result.metric, result.scores), *((m.metric, m.scores) for m in result.others)]
    parts = [
        (str(value), metric.name, numbers.where(numbered == number))
        for number, value in sorted(enumerate(values), key=lambda part: by_kind(part[1]))
        for metric, numbers in measured
    ]
    shown = [Column(column, [value for value, _, _ in parts], fold=True)]
    if len(measured) > 1:
        shown.append(Column("metric", [metric for _, metric, _ in parts], fold=True))
    counts = [f"{part.defined.sum():,}" for _, _, part in parts]
    shown.append(Column("references", counts, right=True, drop=1))
    shown += mean_columns([part for _, _, part in parts])
    shown.append(Column(figure_name(result), [interval(_figure(result, *part)) for part in parts]))
    return table(shown, width)


def _figure(result: Result, value: str, metric: str, part: Scores) -> Interval:
    """The belief's figure by its own metric; the effect, or what is recovered, by the others."""
    if metric == result.metric.name:
        return figure(part, result.belief)
    return part.effect() if result.effect else part.recovered()
