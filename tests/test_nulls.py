"""Nulls: a distribution known by hand, and that they keep types, layers, names and draws."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from command import IOI, SUMS, inside
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
    output,
    site,
    supported,
)
from scrub.diagnostics.legal import problems
from scrub.diagnostics.nulls import Nulls, nulls, pools, substituted
from scrub.diagnostics.run import Asked, cheap, scrubs
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
VALUES = dict(zip(WEIGHTS, np.array(ROWS).T, strict=True))
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
    assert nulls.pools == "any of wa, wb, wc, wd"


def test_where_nothing_has_a_like_it_is_said() -> None:
    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Uncond())
        every = [out.child(name, Exact()) for name in WEIGHTS]
        return Correspondence(
            {out: site("out"), **{child: site(f"w{child.name}") for child in every}}
        )

    nulls = found(run(build, 20))
    assert nulls.recovered == ()
    assert nulls.reason == "nothing that it names has a like of the same type in its layer"
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
        late: heads(some([3], 3), at="end"),
        middle: heads(some([1, 2], 4), into="q", through=anything),
        early: heads(mine, into=draw(st.sampled_from(["k", "v", None])), through=through),
    }
    if draw(st.booleans()):
        sites[logits.child("mlp", Exact())] = mlp(3)
    tree = treeify(Correspondence(sites))
    if problems(tree, PLANTED.graph, PROMPTS):
        return treeify(Correspondence({node: sites[node] for node in (logits, late)}))
    return tree


def lawful(tree: Tree, null: Tree) -> None:
    """Names, samplers, positions, ports stay; heads become heads of their layer, everywhere one."""
    instead: dict[Any, Any] = {}
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
    "the claim itself": {},
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught(name: str) -> None:
    def component(head: tuple[int, int]) -> Any:
        return f"blocks.{head[0]}.attn", head[1]

    tree = small()
    if name == "two heads become one":
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


def test_every_choice_comes_and_none_twice() -> None:
    """One head of 4 in each of two layers: 16 choices, less the claim itself."""
    tree = small()
    rng = np.random.default_rng(0)
    every = list(nulls(tree, PLANTED.graph, PROMPTS, 100, rng))
    chosen = {tuple(r.cells[0].head for n in null.walk()[1:] for r in n.routes) for null in every}
    assert len(chosen) == len(every) == 15
    assert (0, 0) not in chosen
    (first, second) = pools(tree, PLANTED.graph)
    assert first.own
    assert second.own  # 3 × 3 others are fewer than the usual number of nulls


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
    assert told["asked"] == len(told["recovered"]) == 3
    assert told["as_high"] == sum(n >= result["recovered"]["mean"] for n in told["recovered"])
    assert told["passing"] == sum(n >= 0.7 for n in told["recovered"])
    line = f"by_value against nulls: {told['as_high']} of 3 nulls recover as much or more, "
    assert line in done.out
    assert "They have any heads of layers 2, 3 instead" in " ".join(done.out.split())
    done = inside("test", *arguments, "--nulls", "0")
    assert "nulls" not in done.out
    assert "nulls" not in json.loads(file.read_text(encoding="utf-8"))["results"][0]
    done = inside("test", f"{SUMS}::conjunction", "--samples", "30", "--nulls", "5")
    said = "no nulls: nothing that it names has a like of the same type in its layer"
    assert f"conjunction against nulls: {said}.\n" in done.out
    assert "nulls" not in inside("test", f"{SUMS}::conjunction", "--samples", "30").out
