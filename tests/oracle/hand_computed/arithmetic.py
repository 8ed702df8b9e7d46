"""The semantics (docs/semantics.md) on graphs small enough to compute by hand.

Every graph is arithmetic on one number per input, so that the right answer can be written down, and
inputs are chosen so that each plausible mistake gives another number.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from oracle.by_hand import Drawn, root_value
from scrub.data.dataset import Dataset
from scrub.hypothesis.correspondence import InterpNode
from scrub.hypothesis.sites import (
    Sites,
    anything,
    none,
    site,
    summand,
)
from scrub.hypothesis.splits import estimate, neurons, projection
from scrub.hypothesis.tree import NamePath
from scrub.model.arithmetic import graph, node, source
from scrub.model.graph import Graph
from scrub.samplers import Exact

# x of row i, y of row i. Powers keep every sum apart.
DATA = Dataset(
    "numbers",
    inputs={"x": np.array([1.0, 10.0, 100.0, 1000.0]), "y": np.array([2.0, 20.0, 200.0, 2000.0])},
    lengths=np.ones(4, dtype=np.int64),
)


def scrubbed(
    model: Graph, sites: Mapping[InterpNode, Sites], drawn: Mapping[NamePath, Drawn]
) -> list[float]:
    """The root per sample, on rows of DATA."""
    return root_value(model, DATA, sites, drawn)[:, 0, 0].tolist()


def root(name: str = "out") -> InterpNode:
    return InterpNode(name, Exact(), other=Exact())


SUM = graph(
    source("x"),
    source("y"),
    node("a", lambda x: 2 * x, x="x"),
    node("b", lambda a, y: a + y, a="a", y="y"),
    node("c", lambda a, y: a * y, a="a", y="y"),
    node("out", lambda left, right: left + 5 * right, left="b", right="c"),
)
"""out = (2x + y) + 5 · (2x · y): the site `a` reaches the output through b and through c."""


def a_shared_site_reached_by_two_paths_has_two_values() -> None:
    top = root()
    left, right = top.child("left", Exact()), top.child("right", Exact())
    a1, a2 = left.child("a", Exact()), right.child("a", Exact())
    value = scrubbed(
        SUM,
        {top: site("out"), left: site("b"), right: site("c"), a1: site("a"), a2: site("a")},
        {
            ("out",): ((0,), (0,)),
            ("out", "left"): ((0,), (0,)),
            ("out", "left", "a"): (1,),
            ("out", "right"): ((0,), (0,)),
            ("out", "right", "a"): (2,),
        },
    )
    assert value == [(2 * 10 + 2) + 5 * (2 * 100 * 2)]


def a_node_with_two_parents_is_treeified() -> None:
    top = root()
    left, right = top.child("left", Exact()), top.child("right", Exact())
    shared = InterpNode("a", Exact(), parents=(left, right))
    value = scrubbed(
        SUM,
        {top: site("out"), left: site("b"), right: site("c"), shared: site("a")},
        {
            ("out",): ((0,), (0,)),
            ("out", "left"): ((0,), (3,)),
            ("out", "left", "a"): (1,),
            ("out", "right"): ((0,), (1,)),
            ("out", "right", "a"): (2,),
        },
    )
    assert value == [(2 * 10 + 2000) + 5 * (2 * 100 * 20)]


def the_whole_subtree_of_a_leaf_comes_from_its_own_input() -> None:
    top = root()
    leaf = top.child("left", Exact())
    value = scrubbed(
        SUM,
        {top: site("out"), leaf: site("b")},
        {("out",): ((0,), (1,)), ("out", "left"): (2,)},
    )
    assert value == [(2 * 100 + 200) + 5 * (2 * 10 * 20)]


def other_inputs_of_one_node_share_a_draw_and_of_different_nodes_do_not() -> None:
    top = root()
    left = top.child("left", Exact())
    below = left.child("a", Exact())
    value = scrubbed(
        SUM,
        {top: site("out"), left: site("b"), below: site("a")},
        {("out",): ((0,), (1,)), ("out", "left"): ((0,), (3,)), ("out", "left", "a"): (0,)},
    )
    # c takes a and y from one row (1); b takes y from its own other row (3), not from its parent's.
    assert value == [(2 * 1 + 2000) + 5 * (2 * 10 * 20)]


def other_inputs_come_from_a_nodes_other_and_not_from_its_parents() -> None:
    top = root()
    left = top.child("left", Exact())
    below = left.child("a", Exact())
    value = scrubbed(
        SUM,
        {top: site("out"), left: site("b"), below: site("a")},
        {("out",): ((0,), (1,)), ("out", "left"): ((2,), (3,)), ("out", "left", "a"): (0,)},
    )
    # y of b is row 3's: not that of its own row (2), of its parent's (0) or its parent's other (1).
    assert value == [(2 * 1 + 2000) + 5 * (2 * 10 * 20)]


def a_child_enters_by_one_port_only() -> None:
    square = graph(source("x"), node("out", lambda p, q: p + 3 * q, p="x", q="x"))
    top = root()
    child = top.child("x", Exact())
    drawn = {("out",): ((0,), (1,)), ("out", "x"): (2,)}
    assert scrubbed(square, {top: site("out"), child: site("x", into="q")}, drawn) == [10 + 3 * 100]
    assert scrubbed(square, {top: site("out"), child: site("x", into="p")}, drawn) == [100 + 3 * 10]
    assert scrubbed(square, {top: site("out"), child: site("x")}, drawn) == [100 + 3 * 100]


CHAIN = graph(
    source("x"),
    node("a", lambda x: 2 * x, x="x"),
    node("b", lambda s: 3 * s, s=["x", "a"]),
    node("out", lambda s: s, s=["x", "a", "b"]),
)
"""A residual stream: out = x + a + b with a = 2x, b = 3 (x + a)."""


def the_direct_path_skips_the_sites_between() -> None:
    top = root()
    child = top.child("x", Exact())
    drawn = {("out",): ((0,), (1,)), ("out", "x"): (2,)}
    direct = scrubbed(CHAIN, {top: site("out"), child: site("x")}, drawn)
    assert direct == [100 + 20 + 3 * 30]


def a_path_goes_through_what_is_allowed_and_never_through_an_excluded_site() -> None:
    top = root()
    child = top.child("x", Exact())
    drawn = {("out",): ((0,), (1,)), ("out", "x"): (2,)}

    def through(allowed: object) -> list[float]:
        return scrubbed(CHAIN, {top: site("out"), child: site("x", through=allowed)}, drawn)

    assert through(anything) == [100 + 200 + 3 * 300]
    assert through(anything.excluding(site("a"))) == [100 + 20 + 3 * (100 + 20)]
    assert through(anything.excluding(site("b"))) == [100 + 200 + 3 * 30]
    assert through(none.including(site("b"))) == [100 + 20 + 3 * (100 + 20)]


def a_residual_path_skips_a_site_on_another_childs_path() -> None:
    top = root()
    via = top.child("via b", Exact())
    below = via.child("a", Exact())
    beside = top.child("a", Exact())
    value = scrubbed(
        CHAIN,
        {top: site("out"), via: site("b"), below: site("a"), beside: site("a")},
        {
            ("out",): ((0,), (0,)),
            ("out", "a"): (1,),
            ("out", "via b"): ((0,), (2,)),
            ("out", "via b", "a"): (3,),
        },
    )
    # x of row 0 direct, a of row 1 direct, and b from x of its other row 2 and a of row 3.
    assert value == [1 + 20 + 3 * (100 + 2000)]


def one_site_of_a_node_feeds_another_only_by_the_childs_through() -> None:
    """A node that stands for a and b: the child's direct path to x enters each of them itself."""
    top = root()
    both = top.child("a and b", Exact())
    child = both.child("x", Exact())
    drawn = {
        ("out",): ((0,), (0,)),
        ("out", "a and b"): ((0,), (1,)),
        ("out", "a and b", "x"): (2,),
    }
    sites = {top: site("out"), both: site("a") | site("b"), child: site("x")}
    assert scrubbed(CHAIN, sites, drawn) == [1 + 200 + 3 * (100 + 20)]
    sites[child] = site("x", through=anything)
    assert scrubbed(CHAIN, sites, drawn) == [1 + 200 + 3 * (100 + 200)]


def the_root_scrubbed_and_the_root_exact() -> None:
    top = root()
    leaf = {top: site("out")}
    assert scrubbed(SUM, leaf, {("out",): (0,)}) == [(2 * 1 + 2) + 5 * (2 * 1 * 2)]
    assert scrubbed(SUM, leaf, {("out",): (1,)}) == [(2 * 10 + 20) + 5 * (2 * 10 * 20)]


def a_wrong_donor_that_keeps_the_mean_is_seen_per_reference() -> None:
    """An engine that gave `b` its other input from the sample beside it keeps the mean."""
    top = root()
    left = top.child("left", Exact())
    below = left.child("a", Exact())
    value = scrubbed(
        SUM,
        {top: site("out"), left: site("b"), below: site("a")},
        {
            ("out",): ((0, 1), (0, 1)),
            ("out", "left"): ((0, 1), (2, 3)),
            ("out", "left", "a"): (0, 1),
        },
    )
    right = [(2 * 1 + 200) + 5 * (2 * 1 * 2), (2 * 10 + 2000) + 5 * (2 * 10 * 20)]
    wrong = [(2 * 1 + 2000) + 5 * (2 * 1 * 2), (2 * 10 + 200) + 5 * (2 * 10 * 20)]
    assert value == right
    assert np.mean(wrong) == np.mean(right)


def cached_values_of_one_sample_do_not_stand_in_for_anothers() -> None:
    """An engine that keyed the memo by the child's row alone would mix up the two other rows.

    Its mean is right here: the donors' other inputs are exchanged between the samples.
    """
    top = root()
    left = top.child("left", Exact())
    below = left.child("a", Exact())
    value = scrubbed(
        SUM,
        {top: site("out"), left: site("b"), below: site("a")},
        {
            ("out",): ((0, 0, 1, 1), (0, 0, 1, 1)),
            ("out", "left"): ((0, 0, 1, 1), (2, 3, 3, 2)),
            ("out", "left", "a"): (0, 0, 1, 1),
        },
    )
    b = [2 + 200, 2 + 2000, 20 + 2000, 20 + 200]
    c = [2 * 1 * 2, 2 * 1 * 2, 2 * 10 * 20, 2 * 10 * 20]
    assert value == [left + 5 * right for left, right in zip(b, c, strict=True)]
    wrong = [2 + 200, 2 + 200, 20 + 2000, 20 + 2000]
    assert np.mean(wrong) == np.mean(b)


VECTORS = Dataset(
    "vectors",
    inputs={"x": np.array([[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]])},
    lengths=np.ones(3, dtype=np.int64),
)
SPLIT = graph(
    source("x"),
    node("a", lambda x: 2 * x, x="x"),
    node("out", lambda a: a[:, 0] * a[:, 1], a="a"),
)
"""out = (2 x₀) · (2 x₁): halves of `a` from different inputs give a product of different rows."""


def product(sites: Mapping[InterpNode, Sites], drawn: Mapping[NamePath, Drawn]) -> float:
    """SPLIT's root on VECTORS, one sample."""
    return root_value(SPLIT, VECTORS, sites, drawn).item()


def halves_of_a_split_come_from_different_inputs() -> None:
    first = projection(first=[1.0, 0.0])
    top = root()
    left, right = top.child("first", Exact()), top.child("rest", Exact())
    claimed = {
        top: site("out"),
        left: summand(site("a"), first, "first"),
        right: summand(site("a"), first, "rest"),
    }
    drawn = {("out",): ((0,), (0,)), ("out", "first"): (1,), ("out", "rest"): (2,)}
    assert product(claimed, drawn) == (2 * 10) * (2 * 200)
    del claimed[right], drawn["out", "rest"]
    assert product(claimed, drawn) == (2 * 10) * (2 * 2)


def what_feeds_a_split_site_feeds_its_summands() -> None:
    second = neurons(second=[1])
    top = root()
    part = top.child("second", Exact())
    below = part.child("x", Exact())
    claimed = {
        top: site("out"),
        part: summand(site("a"), second, "second"),
        below: site("x"),
    }
    drawn = {("out",): ((0,), (0,)), ("out", "second"): ((0,), (1,)), ("out", "second", "x"): (2,)}
    assert product(claimed, drawn) == (2 * 1) * (2 * 200)


def an_estimate_comes_from_its_own_row_and_the_rest_from_the_parents() -> None:
    """phi(x) = (x₀, 0), so the rest of a = 2x is (x₀, 2 x₁)."""
    phi = estimate(lambda rows: rows.data.inputs["x"][rows.index] * np.array([1.0, 0.0]))
    top = root()
    whole = top.child("a", Exact())
    guess = whole.child("phi", Exact())
    claimed = {top: site("out"), whole: site("a"), guess: summand(site("a"), phi, "phi")}
    drawn = {("out",): ((0,), (0,)), ("out", "a"): ((0,), (1,)), ("out", "a", "phi"): (2,)}
    assert product(claimed, drawn) == (100 + 10) * (2 * 20)
    # The other way round: the rest of row 2, with the estimate of the other row.
    claimed[guess] = summand(site("a"), phi, "rest")
    assert product(claimed, drawn) == (10 + 100) * (2 * 200)
