"""Planted situations with a known effect or share, for measuring how often an interval holds it.

Written down before any interval was measured on them. They are those of `coverage_situations.py`
where these have a counterpart: an effect has no denominator, so that nothing is near-undefined, and
no baseline whose failures say what one that was not seen may cost. Each stands for something:

- *ordinary*: a difficulty that both numbers of a reference share, an effect of two fifths of a gap
  with a coefficient of variation of 0.7, and noise.
- *skewed*: the effect is lognormal (sigma 1: skewness 6; 1.5: 33; *heavy lognormal*, 2: 414).
- *few rows*: the metric of six rows under each other's outputs; rows repeat 170 times in 1,000.
- *rare*: few references have an effect, of 5 on average; all others none, or noise; as a metric
  that is 0 or 1.
- *exactly zero*: the child's value is what it replaces, in every reference. *About zero*: noise to
  both sides, which cancels.
- *constant*: the same in every reference.
- *rare and dear*: one reference in 1,000 changes by 5 or 20, while the metric varies by about as
  much between references, so that the draws show numbers as far away. "never shown": it does not.
- *outliers*: ordinary, with noise 20 times as wide in one reference of 100.
- *heavy tails*: noise of Student's t with 3 degrees of freedom (infinite skewness), and with 2
  (infinite variance), about an effect of 1.
- *share*: of references whose answer is the label; 0 and 1 among them.
- *attention*: a weight between 0 and 1: near 1 in most references and near 0 in one of ten, of 100,
  or of 1,000; and exactly 1.
- *at the boundary*: the effect is d itself, and the belief is `unchanged(within=d)`: it must not be
  called supported in more than 2.5% of runs, nor refuted.

Rules as in `coverage_situations.py`: "exact": 95% must lie within the simulation's 99.9% interval
of the coverage. "at least": coverage may be above, not below. "93%": an effect that was not seen
may be larger than all that were; the interval that verdicts are read off must hold the truth in 93%
at least. "shown": no method can promise anything. "at most 2.5%": of the verdict *supported*.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from attrs import frozen
from coverage_situations import LOSS, few_rows, ordinary

Pair = tuple[np.ndarray, np.ndarray]
"""The metric on the root's other input, and scrubbed: each [simulations, samples]."""
Shape = tuple[int, int]
Draw = Callable[[np.random.Generator, Shape], Pair]
Rule = Literal["exact", "at least", "93%", "shown", "at most 2.5%"]
ELSEWHERE: tuple[tuple[str, float, Rule], ...] = (
    ("10%", 0.1, "exact"),
    ("1%", 0.01, "at least"),
    ("0.1%", 0.001, "93%"),
)
"""In how many references attention goes elsewhere."""


@frozen
class Situation:
    """A way in which effects come about, and the mean of their population.

    Attributes:
        within: the bound of the belief "unchanged", in situations at the boundary.
        weights: both numbers are between 0 and 1, and nothing else can be drawn.
    """

    name: str
    samples: int
    truth: float
    draw: Draw
    rule: Rule
    within: float | None = None
    weights: bool = False


def two_fifths(rng: np.random.Generator, shape: Shape) -> Pair:
    original, scrubbed, _ = ordinary(rng, shape)
    return original, scrubbed


def lognormal(sigma: float) -> tuple[float, Draw]:
    """The mean, and the draws."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Pair:
        before = rng.lognormal(-2, 1, shape)
        return before, before + rng.lognormal(-1, sigma, shape)

    return math.exp(-1 + sigma**2 / 2), drawn


def six_rows(rng: np.random.Generator, shape: Shape) -> Pair:
    _, scrubbed, baseline = few_rows(rng, shape)
    return baseline, scrubbed


def _six_rows_truth() -> float:
    same = np.arange(len(LOSS))[:, None] % 2 == np.arange(len(LOSS)) % 2
    return float(LOSS[same].mean() - LOSS.mean())


def rare(rate: float, *, noise: float = 0.0) -> tuple[float, Draw]:
    """An effect of 5 on average, in this share of references."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Pair:
        before = rng.exponential(0.02, shape)
        effect = (rng.random(shape) < rate) * rng.gamma(4, 5 / 4, shape)
        return before, before + effect + noise * rng.normal(0, 1, shape)

    return 5 * rate, drawn


def zero_or_one(rate: float) -> tuple[float, Draw]:
    """Answers that are right in 98% become wrong at this rate."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Pair:
        before = rng.random(shape) < 0.98
        return before.astype(float), (before & (rng.random(shape) >= rate)).astype(float)

    return -0.98 * rate, drawn


def constant(effect: float) -> Draw:
    def drawn(rng: np.random.Generator, shape: Shape) -> Pair:
        before = np.round(rng.normal(0, 1, shape), 3)
        return before, before + effect

    return drawn


def about(effect: float, *, degrees: float = math.inf) -> Draw:
    """Noise around an effect: normal, or Student's t with so many degrees of freedom."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Pair:
        before = rng.normal(0, 1, shape)
        noise = rng.normal(0, 1, shape) if math.isinf(degrees) else rng.standard_t(degrees, shape)
        return before, before + effect + noise

    return drawn


def dear(size: float, *, spread: float) -> tuple[float, Draw]:
    """One reference in 1,000 changes by `size`; the metric varies by `spread`."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Pair:
        before = rng.exponential(spread, shape) if spread else rng.normal(0, 0.3, shape)
        change = (rng.random(shape) < 0.001) * size
        return before, before + change + rng.normal(0, 0.02, shape)

    return 0.001 * size, drawn


def outliers(rng: np.random.Generator, shape: Shape) -> Pair:
    before, after = two_fifths(rng, shape)
    wide = rng.normal(0, 1, shape) * np.where(rng.random(shape) < 0.01, 20, 1)
    return before, after + wide


def answered(share: float) -> Draw:
    """1 where the answer is the label; before is 0, so that the effect is the share."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Pair:
        return np.zeros(shape), (rng.random(shape) < share).astype(float)

    return drawn


def attention(elsewhere: float) -> tuple[float, Draw]:
    """A weight of about 0.99, but of about 0.05 in this share of references."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Pair:
        away = rng.random(shape) < elsewhere
        return np.zeros(shape), np.where(away, rng.beta(1, 19, shape), rng.beta(99, 1, shape))

    return 0.05 * elsewhere + 0.99 * (1 - elsewhere), drawn


SITUATIONS = (
    Situation("ordinary", 1_000, 1.6, two_fifths, "exact"),
    Situation("ordinary", 100, 1.6, two_fifths, "exact"),
    Situation("ordinary", 20, 1.6, two_fifths, "shown"),
    Situation("skewed", 1_000, *lognormal(1.0), "exact"),
    Situation("skewed", 200, *lognormal(1.0), "shown"),
    Situation("very skewed", 1_000, *lognormal(1.5), "shown"),
    Situation("few distinct rows", 1_000, _six_rows_truth(), six_rows, "exact"),
    Situation("few distinct rows", 100, _six_rows_truth(), six_rows, "exact"),
    Situation("rare, 5%", 1_000, *rare(0.05), "exact"),
    Situation("rare, 1%", 1_000, *rare(0.01), "at least"),
    Situation("rare, 1%, noise", 1_000, *rare(0.01, noise=0.1), "at least"),
    Situation("rare, 1%, 0 or 1", 1_000, *zero_or_one(0.01), "at least"),
    Situation("rare, 0.5%", 1_000, *rare(0.005), "at least"),
    Situation("rare, 0.2%", 1_000, *rare(0.002), "shown"),
    Situation("rare, 0.2%, noise", 1_000, *rare(0.002, noise=0.1), "shown"),
    Situation("rare, 0.2%, 0 or 1", 1_000, *zero_or_one(0.002), "shown"),
    Situation("rare, 0.05%", 1_000, *rare(0.0005), "shown"),
    Situation("rare, 1%", 100, *rare(0.01), "shown"),
    Situation("exactly zero", 1_000, 0.0, constant(0.0), "at least"),
    Situation("exactly zero", 20, 0.0, constant(0.0), "at least"),
    Situation("about zero", 1_000, 0.0, about(0.0), "exact"),
    Situation("about zero", 100, 0.0, about(0.0), "exact"),
    Situation("constant", 100, 0.5, constant(0.5), "at least"),
    Situation("rare and dear, 5", 1_000, *dear(5, spread=1), "93%"),
    Situation("rare and dear, 20", 1_000, *dear(20, spread=4), "93%"),
    Situation("rare and dear, 20, never shown", 1_000, *dear(20, spread=0), "shown"),
    Situation("outliers", 1_000, 1.6, outliers, "93%"),
    Situation("outliers", 200, 1.6, outliers, "93%"),
    Situation("heavy lognormal", 1_000, *lognormal(2.0), "93%"),
    Situation("heavy lognormal", 200, *lognormal(2.0), "93%"),
    Situation("heavy tails, t with 3", 1_000, 1.0, about(1.0, degrees=3), "93%"),
    Situation("heavy tails, t with 3", 100, 1.0, about(1.0, degrees=3), "93%"),
    Situation("heavy tails, t with 2", 1_000, 1.0, about(1.0, degrees=2), "93%"),
    *(
        Situation("attention, elsewhere in " + said, 1_000, *attention(rate), rule, weights=True)
        for said, rate, rule in ELSEWHERE
    ),
    Situation("attention, exactly 1", 1_000, 1.0, answered(1.0), "at least", weights=True),
)  # fmt: skip

SHARES = tuple(
    Situation(f"share, {share:g}", samples, share, answered(share), "at least")
    for share in (0.0, 0.001, 0.01, 0.5, 0.99, 0.999, 1.0)
    for samples in (1_000, 100)
)

BOUNDARY = tuple(
    Situation(name, samples, sign * size, draw(sign * size), "at most 2.5%", within=size)
    for name, size, draw in (
        ("at the boundary, noise", 0.1, about),
        ("at the boundary, t with 3", 0.2, lambda effect: about(effect, degrees=3)),
        ("at the boundary, constant", 0.5, constant),
    )
    for sign in (1, -1)
    for samples in (1_000, 100)
)
