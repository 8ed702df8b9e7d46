"""Results as a table for people, and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.data.partition import by_kind, parts_by
from scrub.hypothesis.belief import Expectation
from scrub.report.columns import Column, table
from scrub.report.population import show_population
from scrub.report.terminal import titled
from scrub.results.doubts import doubts
from scrub.results.population import on_rows
from scrub.results.result import Result
from scrub.stats.bonferroni import told_apart
from scrub.stats.cancellation import in_words
from scrub.stats.intervals import CONFIDENCE
from scrub.stats.rounding import interval, number, percent
from scrub.stats.scores import Scores

RECOVERED = f"recovered [{CONFIDENCE:.0%}]"
ANY_INPUT = "with any\ninput"
"""Loss recovered with any input in place of those that agree on what the nodes ask for."""
FIGURES = {"original": 4, "scrubbed": 5, "baseline": 2}
"""In which turn they are left out of a narrow table."""


def claims_table(results: Sequence[Result], width: int) -> Table:
    """One row a claim, in so many cells of a terminal.

    Law: the claim, the interval and the verdict always stand whole.
    """
    bounds = [(r.expect.low, r.expect.high) if r.expect else () for r in results]
    shown = [Column("claim", [result.claim.name for result in results], fold=True)]
    shown += _figures([result.scores for result in results])
    intervals = [interval(r.recovered, b) for r, b in zip(results, bounds, strict=True)]
    shown.append(Column(RECOVERED, intervals))
    if any(result.support.states for result in results):
        shown.append(Column(ANY_INPUT, [_any_input(r) for r in results], right=True, drop=6))
    shown += [
        Column("belief", [belief(result.expect) for result in results], drop=3),
        Column("verdict", [_verdict(result) for result in results]),
        Column("expected", [r.expect.verdict if r.expect else "–" for r in results], drop=7),
        Column("seconds", [f"{r.seconds:.1f}" for r in results], right=True, drop=1),
    ]
    return table(shown, width)


def _figures(numbers: Sequence[Scores]) -> list[Column]:
    """The three means."""
    means = [one.means for one in numbers]
    return [
        Column(name, [number(mean[name]) for mean in means], right=True, drop=turn)
        for name, turn in FIGURES.items()
    ]


def _any_input(result: Result) -> str:
    loosened = result.with_any_input
    return "–" if loosened is None else number(loosened.mean)


def _verdict(result: Result) -> Text:
    verdict = result.judgement.verdict or "–"
    colour = "green" if result.passed else "red"
    return Text(verdict, style=colour if result.expect else "")


def others_table(results: Sequence[Result], width: int) -> Table:
    """One row a claim and metric that decides no verdict."""
    rows = [(result, other) for result in results for other in result.others]
    return table(
        [
            Column("claim", [result.claim.name for result, _ in rows], fold=True),
            Column("metric", [other.metric.name for _, other in rows], fold=True),
            *_figures([other.scores for _, other in rows]),
            Column(RECOVERED, [interval(other.recovered) for _, other in rows]),
        ],
        width,
    )


def belief(expect: Expectation | None) -> str:
    """ "≥ 0.7, ≤ 1.2": the bounds on the loss recovered of which a verdict is given."""
    if expect is None or expect.low is expect.high is None:
        return "–"
    bounds = (("≥", expect.low), ("≤", expect.high))
    return ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


def show(
    results: Sequence[Result],
    console: Console,
    *,
    verbose: bool,
    by: str | None,
    below: Callable[[Result, Console], None] = lambda result, console: None,
) -> None:
    """The report on the terminal: one table, and below it only what is to be doubted.

    Args:
        below: prints what else is to be said of a claim.
    """

    def say(line: str, style: str = "") -> None:
        console.print(Text(line), style=style, highlight=False)

    for group in _grouped(results):
        heading(group[0], console)
        console.print(claims_table(group, console.width))
        if any(result.others for result in group):
            say("\nbeside it, deciding nothing:")
            console.print(others_table(group, console.width))
        for result in group:
            for doubt in doubts(result):
                say(f"{result.claim.name}: {doubt}.", "yellow")
        show_population(group, console)
        for result in group:
            if verbose:
                details(result, console)
            below(result, console)
            if by:
                say(f"\n{result.claim.name} by {by}", "bold")
                console.print(breakdown(result, by, console.width))
        console.print()
    corrected = [result for result in results if result.corrected]
    if corrected:
        say(_together(corrected))
    places = told_apart([(result.file, result.claim.name) for result in results])
    unexpected = [place for place, r in zip(places, results, strict=True) if not r.passed]
    count = f"{len(results)} claim{'s' if len(results) != 1 else ''}"
    if unexpected:
        say(f"{count}; not as expected: {', '.join(unexpected)}", "red")
    elif any(result.expect for result in results):
        say(f"{count}, all as expected", "green")
    else:
        say(f"{count}, nothing was expected")


def heading(first: Result, console: Console) -> None:
    """What the claims of a table have in common."""
    direction = {True: ", higher is better", False: ", lower is better", None: ""}
    metric = f"mean {first.metric.name}{direction[first.metric.higher_is_better]}"
    references = f"{first.samples:,} reference{'s' if first.samples != 1 else ''}"
    console.print(titled(first.file, f" on {first.model}: {metric}, seed {first.seed}"))
    console.print(Text(f"{references} {on_rows(first)}"))


def _together(corrected: Sequence[Result]) -> str:
    """What the verdicts of several claims are read off."""
    used, count = corrected[0].corrected, corrected[0].family_size
    assert used is not None
    all_of = "both" if count == 2 else f"all {count}"
    return (
        f"Verdicts use {percent(used.confidence)} intervals, so that {all_of} hold together at "
        f"{CONFIDENCE:.0%}; the table shows {CONFIDENCE:.0%}."
    )


def details(result: Result, console: Console) -> None:
    """The figures of all checks that cost nothing beyond a claim's own scrubs (-v)."""

    def say(line: str, style: str = "") -> None:
        console.print(Text(line), style=style, highlight=False)

    say(f"\n{result.claim.name}, node by node", "bold")
    console.print(nodes(result, console.width))
    loosened = result.with_any_input
    if loosened is not None:
        say(f"with any input in place of those that agree: {interval(loosened)}")
    for one in result.support.finer:
        say(f'"{one.name}" {one.words}: {interval(one.recovered)}')
    say(in_words(result.cancellation, interval(result.cancellation.recovered)))
    say(f"correction: {result.correction}")
    say(memory_line(result))


def _grouped(results: Sequence[Result]) -> list[list[Result]]:
    """Results that share a heading: file, model, metric, data and number of references."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        data = (result.samples, on_rows(result))
        key = (result.file, result.model, result.metric.name, *data)
        groups.setdefault(key, []).append(result)
    return list(groups.values())


def nodes(result: Result, width: int) -> Table:
    """One row a node (-v): what it stands for, what it drew, what its scrub alone costs."""
    drawn = [
        [("own", n.sampler, n.donors_distinct)]
        + ([("other", n.other, n.other_distinct)] if n.other else [])
        for n in result.nodes
    ]
    alone = {one.name: one for one in result.support.loosened}
    loosened = [alone.get(" / ".join(n.path), alone.get(n.name)) for n in result.nodes]
    names = ["  " * (len(n.path) - 1) + n.name for n in result.nodes]
    inputs = ["\n".join(f"{which} {sampler}" for which, sampler, _ in rows) for rows in drawn]
    distinct = ["\n".join(f"{count:,.0f}" for _, _, count in rows) for rows in drawn]
    shown = [
        Column("node", names, fold=True),
        Column("stands for", [node.sites for node in result.nodes], fold=True),
        Column("input drawn", inputs, fold=True),
        Column("distinct", distinct, right=True, drop=1),
        Column("swapped", [f"{n.donors_changed:.0%}" for n in result.nodes], right=True, drop=2),
    ]
    if any(node.alone for node in result.nodes):
        alone_figures = [interval(n.alone) if n.alone else "–" for n in result.nodes]
        shown.append(Column("recovered alone", alone_figures))
    if alone:
        figures = [
            interval(one.recovered) if one is not None and one.recovered else "–"
            for one in loosened
        ]
        shown.append(Column("with any input", figures, drop=3))
    return table(shown, width)


def memory_line(result: Result) -> str:
    """What the run added to the process at its peak, since the model was loaded (-v)."""
    memory = result.memory
    known = not math.isnan(memory.measured)
    measured = f"{_mb(memory.measured)} so far" if known else "nothing here"
    return (
        f"memory beyond the model: {_mb(memory.predicted)} predicted of {_mb(memory.allowed)} "
        f"allowed; measured {measured}"
    )


def _mb(number: float) -> str:
    return f"{number / 1e6:,.0f} MB"


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
    shown += _figures([part for _, _, part in parts])
    shown.append(Column(RECOVERED, [interval(part.recovered()) for _, _, part in parts]))
    return table(shown, width)
