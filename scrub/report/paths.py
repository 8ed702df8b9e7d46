"""The paths of a claim on the terminal: a table, and what its figures rest on."""

from __future__ import annotations

import math

from rich.console import Console
from rich.text import Text

from scrub.report.columns import Column, table
from scrub.report.console import claim_line
from scrub.results.population import FAR_ABOVE, references_in_words, rows_in_words
from scrub.searches.paths import ClaimPaths
from scrub.stats.intervals import CONFIDENCE
from scrub.stats.rounding import interval, number, percent


def show_paths(found: ClaimPaths, console: Console) -> None:
    """Print a row for each path, and what the figures rest on."""
    console.print(claim_line(found.claim, found.says))
    about = f"paths on {found.model}, effects on {found.metric}, seed {found.seed}"
    console.print(Text(about))
    where = rows_in_words(found.data, found.rows)
    console.print(Text(f"{references_in_words(found.samples)} {where}"))
    console.print()
    shown = [
        Column("path", [one.said for one in found.paths], fold=True),
        Column("alone", [interval(one.effect, (0.0,)) for one in found.paths]),
        Column("of all", [_share(one.share) for one in found.paths], right=True),
        Column("last", [interval(one.last, (0.0,)) for one in found.paths], drop=1),
    ]
    printed = table(shown, console.width)
    console.print(printed, highlight=False)
    console.print()
    if len(printed.columns) < len(shown):
        console.print(Text("left out for want of width: last; .frame (--csv) has it"))
    for line in foot(found):
        console.print(Text(line))


def _share(share: float) -> str:
    return "–" if math.isnan(share) else f"{number(100 * share, 1)}%"


def foot(found: ClaimPaths) -> list[str]:
    """What the figures rest on, a line each."""
    level = 1 - (1 - CONFIDENCE) / found.tried
    lines = [
        "alone: with this path and no other, the metric less that on the root's other input; last: "
        "what is lost without it",
        f"all paths: {interval(found.whole)}; each interval of a path has {percent(level)} "
        "(Bonferroni), so that all hold at 95%",
    ]
    if any(math.isnan(one.share) for one in found.paths):
        lines.append("of all: –, where what all paths change is not told from zero")
    if found.samples > FAR_ABOVE * found.rows:
        lines.append(f"intervals are about these {found.rows:,} rows alone, not about fresh ones")
    reasons = {one.effect.reason for one in found.paths if one.effect.reason}
    return [*lines, *sorted(reasons)]
