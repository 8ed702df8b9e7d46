"""What each node of a claim drew and costs, and the figures of all checks (-v)."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.report.columns import Column, table
from scrub.results.result import Result
from scrub.stats.cancellation import in_words
from scrub.stats.rounding import interval


def show_details(result: Result, console: Console) -> None:
    """Print the nodes' table, and the figures of all checks that take no scrubs of their own."""

    def say(line: str, style: str = "") -> None:
        console.print(Text(line), style=style, highlight=False)

    say(f"\n{result.claim.name}, node by node", "bold")
    console.print(nodes_table(result, console.width))
    loosened = result.with_any_input
    if loosened is not None:
        say(f"with any input in place of those that agree: {interval(loosened)}")
    for one in result.support.finer:
        say(f'"{one.name}" {one.words}: {interval(one.recovered)}')
    if result.kind == "scrub":
        say(in_words(result.cancellation, interval(result.cancellation.recovered)))
    say(f"correction: {result.correction}")
    say(memory_line(result))


def nodes_table(result: Result, width: int) -> Table:
    """One row a node: its sites, what it drew, and what is recovered with it alone scrubbed."""
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
    """The process's peak memory beyond the model: predicted, allowed and measured."""
    memory = result.memory
    known = not math.isnan(memory.measured)
    measured = f"{_mb(memory.measured)} so far" if known else "nothing here"
    return (
        f"memory beyond the model: {_mb(memory.predicted)} predicted of {_mb(memory.allowed)} "
        f"allowed; measured {measured}"
    )


def _mb(number: float) -> str:
    return f"{number / 1e6:,.0f} MB"
