"""Counts against what they should be, with bounds that hold at any number of draws.

A cell is an event that each draw may fall in: "row 7", "agrees with the reference on the label".
Its count is a sum of independent indicators with known probabilities. Where these are equal it is
binomial; where they differ, Hoeffding (1956, Ann. Math. Statist. 27, theorem 4) bounds its tails by
those of the binomial of the same mean, from one beyond the mean on. So both tails are bounded by
`scipy.stats.binom`, and a law with C cells that sounds where some tail is below α/2C sounds with
probability below α (Bonferroni). Nothing is approximated by a normal or a χ² distribution.

Where the probabilities are not known (independence), trials come in pairs that are alike if the law
holds, and those of them that differ are tossed like a coin: the sign test, exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from attrs import frozen

LEVEL = 1e-6
"""Probability, at most, that a law which holds is said to be broken."""


@frozen
class Cell:
    """How often something came to pass.

    Attributes:
        what: in words.
        count: how often it did.
        expected: how often it should, on average.
        draws: how often it could have.
        rows: rows of the data that show it: (reference, donor); None: any.
        columns: that show it, too.
    """

    what: str
    count: int
    expected: float
    draws: int
    rows: tuple[int | None, int | None] = (None, None)
    columns: tuple[str, ...] = ()


def rarest(cells: Sequence[Cell], level: float = LEVEL) -> tuple[Cell, float] | None:
    """The cell that is farthest from what it should be, with its p-value for all cells together.

    None if no cell is so far off that it would be by chance with probability `level`.
    """
    if not cells:
        return None
    tails = _tails(*(np.array([getattr(c, name) for c in cells]) for name in NUMBERS))
    worst = int(np.argmin(tails))
    chance = min(1.0, 2 * len(cells) * float(tails[worst]))
    return (cells[worst], chance) if chance < level else None


NUMBERS = ("count", "expected", "draws")


def _tails(count: np.ndarray, expected: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Bounds on the probability of such counts or more extreme ones, on their side of the mean."""
    from scipy import stats  # it takes a while, and a second process needs none of it

    p = np.minimum(expected / draws, 1.0)
    above = np.where(count >= expected + 1, stats.binom.sf(count - 1, draws, p), 1.0)
    return np.where(count <= expected - 1, stats.binom.cdf(count, draws, p), above)


def coin(what: str, first: np.ndarray, second: np.ndarray) -> Cell:
    """The sign test of two trials a pair, bool [pairs] each: which of them came to pass alone?"""
    alone = first != second
    return Cell(what, int(first[alone].sum()), alone.sum() / 2, max(1, int(alone.sum())))


def draws_to_reach(probability: float, cells: int, level: float = LEVEL) -> int:
    """Draws after which a cell of this probability is empty with probability `level` / cells."""
    if probability >= 1:
        return 1
    return int(np.ceil(np.log(level / cells) / np.log1p(-probability)))


def groups(probabilities: np.ndarray, least: float) -> list[np.ndarray]:
    """Neighbours put together until each group has this probability: indices, in order.

    What is left at the end joins the last group.
    """
    found: list[np.ndarray] = []
    start, sum_ = 0, 0.0
    for index, probability in enumerate(probabilities.tolist()):
        sum_ += probability
        if sum_ >= least:
            found.append(np.arange(start, index + 1))
            start, sum_ = index + 1, 0.0
    rest = np.arange(start, len(probabilities))
    if len(rest) and found:
        found[-1] = np.concatenate([found[-1], rest])
    elif len(rest):
        found.append(rest)
    return found
