"""Diagnoses as tables for people, and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.analysis.blame import Blame
from scrub.analysis.conventions import USUAL, Convention
from scrub.analysis.describe_swap import swap_in_words
from scrub.analysis.nulls import Nulls
from scrub.analysis.specificity import Tried
from scrub.hypothesis.belief import Expectation
from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.tree import Tree
from scrub.report.columns import Column, table
from scrub.report.inputs import swaps
from scrub.report.table import belief
from scrub.report.terminal import believed, titled
from scrub.results.comparison import Comparison
from scrub.results.result import Result
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval, number
from scrub.stats.scores import COLUMNS

SHOWN = 5
"""Further columns in the table of specificity; the results file has them all."""


def figure(found: Interval) -> Text:
    """An interval as it is: its brackets are no markup."""
    return Text(interval(found))


def show_blame(result: Result, console: Console) -> None:
    """What each swap loses, and the swaps of the samples that lose most."""
    found = result.diagnosis.blame if result.diagnosis else None
    if found is None:
        return
    console.print(believed(result.claim.name, result.claim.belief))
    if not found.swaps:
        console.print("It swaps nothing: every sampler is Exact.\n", highlight=False)
        return
    lost = f"It loses {interval(found.total)} of baseline − original."
    console.print(Text(f"{lost} By its swaps, in the same unit:"))
    console.print(blame_table(result.tree, found, console.width), highlight=False)
    for sample in found.worst:
        row = result.draws.references.index[sample]
        values = {name: getattr(result.scores, name)[sample] for name in COLUMNS}
        figures = ", ".join(f"{name} {number(value)}" for name, value in values.items())
        console.print(f"\nsample {sample} (row {row}): {figures}", highlight=False)
        console.print(swaps(result.tree, result.draws, sample), highlight=False)
    console.print()


def blame_table(tree: Tree, found: Blame, width: int) -> Table:
    """One row a swap, in order from the root; below it one row a path, where there are several."""
    rows: list[tuple[str, str, str, str, str]] = []
    left = 1.0
    for loss in found.swaps:
        left -= loss.step.mean
        name, draws = swap_in_words(tree, loss.swap)
        indent = "  " * (len(loss.swap.path) - 1)
        in_order = f"{number(loss.step.mean)} → {number(left)}"
        rows.append((indent + name, draws, interval(loss.alone), interval(loss.last), in_order))
        for path in loss.paths:
            where, _, how = describe_route(path.route).partition(", ")
            words = f"{indent}  · {where}"
            rows.append((words, how, interval(path.alone), interval(path.last), ""))
    names, draws, alone, last, in_order = zip(*rows, strict=True)
    shown = [
        Column("node", names, fold=True),
        Column("draws", draws, drop=3),
        Column("lost alone", alone),
        Column("lost last", last, drop=1),
        Column("in order → recovered", in_order, drop=2),
    ]
    return table(shown, width)


def show_diagnosis(result: Result, console: Console) -> None:
    """The figures of what was found out beyond a claim's score."""
    found, name = result.diagnosis, f"\n{result.claim.name}"
    if found and found.nulls:
        words = nulls_in_words(found.nulls, result.expect)
        console.print(titled(name, f" against nulls: {words}."))
    if found and found.conventions == ():
        console.print(titled(name, ": no other convention applies to it."))
    elif found and found.conventions is not None:
        console.print(titled(name, " under other conventions"))
        console.print(conventions_table(found.conventions), highlight=False)
    if found and found.specificity == ():
        said = "nothing to make coarser or finer: no node draws by Agree."
        console.print(Text(f"{result.claim.name}: {said}"))
    elif found and found.specificity is not None:
        console.print(titled(name, ", how specific it is"))
        console.print(specificity_table(found.specificity), highlight=False)
    if found and found.fresh:
        seeds = zip(found.fresh.seeds, found.fresh.recovered[1:], strict=True)
        listed = "; ".join(f"seed {seed}: {interval(one)}" for seed, one in seeds)
        console.print(titled(name, f" on other datasets: {listed}."))


def conventions_table(found: Sequence[Convention]) -> Table:
    """One row a convention that is not the claim's own."""
    shown = Table(box=None, pad_edge=False)
    for name in ("convention", "recovered", "verdict"):
        shown.add_column(name, overflow="fold")
    for one in found:
        if one.recovered is None:
            shown.add_row(Text(one.name), "–", Text(one.problem))
        else:
            verdict = one.verdict or "–"
            if one.turns and one.name not in USUAL:
                verdict += ", as most true claims are"
            shown.add_row(Text(one.name), figure(one.recovered), verdict)
    return shown


def specificity_table(found: Sequence[Tried]) -> Table:
    """One row a change of a sampler; of further columns the `SHOWN` that recover most."""
    shown = Table(box=None, pad_edge=False)
    for name in ("node", "draws", "recovered", "lower by", "which says"):
        shown.add_column(name, overflow="fold")
    columns = [one for one in found if one.control is not None]
    for one in found:
        if one in columns[SHOWN:]:
            continue
        name = one.swap.path[-1] + (", other inputs" if one.swap.which == "other" else "")
        says = one.finding
        if one.control is not None:
            says += f" ({number(one.control.mean)} if shuffled)"
        figures = figure(one.recovered), figure(one.lowers)
        shown.add_row(Text(name), Text(one.words), *figures, Text(says))
    if columns[SHOWN:]:
        shown.add_row("", f"… {len(columns) - SHOWN} more columns", "", "", "")
    return shown


def nulls_in_words(found: Nulls, expect: Expectation | None) -> str:
    """One sentence on where the score lies among the nulls'."""
    if not found.tries:
        return f"no nulls: {found.reason}"
    defined = [null for null in found.recovered if not math.isnan(null)]
    undefined = len(found.recovered) - found.tries
    fewer = " (there are no more)" if len(found.recovered) < found.asked else ""
    if undefined:
        fewer += f" (and {undefined} of which loss recovered is undefined)"
    passing = "" if found.passing is None else f"; {found.passing} are {belief(expect)}"
    recover = number(defined[0])
    if len(defined) > 1:
        middle = number(float(np.median(defined)))
        recover = f"{number(min(defined))} to {number(max(defined))}, median {middle}"
    return (
        f"{found.as_well} of {found.tries} nulls{fewer} do as well; {found.as_high} recover as "
        f"much or more. They have {found.pools} instead, and recover {recover}{passing}"
    )


def show_comparisons(found: Sequence[Comparison], console: Console) -> None:
    """One row a pair: what each recovers, and the difference."""
    one = found[0]
    for which, result in (("first", one.first), ("second", one.second)):
        about = f"mean {result.metric.name}, data: {result.data_name}"
        console.print(Text(f"{which}: {result.file} on {result.model}, {about}"))
    same = "the same references" if one.paired else "references of their own (different data)"
    console.print(
        f"{one.first.samples:,} references, {same}, seed {one.first.seed}", highlight=False
    )
    names = [(pair.first.claim.name, pair.second.claim.name) for pair in found]
    shown = [
        Column("claim", [" − ".join(dict.fromkeys(both)) for both in names], fold=True),
        Column("first recovers", [interval(pair.first.recovered) for pair in found], drop=2),
        Column("second recovers", [interval(pair.second.recovered) for pair in found], drop=3),
        Column("first − second", [interval(pair.difference) for pair in found]),
        Column("", [pair.words for pair in found], drop=1),
    ]
    console.print(table(shown, console.width), highlight=False)
    for pair in found:
        if pair.difference.reason:
            names = " − ".join(dict.fromkeys((pair.first.claim.name, pair.second.claim.name)))
            console.print(Text(f"{names}: {pair.difference.reason}."))
