"""Hypotheses that are no trees, or trees that nobody could mean, are refused at once."""

from __future__ import annotations

import time

import numpy as np
import pytest

import scrub
from hypothesis import given
from hypothesis import strategies as st
from scrub import Claim, Correspondence, Dataset, Exact, InterpNode, Uncond, UserError, site
from scrub.hypothesis.ancestry import MOST, parents_first
from scrub.hypothesis.tree import treeify
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source

DATA = Dataset("rows", {"x": np.arange(4.0)}, np.ones(4))
MODEL = graph(source("x"), node("y", lambda x: x + 1, x="x"))


def refused(*nodes: InterpNode) -> str:
    def build(model: object) -> Correspondence:
        return Correspondence({node: site("y") for node in nodes})

    started = time.monotonic()
    with pytest.raises(UserError) as error:
        scrub.run(Claim("tree", build, DATA, custom(lambda v, r: v), model=MODEL), samples=5)
    assert time.monotonic() - started < 20
    (problem,) = error.value.problems
    return f"{problem.node}: {problem.what} {problem.fix}"


def circle(*names: str) -> list[InterpNode]:
    """Nodes each of which is a parent of the next, and the last of the first."""
    made = [InterpNode(names[0], Uncond())]
    for name in names[1:]:
        made.append(made[-1].child(name, Uncond()))
    object.__setattr__(made[0], "parents", (made[-1],))
    return made


def test_a_circle_is_named() -> None:
    root = InterpNode("root", Exact())
    fix = ", each a parent of the next. Leave out one of these parents: what is computed is a tree."
    assert refused(root, *circle("a", "b", "c")) == (
        f'a: It is its own ancestor: "a" → "b" → "c" → "a"{fix}'
    )
    assert refused(root, *circle("a")) == f'a: It is its own ancestor: "a" → "a"{fix}'
    below = circle("a", "b")[1].child("below", Exact())
    assert "own ancestor" in refused(root, below)
    assert "own ancestor" in refused(root, *circle(*map(str, range(3000))))


def layered(layers: int) -> list[InterpNode]:
    """Two nodes in every layer, each with both of the layer above as parents."""
    nodes = [[InterpNode("root", Exact())]]
    for number in range(layers):
        pair = [InterpNode(f"{n} {number}", Exact(), parents=tuple(nodes[-1])) for n in "ab"]
        nodes.append(pair)
    return [node for layer in nodes for node in layer]


def test_a_tree_that_doubles_with_every_layer_is_counted_before_it_is_made() -> None:
    total = 1 + sum(2**n for n in range(1, 61))
    assert refused(*layered(60)) == (
        f"b 59: Its 121 nodes stand at {total:,} places of the tree, this one at {2**59:,}: once "
        "for each parent at each of its places. Give fewer nodes several parents; at most "
        f"{MOST:,} places are taken."
    )


@given(st.integers(0, 8))
def test_the_count_is_that_of_the_tree(layers: int) -> None:
    nodes = layered(layers)
    tree = treeify(Correspondence({node: site("y") for node in nodes}))
    assert len(tree.walk()) == 1 + sum(2**n for n in range(1, layers + 1))
    order = parents_first(reversed(nodes))
    assert sorted(map(id, order)) == sorted(map(id, nodes))
    assert all(order.index(p) < order.index(node) for node in order for p in node.parents)
