"""Edits that make no sense, or that a model's family does not allow: a sentence each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from test_edited import one_neuron, rows

from scrub import (
    activation,
    edited,
    heads,
    mlp,
    position_embedding,
    projection,
    rank_one,
    scale,
    summand,
    swap,
    zero,
)
from scrub.errors import UserError
from scrub.model import arithmetic
from scrub.model.edit_problems import edit_problems
from scrub.model.edit_reading import change
from scrub.model.edits import Edit
from scrub.model.registry import describe
from support import family_models

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "position": (lambda: zero(heads([(0, 0)], at="end")), "the same at all positions"),
    "logits": (lambda: zero(heads([(0, 0)], part="pattern")), "no weights write pattern of head"),
    "no sites": (lambda: zero("3.0"), "Give heads"),
    "no number": (lambda: scale(mlp(0), float("nan")), "Give a number"),
    "unlike": (lambda: swap(heads([(0, 0)]), mlp(0)), "cannot trade places"),
    "unlike numbers": (lambda: swap(mlp(0, 1), mlp(2)), "cannot trade places"),
    "twice": (lambda: swap(mlp(0), mlp(0)), "MLP 0 is named twice"),
    "a query": (lambda: swap(heads([(0, 0)], part="q"), heads([(0, 1)], part="q")), "whole heads"),
    "two MLPs": (lambda: rank_one(mlp(0, 1), at=[1], to=[1]), "is not one MLP"),
    "no vector": (lambda: rank_one(mlp(0), at="s2", to=[1]), "Give a vector"),
    "over": (lambda: rank_one(mlp(0), at=[1], to=[1], over=7), "Give data"),
    "rows": (lambda: activation(rows(), rows=-1), "Give the number of a row"),
    "text with a column": (lambda: activation("Mary", at="end"), "a text has no columns"),
    "no data": (lambda: activation(3), "neither a text nor data"),
    "no edit": (lambda: edited("ioi-planted", heads([(0, 0)])), "is no edit"),  # type: ignore[arg-type]
    "name": (lambda: edited("ioi-planted", name=3), "is no name"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_edit_is_refused_in_a_sentence(what: str) -> None:
    make, message = REFUSED[what]
    with pytest.raises(UserError, match=message):
        make()


LACKING: dict[str, tuple[Edit, str]] = {
    "head": (zero(heads([(9, 9)])), r"no head 9\.9: it has .* The nearest is 3\.3"),
    "MLP": (swap(mlp(0), mlp(4)), r"no MLP 4: it has MLPs 0 to 3\. The nearest is 3\."),
    "neuron": (zero(one_neuron(1, 256)), r"no neuron 256: it has 0 to 255\. The nearest is 255"),
    "key": (rank_one(mlp(1), at=[1.0], to=np.ones(64)), "at= has 1 numbers, where 256 are needed"),
    "direction": (
        zero(summand(mlp(1), projection(d=np.ones(8)), "d")), 'direction "d" has 8 numbers',
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LACKING)
def test_parts_that_the_model_lacks_are_named_with_the_nearest(what: str) -> None:
    edit, message = LACKING[what]
    with pytest.raises(UserError, match=message):
        describe(edited("ioi-planted", edit))


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(UserError) as refused:
        describe(edited("ioi-planted", *(edit for edit, _ in LACKING.values())))
    assert len(refused.value.problems) == len(LACKING)


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("llama", zero(position_embedding()), "has no position embedding"),
        ("llama", zero(heads([(0, 0)], part="v")), "shared by heads 0.0, 0.1"),
        ("llama", swap(heads([(0, 0)]), heads([(0, 2)])), "share keys and values"),
        ("qwen3", scale(heads([(0, 0)], part="q"), 2), "undoes any scale but 0"),
        ("gpt2", zero(mlp(2)), "The nearest is 1"),
    ],
)
def test_what_a_family_does_not_allow_is_said(name: str, edit: Edit, message: str) -> None:
    (problem,) = edit_problems((edit,), family_models.graph(name).weights, name)
    assert message in str(problem)


def test_what_cannot_be_read_is_said() -> None:
    graph = family_models.graph("gpt2")
    for at, message in (
        (activation(rows(), rows=40), '"rows" has no row 40: it has 40'),
        (activation(rows(), at=8), "past the end of a row"),
        (activation("a text"), "has no tokenizer"),
        (np.zeros(32), "the key is zero"),
    ):
        with pytest.raises(UserError, match=message):
            change(rank_one(mlp(1), at=at, to=np.ones(8)), graph, None, None)


def test_a_graph_of_plain_functions_has_no_weights() -> None:
    plain = arithmetic.graph(arithmetic.source("x"), arithmetic.node("logits", torch.neg, x="x"))
    with pytest.raises(UserError, match="which has no weights to edit"):
        describe(edited(plain, zero(mlp(0))))
