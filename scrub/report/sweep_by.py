"""The effects of a sweep by the values of a column (`scrub patch --by`)."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from scrub.report.columns import Column, table
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval, percent
from scrub.sweeps.by_column import ByColumn, told
from scrub.sweeps.sweep import Sweep


def by_table(sweep: Sweep, by: ByColumn, width: int, metric: int, top: int) -> Table:
    """Rows of each sender, the largest effect first: one a value. What is not told apart is dim."""
    order = sweep.order(metric)[:top]
    cells = [(sender, value) for sender in order for value in range(len(by.values))]
    effects = [by.effects[metric][sender][value] for sender, value in cells]
    differences = [by.difference(metric, sender, value) for sender, value in cells]
    names = [sweep.senders[sender].name if value == 0 else "" for sender, value in cells]
    shown = [Column("sender", names)]
    if len({sender.at for sender in sweep.senders}) > 1:
        ats = [sweep.senders[sender].at if value == 0 else "" for sender, value in cells]
        shown.append(Column("at", ats))
    shown.append(Column(by.column, [str(by.values[value]) for _, value in cells], fold=True))
    counts = [f"{by.references[value]:,}" for _, value in cells]
    shown.append(Column("references", counts, right=True, drop=1))
    name = f"{'effect' if sweep.exact else '≈ effect'} on {sweep.metrics[metric].name}"
    shown.append(Column(name, [_styled(e, interval(e, (0.0,))) for e in effects], fold=True))
    other = "− the other" if len(by.values) == 2 else "− the others"
    shown.append(Column(other, [_styled(d, interval(d, (0.0,))) for d in differences]))
    return table(shown, width)


def by_foot(sweep: Sweep, by: ByColumn) -> list[str]:
    """What the differences rest on, a line each."""
    every = [d for of in by.differences for one in of for d in one]
    count = sum(map(told, every))
    level = next((d.confidence for d in every), None)
    lines = []
    for metric, totals in zip(sweep.metrics, by.totals, strict=True):
        listed = "; ".join(
            f"{value} {interval(total)}" for value, total in zip(by.values, totals, strict=True)
        )
        lines.append(f"total by {by.column}, of {metric.name}: {listed}")
    if level is None:
        return [*lines, f"all references have one value of {by.column}: nothing is compared"]
    what = "one value with the other" if len(by.values) == 2 else "a value with all others"
    held = f"each interval has {percent(level)} (Bonferroni), so that all hold at 95%"
    verb = "is" if count == 1 else "are"
    lines.append(
        f"{count} of {by.tested:,} differences, each of {what}, {verb} told from zero; {held}"
    )
    reasons = {effect.reason for of in by.effects for one in of for effect in one if effect.reason}
    return [*lines, *sorted(reasons)]


def _styled(found: Interval, text: str) -> Text:
    return Text(text, style="" if told(found) else "dim")
