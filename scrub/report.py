"""Results as a table for people, and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scrub.cancellation import Cancellation, in_words
from scrub.hypothesis import Expectation
from scrub.notes import notes
from scrub.results import NodeResult, Numbered, Result
from scrub.statistics import CONFIDENCE, Interval

SCHEMA = "scrub.results/1"
RECOVERED = f"recovered [{CONFIDENCE:.0%} interval]"


def table(results: Sequence[Result]) -> Table:
    """One row a claim, in words that need no manual."""
    shown = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    shown.add_column("claim", overflow="fold")
    for name in ("original", "scrubbed", "baseline"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column(RECOVERED, no_wrap=True)
    for name in ("belief", "verdict", "expected"):
        shown.add_column(name, no_wrap=True)
    shown.add_column("seconds", justify="right", no_wrap=True)
    for result in results:
        verdict = result.judgement.verdict or "–"
        colour = "green" if result.passed else "red"
        shown.add_row(
            result.claim.name,
            *(f"{mean:.3f}" for mean in result.numbers.means.values()),
            interval(result.recovered),
            belief(result.expect),
            f"[{colour}]{verdict}[/]" if result.expect else verdict,
            result.expect.verdict if result.expect else "–",
            f"{result.seconds:.1f}",
        )
    return shown


def others(results: Sequence[Result]) -> Table:
    """One row a claim and metric that decides no verdict."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    shown.add_column("claim", overflow="fold")
    shown.add_column("metric", overflow="fold")
    for name in ("original", "scrubbed", "baseline"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column(RECOVERED, no_wrap=True)
    for result in results:
        for other in result.others:
            means = (f"{mean:.3f}" for mean in other.numbers.means.values())
            name = escape(other.metric.name)
            shown.add_row(result.claim.name, name, *means, interval(other.recovered))
    return shown


def interval(found: Interval) -> str:
    """ "0.91 [0.89, 0.93]"; what is undefined or unbounded says so."""
    if math.isnan(found.mean):
        return "undefined"
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return f"{found.mean:.3f} \\[unbounded]"
    return f"{found.mean:.3f} \\[{found.low:.3f}, {found.high:.3f}]"


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
    """The report on the terminal: one table at the end, and what needs saying below it.

    Args:
        below: prints what else is to be said of a claim.
    """
    for group in _grouped(results):
        first = group[0]
        direction = {True: ", higher is better", False: ", lower is better", None: ""}
        console.print(
            f"[bold]{escape(first.file)}[/] on {escape(first.model)}: mean "
            f"{escape(first.metric.name)}"
            f"{direction[first.metric.higher_is_better]}, {first.samples:,} references, "
            f"seed {first.seed}",
            highlight=False,
        )
        console.print(f"data: {escape(first.data_name)}", highlight=False)
        console.print(table(group), highlight=False)
        if any(result.others for result in group):
            console.print("\nbeside it, deciding nothing:", highlight=False)
            console.print(others(group), highlight=False)
        for result in group:
            line = in_words(result.cancellation, interval(result.cancellation.recovered))
            console.print(f"{result.claim.name}: {line}.", highlight=False)
            for note in notes(result):
                console.print(f"{result.claim.name}: {escape(note)}.", highlight=False)
            below(result, console)
        for result in group:
            if verbose:
                console.print(f"\n[bold]{result.claim.name}[/], node by node", highlight=False)
                console.print(nodes(result), highlight=False)
                console.print(memory_line(result), highlight=False)
            if by:
                title = f"\n[bold]{result.claim.name}[/] by {escape(by)}"
                console.print(title, highlight=False)
                console.print(breakdown(result, by), highlight=False)
        console.print()
    corrected = [result.corrected for result in results if result.corrected]
    if corrected:
        console.print(
            f"Verdicts hold together with {CONFIDENCE:.0%} confidence (Bonferroni): each is read "
            f"off an interval of {corrected[0].confidence:.4g}; shown are those of "
            f"{CONFIDENCE:g}.",
            highlight=False,
        )
    unexpected = [result for result in results if not result.passed]
    count = f"{len(results)} claim{'s' if len(results) != 1 else ''}"
    if unexpected:
        names = ", ".join(result.claim.name for result in unexpected)
        console.print(f"{count}; not as expected: {names}", style="red", highlight=False)
    elif any(result.expect for result in results):
        console.print(f"{count}, all as expected", style="green", highlight=False)
    else:
        console.print(f"{count}, nothing was expected", highlight=False)


def _grouped(results: Sequence[Result]) -> list[list[Result]]:
    """Results that share a heading: file, model, metric, data and number of references."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        key = (result.file, result.model, result.metric.name, result.samples, result.data_name)
        groups.setdefault(key, []).append(result)
    return list(groups.values())


def nodes(result: Result) -> Table:
    """One row a node (-v): what it stands for, what it drew, what its scrub alone costs."""
    shown = Table(box=None, pad_edge=False)
    shown.add_column("node")
    shown.add_column("stands for", overflow="fold")
    shown.add_column("input drawn")
    shown.add_column("distinct", justify="right")
    shown.add_column("swapped", justify="right")
    shown.add_column("recovered alone", no_wrap=True)
    for node in result.nodes:
        drawn = [("own", node.sampler, node.donors_distinct)]
        if node.other:
            drawn.append(("other", node.other, node.other_distinct))
        shown.add_row(
            "  " * (len(node.path) - 1) + escape(node.name),
            escape(node.sites),
            "\n".join(f"{which} {escape(sampler)}" for which, sampler, _ in drawn),
            "\n".join(f"{distinct:,.0f}" for _, _, distinct in drawn),
            f"{node.donors_changed:.0%}",
            interval(node.alone) if node.alone else "–",
        )
    return shown


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


def breakdown(result: Result, column: str) -> Table:
    """Every figure by a column of the reference (--by), of every metric.

    A part's references are drawn uniformly from the rows that it has, so its interval is as honest
    as the whole's; each holds by itself, not all together.

    Raises:
        UserError: the data has no such column.
    """
    values = result.draws.references.feature(column)
    measured = [(result.metric, result.numbers), *((m.metric, m.numbers) for m in result.others)]
    shown = Table(box=None, pad_edge=False)
    shown.add_column(escape(column), overflow="fold")
    if len(measured) > 1:
        shown.add_column("metric", overflow="fold")
    for name in ("references", "original", "scrubbed", "baseline"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column(RECOVERED, no_wrap=True)
    for value in sorted(set(values.tolist()), key=lambda v: (str(type(v)), v)):
        for metric, numbers in measured:
            here = numbers.where(values == value)
            names = [str(value), metric.name] if len(measured) > 1 else [str(value)]
            figures = (f"{figure:.3f}" for figure in here.means.values())
            count = f"{here.defined.sum():,}"
            shown.add_row(*map(escape, names), count, *figures, interval(here.recovered()))
    return shown


def as_json(
    results: Sequence[Result], seed: int, *, kept: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """The results file (schema scrub.results/1). What is undefined is null, with a reason.

    Args:
        kept: the run is not finished: these are the claims that are, and the numbers from which
            it can go on (see `scrub.kept`). None for a finished run.
    """
    found: dict[str, Any] = {"schema": SCHEMA, "seed": seed}
    if kept is not None:
        found["partial"] = True
    found["results"] = [_result(result) for result in results]
    return found if kept is None else found | {"kept": list(kept)}


def _result(result: Result) -> dict[str, Any]:
    recovered, expect = result.recovered, result.expect
    return {
        "kind": "scrub",
        "file": result.file,
        "claim": result.claim.name,
        "belief": result.claim.belief,
        "model": result.model,
        "samples": result.samples,
        "metric": {
            "name": result.metric.name,
            "higher_is_better": result.metric.higher_is_better,
        },
        "loss": _loss(result.numbers, recovered),
        "recovered": interval_as_json(recovered) | {"confidence": recovered.confidence},
        "left_out": int((~result.numbers.defined).sum()),
        "other_metrics": [
            {
                "name": other.metric.name,
                "higher_is_better": other.metric.higher_is_better,
                "loss": _loss(other.numbers, other.recovered),
                "recovered": interval_as_json(other.recovered)
                | {"confidence": other.recovered.confidence},
                "left_out": int((~other.numbers.defined).sum()),
            }
            for other in result.others
        ],
        "per_reference": _per_reference(result.cancellation),
        "corrected": _corrected(result.corrected),
        "verdict": result.judgement.verdict,
        "expected": expect.verdict if expect else None,
        "bounds": {
            "above": expect.low if expect else None,
            "below": expect.high if expect else None,
        },
        "reason": None if expect else "the file expects no verdict",
        "passed": result.passed,
        "notes": notes(result),
        "seconds": round(result.seconds, 3),
        "data": {"name": result.data_name, "sha256": result.data_sha256},
        "nodes": [_node(node) for node in result.nodes],
    }


def _per_reference(found: Cancellation) -> dict[str, Any]:
    """Recovered per reference, and what of the error cancels in the mean (null: see reason)."""
    return {
        "recovered": interval_as_json(found.recovered),
        "cancelled": _finite(found.cancelled),
        "reason": found.reason or None,
    }


def _corrected(found: Interval | None) -> dict[str, Any] | None:
    """The interval that the verdict was read off; None where that is "recovered"."""
    if found is None:
        return None
    return interval_as_json(found) | {"confidence": found.confidence, "method": "Bonferroni"}


def _loss(numbers: Numbered, recovered: Interval) -> dict[str, Any]:
    means = {name: _finite(mean) for name, mean in numbers.means.items()}
    return means | {"reason": recovered.reason if None in means.values() else None}


def _node(node: NodeResult) -> dict[str, Any]:
    """A leaf has no other inputs; only -v scrubs a node alone: what there is not is left out."""
    found: dict[str, Any] = {
        "name": node.name,
        "path": list(node.path),
        "donors_distinct": node.donors_distinct,
        "donors_changed": node.donors_changed,
        "pads_read": node.pads_read,
    }
    if node.other:
        found["other_distinct"] = node.other_distinct
    if node.alone:
        found["recovered_alone"] = interval_as_json(node.alone)
    return found


def interval_as_json(found: Interval) -> dict[str, Any]:
    ends = {"mean": found.mean, "low": found.low, "high": found.high}
    numbers = {name: _finite(value) for name, value in ends.items()}
    return numbers | {"reason": found.reason or None}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
