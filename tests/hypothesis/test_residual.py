"""The residual stream as the sites that write it."""

from __future__ import annotations

import pytest

from scrub import UserError, input_stream, mlp, none, residual
from scrub.model.bridge import graph_of
from scrub.model.registry import Model
from support import tiny_models

MODEL = Model("2x2", graph_of(tiny_models.bridge("2x2")), 2, 2)


def test_a_stream_that_there_is_not() -> None:
    for layer, middle, last in ((3, False, 2), (-1, False, 2), ("one", False, 2), (2, True, 1)):
        there = rf"no such residual stream\. Give a layer from 0 to {last}"
        with pytest.raises(UserError, match=there):
            residual(MODEL, layer, middle=middle)  # type: ignore[arg-type]
    parallel = Model("neox", graph_of(tiny_models.bridge("neox")), 2, 2)
    with pytest.raises(UserError, match=r"It has none between attention and MLP\. Leave out"):
        residual(parallel, 1, middle=True)
    assert len(residual(parallel, 1).routes[0].cells) == 4  # two heads, an MLP, the tokens
    assert residual(MODEL, 2).routes[0].cells


def test_an_input_stream_is_another_question() -> None:
    """One reader's stream is not what all later ones read."""
    one = input_stream(mlp(1), at=1, through=none)
    assert one.routes[0].cells != residual(MODEL, 1, at=1, middle=True).routes[0].cells
