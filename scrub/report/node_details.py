"""What each node of a claim drew and costs, and the figures of all checks (-v)."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.report.columns import Column, table
from scrub.results.result import NodeResult, Result
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


LEFT_OUT = ("distinct", "swapped", "with any input", "stands for", "other")
"""The columns that a narrow table of nodes leaves out, the first to go first; what a node stands
for is first cut short, and whole in `scrub plan`."""
SHORT = 16
"""Cells of what a node stands for that are shown at least."""


def nodes_table(result: Result, width: int) -> Table:
    """One line a node: its sites, what it drew, and what is recovered with it alone scrubbed.

    Law: the node, its sampler and what is recovered are never cut short or left out.
    """
    turn = {name: number for number, name in enumerate(LEFT_OUT, start=1)}
    alone = {one.name: one for one in result.support.loosened}
    loosened = [alone.get(" / ".join(n.path), alone.get(n.name)) for n in result.nodes]
    names = ["  " * (len(n.path) - 1) + n.name for n in result.nodes]
    sites = [node.sites for node in result.nodes]
    others = [node.other or "–" for node in result.nodes]
    distinct = [_distinct(node) for node in result.nodes]
    swapped = [f"{node.donors_changed:.0%}" for node in result.nodes]
    shown = [
        Column("node", names, fold=True),
        Column("stands for", sites, drop=turn["stands for"], least=SHORT),
        Column("own", [node.sampler for node in result.nodes], fold=True),
        Column("other", others, drop=turn["other"]),
        Column("distinct", distinct, right=True, drop=turn["distinct"]),
        Column("swapped", swapped, right=True, drop=turn["swapped"]),
    ]
    if any(node.alone for node in result.nodes):
        alone_figures = [interval(n.alone) if n.alone else "–" for n in result.nodes]
        shown.append(Column("recovered alone", alone_figures))
    if alone:
        figures = [
            interval(one.recovered) if one is not None and one.recovered else "–"
            for one in loosened
        ]
        shown.append(Column("with any input", figures, drop=turn["with any input"]))
    return table(shown, width)


def _distinct(node: NodeResult) -> str:
    """ "1,000" own inputs; "1,000 / 950" own and other ones."""
    other = f" / {node.other_distinct:,.0f}" if node.other else ""
    return f"{node.donors_distinct:,.0f}{other}"


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
