"""An interval as a picture in a line: its ends, its mean, and the bounds of the belief."""

from __future__ import annotations

import math

from attrs import frozen
from markupsafe import Markup

from scrub.report.html.rendering import render
from scrub.results.result import Result
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval

WIDTH, MARGIN = 240.0, 8.0
"""Pixels: of the picture, and left and right of what is drawn in it."""


@frozen
class Scale:
    """From figures to pixels. `low`, `high`: what stands at the margins."""

    low: float
    high: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(MARGIN + share * (WIDTH - 2 * MARGIN), 1)


def figure_picture(result: Result) -> Markup:
    """A result's figure beside its bounds; nothing where it is undefined or unbounded.

    Thick is the interval of the table, thin the one that the verdict is read off.
    """
    found, belief = result.figure, result.belief
    if not all(map(math.isfinite, (found.mean, found.low, found.high))):
        return Markup()
    decides = _deciding(result)
    which = belief.figure if belief else "recovered"
    marks = (0.0,) if which == "effect" else (0.0, 1.0)
    bounds = [b for b in ((belief.low, belief.high) if belief else ()) if b is not None]
    seen = [found.low, found.high, *decides, *marks, *bounds]
    scale = Scale(min(seen), max(seen) if max(seen) > min(seen) else min(seen) + 1.0)
    low = None if belief is None else belief.low
    high = None if belief is None else belief.high
    return render(
        "interval.svg",
        width=WIDTH,
        told=interval(found, bounds),
        marks=[(scale.at(mark), f"{mark:g}") for mark in marks],
        believed=None
        if not bounds
        else (
            0.0 if low is None else scale.at(low),
            WIDTH if high is None else scale.at(high),
        ),
        bounds=[scale.at(bound) for bound in bounds],
        thin=[scale.at(end) for end in decides],
        thick=(scale.at(found.low), scale.at(found.high)),
        mean=scale.at(found.mean),
    )


def _deciding(result: Result) -> tuple[float, float]:
    """The ends that the verdict is read off, as far as they are bounded."""
    found: Interval = result.corrected or result.figure
    low, high = min(found.low, found.least), max(found.high, found.most)
    return (
        low if math.isfinite(low) else result.figure.low,
        high if math.isfinite(high) else result.figure.high,
    )
