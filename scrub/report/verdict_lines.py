"""Verdicts in words, and below each what is to be doubted: what a terminal shows first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from scrub.report.claims_table import bounds_in_words, bounds_of
from scrub.results.doubts import doubts
from scrub.results.result import Result
from scrub.stats.rounding import interval

FIGURES = {
    "recovered": "recovers",
    "effect": "has the effect",
    "share": "has the share",
    "attention": "pays attention",
}
"""What a claim does, by the figure that its belief is about."""


def show_verdicts(results: Sequence[Result], console: Console) -> None:
    """Print a sentence for each claim, and its doubts below it."""
    for result in results:
        console.print(verdict_line(result), highlight=False)
        for doubt in doubts(result):
            line = Text(f"{doubt}.", style="yellow")
            console.print(Padding(line, (0, 0, 0, 2), expand=False), highlight=False)


def verdict_line(result: Result) -> Text:
    """ "by_value: refuted, as expected: it recovers 0.104 [0.036, 0.170] of the loss; …" """
    figure = result.belief.figure if result.belief else "recovered"
    of = " of the loss" if figure == "recovered" else ""
    found = f"it {FIGURES[figure]} {interval(result.figure, bounds_of(result))}{of}"
    verdict, expect = result.judgement.verdict, result.expect
    name = (result.claim.name, "bold")
    if expect is None or verdict is None:
        return Text.assemble(name, f": {found}; the file expects nothing.")
    as_expected = "as expected" if result.passed else f"and {expect.verdict} was expected"
    believed = f"; the belief is {bounds_in_words(expect)}" if expect.belief else ""
    colour = "green" if result.passed else "bold red"
    return Text.assemble(name, ": ", (verdict, colour), f", {as_expected}: {found}{believed}.")
