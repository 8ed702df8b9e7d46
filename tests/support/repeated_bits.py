"""Claims about the product of two bits on data that holds every input twice."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from attrs import frozen

import scrub
from scrub import Correspondence, Exact, InterpNode, anything, claim, site
from scrub.data.dataset import Dataset, Rows
from scrub.hypothesis.belief import Expectation
from scrub.metrics import custom
from scrub.samplers import Randomness, Sampler
from support.bits import MODEL

BITS = np.array(list(itertools.product([0, 1], [0, 1], [0, 1])) * 2).T
ROW = np.arange(16)


def bits(**columns: Any) -> Dataset:
    """Every input comes twice: as row i and as row i + 8."""
    x, y, w = BITS
    known = {"x and y": x * y, "x": x, "row": ROW, "input": ROW % 8}
    inputs = {"x": x, "y": y, "w": w}
    return Dataset("bits", inputs, np.ones(16, dtype=int), columns=known | columns)


def distance(out: Any, references: Rows) -> Any:
    return np.abs(out.numpy() - references.feature("x and y"))


def constant(out: Any, references: Rows) -> Any:
    return np.ones(len(references))


@frozen
class Twin:
    """The other row that is the same input: a sampler of a user's, of which nothing is known."""

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        return references.at((references.index + 8) % 16)


def outcome(
    expect: Expectation | None = None,
    metric: Any = distance,
    *,
    samples: int = 60,
    seed: int = 0,
    **samplers: Sampler,
) -> scrub.Result:
    """Each named site as a leaf below the output, by whatever way."""

    @claim(data=bits(), metric=custom(metric, higher_is_better=False), expect=expect, model=MODEL)
    def hypothesis(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Exact())
        children = {out.child(name, sampler): name for name, sampler in samplers.items()}
        return Correspondence(
            {out: site("out")} | {n: site(s, through=anything) for n, s in children.items()}
        )

    return scrub.run(hypothesis, samples=samples, seed=seed)
