"""What a claim's swaps lose, one after the other, as a picture of HTML and inline SVG."""

from __future__ import annotations

import math
from itertools import starmap

from attrs import frozen
from markupsafe import Markup

from scrub.analysis.blame import Blame, LostOnPath
from scrub.analysis.describe_swap import swap_in_words
from scrub.hypothesis.describe import describe_route
from scrub.report.blame import about_unclaimed, unclaimed_rows
from scrub.report.html.rendering import render
from scrub.results.result import Result
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval, number

WIDTH = 300.0
"""Pixels of the bars' picture."""


@frozen
class Bar:
    """A row of the waterfall.

    Attributes:
        left, right: its ends, in pixels.
        kind: "whole" of the model and the claim; what a swap "loses" or "wins"; "path" of one of
            its paths, which has no bar.
        whisker: the ends of its interval, in pixels; None where it is unbounded.
        cells: figures beside it, as text.
    """

    name: str
    left: float
    right: float
    kind: str
    whisker: tuple[float, float] | None
    cells: tuple[str, str, str]


def waterfall_part(result: Result, found: Blame) -> Markup:
    """From the model's recovered 1 down to the claim's, a row a swap in order from the root."""
    if not found.swaps:
        return render("lines.html", lines=["It swaps nothing: every sampler is Exact."])
    left = [1.0]
    for loss in found.swaps:
        left.append(left[-1] - loss.step.mean)
    known = [value for value in left if math.isfinite(value)]
    low, high = min(0.0, *known), max(1.0, *known)

    def at(value: float) -> float:
        share = (value - low) / (high - low) if math.isfinite(value) else 0.0
        return round(WIDTH * min(max(share, 0.0), 1.0), 1)

    def whisker(from_: float, step: Interval) -> tuple[float, float] | None:
        ends = (from_ - step.high, from_ - step.low)
        return (at(ends[0]), at(ends[1])) if all(map(math.isfinite, ends)) else None

    bars = [Bar("the model", at(0), at(1), "whole", None, ("", "", number(1)))]
    for loss, before, after in zip(found.swaps, left, left[1:], strict=False):
        name = ": ".join(swap_in_words(result.tree, loss.swap))
        kind = "loses" if loss.step.mean > 0 else "wins"
        cells = (interval(loss.alone), interval(loss.last), number(after))
        ends = sorted((at(before), at(after)))
        bars.append(Bar(name, ends[0], ends[1], kind, whisker(before, loss.step), cells))
        bars += map(_path, loss.paths)
        if loss.unclaimed is not None:
            bars += starmap(_component, unclaimed_rows(loss.unclaimed, ""))
    ends = sorted((at(0), at(left[-1])))
    whole = Bar(
        "the claim", ends[0], ends[1], "whole", whisker(1, found.total), ("", "", number(left[-1]))
    )
    lost = f"It loses {interval(found.total)} of baseline − original. By its swaps, from the root:"
    count = scrubs_of(found)
    taken = f"{count} more scrubs of the claim" if count != 1 else "one more scrub of the claim"
    divided = any(loss.unclaimed for loss in found.swaps)
    about = about_unclaimed(found).removeprefix("· ")
    cost = f"It took {'up to ' if divided else ''}{taken}. {about[:1].upper()}{about[1:]}"
    return render(
        "waterfall.html",
        lost=lost,
        cost=cost if count else "",
        bars=[*bars, whole],
        width=WIDTH,
        zero=at(0),
    )


def _path(path: LostOnPath) -> Bar:
    cells = (interval(path.alone), interval(path.last), "")
    return Bar(describe_route(path.route), 0.0, 0.0, "path", None, cells)


def _component(name: str, how: str, alone: str, last: str, in_order: str) -> Bar:
    """A component that no child claims: not a step, as a path is none."""
    words = ", ".join(filter(None, (name.strip(" ·"), how)))
    return Bar(words, 0.0, 0.0, "path", None, (alone, last, in_order))


def scrubs_of(found: Blame) -> int:
    """How many scrubs it took: sets of swaps that are not none or all, and two for each path.

    And at most two for each component that no child claims, and for the rest of them.
    """
    made = range(len(found.swaps))
    whole = frozenset(made)
    sets = {frozenset({one}) for one in made} | {whole - {one} for one in made}
    sets |= {frozenset(made[:count]) for count in made}
    paths = sum(len(loss.paths) for loss in found.swaps)
    divided = [loss.unclaimed for loss in found.swaps if loss.unclaimed is not None]
    parts = sum(1 + sum(1 + len(by.heads) for by in one.components) for one in divided)
    return len(sets - {frozenset(), whole}) + 2 * (paths + parts)
