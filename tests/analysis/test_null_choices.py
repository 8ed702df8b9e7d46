"""Nulls: which choices there are, that all of them come, and what they keep of the claim."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from attrs import evolve

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import (
    Agree,
    Correspondence,
    Dataset,
    Exact,
    InterpNode,
    Uncond,
    anything,
    heads,
    mlp,
    none,
    output,
    site,
)
from scrub.analysis.legality import problems
from scrub.analysis.nulls import nulls_result
from scrub.analysis.substitution import (
    FEW,
    nulls,
    pools,
    substituted,
)
from scrub.hypothesis.collect import collect
from scrub.hypothesis.tree import Tree, treeify
from scrub.model.arithmetic import graph, node, source
from scrub.model.registry import describe
from support.command import IOI
from support.paths import ROOT

# What nulls keep

PLANTED = describe("ioi-planted")
PROMPTS = Dataset(
    "two",
    inputs={"tokens": np.zeros((2, 6), dtype=int)},
    lengths=np.array([6, 6]),
    columns={"x": np.array([0, 1])},
    positions={"end": np.array([5, 5]), "s2": np.array([3, 2])},
)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Logits ← heads of layer 3 ← heads of layers 1 and 2 ← a head of layer 0, and an MLP."""

    def some(layers: list[int], most: int) -> list[tuple[int, int]]:
        every = [(layer, head) for layer in layers for head in range(PLANTED.heads)]
        return draw(st.lists(st.sampled_from(every), min_size=1, max_size=most, unique=True))

    logits = InterpNode("logits", Exact(), other=draw(st.sampled_from([Exact(), Uncond()])))
    late = logits.child("late", Exact())
    middle = late.child("middle", Agree("x"))
    early = middle.child("early", Uncond())
    mine = some([0], 1)
    barred = some([1], 2)
    through = anything.excluding(heads(barred)) if draw(st.booleans()) else anything
    sites = {
        logits: output(at="end"),
        late: heads(some([3], 2), at="end"),
        middle: heads(some([1, 2], 2), into="q", through=anything),
        early: heads(mine, into=draw(st.sampled_from(["k", "v", None])), through=through),
    }
    if draw(st.booleans()):
        sites[logits.child("mlp", Exact())] = mlp(3)
    tree = treeify(Correspondence(sites))
    if problems(tree, PLANTED.graph, PROMPTS):
        return treeify(Correspondence({node: sites[node] for node in (logits, late)}))
    return tree


def lawful(tree: Tree, null: Tree) -> None:
    """Names, samplers, positions, ports stay; heads become heads of their layer, everywhere one.

    None of them is one that the claim names; a head that paths only exclude stays.
    """
    instead: dict[Any, Any] = {}
    routes = [route for node in tree.walk()[1:] for route in node.routes]
    named = {(c.site, c.head) for r in routes for c in (*r.cells, *r.through.also)}
    excluded = {(c.site, c.head) for r in routes for c in r.through.never}
    for ours, theirs in zip(tree.walk(), null.walk(), strict=True):
        assert ours.path == theirs.path
        assert ours.node is theirs.node  # and so its samplers, and all draws
        for mine, other in zip(ours.routes, theirs.routes, strict=True):
            blank = {"cells": (), "through": anything}
            assert evolve(mine, **blank) == evolve(other, **blank)
            assert mine.through.kinds == other.through.kinds
            pairs = [*zip(mine.cells, other.cells, strict=True)]
            pairs += zip(mine.through.never, other.through.never, strict=True)
            for before, after in pairs:
                assert before.site == after.site
                assert before.part == after.part
                assert instead.setdefault((before.site, before.head), after) == after
                if after.head is None or (before.site, before.head) not in named:
                    assert after == before
                else:
                    assert (after.site, after.head) not in named | excluded
    assert len(set(instead.values())) == len(instead)
    assert any(head != after.head for (_, head), after in instead.items())
    assert not problems(null, PLANTED.graph, PROMPTS)


@given(tree=trees(), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=15)
def test_nulls_keep_types_and_layers(tree: Tree, seed: int) -> None:
    five = list(nulls(tree, PLANTED.graph, PROMPTS, 5, np.random.default_rng(seed)))
    for null in five:
        lawful(tree, null)
    claimed = [
        tuple(
            (n.path, frozenset(r.cells), frozenset(r.through.never))
            for n in null.walk()
            for r in n.routes
        )
        for null in [tree, *five]
    ]
    assert len(set(claimed)) == len(claimed)
    three = list(nulls(tree, PLANTED.graph, PROMPTS, 3, np.random.default_rng(seed)))
    for first, again in zip(three, five, strict=False):
        assert [n.routes for n in first.walk()] == [n.routes for n in again.walk()]


def small() -> Tree:
    logits = InterpNode("logits", Exact())
    late = logits.child("late", Exact())
    early = late.child("early", Exact())
    return treeify(
        Correspondence(
            {
                logits: output(at="end"),
                late: heads([(3, 0)], at="end"),
                early: heads([(2, 0)], at="end", into="q"),
            }
        )
    )


MUTANTS = {
    "another layer": {(3, 0): (2, 1)},
    "two heads become one": {(3, 0): (3, 1), (3, 2): (3, 1)},
    "a head that the claim names": {(3, 0): (3, 1), (3, 2): (3, 0), (2, 0): (2, 1)},
    "the claim itself": {},
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught(name: str) -> None:
    def component(head: tuple[int, int]) -> Any:
        return f"blocks.{head[0]}.attn", head[1]

    tree = small()
    if name in ("two heads become one", "a head that the claim names"):
        child = tree.children[0]
        (route,) = child.routes
        both = evolve(route, cells=(*route.cells, evolve(route.cells[0], head=2)))
        tree = evolve(tree, children=(evolve(child, routes=(both,)),))
    instead = {component(a): component(b) for a, b in MUTANTS[name].items()}
    if name == "another layer":
        child = tree.children[0]
        (route,) = child.routes
        cell = evolve(route.cells[0], site="blocks.2.attn.z", head=1)
        null = evolve(tree, children=(evolve(child, routes=(evolve(route, cells=(cell,)),)),))
    else:
        null = substituted(tree, instead, PLANTED.graph)
    with pytest.raises(AssertionError):
        lawful(tree, null)


def made(tree: Tree, most: int, seed: int = 0) -> list[Tree]:
    return list(nulls(tree, PLANTED.graph, PROMPTS, most, np.random.default_rng(seed)))


def heads_of(tree: Tree) -> list[list[str]]:
    """Of each node below the root, in words: layer and head."""
    return [
        [f"{cell.site.split('.')[1]}.{cell.head}" for r in node.routes for cell in r.cells]
        for node in tree.walk()[1:]
    ]


def test_every_choice_comes_and_none_twice() -> None:
    """One head of 4 in each of two layers: 3 × 3 others."""
    every = made(small(), 100)
    chosen = sorted(str(heads_of(null)) for null in every)
    assert chosen == sorted(str([[f"3.{a}"], [f"2.{b}"]]) for a in (1, 2, 3) for b in (1, 2, 3))


def test_the_order_of_choices_hangs_on_the_seed() -> None:
    """All of them come at every seed; the first ones are others."""
    orders = [[str(heads_of(null)) for null in made(small(), 9, seed)] for seed in range(4)]
    assert len({tuple(sorted(order)) for order in orders}) == 1
    assert len({tuple(order) for order in orders}) == 4


def planted_claim(name: str) -> Tree:
    """A claim of README's file, on the model that it is about."""
    (item,) = collect([str(ROOT / f"{IOI}::{name}")])
    return treeify(item.claim.build(PLANTED))


def test_by_position_by_hand() -> None:
    """2 of 4 heads in each of 2 layers: of the 35 other choices one shares none with the claim."""
    tree = planted_claim("by_position")
    assert heads_of(tree) == [["3.0", "3.1"], ["2.0", "2.1"]]
    pairs = [set(pair) for pair in itertools.combinations(range(4), 2)]
    others = [(a, b) for a in pairs for b in pairs if (a, b) != ({0, 1}, {0, 1})]
    assert len(others) == 35
    assert [choice for choice in others if not any({0, 1} & part for part in choice)] == [
        ({2, 3}, {2, 3})
    ]
    assert [heads_of(null) for null in made(tree, 20)] == [[["3.2", "3.3"], ["2.2", "2.3"]]]


def two_nodes(first: Any, second: Any, through: Any = anything) -> Tree:
    """Logits ← late, and two nodes that enter it by q and by k."""
    logits = InterpNode("logits", Exact())
    late = logits.child("late", Exact())
    return treeify(
        Correspondence(
            {
                logits: output(at="end"),
                late: heads([(3, 0)], at="end"),
                late.child("one", Agree("x")): heads(first, at="end", into="q", through=through),
                late.child("two", Uncond()): heads(second, at="s2", into="k", through=through),
            }
        )
    )


def test_heads_of_two_nodes_change_places_and_heads_of_one_do_not() -> None:
    """2 others of layer 2 for a head of each node: which is which matters. For two of one: not."""
    apart = made(two_nodes([(2, 0)], [(2, 1)]), 100)
    assert sorted(str(heads_of(null)[1:]) for null in apart) == sorted(
        3 * ["[['2.2'], ['2.3']]", "[['2.3'], ['2.2']]"]
    )
    together = made(two_nodes([(2, 0), (2, 1)], [(1, 0)]), 100)
    assert sorted(str(heads_of(null)[1:]) for null in together) == sorted(
        3 * [f"[['2.2', '2.3'], ['1.{head}']]" for head in (1, 2, 3)]
    )


@given(tree=trees(), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=10)
def test_few_choices_are_all_made(tree: Tree, seed: int) -> None:
    """By going through every way to put others in the place of those that are named."""
    there = pools(tree, PLANTED.graph)
    ways = [itertools.permutations(pool.others, len(pool.named)) for pool in there]
    claimed = set()
    for chosen in itertools.product(*ways):
        named = [zip(pool.named, way, strict=True) for pool, way in zip(there, chosen, strict=True)]
        null = substituted(tree, dict(itertools.chain(*named)), PLANTED.graph)
        if there and not problems(null, PLANTED.graph, PROMPTS):
            claimed.add(said(null))
    if len(claimed) <= 100:
        found = [said(null) for null in made(tree, 101, seed)]
        assert len(set(found)) == len(found)
        assert set(found) == claimed


def said(tree: Tree) -> Any:
    return tuple(
        (
            node.path,
            frozenset((frozenset(r.cells), frozenset(r.through.never)) for r in node.routes),
        )
        for node in tree.walk()
    )


def test_many_choices_are_drawn_and_more_leave_the_first() -> None:
    """By eight sites of ten others each there are more choices than are gone through."""
    names = [f"w{i}" for i in range(20)]
    many = graph(
        source("a"),
        *(node(name, lambda value: value, value="a") for name in names),
        node("out", lambda terms: terms, terms=names),
    )
    out = InterpNode("out", Exact(), other=Uncond())
    children = {out.child(name, Exact()): site(name) for name in names[:8]}
    tree = treeify(Correspondence({out: site("out"), **children}))
    assert math.comb(12, 8) * math.factorial(8) > FEW
    data = Dataset("one", inputs={"a": np.zeros(2)}, lengths=np.ones(2, dtype=int))

    def some(most: int) -> list[Any]:
        rng = np.random.default_rng(0)
        return [said(null) for null in nulls(tree, many, data, most, rng)]

    assert len(set(some(30))) == 30
    assert some(30)[:7] == some(7)


# Which heads are named


def test_a_head_that_is_only_excluded_stays_and_takes_nobodys_place() -> None:
    tree = two_nodes([(2, 0)], [(2, 1)], anything.excluding(heads([(2, 2)])))
    assert made(tree, 100) == []  # of layer 2 there is but 2.3 left for two heads
    tree = two_nodes([(2, 0)], [(1, 1)], anything.excluding(heads([(2, 2)])))
    found = made(tree, 100)
    assert {null.walk()[2].routes[0].cells[0].head for null in found} == {1, 3}
    for null in found:
        (never,) = null.walk()[2].routes[0].through.never
        assert never.head == 2


def test_an_exclusion_goes_with_the_head_that_a_node_stands_for() -> None:
    tree = two_nodes([(2, 0)], [(1, 1)], anything.excluding(heads([(2, 0)])))
    for null in made(tree, 5):
        one, two = null.walk()[2:]
        assert one.routes[0].cells == two.routes[0].through.never


def test_a_head_that_a_path_is_said_to_pass_is_named() -> None:
    logits = InterpNode("logits", Exact())
    through = none.including(heads([(2, 0)]))
    early = logits.child("early", Uncond())
    sites = {logits: output(at="end"), early: heads([(1, 0)], at="end", through=through)}
    found = made(treeify(Correspondence(sites)), 100)
    passed = [str(null.walk()[1].routes[0].through.also[0]) for null in found]
    assert sorted(passed) == [f"head 2.{head}" for head in (1, 2, 3) for _ in range(3)]


def no_nulls(which: list[tuple[int, int]]) -> str:
    tree = two_nodes(which, [(1, 0)])
    assert made(tree, 5) == []
    return nulls_result([], [], 1.0, None, 20, pools(tree, PLANTED.graph)).reason


def test_too_few_heads_for_a_choice_that_shares_none() -> None:
    said = "it names {} heads of layer 2, and there {} to take their place"
    assert no_nulls([(2, 0), (2, 1), (2, 3)]) == said.format(3, "is 1 other")
    assert no_nulls([(2, 0), (2, 1), (2, 2), (2, 3)]) == said.format(4, "are no others")
