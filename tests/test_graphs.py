"""Graphs of plain functions: what they read, what they are called, and numbers of every type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from torch import Tensor

import scrub
from command import IOI, ROOT, SUMS
from scrub import Uncond, claim
from scrub.collect import load
from scrub.model.arithmetic import graph, node, source

SUM = load(ROOT / SUMS)
TYPES = ["bool", "uint8", "int8", "int16", "int64", "float32", "float64"]


def model(product: Callable[..., Tensor]) -> Any:
    """out = product(x, y) + z."""
    return graph(
        source("x"),
        source("y"),
        source("z"),
        node("product", product, first="x", second="y"),
        node("out", lambda terms: terms, terms=["product", "z"]),
    )


@pytest.mark.parametrize("kind", TYPES)
def test_a_node_of_any_type_is_swapped_as_its_numbers_are(kind: str) -> None:
    """Where a 1 becomes a 0, what the sum changes by is -1, which some types do not hold."""
    dtype = getattr(torch, kind)
    found = scrub.run(
        claim(data=SUM.DATA, metric=SUM.ERROR)(lambda model: SUM.product_is(Uncond())),
        model=model(lambda first, second: (first * second).to(dtype)),
        samples=100,
    )
    draws = found.draws
    out = SUM.X * SUM.Y + SUM.Z
    (own,) = (drawn.own.index for path, drawn in draws.nodes.items() if path[-1] == "product")
    rows = draws.references.index
    expected = np.abs((SUM.X * SUM.Y)[own] + SUM.Z[rows] - out[rows])
    np.testing.assert_array_equal(found.numbers.scrubbed, expected)


def test_an_input_that_the_data_does_not_have() -> None:
    data = evolve(SUM.DATA, inputs={"x": SUM.X, "Y": SUM.Y})
    with pytest.raises(scrub.UserError) as refused:
        scrub.run(claim(data=data, metric=SUM.ERROR)(SUM.by_hand.build), model=SUM.MODEL)
    assert str(refused.value).splitlines() == [
        'sums.py::by_hand: Dataset "bits" has no input "y", which the model reads. The nearest is '
        '"Y"; there are: x, Y.',
        'sums.py::by_hand: Dataset "bits" has no input "z", which the model reads. There are: x, '
        "Y.",
    ]


def test_data_without_tokens_for_a_model_that_reads_them() -> None:
    whole = load(ROOT / IOI).whole_circuit
    with pytest.raises(scrub.UserError, match='Dataset "bits" has no input "tokens", which the'):
        scrub.run(evolve(whole, data=SUM.DATA, model="ioi-planted"))


def test_two_nodes_of_one_name() -> None:
    for again in (source("x"), node("x", lambda a: a, a="x")):
        with pytest.raises(scrub.UserError) as refused:
            graph(source("x"), again)
        said = 'Two nodes of the graph are called "x". Give each a name of its own.'
        assert str(refused.value) == said
