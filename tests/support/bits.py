"""Claims about the product of two bits: what each must come to is known without a run."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import scrub
from scrub import Correspondence, Exact, InterpNode, anything, claim, site, supported
from scrub.data.dataset import Dataset
from scrub.hypothesis.belief import Expectation
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.samplers import Sampler

MODEL = graph(
    source("x"),
    source("y"),
    source("w"),
    node("product", lambda a, b: a * b, a="x", b="y"),
    node("dead", lambda w: 0 * w, w="w"),
    node("out", lambda terms: terms, terms=["product", "dead"]),
)
X, Y, W = np.array(list(itertools.product([0, 1], [0, 1], [0, 1, 2]))).T
BITS = Dataset(
    "bits",
    {"x": X, "y": Y, "w": W},
    np.ones(12, dtype=int),
    columns={"x": X, "y": Y, "w": W, "x and y": X * Y, "alike": X * Y + 5, "odd": W % 2},
)
ERROR = custom(
    lambda out, references: np.abs(out.numpy() - references.feature("x and y")),
    higher_is_better=False,
)


def run(expect: Expectation | None, *, samples: int = 400, **samplers: Sampler) -> scrub.Result:
    """Each named site as a leaf below the output, by whatever way."""

    @claim(data=BITS, metric=ERROR, expect=expect, model=MODEL)
    def hypothesis(model: Any) -> Correspondence:
        return below_out(**samplers)

    return scrub.run(hypothesis, samples=samples, diagnose=False)


def below_out(**samplers: Sampler) -> Correspondence:
    out = InterpNode("out", Exact(), other=Exact())
    children = {out.child(name, sampler): name for name, sampler in samplers.items()}
    routes = {n: site(name, through=anything) for n, name in children.items()}
    return Correspondence({out: site("out")} | routes)


HALF = supported(above=0.5)
