"""Nulls: a distribution known by hand, and that they keep types, layers, names and draws."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from command import IOI, ROOT, SUMS, inside
from diagnosed import diagnosed
from scrub import (
    Agree,
    Correspondence,
    Dataset,
    Exact,
    InterpNode,
    Uncond,
    anything,
    claim,
    heads,
    mlp,
    none,
    output,
    site,
    supported,
)
from scrub.collect import collect
from scrub.diagnostics.legal import problems
from scrub.diagnostics.nulls import Nulls, judged
from scrub.diagnostics.report import diagnoses_as_json
from scrub.diagnostics.run import Asked, cheap, scrubs
from scrub.diagnostics.substitution import FEW, nulls, pools, substituted
from scrub.hypothesis import Claim
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.model.model import describe
from scrub.results import Result
from scrub.tree import Tree, treeify
from scrub.work import Work

# A distribution known by hand: out = 3a + 2b + c + d, and the claim keeps b alone

WEIGHTS = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 1.5}
ROWS = list(itertools.product([-1.0, 1.0], repeat=4))
VALUES: dict[str, np.ndarray] = dict(zip(WEIGHTS, np.array(ROWS).T, strict=True))
"""Independent columns: each summand recovers its weight's square over all squares."""


def times(weight: float) -> Callable[..., Any]:
    return lambda value: weight * value


MODEL = graph(
    *(source(name) for name in WEIGHTS),
    *(node(f"w{name}", times(weight), value=name) for name, weight in WEIGHTS.items()),
    node("out", lambda terms: terms, terms=[f"w{name}" for name in WEIGHTS]),
)
TRUE = sum(weight * VALUES[name] for name, weight in WEIGHTS.items())
DATA = Dataset("signs", inputs=VALUES, lengths=np.ones(16, dtype=int), columns={"out": TRUE})


def squared(out: Any, references: Any) -> Any:
    return (out.numpy() - references.feature("out")) ** 2


def only(name: str) -> Callable[[Any], Correspondence]:
    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Uncond())
        return Correspondence({out: site("out"), out.child("mine", Exact()): site(f"w{name}")})

    return build


def run(build: Callable[[Any], Correspondence], asked: int, expect: Any = None) -> Result:
    made: Claim = claim(data=DATA, metric=custom(squared), expect=expect)(build)
    return diagnosed(made, MODEL, Asked(nulls=asked), samples=300)


def found(result: Result) -> Nulls:
    assert result.diagnosis is not None
    assert result.diagnosis.nulls is not None
    return result.diagnosis.nulls


def recovered_by_hand(result: Result, name: str) -> float:
    """By keeping one summand of the reference and taking all others from what the root drew."""
    rows, other = result.draws.references.index, result.draws.nodes[("out",)].other
    assert other is not None
    kept = WEIGHTS[name] * (VALUES[name][rows] - VALUES[name][other.index])
    scrubbed = (TRUE[other.index] + kept - TRUE[rows]) ** 2
    return 1 - scrubbed.mean() / result.numbers.baseline.mean()


def test_a_distribution_known_by_hand() -> None:
    result = run(only("b"), 20, supported(above=0.3))
    by_hand = {name: recovered_by_hand(result, name) for name in WEIGHTS}
    assert result.recovered.mean == pytest.approx(by_hand.pop("b"))
    nulls = found(result)
    assert sorted(nulls.recovered) == pytest.approx(sorted(by_hand.values()))
    assert nulls.as_high == 1  # a, which weighs more
    assert nulls.share.mean == pytest.approx(1 / 3)
    # Clopper & Pearson, 1 of 3: (1 − low)³ = 0.975, and high by symmetry of 2 of 3
    assert (1 - nulls.share.low) ** 3 == pytest.approx(0.975)
    assert nulls.passing == sum(value >= 0.3 for value in by_hand.values())
    assert nulls.pools == "wa, wc, wd"


def test_where_nothing_has_a_like_it_is_said() -> None:
    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Uncond())
        every = [out.child(name, Exact()) for name in WEIGHTS]
        return Correspondence(
            {out: site("out"), **{child: site(f"w{child.name}") for child in every}}
        )

    nulls = found(run(build, 20))
    assert nulls.recovered == ()
    assert nulls.reason == "there are too few sites like wa, wb, wc, wd to take their place"
    assert np.isnan(nulls.share.mean)


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
        *(node(name, times(1.0), value="a") for name in names),
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
    return judged([], [], 1.0, None, 20, pools(tree, PLANTED.graph)).reason


def test_too_few_heads_for_a_choice_that_shares_none() -> None:
    said = "it names {} heads of layer 2, and there {} to take their place"
    assert no_nulls([(2, 0), (2, 1), (2, 3)]) == said.format(3, "is 1 other")
    assert no_nulls([(2, 0), (2, 1), (2, 2), (2, 3)]) == said.format(4, "are no others")


# What counts as doing as well


def test_what_is_not_told_apart_from_the_claim_does_as_well() -> None:
    """a and b weigh the same: which recovers more is chance, and the paired interval says so."""
    weights = {"a": 1.0, "b": 1.0, "c": 0.2}
    alike = graph(
        *(source(name) for name in "abc"),
        *(node(f"w{name}", times(w), value=name) for name, w in weights.items()),
        node("out", lambda terms: terms, terms=["wa", "wb", "wc"]),
    )
    total = VALUES["a"] + VALUES["b"] + 0.2 * VALUES["c"]
    data = evolve(DATA, inputs={name: VALUES[name] for name in "abc"}, columns={"out": total})
    claimed = claim(data=data, metric=custom(squared), expect=supported(above=0.3))(only("b"))
    results = [diagnosed(claimed, alike, Asked(nulls=5), samples=300, seed=s) for s in (6, 9)]
    assert {found(result).as_well for result in results} == {1}
    assert {found(result).as_high for result in results} == {0, 1}


def test_undefined_nulls_reach_the_results_file() -> None:
    """Keeping y of a reference gives sums that keeping x does not, and there the metric is NaN."""
    sums = graph(
        source("x"),
        source("y"),
        node("wx", times(1.0), value="x"),
        node("wy", times(1.0), value="y"),
        node("out", lambda terms: terms, terms=["wx", "wy"]),
    )
    x = np.array([0.0, 1.0])
    data = Dataset(
        "two", inputs={"x": x, "y": 2 * x}, lengths=np.ones(2, dtype=int), columns={"x": x}
    )

    def metric(out: Any, references: Any) -> Any:
        kept = references.feature("x")
        off = np.abs(out.numpy() - 3 * kept)
        return np.where(np.isclose(out.numpy(), np.where(kept == 1, 2, 1)), np.nan, off)

    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Uncond())
        return Correspondence({out: site("out"), out.child("mine", Exact()): site("wx")})

    claimed = claim(data=data, metric=custom(metric), expect=supported(above=0.2))(build)
    result = diagnosed(claimed, sums, Asked(nulls=5), samples=50)
    (null,) = found(result).recovered
    assert math.isnan(null)
    told = json.loads(json.dumps(diagnoses_as_json(result), allow_nan=False))["nulls"]
    assert told["recovered"] == [None]
    assert (told["undefined"], told["as_well"], told["share"]) == (1, 0, None)
    assert told["reason"] == "loss recovered is undefined for all 1"


# When they are scrubbed, and what is said


def test_cheap_is_at_most_double() -> None:
    assert cheap(Work(flops=10, plain_flops=190, peak=0))
    assert not cheap(Work(flops=10, plain_flops=189, peak=0))
    assert cheap(Work(flops=0, plain_flops=0, peak=0))
    assert not cheap(Work(flops=10, plain_flops=190, peak=0, keeps=False))


def test_cheap_is_little() -> None:
    assert cheap(Work(flops=10**8, plain_flops=10**10, peak=0))
    assert not cheap(Work(flops=10**8, plain_flops=10**11, peak=0))


def test_how_many_scrubs_are_announced() -> None:
    dear, free = Work(flops=10, plain_flops=0, peak=0), Work(flops=0, plain_flops=0, peak=0)
    made = treeify(only("b")(None))
    assert scrubs(made, Asked(nulls=7), dear) == scrubs(made, Asked(nulls=7), free) == 7
    assert scrubs(made, Asked(nulls=None), dear) == 0
    assert scrubs(made, Asked(nulls=None), free) == 20
    assert scrubs(made, Asked(blame=True), dear) == 3  # one swap: the root's other inputs
    assert scrubs(made, Asked(conventions=True, specificity=True), dear) == 6  # nothing agrees
    assert scrubs(made, Asked(conventions=None), dear) == 0
    assert scrubs(made, Asked(conventions=None), free) == 6


def test_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    arguments = (f"{IOI}::by_value", "--samples", "30", "--json", file)
    done = inside("test", *arguments, "--nulls", "3")
    (result,) = json.loads(file.read_text(encoding="utf-8"))["results"]
    told = result["nulls"]
    (recovered,) = told["recovered"]  # 2 of 4 heads in each layer: there is one other choice
    assert told["asked"] == 3
    assert told["as_high"] == (recovered >= result["recovered"]["mean"])
    assert told["passing"] == (recovered >= 0.7)
    printed = " ".join(done.out.split())
    line = f"by_value against nulls: {told['as_well']} of 1 nulls (there are no more) do as well; "
    assert line in printed
    assert "They have other heads of layers 2, 3 instead" in printed
    done = inside("test", *arguments, "--nulls", "0")
    assert "nulls" not in done.out
    assert "nulls" not in json.loads(file.read_text(encoding="utf-8"))["results"][0]
    done = inside("test", f"{SUMS}::conjunction", "--samples", "30", "--nulls", "5")
    said = "no nulls: nothing that it names has a like of the same type in its layer"
    assert f"conjunction against nulls: {said}.\n" in done.out
    assert "nulls" not in inside("test", f"{SUMS}::conjunction", "--samples", "30").out


@pytest.mark.parametrize(("bound", "told"), [(0.1, True), (0.9, False)])
def test_by_default_nothing_is_said_of_claims_that_are_not_supported(
    bound: float, told: bool
) -> None:
    made: Claim = claim(data=DATA, metric=custom(squared), expect=supported(above=bound))(only("b"))
    cheap_one = Work(flops=0, plain_flops=0, peak=0)
    usual = Asked(nulls=None, conventions=None)
    result = diagnosed(made, MODEL, usual, cheap_one, samples=300)
    assert (result.judgement.verdict == "supported") == told
    assert result.diagnosis is not None
    assert (result.diagnosis.nulls is not None) == told
    assert (result.diagnosis.conventions is not None) == told
    asked = diagnosed(made, MODEL, Asked(nulls=2, conventions=True), cheap_one, samples=300)
    assert asked.diagnosis is not None
    assert asked.diagnosis.nulls is not None
    assert asked.diagnosis.conventions is not None
