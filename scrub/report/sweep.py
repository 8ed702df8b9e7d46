"""A sweep on the terminal: a sorted table for each metric, and what its figures rest on."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.report.columns import Column, table
from scrub.report.console import claim_line
from scrub.report.sweep_by import by_foot, by_table
from scrub.results.population import FAR_ABOVE, references_in_words, rows_in_words
from scrub.samplers import describe_sampler, is_virtual
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval, number, percent
from scrub.sweeps.sweep import Sweep


def show_sweep(sweep: Sweep, console: Console, top: int) -> None:
    """Print the senders with the largest effects, sorted, and the foot lines."""
    console.print(claim_line(sweep.behaviour, sweep.says))
    about = f"{sweep.receiver} on {sweep.model}, {sweep.direction}, seed {sweep.seed}"
    console.print(Text(about))
    where = rows_in_words(sweep.data, sweep.rows)
    console.print(Text(f"{references_in_words(sweep.samples)} {where}"))
    for metric in range(len(sweep.metrics)):
        console.print()
        console.print(sweep_table(sweep, console.width, metric, top), highlight=False)
    console.print()
    for line in foot(sweep, top):
        console.print(Text(line))
    if sweep.by is None:
        return
    for metric in range(len(sweep.metrics)):
        console.print()
        shown = by_table(sweep, sweep.by, console.width, metric, top)
        console.print(shown, highlight=False)
    console.print()
    for line in by_foot(sweep, sweep.by):
        console.print(Text(line))


def sweep_table(sweep: Sweep, width: int, metric: int, top: int) -> Table:
    """One row a sender, the largest effect first. What is not told from zero is dim."""
    order = sweep.order(metric)[:top]
    senders = [sweep.senders[place] for place in order]
    effects = [sweep.effects[metric][place] for place in order]
    about = "≈ effect on" if not sweep.exact else "effect on"
    shown = [Column("sender", [_styled(s.name, e) for s, e in zip(senders, effects, strict=True)])]
    if len({sender.at for sender in sweep.senders}) > 1:
        shown.append(Column("at", [sender.at for sender in senders]))
    if sweep.approximation is not None:
        cells = [sweep.approximation.columns(metric, place) for place in order]
        if sweep.approximation.decides:
            shown.append(Column("exact", [_known(c["exact"]) for c in cells], right=True, drop=2))
        else:
            first = [_known(c["first_order"]) for c in cells]
            shown.append(Column("first order", first, right=True, drop=2))
    name = f"{about} {sweep.metrics[metric].name}"
    shown.append(Column(name, [_styled(interval(e, (0.0,)), e) for e in effects], fold=True))
    shares = [_share(sweep.share(metric, place)) for place in order]
    shown.append(Column("of total", shares, right=True, drop=1))
    return table(shown, width)


def _styled(text: str, effect: Interval) -> Text:
    certain = effect.low > 0 or effect.high < 0
    return Text(text, style="" if certain else "dim")


def _known(value: object) -> str:
    assert isinstance(value, float)
    return "–" if math.isnan(value) else number(value)


def _share(share: float) -> str:
    return "–" if math.isnan(share) else f"{number(100 * share, 1)}%"


def foot(sweep: Sweep, top: int) -> list[str]:
    """What the figures rest on, a line each."""
    count = len(sweep.senders)
    first = sweep.metrics[0].name
    lines = [_tried(sweep, top), _positive(sweep)]
    for metric, total in zip(sweep.metrics, sweep.totals, strict=True):
        lines.append(f"total: original − corrupted is {interval(total)} of {metric.name}")
    if sweep.question.restore and is_virtual(sweep.corrupt):
        lines.append(
            f"{describe_sampler(sweep.corrupt)} gives the corrupted run's values, and what a "
            "sender comes to is computed anew from them: that alone is part of every effect. "
            "restore=False (--corrupt) leaves it out"
        )
    if sweep.of_other_length and not all(sender.by_column for sender in sweep.senders):
        lines.append(
            f"{sweep.of_other_length} of {sweep.samples} corrupted inputs have another length than "
            "their references, and positions without a column are counted from the first token: "
            "name columns (--at) where these do not mean the same"
        )
    certain = len(sweep.certain())
    verb = "is" if certain == 1 else "are"
    lines.append(f"{certain} of {count} {verb} told from zero ({first}); {sweep.correction}")
    if sweep.approximation is not None:
        lines.append(_approximation(sweep))
    if sweep.samples > FAR_ABOVE * sweep.rows:
        lines.append(f"intervals are about these {sweep.rows:,} rows alone, not about fresh ones")
    reasons = {effect.reason for of in sweep.effects for effect in of if effect.reason}
    return [*lines, *sorted(reasons)]


def _tried(sweep: Sweep, top: int) -> str:
    count = len(sweep.senders)
    every = "1 sender" if count == 1 else f"{count:,} senders"
    shown = f"the {top} largest of {every}" if count > top else every
    through = sweep.question.through
    way = "directly" if str(through) == "none" else f"through {through}"
    line = f"{shown}, each {way}"
    if sweep.left_out:
        line += f"; {sweep.left_out:,} more cannot reach the receiver and are left out"
    return line


def _positive(sweep: Sweep) -> str:
    names = " or ".join(dict.fromkeys(metric.name for metric in sweep.metrics))
    done = "restored" if sweep.question.restore else "corrupted"
    return f"positive: {done}, a sender makes more of {names}"


def _approximation(sweep: Sweep) -> str:
    found = sweep.approximation
    assert found is not None
    known, error = len(found.exact), found.errors[0]
    agreement = f"correlation {number(found.correlations[0])}, largest error {number(error)}"
    if found.decides:
        share = percent(known / found.ranked)
        return (
            f"≈: by gradients ({found.kind}), which rank and decide nothing; against exact effects "
            f"of {known:,} senders drawn at random ({share}): {agreement}"
        )
    return (
        f"ranked by gradients ({found.kind}) among {found.ranked:,}; the effects are exact, and "
        f"against them the ranking has {agreement}"
    )
