"""Samplers that name no feature, or name them as several arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import scrub
from scrub import Agree, Claim, Correspondence, Dataset, Differ, InterpNode, UserError, site
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source

DATA = Dataset("rows", {"x": np.arange(4.0)}, np.ones(4), columns={"a": [1, 1, 2, 2]})
MODEL = graph(source("x"), node("y", lambda x: x + 1, x="x"))


def run(sampler: Any) -> scrub.Result:
    def build(model: object) -> Correspondence:
        return Correspondence({InterpNode("y", sampler): site("y")})

    metric = custom(lambda value, references: value.flatten())
    return scrub.run(Claim("tree", build, DATA, metric, model=MODEL), samples=5)


@pytest.mark.parametrize("sampler", [Agree([]), Agree(()), Differ([])], ids=str)
def test_a_sampler_that_names_no_feature_is_refused(sampler: Any) -> None:
    with pytest.raises(UserError) as refused:
        run(sampler)
    assert str(refused.value).endswith(
        f'::tree · node "y": Its {type(sampler).__name__} names no feature. Name one, or write '
        "Uncond(): any row."
    )


def test_one_that_says_how_donors_differ_names_one() -> None:
    assert run(Agree([], differ="a")).nodes[0].donors_changed == 1


def test_several_features_are_one_argument() -> None:
    with pytest.raises(UserError) as refused:
        Differ("io", "s")
    assert str(refused.value) == (
        "Differ('io', 's'): its features are one argument. Write Differ(['io', 's']); donors "
        "differ on each of them."
    )


def test_a_node_of_a_graph_that_reads_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r'Node "y" reads nothing\. Say which node each argument'):
        graph(source("x"), node("y", lambda x: x + 1))
