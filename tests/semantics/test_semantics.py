"""The engine and the reference evaluator give the numbers that are worked out by hand."""

from __future__ import annotations

import pytest

from oracle.hand_computed import CASES
from oracle.hand_computed.arithmetic import DATA
from scrub.draw import draw
from scrub.errors import UserError
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import site
from scrub.hypothesis.tree import treeify
from scrub.model.arithmetic import graph, node, source
from scrub.samplers import Exact, Fixed


@pytest.mark.parametrize("name", CASES)
def test_hand_computed(name: str) -> None:
    CASES[name]()


def test_a_childs_reference_is_its_parents_own_input() -> None:
    top = InterpNode("out", Fixed((1, 2, 3, 0)), other=Exact())
    child = top.child("b", Fixed((1, 2, 3, 0)))
    tree = treeify(Correspondence({top: site("out"), child: site("b")}))
    draws = draw(tree, DATA, samples=3, seed=0, references=[0, 1, 2])
    assert draws.nodes["out",].own.index.tolist() == [1, 2, 3]
    assert draws.nodes["out", "b"].own.index.tolist() == [2, 3, 0]


def test_a_graph_whose_node_reads_a_later_one_is_refused() -> None:
    with pytest.raises(UserError, match='Node "a" reads "b", which is not a node before it'):
        graph(source("x"), node("a", lambda v: v, v="b"))
