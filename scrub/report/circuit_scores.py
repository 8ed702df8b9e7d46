"""The scores of a circuit on the terminal, in 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.circuits.curve import ORDERS
from scrub.circuits.faithfulness import Faithfulness
from scrub.circuits.nulls import NullScores
from scrub.circuits.scores import CircuitScores
from scrub.report.circuit_sets import show_completeness, show_curve, show_minimality
from scrub.report.columns import Column, table
from scrub.report.console import claim_line
from scrub.results.population import FAR_ABOVE, references_in_words, rows_in_words
from scrub.stats.rounding import interval, number, percent

WIDTH = 80
"""Columns of the report, also on a wider terminal: its texts are lists of short figures."""


def show_scores(scores: CircuitScores, console: Console, top: int = 10) -> None:
    """Print all scores, section by section.

    Args:
        top: sets and nodes that are listed.
    """
    width = min(console.width, WIDTH)
    console.print(claim_line(scores.behaviour, scores.says), soft_wrap=True)
    for line in head_lines(scores):
        console.print(Text(line), width=width)
    _faithfulness(scores, console, width)
    _nulls(scores, console, width)
    _parts(scores, console, width)
    _by(scores, console, width)
    show_completeness(scores, console, width, top)
    show_minimality(scores, console, width)
    show_curve(scores, console, width)
    console.print()
    for line in foot(scores):
        console.print(Text(line), width=width)


def title(console: Console, text: str, width: int) -> None:
    """A section's first line, after an empty one."""
    console.print()
    console.print(Text(text), width=width)


def head_lines(scores: CircuitScores) -> Iterator[str]:
    """What was scored, and on what."""
    name = scores.circuit.name or "the circuit"
    yield f"{name} on {scores.model}, seed {scores.seed}: {size_in_words(scores)}"
    if scores.circuit.model not in ("", scores.model):
        yield f"its file says that it is a circuit of {scores.circuit.model}"
    rows = rows_in_words(scores.data, scores.rows)
    yield f"{references_in_words(scores.samples)} {rows}"


def size_in_words(scores: CircuitScores) -> str:
    """ "10 of 36 nodes, 6 of 32 heads, 40 of 432 edges; MLPs free"."""
    size = scores.size
    parts = [
        f"{size.nodes:,} of {size.of_nodes:,} nodes",
        f"{size.heads:,} of {size.of_heads:,} heads",
    ]
    if size.of_edges:
        parts.append(f"{size.edges:,} of {size.of_edges:,} edges")
    return ", ".join(parts) + ("; MLPs free" if scores.circuit.free else "")


def _faithfulness(scores: CircuitScores, console: Console, width: int) -> None:
    forms = list(dict.fromkeys(one.form for one in scores.faithfulness))
    padding = max(len(form) for form in forms) + 2
    for metric in scores.metrics:
        title(console, f"Faithfulness by {metric}: the circuit alone, the rest by", width)
        found = [one for one in scores.faithfulness if one.metric == metric]
        for place, convention in enumerate(dict.fromkeys(one.convention for one in found)):
            own = "  (the behaviour's own)" if place == 0 else ""
            console.print(Text(f"{convention}{own}"), width=width)
            rows = [one for one in found if one.convention == convention]
            console.print(_forms(rows, padding, width, header=place == 0), highlight=False)
    for name, why in scores.left_out:
        console.print(Text(f"{name}: left out: {why}"), width=width)


def _forms(rows: list[Faithfulness], padding: int, width: int, *, header: bool) -> Table:
    shown = table(
        [
            Column("", [f"  {one.form}".ljust(padding) for one in rows]),
            Column("mean", [number(one.value).rjust(7) for one in rows], right=True, drop=1),
            Column("recovered [95%]", [interval(one.recovered).ljust(22) for one in rows]),
            Column("of ablated [95%]", [interval(one.of_ablated).ljust(22) for one in rows]),
        ],
        width,
    )
    shown.show_header = header
    return shown


def _nulls(scores: CircuitScores, console: Console, width: int) -> None:
    found = [one for one in scores.nulls if one.metric == scores.metrics[0]]
    if not found:
        return
    count = scores.settings.random
    alike = "edges between layers" if scores.circuit.edges else "nodes per layer"
    more = f", and {count:,} that are connected" if scores.circuit.edges else ""
    title(console, f"Nulls: {count:,} random circuits of as many {alike}{more}", width)
    for place, convention in enumerate(dict.fromkeys(one.convention for one in found)):
        console.print(Text(convention), width=width)
        rows = [one for one in found if one.convention == convention and one.recovered]
        if rows:
            shown = table(list(_null_columns(rows)), width)
            shown.show_header = place == 0
            console.print(shown, highlight=False)
        for one in found:
            if one.convention == convention and one.reason:
                console.print(Text(f"  no {one.kind} ones: {one.reason}"), width=width)


def _null_columns(rows: list[NullScores]) -> Iterator[Column]:
    yield Column("", [f"  {one.kind}".ljust(12) for one in rows])
    yield Column("circuit", [number(one.circuit) for one in rows], right=True)
    means = [
        f"{number(one.among.mean)} [{', '.join(map(number, one.among.range))}]" for one in rows
    ]
    yield Column("nulls' mean [95% of them]", [mean.ljust(25) for mean in means])
    as_well = [f"{one.among.as_much} of {len(one.among.defined)}".rjust(9) for one in rows]
    yield Column("as well", as_well, right=True)
    yield Column("p", [number(one.among.p).rjust(5) for one in rows], right=True)


def _parts(scores: CircuitScores, console: Console, width: int) -> None:
    if not scores.parts:
        return
    level = percent(scores.parts[0].lost.confidence)
    title(console, "The incomplete circuit: without each role, and each position", width)
    shown = [
        Column("without", [one.name for one in scores.parts], fold=True),
        Column("nodes", [f"{len(one.nodes):,}" for one in scores.parts], right=True, drop=1),
        Column("recovered [95%]", [interval(one.recovered) for one in scores.parts]),
        Column(f"lost [{level}]", [interval(one.lost, (0.0,)) for one in scores.parts]),
    ]
    console.print(table(shown, width), highlight=False)


def _by(scores: CircuitScores, console: Console, width: int) -> None:
    if not scores.by:
        return
    title(console, f"Faithfulness by {scores.settings.by}", width)
    shown = [Column(scores.settings.by, [str(one.value) for one in scores.by], fold=True)]
    if len(scores.metrics) > 1:
        shown.append(Column("metric", [one.metric for one in scores.by], fold=True))
    counts = [f"{one.references:,}" for one in scores.by]
    shown.append(Column("references", counts, right=True, drop=1))
    shown.append(Column("recovered [95%]", [interval(one.recovered) for one in scores.by]))
    console.print(table(shown, width), highlight=False)


def foot(scores: CircuitScores) -> Iterator[str]:
    """What the figures rest on, a line each."""
    chosen = (scores.completeness, scores.minimality, scores.curve)
    if any(one is not None for one in chosen):
        seen, held = scores.halves
        yield (
            f"Sets, nodes and orders were chosen on {seen:,} rows and are reported on the other "
            f"{held:,}; within a section all intervals hold together at 95% (Bonferroni)."
        )
    elif scores.not_halved:
        yield f"Nothing was chosen on a half of the rows: {scores.not_halved}"
    if scores.curve is not None:
        orders = [f"{order}: {ORDERS[order.kind]}" for order in scores.curve.orders
                  if order.kind in ORDERS]  # fmt: skip
        yield f"Orders of removal: {'; '.join(orders)}."
    yield (
        "recovered: (F(C) − baseline) / (F(M) − baseline); of ablated: with F(∅), all knocked "
        "out, for the baseline."
    )
    if scores.samples > FAR_ABOVE * scores.rows:
        yield f"intervals are about these {scores.rows:,} rows alone, not about fresh ones"
    yield f"at most {scores.circuits:,} circuits were measured"
