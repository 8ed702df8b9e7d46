"""An interval as a picture in a line: its ends, its mean, and the bounds of the belief."""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import frozen
from markupsafe import Markup

from scrub.report.html.rendering import render
from scrub.results.result import Result
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval

WIDTH, MARGIN = 240.0, 8.0
"""Pixels: of the picture, and left and right of what is drawn in it."""
LEAST, MOST = -0.5, 1.5
"""Shares between which a common scale lies, lest one claim that overshoots flatten all others."""


@frozen
class Scale:
    """From figures to pixels. `low`, `high`: what stands at the margins; beyond them is clipped."""

    low: float
    high: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(MARGIN + min(max(share, 0.0), 1.0) * (WIDTH - 2 * MARGIN), 1)


def common_scales(results: Sequence[Result]) -> dict[str, Scale]:
    """For each figure that claims are about a scale on which they can be compared."""
    seen: dict[str, list[float]] = {}
    for result in results:
        if _drawable(result):
            seen.setdefault(which_figure(result), []).extend(_ends(result))
    return {
        which: _scale(ends if which == "effect" else [min(max(e, LEAST), MOST) for e in ends])
        for which, ends in seen.items()
    }


def which_figure(result: Result) -> str:
    """What its belief is about: "recovered", "effect"."""
    return result.belief.figure if result.belief else "recovered"


def figure_picture(result: Result, scale: Scale | None = None) -> Markup:
    """A result's figure beside its bounds; nothing where it is undefined or unbounded.

    Thick is the interval of the table, thin the one that the verdict is read off.

    Args:
        scale: what it shares with others; None: as large as fits.
    """
    if not _drawable(result):
        return Markup()
    found, belief = result.figure, result.belief
    scale = scale or _scale(_ends(result))
    low, high = (belief.low, belief.high) if belief else (None, None)
    bounds = _bounds(result)
    return render(
        "interval.svg",
        width=WIDTH,
        told=interval(found, bounds),
        marks=[(scale.at(mark), f"{mark:g}") for mark in _marks(result)],
        believed=None
        if not bounds
        else (
            0.0 if low is None else scale.at(low),
            WIDTH if high is None else scale.at(high),
        ),
        bounds=[scale.at(bound) for bound in bounds],
        thin=[scale.at(end) for end in _deciding(result)],
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


def _drawable(result: Result) -> bool:
    found = result.figure
    return all(map(math.isfinite, (found.mean, found.low, found.high)))


def _marks(result: Result) -> tuple[float, ...]:
    """Where the axis says a number."""
    return (0.0,) if which_figure(result) == "effect" else (0.0, 1.0)


def _bounds(result: Result) -> list[float]:
    belief = result.belief
    return [b for b in ((belief.low, belief.high) if belief else ()) if b is not None]


def _ends(result: Result) -> list[float]:
    """All that a picture shows."""
    found = result.figure
    return [found.low, found.high, *_deciding(result), *_marks(result), *_bounds(result)]


def _scale(ends: Sequence[float]) -> Scale:
    low, high = min(ends), max(ends)
    return Scale(low, high if high > low else low + 1.0)
