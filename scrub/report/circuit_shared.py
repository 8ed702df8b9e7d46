"""Circuits on behaviours on the terminal, in 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from scrub.circuits.shared import Ablated, CircuitOn, SharedCircuits, SharedPart
from scrub.report.circuit_overlap import show_overlap
from scrub.report.circuit_scores import WIDTH, title
from scrub.report.columns import Column, table
from scrub.report.console import claim_line
from scrub.results.population import FAR_ABOVE, references_in_words, rows_in_words
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval, number, percent

SHORT = 24
"""Characters of the name of a part that has one row, where there are two."""


def show_shared(shared: SharedCircuits, console: Console) -> None:
    """Print the tables, and what their figures rest on."""
    width = min(console.width, WIDTH)
    console.print(Text(_head(shared)), width=width)
    for one in shared.behaviours:
        console.print(claim_line(one.name, one.says), soft_wrap=True)
        where = rows_in_words(one.data, one.rows)
        about = f"{', '.join(one.metrics)}; {references_in_words(shared.samples)} {where}"
        console.print(Text(f"  {about}; knocked out by {one.convention}"), width=width)
    metrics = dict.fromkeys(one.metric for one in shared.tested)
    for metric in metrics:
        by = f" by {metric}" if len(metrics) > 1 else ""
        mine = [one for one in shared.tested if one.metric == metric]
        _tested(mine, by, console, width)
        _beside(mine, by, shared.random, console, width)
        _parts(shared, metric, by, console, width)
    _elsewhere(shared, console, width)
    if shared.overlap is not None:
        title(console, "What the circuits have in common", width)
        show_overlap(shared.overlap, console, width)
    console.print()
    for line in foot(shared):
        console.print(Text(line), width=width)


def _head(shared: SharedCircuits) -> str:
    circuits, behaviours = len(shared.circuits), len(shared.behaviours)
    return (
        f"{circuits} circuit{'s' * (circuits > 1)} on {behaviours} "
        f"behaviour{'s' * (behaviours > 1)} of {shared.model}, seed {shared.seed}"
    )


def _tested(found: Sequence[CircuitOn], by: str, console: Console, width: int) -> None:
    level = percent(found[0].alone.level)
    title(console, f"Each circuit on each behaviour{by}", width)
    shown = [
        Column("circuit", [one.circuit for one in found], fold=True),
        Column("on", [f"{one.behaviour}{' (its own)' * one.own}" for one in found], fold=True),
        Column(f"alone keeps [{level}]", [interval(one.alone, (0.0, 1.0)) for one in found]),
        Column(f"lost without it [{level}]", [_lost(one.ablated) for one in found]),
    ]
    console.print(table(shown, width), width=width, highlight=False)


def _lost(ablated: Ablated) -> str:
    return interval(ablated.lost, (0.0, 1.0))


def _beside(found: Sequence[CircuitOn], by: str, count: int, console: Console, width: int) -> None:
    """What is lost without random circuits, and how much less that is."""
    if not count:
        return
    title(
        console,
        f"Beside {count:,} random circuits of as many nodes per layer{by}",
        width,
    )
    level = percent(found[0].ablated.lost.level)
    nulls = [one.ablated for one in found]
    shown = [
        Column("circuit", [one.circuit for one in found], fold=True),
        Column("on", [one.behaviour for one in found], fold=True),
        Column("lost without them [95%]", [_random(one) for one in nulls]),
        Column(f"more without it [{level}]", [_more(one.more) for one in nulls]),
        Column("p", [_p(one) for one in nulls], right=True),
    ]
    console.print(table(shown, width), width=width, highlight=False)
    _reasons(nulls, console, width)


def _random(ablated: Ablated) -> str:
    if not ablated.among.defined:
        return "–"
    return f"{number(ablated.among.mean)} [{', '.join(map(number, ablated.among.range))}]"


def _more(found: Interval | None) -> str:
    return "–" if found is None else interval(found, (0.0,))


def _p(ablated: Ablated) -> str:
    return "–" if math.isnan(ablated.among.p) else number(ablated.among.p)


def _reasons(nulls: Sequence[Ablated], console: Console, width: int) -> None:
    for reason in dict.fromkeys(
        one.reason for one in nulls if one.reason and one.lost.reason == ""
    ):
        console.print(Text(f"no random circuits: {reason}"), width=width)


def _parts(shared: SharedCircuits, metric: str, by: str, console: Console, width: int) -> None:
    found = [one for one in shared.parts if one.metric == metric]
    if not found:
        return
    title(console, f"Lost without what two circuits share (&), or one alone has (-){by}", width)
    level = percent(found[0].ablated.lost.level)
    rows = [(one, place) for _, of in groupby(found, _called) for place, one in enumerate(of)]
    counts = ["" if place else f"{len(one.nodes):,}" for one, place in rows]
    lost = [_lost(one.ablated) if one.nodes else "– no node" for one in found]
    shown = [
        Column("part", list(_part_names(found)), fold=True),
        Column("nodes", counts, right=True),
        Column("on", [one.behaviour for one in found], fold=True),
        Column(f"lost [{level}]", lost),
    ]
    if shared.random:
        nulls = [one.ablated for one in found]
        shown += [
            Column(
                "random",
                [number(one.among.mean) if one.among.defined else "–" for one in nulls],
                right=True,
            ),
            Column("p", [_p(one) for one in nulls], right=True),
        ]
    console.print(table(shown, width), width=width, highlight=False)
    _reasons([one.ablated for one in found], console, width)


def _called(part: SharedPart) -> str:
    return part.name


def _part_names(found: Sequence[SharedPart]) -> Iterator[str]:
    """What stands beside each row: a name once, and a long one over two rows where there are."""
    for name, of in groupby(found, _called):
        count = len(list(of))
        first, second = next(one.circuits for one in found if one.name == name)
        if name == f"{second} - {first}":
            first, second = second, first
        if len(name) <= SHORT or count < 2:
            yield from (name, *[""] * (count - 1))
            continue
        yield from (name.removesuffix(f" {second}"), second, *[""] * (count - 2))


def _elsewhere(shared: SharedCircuits, console: Console, width: int) -> None:
    """How far the figures move under other conventions."""
    if shared.elsewhere:
        title(
            console,
            "Under other conventions: the most that a figure differs, over circuits and behaviours",
            width,
        )
        rows = list(_moved(shared))
        shown = [
            Column("knocked out by", [name for name, *_ in rows], fold=True),
            Column("alone keeps", [number(alone) for _, alone, _ in rows], right=True),
            Column("lost without it", [number(lost) for _, _, lost in rows], right=True),
        ]
        console.print(table(shown, width), width=width, highlight=False)
    elif shared.left_out:
        console.print()
    for name, why in shared.left_out:
        console.print(Text(f"{name}: left out: {why}"), width=width)


def _moved(shared: SharedCircuits) -> Iterator[tuple[str, float, float]]:
    own = {(one.circuit, one.behaviour, one.metric): one for one in shared.tested}
    for convention in dict.fromkeys(one.convention for one in shared.elsewhere):
        pairs = [
            (one, own[one.circuit, one.behaviour, one.metric])
            for one in shared.elsewhere
            if one.convention == convention
        ]
        alone = [abs(one.alone.mean - mine.alone.mean) for one, mine in pairs]
        lost = [abs(one.ablated.lost.mean - mine.ablated.lost.mean) for one, mine in pairs]
        yield convention, _most(alone), _most(lost)


def _most(values: Sequence[float]) -> float:
    defined = [one for one in values if not math.isnan(one)]
    return max(defined, default=math.nan)


def foot(shared: SharedCircuits) -> Iterator[str]:
    """What the figures rest on, a line each."""
    yield (
        "keeps: (F(C) − F(∅)) / (F(M) − F(∅)), F(∅) where all is knocked out; lost: 1 − that of "
        "the model without the nodes. The intervals of a column hold together at 95% (Bonferroni)."
    )
    if shared.random:
        yield (
            f"more: lost above the mean of these {shared.random:,} random circuits. p: of random "
            "circuits, the share without which as much is lost (itself counted); it is not "
            "corrected for the number of rows."
        )
    rows = min(one.rows for one in shared.behaviours)
    if shared.samples > FAR_ABOVE * rows:
        yield f"intervals are about these {rows:,} rows alone, not about fresh ones"
    reasons = [
        found.reason
        for one in shared.tested
        for found in (one.alone, one.ablated.lost)
        if found.reason
    ]
    yield from dict.fromkeys(reasons)
    yield f"at most {shared.count:,} circuits were measured"
