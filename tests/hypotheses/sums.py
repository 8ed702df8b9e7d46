"""Claims about out = x·y + z that can be checked by hand: every verdict, and what is undefined.

Over the eight rows, the mean distance to another row's output (baseline) is 11/16.
"""

import itertools

import numpy as np

from scrub import (
    Agree,
    Correspondence,
    Dataset,
    Exact,
    Fixed,
    InterpNode,
    Uncond,
    claim,
    inconclusive,
    refuted,
    site,
    supported,
)
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source

MODEL = graph(
    source("x"),
    source("y"),
    source("z"),
    node("product", lambda first, second: first * second, first="x", second="y"),
    node("out", lambda terms: terms, terms=["product", "z"]),
)
X, Y, Z = np.array(list(itertools.product([0, 1], [0, 1], [0, 1]))).T
DATA = Dataset(
    "bits",
    inputs={"x": X, "y": Y, "z": Z},
    lengths=np.ones(8, dtype=int),
    columns={"x": X, "x and y": X * Y, "out": X * Y + Z},
)


def distance(out, references):
    """How far the output is from the reference's: 0 for the model itself."""
    return np.abs(out.numpy() - references.feature("out"))


def constant(out, references):
    """The same number, whatever the model does."""
    return np.ones(len(references))


ERROR = custom(distance, higher_is_better=False)


def product_is(sampler, other=None):
    out = InterpNode("out", Exact(), other=Exact())
    product = out.child("product", sampler, other=other)
    return Correspondence({out: site("out"), product: site("product")})


@claim(data=DATA, metric=ERROR, expect=supported(above=0.9, below=1.1))
def conjunction(model):
    """The product carries x and y, and nothing more."""
    return product_is(Agree("x and y"))


@claim(data=DATA, metric=ERROR, expect=refuted(below=0.9))
def anything_goes(model):
    """The product carries nothing (recovers 5/11: another row's product is off by 3/8)."""
    return product_is(Uncond())


@claim(data=DATA, metric=ERROR, expect=supported(above=0.6))
def only_x(model):
    """The product carries x (recovers 7/11; 200 samples do not tell that from 0.6)."""
    return product_is(Agree("x"))


@claim(data=DATA, metric=custom(constant), expect=inconclusive(above=0.9))
def undefined(model):
    """Nothing can be said with a metric that is constant."""
    return product_is(Uncond())


@claim(data=DATA, metric=ERROR)
def by_hand(model):
    """The product's x is turned where y is 1 (recovers 3/11); the file expects nothing."""
    out = InterpNode("out", Exact(), other=Exact())
    product = out.child("product", Exact(), other=Exact())
    x = product.child("x", Fixed([0, 1, 6, 7, 4, 5, 2, 3]))
    return Correspondence({out: site("out"), product: site("product"), x: site("x", into="first")})
