"""What each swap of a claim loses, and the samples that lose most (`scrub explain`)."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.analysis.blame import Blame
from scrub.analysis.describe_swap import swap_in_words
from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.tree import Tree
from scrub.report.columns import Column, table
from scrub.report.console import claim_line
from scrub.report.inputs import Drawn, signs, swaps
from scrub.results.result import Result
from scrub.stats.rounding import interval, number
from scrub.stats.scores import COLUMNS


def show_blame(result: Result, console: Console, images: Drawn | None = None) -> None:
    """Print what each swap loses, and the inputs of the samples that lose most.

    Args:
        images: how they are drawn, where the data has any.
    """
    found = result.diagnosis.blame if result.diagnosis else None
    if found is None:
        return
    console.print(claim_line(result.claim.name, result.claim.belief))
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
        console.print(swaps(result.tree, result.draws, sample, images), highlight=False)
        if images is not None:
            console.print(signs(result.tree, result.draws, sample, images), highlight=False)
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
