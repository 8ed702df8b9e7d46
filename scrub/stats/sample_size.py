"""How many more references would settle an inconclusive verdict, and how likely that is.

The estimate itself moves as references are added. With n now and m then, the estimate of all m lies
around today's with variance e² (1 − n/m), where e is today's standard error: what n references
leave open of the truth, less what m still will (the predictive distribution under a flat prior).
Its margins shrink as 1/√m where the spread of what was seen decides. Where scrubs that were not
seen do, their rate falls as 1/m while the worst number that is drawn grows: together about as
m^(−3/4), which is what numbers from a lognormal with sigma 1 do.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from attrs import frozen

CHANCE = 0.8
"""How likely the number of references that is said is to settle the verdict."""
REASON = 20
"""Times as many references as there are now: of more than these nothing is said."""


@frozen
class Standing:
    """An estimate, and what its verdict hangs on.

    Attributes:
        error: its standard error.
        below, above: how far its verdict's interval must reach for failures that were not seen.
        samples: references.
        confidence: of the verdict's interval.
    """

    mean: float
    error: float
    below: float
    above: float
    samples: int
    confidence: float


def chance_to_settle(now: Standing, low: float, high: float, samples: int) -> float:
    """How likely a verdict on `low` ≤ recovered ≤ `high` is conclusive with so many in all."""
    share = now.samples / samples
    margin = NormalDist().inv_cdf((1 + now.confidence) / 2) * now.error * math.sqrt(share)
    below, above = (max(margin, reach * share**0.75) for reach in (now.below, now.above))
    spread = now.error * math.sqrt(1 - share)

    def under(bound: float) -> float:
        """How likely the estimate comes to lie under a bound."""
        if spread == 0 or math.isinf(bound):
            return float(now.mean < bound)
        return NormalDist(now.mean, spread).cdf(bound)

    inside = max(0.0, under(high - above) - under(low + below))
    return inside + under(low - above) + 1 - under(high + below)


def more_samples(now: Standing, low: float, high: float) -> int | None:
    """The fewest more references, to two digits, that settle it with a chance of `CHANCE`.

    None where it would take more than `REASON` times as many as there are.
    """
    numbers = (now.mean, now.error, now.below, now.above)
    if not all(map(math.isfinite, numbers)):
        return None
    total = now.samples * 1.05
    while total <= REASON * now.samples:
        more = _two_digits(math.ceil(total) - now.samples)
        if chance_to_settle(now, low, high, now.samples + more) >= CHANCE:
            return more
        total *= 1.05
    return None


def _two_digits(number: int) -> int:
    """Rounded up: two digits are all that the estimate is good for."""
    step = 10 ** max(0, len(str(number)) - 2)
    return math.ceil(number / step) * step
