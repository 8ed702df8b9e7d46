"""The diagnoses of a claim: nulls, other conventions, specificity and other datasets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.analysis.conventions import USUAL, Convention
from scrub.analysis.nulls import Nulls
from scrub.analysis.specificity import Tried
from scrub.hypothesis.belief import Expectation
from scrub.report.claims_table import bounds_in_words
from scrub.report.console import titled
from scrub.results.result import Result
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval, number

SHOWN = 5
"""Further columns in the table of specificity; the results file has them all."""


def figure(found: Interval) -> Text:
    """An interval as text: its brackets are no markup."""
    return Text(interval(found))


def show_diagnosis(result: Result, console: Console) -> None:
    """Print the figures of a claim's diagnoses; nothing of those that were not made."""
    found, name = result.diagnosis, f"\n{result.claim.name}"
    if found and found.nulls:
        words = nulls_in_words(found.nulls, result.expect)
        console.print(titled(name, f" against nulls: {words}."))
    if found and found.conventions == ():
        console.print(titled(name, ": no other convention applies to it."))
    elif found and found.conventions is not None:
        console.print(titled(name, " under other conventions"))
        which = result.belief.figure if result.belief else "recovered"
        console.print(conventions_table(found.conventions, which), highlight=False)
    if found and found.specificity == ():
        line = "nothing to make coarser or finer: no node draws by Agree."
        console.print(Text(f"{result.claim.name}: {line}"))
    elif found and found.specificity is not None:
        console.print(titled(name, ", how specific it is"))
        console.print(specificity_table(found.specificity), highlight=False)
    if found and found.fresh:
        seeds = zip(found.fresh.seeds, found.fresh.recovered[1:], strict=True)
        listed = "; ".join(f"seed {seed}: {interval(one)}" for seed, one in seeds)
        console.print(titled(name, f" on other datasets: {listed}."))


def conventions_table(found: Sequence[Convention], figure_name: str = "recovered") -> Table:
    """One row a convention that is not the claim's own."""
    shown = Table(box=None, pad_edge=False)
    for name in ("convention", figure_name, "verdict"):
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
    """A sentence that compares the claim's score with those of the nulls."""
    if not found.tries:
        return f"no nulls: {found.reason}"
    which = expect.belief.figure if expect and expect.belief and expect.is_effect else ""
    defined = [null for null in found.recovered if not math.isnan(null)]
    undefined = len(found.recovered) - found.tries
    fewer = " (there are no more)" if len(found.recovered) < found.asked else ""
    if undefined:
        what = f"the {which}" if which else "loss recovered"
        fewer += f" (and {undefined} of which {what} is undefined)"
    passing = "" if found.passing is None else f"; {found.passing} are {bounds_in_words(expect)}"
    recover = number(defined[0])
    if len(defined) > 1:
        middle = number(float(np.median(defined)))
        recover = f"{number(min(defined))} to {number(max(defined))}, median {middle}"
    if which:
        return (
            f"{found.as_well} of {found.tries} nulls{fewer} do as well. They have {found.pools} "
            f"instead; their {which}: {recover}{passing}"
        )
    return (
        f"{found.as_well} of {found.tries} nulls{fewer} do as well; {found.as_high} recover as "
        f"much or more. They have {found.pools} instead, and recover {recover}{passing}"
    )
