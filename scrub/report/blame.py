"""What each swap of a claim loses, and the samples that lose most (`scrub explain`)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.analysis.blame import Blame
from scrub.analysis.describe_swap import swap_in_words
from scrub.analysis.unclaimed import LostBy, Unclaimed
from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.tree import Tree
from scrub.report.columns import Column, table
from scrub.report.console import claim_line
from scrub.report.inputs import Drawn, marks, signs, swaps
from scrub.results.result import Result
from scrub.stats.rounding import interval, number
from scrub.stats.scores import COLUMNS

SHOWN = 8
"""Components of one node's other inputs that are shown; the results file has all."""


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
    if about := about_unclaimed(found):
        console.print(Text(about, style="dim"), highlight=False)
    for sample in found.worst:
        row = result.draws.references.index[sample]
        values = {name: getattr(result.scores, name)[sample] for name in COLUMNS}
        figures = ", ".join(f"{name} {number(value)}" for name, value in values.items())
        console.print(f"\nsample {sample} (row {row}): {figures}", highlight=False)
        console.print(swaps(result.tree, result.draws, sample, images), highlight=False)
        if images is not None:
            console.print(signs(result.tree, result.draws, sample, images), highlight=False)
    if found.worst:
        console.print(marks(result.tree), highlight=False)
    console.print()


def blame_table(tree: Tree, found: Blame, width: int) -> Table:
    """One row a swap, in order from the root; below it one row a path, where there are several,
    or a component that no child claims.
    """
    rows: list[Row] = []
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
        if loss.unclaimed is not None:
            rows += unclaimed_rows(loss.unclaimed, indent)
    names, draws, alone, last, in_order = zip(*rows, strict=True)
    shown = [
        Column("node", names, fold=True),
        Column("draws", draws, drop=3),
        Column("lost alone", alone),
        Column("lost last", last, drop=1),
        Column("in order → recovered", in_order, drop=2),
    ]
    return table(shown, width)


Row = tuple[str, str, str, str, str]
"""The node, what it draws, lost alone, lost last, and in order."""


def unclaimed_rows(found: Unclaimed, indent: str) -> Iterator[Row]:
    """The components that move most, the most first, the heads of one layer below it; the rest."""
    ports = {by.port for by in found.components}
    moving = sorted(filter(_moves, found.components), key=_largest, reverse=True)[:SHOWN]
    for by in moving:
        below = sorted(filter(_moves, by.heads), key=_largest, reverse=True)
        for one, deeper in [(by, ""), *((head, "  ") for head in below)]:
            how = f"into {one.port}" if len(ports) > 1 else ""
            words = f"{indent}  · {deeper}{one.component}"
            yield words, how, interval(one.alone), interval(one.last), ""
    more = len(found.components) - len(moving)
    if more:
        yield f"{indent}  · {more} more, less", "", "", "", ""
    rest = found.rest
    yield f"{indent}  · {rest.component}", "", interval(rest.alone), interval(rest.last), ""


def _moves(by: LostBy) -> bool:
    """Whether it is told from nothing, or undefined."""
    return any(not found.low <= 0 <= found.high for found in (by.alone, by.last))


def _largest(by: LostBy) -> float:
    """What it loses or wins at most; what is undefined comes first."""
    largest = max(abs(by.alone.mean), abs(by.last.mean))
    return math.inf if math.isnan(largest) else largest


def about_unclaimed(found: Blame) -> str:
    """What the rows of components mean; "" where there are none."""
    broken = [loss.unclaimed for loss in found.swaps if loss.unclaimed is not None]
    if not broken:
        return ""
    together = "; ".join(dict.fromkeys(f"also {one.together}" for one in broken if one.together))
    why = f"; where {together.removeprefix('also ')}" if together else ""
    return (
        "· below an other: what no child of the node claims, component by component, the largest "
        "first. The rest cannot be taken apart: what children's paths pass or claim in part, and "
        f"masks{why}."
    )
