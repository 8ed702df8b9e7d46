"""Pairs of claims side by side, with the difference of what they recover (`scrub compare`)."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from scrub.report.columns import Column, table
from scrub.results.comparison import Comparison
from scrub.stats.rounding import interval


def show_comparisons(found: Sequence[Comparison], console: Console) -> None:
    """Print one row a pair: what each recovers, and the difference."""
    one = found[0]
    for which, result in (("first", one.first), ("second", one.second)):
        about = f"mean {result.metric.name}, data: {result.data_name}"
        console.print(Text(f"{which}: {result.file} on {result.model}, {about}"))
    same = "the same references" if one.paired else "references of their own (different data)"
    console.print(
        f"{one.first.samples:,} references, {same}, seed {one.first.seed}", highlight=False
    )
    names = [(pair.first.claim.name, pair.second.claim.name) for pair in found]
    kinds = {pair.figure for pair in found}
    verb = "recovers" if kinds == {"recovered"} else (one.figure if len(kinds) == 1 else "figure")
    shown = [
        Column("claim", [" − ".join(dict.fromkeys(both)) for both in names], fold=True),
        Column(f"first {verb}", [interval(pair.first.figure) for pair in found], drop=2),
        Column(f"second {verb}", [interval(pair.second.figure) for pair in found], drop=3),
        Column("first − second", [interval(pair.difference) for pair in found]),
        Column("", [pair.words for pair in found], drop=1),
    ]
    console.print(table(shown, console.width), highlight=False)
    for pair in found:
        if pair.difference.reason:
            names = " − ".join(dict.fromkeys((pair.first.claim.name, pair.second.claim.name)))
            console.print(Text(f"{names}: {pair.difference.reason}."))
