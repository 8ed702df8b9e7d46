"""The reference evaluator on graphs: sums done by hand, and a GPT-2 against its bridge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from scrub.data.dataset import Dataset, Rows
from scrub.draw import Draws, NodeDraw, draw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    Sites,
    Through,
    anything,
    none,
    site,
)
from scrub.hypothesis.tree import treeify
from scrub.model.arithmetic import graph, node, source
from scrub.model.bridge import graph_of
from scrub.reference import evaluate, evaluate_graph
from scrub.reference import graph as reference_graph
from scrub.reference.path import Path
from scrub.samplers import Exact
from support.generator import random_case

# d = (10 a + b) · c + a, where c = a + b
GRAPH = graph(
    source("a"),
    source("b"),
    node("c", lambda terms: terms, terms=["a", "b"]),
    node("e", lambda tens, ones: 10 * tens + ones, tens="a", ones="b"),
    node("d", lambda left, right, last: left * right + last, left="e", right="c", last="a"),
)
A, B = np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0, 4.0])
DATA = Dataset("sums", inputs={"a": A, "b": B}, lengths=[1, 1, 1])
PARENT, DONOR, OTHER = [0, 1, 2], [2, 0, 0], [1, 1, 0]


def rows(index: list[int]) -> Rows:
    return Rows(DATA, np.array(index))


def scrubbed(*children: Sites, below: Sites | None = None) -> list[float]:
    """d on PARENT with children on DONOR, and a child `below` the first on OTHER."""
    root = InterpNode("root", Exact())
    nodes = {root: site("d")}
    drawn = {("root",): NodeDraw(rows(PARENT), rows(PARENT))}
    for i, sites in enumerate(children):
        child = root.child(f"child {i}", Exact())
        nodes[child] = sites
        drawn["root", child.name] = NodeDraw(rows(DONOR))
        if below is not None and i == 0:
            nodes[child.child("below", Exact())] = below
            drawn["root", child.name] = NodeDraw(rows(PARENT), rows(DONOR))
            drawn["root", child.name, "below"] = NodeDraw(rows(OTHER))
    value = evaluate_graph(Correspondence(nodes), Draws(rows(PARENT), rows(PARENT), drawn), GRAPH)
    assert value.shape == (3, 1, 1)
    return value.flatten().tolist()


def d(left_a: list[int], left_b: list[int], right_a: list[int], right_b: list[int],
      last: list[int]) -> list[float]:  # fmt: skip
    """The sum with every leaf of its tree from rows of its own."""
    left = 10 * A[left_a] + B[left_b]
    return (left * (A[right_a] + B[right_b]) + A[last]).tolist()


def test_the_plain_graph() -> None:
    root = InterpNode("root", Exact())
    draws = Draws(rows(PARENT), rows(PARENT), {("root",): NodeDraw(rows(DONOR))})
    value = evaluate_graph(Correspondence({root: site("d")}), draws, GRAPH)
    assert value.flatten().tolist() == d(DONOR, DONOR, DONOR, DONOR, DONOR)


P, D, X = PARENT, DONOR, OTHER


@pytest.mark.parametrize(
    ("into", "through", "expected"),
    [
        (None, none, d(P, P, P, P, D)),
        (None, anything, d(D, P, D, P, D)),
        (None, anything.excluding(site("c")), d(D, P, P, P, D)),
        (None, none.including(site("c")), d(P, P, D, P, D)),
        ("last", anything, d(P, P, P, P, D)),
        ("left", anything, d(D, P, P, P, P)),
        (("left", "right"), anything, d(D, P, D, P, P)),
    ],
)
def test_where_a_path_to_a_goes(into: str, through: Through, expected: list[float]) -> None:
    assert scrubbed(site("a", into=into, through=through)) == expected


@pytest.mark.parametrize("kept", [lambda paths: [], lambda paths: paths[:1]], ids=["none", "one"])
def test_a_path_that_is_given_up_too_early_is_seen(
    kept: Callable[[list[Path]], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = reference_graph.still_open
    monkeypatch.setattr(reference_graph, "still_open", lambda *given: kept(right(*given)))
    both = [site("a", into="left", through=anything), site("b", into="left", through=anything)]
    assert scrubbed(*both) != d(D, D, P, P, P)


def test_paths_into_one_port_by_hand() -> None:
    both = [site("a", into="left", through=anything), site("b", into="left", through=anything)]
    assert scrubbed(*both) == d(D, D, P, P, P)


def test_a_site_has_a_value_for_each_child() -> None:
    left = site("a", into="left", through=anything)
    both = [left, site("b", into="right", through=anything)]
    assert scrubbed(*both) == d(D, P, P, D, P)


def test_a_child_below_a_child() -> None:
    assert scrubbed(site("e"), below=site("b")) == d(D, X, P, P, P)
    assert scrubbed(site("c"), below=site("a")) == d(P, P, X, D, P)


def test_a_transformer_graph_agrees_with_the_bridge() -> None:
    graphs = {}
    for seed in range(16):
        case = random_case(seed, nodes=6)
        if case.model_name.startswith("3"):
            continue  # as slow as its paths are many: nothing is plain here that could be
        if case.model_name not in graphs:
            graphs[case.model_name] = graph_of(case.bridge)
        draws = draw(treeify(case.correspondence), case.data, samples=case.samples, seed=case.seed)
        found = evaluate_graph(case.correspondence, draws, graphs[case.model_name]).double()
        expected = evaluate(case.correspondence, draws, case.bridge).double()
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= 1e-9 * torch.clamp(expected.abs().max(), min=1), (
            seed
        )
