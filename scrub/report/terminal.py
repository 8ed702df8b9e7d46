"""The report: tables of claims, and what is to be doubted.

On a terminal verdicts and doubts come first, in words, and the figures below them. A pipe gets
tables first, each with its doubts below it: what reads them finds them where they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from attrs import frozen
from rich.console import Console
from rich.text import Text

from scrub.data.partition import check_parts
from scrub.printing import ReportOptions
from scrub.report.breakdown import breakdown
from scrub.report.claims_table import (
    claims_table,
    figure_name,
    inapplicable_table,
    others_table,
)
from scrub.report.console import terminal, titled, written
from scrub.report.diagnosis import show_diagnosis
from scrub.report.node_details import show_details
from scrub.report.population import show_population
from scrub.report.verdict_lines import show_verdicts
from scrub.results.doubts import doubts
from scrub.results.inapplicable import Inapplicable
from scrub.results.population import on_rows, references_in_words
from scrub.results.result import Result
from scrub.stats.bonferroni import told_apart
from scrub.stats.intervals import CONFIDENCE
from scrub.stats.rounding import percent


@frozen
class TerminalReporter:
    """Prints the results of a run on standard output when the run ends.

    Attributes:
        verbose, by, diagnoses: as in `show`.
    """

    verbose: bool = False
    by: str | None = None
    diagnoses: bool = False

    def claim_finished(self, result: Result | Inapplicable) -> None:
        """Prints nothing: claims of one file share a table."""

    def run_finished(self, results: Sequence[Result | Inapplicable], *, stopped: bool) -> None:
        """Prints the claims that were finished, also of a run that was stopped."""
        if results:
            show(results, terminal(), verbose=self.verbose, by=self.by, diagnoses=self.diagnoses)


def show(
    results: Sequence[Result | Inapplicable],
    console: Console,
    *,
    verbose: bool = False,
    by: str | None = None,
    diagnoses: bool = False,
) -> None:
    """Print a table for each group of claims, the doubts about them below it, and a last line.

    Args:
        verbose: also each claim node by node, and the figures of all checks.
        by: also each claim's figures by this column of the data.
        diagnoses: also the figures of each claim's diagnoses.
    """
    judged = [result for result in results if isinstance(result, Result)]
    inapplicable = [result for result in results if isinstance(result, Inapplicable)]
    for group in _groups(judged):
        _show_group(group, console)
        for result in group:
            if verbose:
                show_details(result, console)
            if diagnoses:
                show_diagnosis(result, console)
            if by:
                _print(console, f"\n{result.claim.name} by {by}", "bold")
                console.print(breakdown(result, by, console.width))
        console.print()
    for alike in _of_one_file(inapplicable):
        console.print(titled(alike[0].file, f" on {alike[0].model}: not applicable"))
        console.print(inapplicable_table(alike, console.width))
        console.print()
    if judged or not inapplicable:
        _show_count(judged, len(inapplicable), console)
    else:
        _print(console, none_applies(len(inapplicable)), "yellow")


def text_of(
    results: Sequence[Result | Inapplicable], width: int, **how: Unpack[ReportOptions]
) -> str:
    """What `show` prints of results, as text of so many cells a line.

    Raises:
        UserError: they have no column `by`, or no line is so narrow.
    """
    if by := how.get("by"):
        for result in results:
            if isinstance(result, Result):
                check_parts(result.draws.references.data, by)
    return written(lambda console: show(results, console, **how), width)


def _print(console: Console, line: str, style: str = "") -> None:
    console.print(Text(line), style=style, highlight=False)


def _show_group(group: Sequence[Result], console: Console) -> None:
    """The claims of one heading: their table, other metrics, doubts and population."""
    _show_heading(group[0], console)
    if console.is_terminal:
        show_verdicts(group, console)
        console.print()
    console.print(claims_table(group, console.width))
    if any(result.others for result in group):
        _print(console, "\nbeside it, deciding nothing:")
        console.print(others_table(group, console.width))
    for result in () if console.is_terminal else group:
        for doubt in doubts(result):
            _print(console, f"{result.claim.name}: {doubt}.", "yellow")
    show_population(group, console)


def none_applies(count: int) -> str:
    """The last line of a run in which nothing was tested."""
    return f"{count} claim{'s' if count != 1 else ''}, none applicable: nothing was tested"


def _show_count(results: Sequence[Result], inapplicable: int, console: Console) -> None:
    """The last lines: which intervals decide the verdicts, and which claims came out otherwise."""
    corrected = [result for result in results if result.corrected]
    if corrected:
        _print(console, correction_line(corrected))
    places = told_apart([(result.file, result.claim.name) for result in results])
    unexpected = [place for place, r in zip(places, results, strict=True) if not r.passed]
    count = f"{len(results)} claim{'s' if len(results) != 1 else ''}"
    more = f" ({inapplicable} more not applicable)" if inapplicable else ""
    if unexpected:
        _print(console, f"{count}; not as expected: {', '.join(unexpected)}{more}", "red")
    elif any(result.expect for result in results):
        _print(console, f"{count}, all as expected{more}", "green")
    else:
        _print(console, f"{count}, nothing was expected{more}")


def _show_heading(first: Result, console: Console) -> None:
    """What the claims of a table share: file, model, metric, seed, references and rows."""
    direction = {True: ", higher is better", False: ", lower is better", None: ""}
    metric = f"mean {first.metric.name}{direction[first.metric.higher_is_better]}"
    about = f"on {first.model}: {metric}, seed {first.seed}"
    console.print(titled(first.file, f" {about}" if first.file else about))
    console.print(Text(f"{references_in_words(first.samples)} {on_rows(first)}"))


def correction_line(corrected: Sequence[Result]) -> str:
    """The intervals that decide the verdicts of several claims."""
    used, count = corrected[0].corrected, corrected[0].family_size
    assert used is not None
    all_of = "both" if count == 2 else f"all {count}"
    return (
        f"Verdicts use {percent(used.confidence)} intervals, so that {all_of} hold together at "
        f"{CONFIDENCE:.0%}; the table shows {CONFIDENCE:.0%}."
    )


def _of_one_file(results: Sequence[Inapplicable]) -> list[list[Inapplicable]]:
    """Claims that are not applicable, by file and model."""
    groups: dict[tuple[str, str], list[Inapplicable]] = {}
    for result in results:
        groups.setdefault((result.file, result.model), []).append(result)
    return list(groups.values())


def _groups(results: Sequence[Result]) -> list[list[Result]]:
    """Results that share a heading and columns: file, model, metric, data, references, figure."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        data = (result.samples, on_rows(result))
        figure = figure_name(result)
        key = (result.file, result.model, result.metric.name, *data, figure)
        groups.setdefault(key, []).append(result)
    return list(groups.values())
