"""Results as a table for people, and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from scrub.errors import UserError
from scrub.hypothesis import Expectation
from scrub.results import NodeResult, Result
from scrub.statistics import CONFIDENCE, Interval

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "scrub.results/1"


def table(results: Sequence[Result]) -> Table:
    """One row a claim, in words that need no manual."""
    shown = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    shown.add_column("claim", overflow="fold")
    for name in ("original", "scrubbed", "baseline"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column(f"recovered [{CONFIDENCE:.0%} interval]", no_wrap=True)
    shown.add_column("verdict", no_wrap=True)
    shown.add_column("expected", no_wrap=True)
    shown.add_column("seconds", justify="right", no_wrap=True)
    for result in results:
        numbers = result.numbers
        verdict = result.judgement.verdict or "–"
        colour = "green" if result.passed else "red"
        shown.add_row(
            result.claim.name,
            *(f"{m.mean():.3f}" for m in (numbers.original, numbers.scrubbed, numbers.baseline)),
            interval(result.recovered),
            f"[{colour}]{verdict}[/]" if result.expect else verdict,
            expected(result.expect),
            f"{result.seconds:.1f}",
        )
    return shown


def interval(found: Interval) -> str:
    """ "0.91 [0.89, 0.93]"; what is undefined or unbounded says so."""
    if math.isnan(found.mean):
        return "undefined"
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return f"{found.mean:.3f} \\[unbounded]"
    return f"{found.mean:.3f} \\[{found.low:.3f}, {found.high:.3f}]"


def expected(expect: Expectation | None) -> str:
    """ "supported ≥ 0.70": the verdict expected, of which belief."""
    if expect is None:
        return "–"
    bounds = []
    if expect.low is not None:
        bounds.append(f"≥ {expect.low:g}")
    if expect.high is not None:
        bounds.append(f"≤ {expect.high:g}")
    return f"{expect.verdict} ({' and '.join(bounds)})"


def show(results: Sequence[Result], console: Console, *, verbose: bool, by: str | None) -> None:
    """The report on the terminal: one table at the end, and what needs saying below it."""
    for group in _grouped(results):
        first = group[0]
        direction = {True: ", higher is better", False: ", lower is better", None: ""}
        console.print(
            f"[bold]{first.file}[/] on {first.model}: mean {first.metric.name}"
            f"{direction[first.metric.higher_is_better]}, {first.samples:,} references, "
            f"seed {first.seed}",
            highlight=False,
        )
        console.print(table(group), highlight=False)
        for result in group:
            for note in result.judgement.notes:
                console.print(f"{result.claim.name}: {note}.", highlight=False)
        if verbose:
            for result in group:
                console.print(nodes(result), highlight=False)
        if by:
            for result in group:
                console.print(breakdown(result, by), highlight=False)
        console.print()
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
    """Results that share a heading: file, model, metric and number of references."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        key = (result.file, result.model, result.metric.name, result.samples)
        groups.setdefault(key, []).append(result)
    return list(groups.values())


def nodes(result: Result) -> Table:
    """One row a node (-v): what it stands for, what it drew, what its scrub alone costs."""
    shown = Table(title=result.claim.name, title_justify="left", box=None, pad_edge=False)
    shown.add_column("node")
    shown.add_column("sites", overflow="fold")
    shown.add_column("sampler, other inputs")
    shown.add_column("distinct donors", justify="right")
    shown.add_column("changed", justify="right")
    shown.add_column("recovered alone")
    for node in result.nodes:
        shown.add_row(
            "  " * (len(node.path) - 1) + node.name,
            node.sites,
            node.sampler + (f", {node.other}" if node.other else ""),
            _distinct(node),
            f"{node.donors_changed:.0%}",
            interval(node.alone) if node.alone else "–",
        )
        if node.pads_read:
            shown.add_row("", f"padding was read {node.pads_read:,} times", "", "", "", "")
    return shown


def _distinct(node: NodeResult) -> str:
    own = f"{node.donors_distinct:.0f}"
    return own if math.isnan(node.other_distinct) else f"{own}, {node.other_distinct:.0f}"


def breakdown(result: Result, column: str) -> Table:
    """Every figure by a column of the reference (--by).

    Raises:
        UserError: the data has no such column.
    """
    values = result.draws.references.feature(column)
    shown = Table(title=f"{result.claim.name} by {column}", title_justify="left", box=None)
    for name in (column, "references", "original", "scrubbed", "baseline", "recovered"):
        shown.add_column(name, justify="right" if name != column else "left")
    numbers = result.numbers
    for value in sorted(set(values.tolist()), key=lambda v: (str(type(v)), v)):
        here = values == value
        original, scrubbed, baseline = (
            float(m[here].mean()) for m in (numbers.original, numbers.scrubbed, numbers.baseline)
        )
        gap = baseline - original
        recovered = f"{(baseline - scrubbed) / gap:.3f}" if gap else "undefined"
        figures = (f"{figure:.3f}" for figure in (original, scrubbed, baseline))
        shown.add_row(str(value), str(int(here.sum())), *figures, recovered)
    return shown


def summary_frame(results: Sequence[Result]) -> pd.DataFrame:
    """The same table as a pandas frame."""
    import pandas as pd

    return pd.DataFrame(
        {
            "claim": result.claim.name,
            "original": result.numbers.original.mean(),
            "scrubbed": result.numbers.scrubbed.mean(),
            "baseline": result.numbers.baseline.mean(),
            "recovered": result.recovered.mean,
            "low": result.recovered.low,
            "high": result.recovered.high,
            "verdict": result.judgement.verdict,
            "expected": expected(result.expect),
            "seconds": result.seconds,
        }
        for result in results
    )


def as_json(results: Sequence[Result], seed: int) -> dict[str, Any]:
    """The results file (schema scrub.results/1). What is undefined is null, with a reason."""
    return {"schema": SCHEMA, "seed": seed, "results": [_result(result) for result in results]}


def _result(result: Result) -> dict[str, Any]:
    numbers, recovered = result.numbers, result.recovered
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
        "loss": {
            "original": _finite(numbers.original.mean()),
            "scrubbed": _finite(numbers.scrubbed.mean()),
            "baseline": _finite(numbers.baseline.mean()),
        },
        "recovered": {
            "mean": _finite(recovered.mean),
            "low": _finite(recovered.low),
            "high": _finite(recovered.high),
            "confidence": recovered.confidence,
            "reason": recovered.reason or None,
        },
        "verdict": result.judgement.verdict,
        "expected": result.expect.verdict if result.expect else None,
        "bounds": {
            "above": result.expect.low if result.expect else None,
            "below": result.expect.high if result.expect else None,
        },
        "passed": result.passed,
        "notes": list(result.judgement.notes),
        "seconds": round(result.seconds, 3),
        "data": {"name": result.draws.references.data.name, "sha256": result.data_sha256},
        "nodes": [
            {
                "name": node.name,
                "path": list(node.path),
                "donors_distinct": node.donors_distinct,
                "donors_changed": node.donors_changed,
                "other_distinct": _finite(node.other_distinct),
                "pads_read": node.pads_read,
                "recovered_alone": _finite(node.alone.mean) if node.alone else None,
            }
            for node in result.nodes
        ],
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def write_json(results: Sequence[Result], seed: int, path: Path) -> None:
    """Write the results file.

    Raises:
        UserError: the file cannot be written.
    """
    text = json.dumps(as_json(results, seed), indent=1, ensure_ascii=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error
