"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Collection

from scrub.stats.intervals import Interval

DIGITS = 3
MORE_DIGITS = 6
"""As many as an interval is shown with at most, so that it does not seem to touch a bound."""


def number(value: float, digits: int = DIGITS) -> str:
    """ "0.104". Law: nothing that rounds to zero is negative."""
    shown = f"{value:.{digits}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def interval(found: Interval, bounds: Collection[float | None] = ()) -> str:
    """ "0.91 [0.89, 0.93]"; what is undefined or unbounded says so.

    Law: an end that is shown lies on the same side of each bound as the end itself.
    """
    if math.isnan(found.mean):
        return "undefined"
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return f"{number(found.mean)} [unbounded]"
    digits = DIGITS
    ends = (found.low, found.high)
    while digits < MORE_DIGITS and any(
        _side(float(number(end, digits)), bound) != _side(end, bound)
        for end in ends
        for bound in bounds
        if bound is not None
    ):
        digits += 1
    low, high = (number(end, digits) for end in ends)
    return f"{number(found.mean, digits)} [{low}, {high}]"


def _side(value: float, bound: float) -> int:
    return (value > bound) - (value < bound)


def percent(share: float) -> str:
    """ "95%", "99.75%": as many digits as it has, four at most."""
    return f"{100 * share:.4g}%"


def finite(value: float) -> float | None:
    """A number as JSON has it: None where it is none, and never -0.0."""
    return float(value) + 0.0 if math.isfinite(value) else None
