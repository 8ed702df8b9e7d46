"""What claims recover on other rows, printed below their table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.report.columns import Column, table
from scrub.results.population import few_rows, small_classes
from scrub.results.result import Result
from scrub.stats.intervals import CONFIDENCE
from scrub.stats.rounding import interval, number


def show_population(results: Sequence[Result], console: Console) -> None:
    """What claims recover on other datasets; or a warning where that was not measured."""
    warnings = dict.fromkeys(warning for result in results for warning in few_rows(result))
    for warning in warnings:
        line = Text(f"{warning[0].upper()}{warning[1:]}.")
        console.print(line, style="yellow", highlight=False)
    fresh = [result for result in results if result.fresh is not None]
    if fresh:
        console.print(Text(f"\n{_datasets(fresh[0])}"), highlight=False)
        console.print(fresh_table(fresh, console.width))
        for result in fresh:
            assert result.fresh is not None
            unbounded = [reason] if (reason := result.fresh.value.reason) else []
            for warning in [*unbounded, *small_classes(result)]:
                line = f"{result.claim.name}, on fresh data: {warning}."
                console.print(Text(line), style="yellow", highlight=False)


def _datasets(result: Result) -> str:
    assert result.fresh is not None
    seeds = result.fresh.seeds
    data = "1 other dataset" if len(seeds) == 1 else f"{len(seeds)} other datasets"
    which = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    return f"Beside it, deciding nothing: {data} of {result.rows:,} rows, same recipe, {which}."


def fresh_table(results: Sequence[Result], width: int) -> Table:
    """One row a claim: what other datasets recover, and the spread between them and within one."""
    found = [(result, result.fresh) for result in results if result.fresh is not None]
    others = [[one.mean for one in fresh.recovered[1:]] for _, fresh in found]
    ranges = [f"{number(min(o))} to {number(max(o))}" for o in others]
    return table(
        [
            Column("claim", [result.claim.name for result, _ in found], fold=True),
            Column("these rows", [number(f.recovered[0].mean) for _, f in found], right=True),
            Column("other seeds", ranges, right=True, drop=1),
            Column("sd between", [number(f.between) for _, f in found], right=True, drop=3),
            Column("error within", [number(f.within) for _, f in found], right=True, drop=2),
            Column(f"on fresh data [{CONFIDENCE:.0%}]", [interval(f.value) for _, f in found]),
        ],
        width,
    )
