"""Planted situations with a known loss recovered, for measuring how often an interval holds it.

Written down before any interval was measured on them. Each stands for something that happens:

- *ordinary*: a difficulty that all three losses of a reference share, noise of a scrub that loses
  two fifths, a gap with a coefficient of variation of 0.7.
- *skewed*: what a scrub costs is lognormal, as cross-entropies are (sigma 1: skewness 6); 1.5 is
  beyond what 1,000 samples can show (skewness 33).
- *few rows*: six rows in two agreement classes; references, donors and baseline are drawn by
  `scrub.draw` with replacement, so that rows repeat 170 times in 1,000 references.
- *rare failures*: a loss of about zero, but for few references in which the scrub fails as badly as
  an unrelated input does where that fails. Of 1,000 references 50, 10, 5, 2 or 1 in two fail; with
  noise on all others; as a metric that is 0 or 1; and failures that cost five times as much, which
  breaks the assumption that is made about those that were not seen.
- *near-undefined*: the mean gap is so many standard errors from zero.
- *rare and dear*: one reference in 1,000 loses 5 or 20 times the mean gap, on all others the scrub
  costs next to nothing. So two samples of 1,000 in five hold no failure at all. The metric varies
  so much between references that the draws show numbers as bad as a failure's; "never shown": its
  numbers lie within two or three gaps, until one fails.
- *outliers*: the ordinary losses, but in one reference of 100 the scrub's noise is 20 times as
  wide, to either side.
- *heavy lognormal*: the cost of the scrub is lognormal with sigma 2 (skewness 414), the other
  losses with sigma 1.

Four rules. "exact": 95% must lie within the simulation's 99.9% interval of the coverage. "at
least": the interval is widened or unbounded on purpose, since no bounded one is honest, so coverage
may be above but not below. "93%": a failure that was not seen may cost more than the whole gap; the
interval that verdicts are read off must hold the truth in 93% at least. "shown": no method can
promise anything; the figure is for reading.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from attrs import frozen

from scrub.data.dataset import Dataset
from scrub.draw import draw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import site
from scrub.hypothesis.tree import treeify
from scrub.samplers import Agree, Exact

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Original, scrubbed and baseline loss, each [simulations, samples]."""
Shape = tuple[int, int]
Draw = Callable[[np.random.Generator, Shape], Triple]


@frozen
class Situation:
    """A way in which losses come about, and the loss recovered of its population."""

    name: str
    samples: int
    truth: float
    draw: Draw
    rule: Literal["exact", "at least", "93%", "shown"]


def ordinary(rng: np.random.Generator, shape: Shape) -> Triple:
    original = rng.gamma(2.0, 1.0, shape) + rng.normal(0, 0.3, shape)
    baseline = original + 4.0 * rng.gamma(2.0, 0.5, shape)
    scrubbed = original + 0.4 * (baseline - original) + rng.normal(0, 0.5, shape)
    return original, scrubbed, baseline


def skewed(sigma: float) -> tuple[float, Draw]:
    """The truth, and the draws."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Triple:
        original = rng.lognormal(-2, 1, shape)
        scrubbed = original + rng.lognormal(-1, sigma, shape)
        return original, scrubbed, rng.lognormal(1, 1, shape)

    return 1 - math.exp(-1 + sigma**2 / 2) / (math.exp(1.5) - math.exp(-1.5)), drawn


ROWS = 6
LOSS = np.random.default_rng(0).lognormal(0, 1, (ROWS, ROWS)) * (1 - 0.9 * np.eye(ROWS))
"""Loss of each row (first axis) with the output of another; its own costs a tenth of what others'
cost."""
CLASSES = np.arange(ROWS) % 2


def _few_rows_truth() -> float:
    """By enumeration: row, donor of its class, and unrelated row are uniform."""
    same = CLASSES[:, None] == CLASSES
    original, baseline = np.diag(LOSS).mean(), LOSS.mean()
    scrubbed = (LOSS * same).sum(1) / same.sum(1)
    return float((baseline - scrubbed.mean()) / (baseline - original))


def few_rows(rng: np.random.Generator, shape: Shape) -> Triple:
    every = np.arange(ROWS)
    data = Dataset("six", {"x": every}, np.ones(ROWS, int), columns={"class": CLASSES})
    root = InterpNode("out", Exact(), other=Exact())
    child = root.child("x", Agree("class"))
    tree = treeify(Correspondence({root: site("out"), child: site("x")}))
    drawn = draw(tree, data, samples=shape[0] * shape[1], seed=int(rng.integers(2**31)))
    rows = drawn.references.index
    donors = (rows, drawn.nodes["out", "x"].own.index, drawn.baseline.index)
    original, scrubbed, baseline = (LOSS[rows, donor].reshape(shape) for donor in donors)
    return original, scrubbed, baseline


def failing(rate: float, *, cost: float = 5.0, noise: float = 0.0) -> tuple[float, Draw]:
    """The baseline fails in 70% of references at a mean cost of 5, the scrub at this rate."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Triple:
        original = rng.exponential(0.02, shape)
        baseline = original + (rng.random(shape) < 0.7) * rng.gamma(4, 5 / 4, shape)
        fails = (rng.random(shape) < rate) * rng.gamma(4, cost / 4, shape)
        return original, original + fails + noise * rng.normal(0, 1, shape), baseline

    return 1 - rate * cost / 3.5, drawn


def zero_or_one(rate: float) -> tuple[float, Draw]:
    """Answers right or wrong: 98% right, 20% by chance; the scrub turns right ones wrong."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Triple:
        original = rng.random(shape) < 0.98
        scrubbed = original & (rng.random(shape) >= rate)
        baseline = rng.random(shape) < 0.2
        return original.astype(float), scrubbed.astype(float), baseline.astype(float)

    return 1 - 0.98 * rate / 0.78, drawn


def near_undefined(errors: float, *, is_skewed: bool = False) -> tuple[float, Draw]:
    """The mean gap is so many of its standard errors from zero."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Triple:
        noise = rng.exponential(1, shape) - 1 if is_skewed else rng.normal(0, 1, shape)
        gap = errors / math.sqrt(shape[1]) + noise
        original = rng.normal(0, 1, shape)
        baseline = original + gap
        return original, baseline - 0.7 * gap - rng.normal(0, 0.3, shape), baseline

    return 0.7, drawn


def dear(cost: float, *, spread: float) -> tuple[float, Draw]:
    """One reference in 1,000 loses `cost` mean gaps; originals vary by `spread` gaps."""

    def drawn(rng: np.random.Generator, shape: Shape) -> Triple:
        original = rng.exponential(spread, shape) if spread else rng.normal(0, 0.3, shape)
        baseline = original + rng.normal(1, 0.3, shape)
        fails = (rng.random(shape) < 0.001) * cost
        return original, original + fails + rng.normal(0, 0.02, shape), baseline

    return 1 - 0.001 * cost, drawn


def outliers(rng: np.random.Generator, shape: Shape) -> Triple:
    original, _, baseline = ordinary(rng, shape)
    noise = rng.normal(0, 1, shape) * np.where(rng.random(shape) < 0.01, 20, 1)
    return original, original + 0.4 * (baseline - original) + noise, baseline


def heavy(rng: np.random.Generator, shape: Shape) -> Triple:
    original = rng.lognormal(-2, 1, shape)
    return original, original + rng.lognormal(-2, 2, shape), rng.lognormal(1, 1, shape)


HEAVY = 1 - 1 / (math.exp(1.5) - math.exp(-1.5))

SITUATIONS = (
    Situation("ordinary", 1_000, 0.6, ordinary, "exact"),
    Situation("ordinary", 100, 0.6, ordinary, "exact"),
    Situation("skewed losses", 1_000, *skewed(1.0), "exact"),
    Situation("skewed losses", 200, *skewed(1.0), "shown"),
    Situation("very skewed losses", 1_000, *skewed(1.5), "shown"),
    Situation("few distinct rows", 1_000, _few_rows_truth(), few_rows, "exact"),
    Situation("few distinct rows", 100, _few_rows_truth(), few_rows, "exact"),
    Situation("rare failures, 5%", 1_000, *failing(0.05), "exact"),
    Situation("rare failures, 1%", 1_000, *failing(0.01), "exact"),
    Situation("rare failures, 1%, noise", 1_000, *failing(0.01, noise=0.1), "exact"),
    Situation("rare failures, 1%, 0 or 1", 1_000, *zero_or_one(0.01), "at least"),
    Situation("rare failures, 0.5%", 1_000, *failing(0.005), "at least"),
    Situation("rare failures, 0.2%", 1_000, *failing(0.002), "at least"),
    Situation("rare failures, 0.2%, noise", 1_000, *failing(0.002, noise=0.1), "at least"),
    Situation("rare failures, 0.2%, 0 or 1", 1_000, *zero_or_one(0.002), "at least"),
    Situation("rare failures, 0.05%", 1_000, *failing(0.0005), "at least"),
    Situation("rare failures, 0.05%, noise", 1_000, *failing(0.0005, noise=0.1), "at least"),
    Situation("rare failures, 1%", 100, *failing(0.01), "at least"),
    Situation("rare failures, 0.2%, five times the cost", 1_000, *failing(0.002, cost=25), "shown"),
    Situation("near-undefined, 5 errors", 1_000, *near_undefined(5), "exact"),
    Situation("near-undefined, 3 errors", 1_000, *near_undefined(3), "at least"),
    Situation("near-undefined, 1.5 errors", 1_000, *near_undefined(1.5), "at least"),
    Situation("near-undefined, 3 errors, skewed", 1_000, *near_undefined(3, is_skewed=True),
              "at least"),
    Situation("rare and dear, 5 gaps", 1_000, *dear(5, spread=1), "93%"),
    Situation("rare and dear, 20 gaps", 1_000, *dear(20, spread=4), "93%"),
    Situation("rare and dear, 5 gaps, never shown", 1_000, *dear(5, spread=0), "shown"),
    Situation("rare and dear, 20 gaps, never shown", 1_000, *dear(20, spread=0), "shown"),
    Situation("outliers", 1_000, 0.6, outliers, "93%"),
    Situation("outliers", 200, 0.6, outliers, "93%"),
    Situation("heavy lognormal", 1_000, HEAVY, heavy, "93%"),
    Situation("heavy lognormal", 200, HEAVY, heavy, "93%"),
)  # fmt: skip
