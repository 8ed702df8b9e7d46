"""What is done before a run grows as a hypothesis does, not as its square: counted, not timed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch

import scrub
from scrub import (
    Claim,
    Correspondence,
    Dataset,
    Exact,
    InterpNode,
    Uncond,
    UserError,
    heads,
    output,
    site,
)
from scrub.checks.structure import check
from scrub.datasets import ioi
from scrub.draw import draw
from scrub.engine.plan import plan
from scrub.errors import Problem
from scrub.hypothesis.ancestry import DEEPEST
from scrub.hypothesis.sites import anything
from scrub.hypothesis.tree import treeify
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.model.graph import Graph
from scrub.model.registry import describe

MODEL = describe("ioi-planted")
ROWS = Dataset("rows", {"x": np.arange(4.0)}, np.ones(4, dtype=int))
Made = tuple[Correspondence, Graph, Dataset]


def prompts() -> Dataset:
    assert MODEL.tokenizer is not None
    return ioi.prompts(40).make(MODEL.tokenizer)


PROMPTS = prompts()


def broad(count: int) -> Made:
    """A root with so many children, each one of the arguments of a sum."""
    names = [f"y{number}" for number in range(count - 1)]
    made = graph(
        source("x"),
        *(node(name, lambda x: x + 1, x="x") for name in names),
        node(
            "z",
            lambda **given: torch.stack([*given.values()]).sum(0),
            **{f"a{name}": name for name in names},
        ),
    )
    root = InterpNode("root", Exact())
    leaves = {root.child(name, Uncond()): site(name) for name in names}
    return Correspondence({root: site("z"), **leaves}), made, ROWS


def branching(count: int) -> Made:
    """Heads below heads below heads, by each of their ports."""
    root = InterpNode("logits", Exact(), other=Exact())
    sites = {root: output(at="end")}
    level: list[tuple[InterpNode, int]] = [(root, 4)]
    while level and len(sites) < count:
        below: list[tuple[InterpNode, int]] = []
        for parent, layers in level:
            ports = (None,) if parent is root else ("q", "k", "v")
            choices = [(n, h, p) for n in range(layers) for h in range(4) for p in ports]
            for layer, head, port in choices[: count - len(sites)]:
                child = parent.child(f"{layer}.{head} {port}", Exact())
                at = "end" if port in (None, "q") else "all"
                sites[child] = heads([(layer, head)], at=at, into=port)
                below.append((child, layer))
        level = below
    return Correspondence(sites), MODEL.graph, PROMPTS


def chain(count: int) -> Made:
    """Nodes each below the one before."""
    made = graph(
        source("x"),
        *(node(f"y{n}", lambda x: x + 1, x=f"y{n - 1}" if n else "x") for n in range(count)),
    )
    here = InterpNode("root", Exact())
    sites = {here: site(f"y{count - 1}")}
    for number in reversed(range(count - 1)):
        here = here.child(f"n{number}", Exact())
        sites[here] = site(f"y{number}")
    return Correspondence(sites), made, ROWS


def twins(count: int, **path: Any) -> Made:
    """Siblings that all claim one head."""
    root = InterpNode("logits", Exact(), other=Exact())
    same = heads([(3, 0)], at="end", **path)
    children = {root.child(f"c{number}", Exact()): same for number in range(count - 1)}
    return Correspondence({root: output(at="end"), **children}), MODEL.graph, PROMPTS


def crossing(count: int) -> Made:
    """Siblings that claim a few heads each, along paths through all the others."""
    rng = np.random.default_rng(0)
    root = InterpNode("logits", Exact(), other=Exact())
    sites = {root: output(at="end")}
    for number in range(count - 1):
        chosen = [divmod(int(n), 4) for n in rng.choice(16, 3, replace=False)]
        sites[root.child(f"c{number}", Exact())] = heads(chosen, at="end", through=anything)
    return Correspondence(sites), MODEL.graph, PROMPTS


def calls(function: Callable[[], object]) -> int:
    """Calls of Python functions that a function makes, generators' steps included."""
    count = 0

    def counted(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def checked(made: Made) -> tuple[Problem, ...]:
    return check(*made)


def prepared(made: Made) -> None:
    correspondence, model, data = made
    assert checked(made) == ()
    tree = treeify(correspondence)
    plan(tree, model)
    draw(tree, data, samples=3, seed=0)


@pytest.mark.parametrize("shape", [broad, branching])
def test_check_plan_and_draw_of_a_legal_tree_are_linear(shape: Callable[[int], Made]) -> None:
    few, many = (calls(lambda n=n: prepared(shape(n))) for n in (250, 1000))
    assert many < 6 * few  # the square would be 16


@pytest.mark.parametrize(
    "shape", [twins, lambda n: twins(n, through=anything), crossing], ids=["one", "any", "crossing"]
)
def test_overlaps_are_found_without_comparing_all_pairs(shape: Callable[[int], Made]) -> None:
    few, many = (calls(lambda n=n: checked(shape(n))) for n in (100, 400))
    assert many < 6 * few


def test_thousands_of_siblings_that_overlap_are_told_in_a_sentence() -> None:
    (problem,) = checked(twins(2001))
    assert str(problem) == (
        'node "c0": It and 1,999 siblings ("c1", "c10", "c100", …) claim head 3.0 at positions '
        "that meet, by the same port. Give them different sites, positions or ports (into=)."
    )


def test_every_sibling_that_overlaps_another_is_among_those_told() -> None:
    problems = [str(problem) for problem in checked(crossing(301))]
    assert len(problems) < 60
    shared = [problem for problem in problems if "by the same port" in problem]
    assert len(shared) == 16  # one a head
    crossed = [problem for problem in problems if "Write through=anything.excluding(" in problem]
    assert crossed
    assert len(shared) + len(crossed) == len(problems)


def test_ten_thousand_nodes() -> None:
    assert checked(branching(10_000)) == ()
    prepared(broad(3_000))


def test_nodes_one_below_the_other_are_checked_and_planned() -> None:
    assert checked(chain(3_000)) == ()
    prepared(chain(1_100))  # more than Python's calls go deep


def test_paths_through_three_thousand_sites() -> None:
    _, made, data = chain(3_000)
    root = InterpNode("root", Exact())
    below = root.child("below", Uncond())
    sites = {root: site("y2999"), below: site("y0", through=anything)}
    prepared((Correspondence(sites), made, data))


def claimed(made: Made) -> Claim:
    correspondence, model, data = made
    metric = custom(lambda value, references: value)
    return Claim("deep", lambda _: correspondence, data, metric, model=model)


def test_a_tree_that_nobody_means_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserError) as error:
        scrub.run(claimed(chain(3_000)), samples=5)
    assert str(error.value).endswith(
        f'· node "n2799": It stands below {DEEPEST} others, each a child of the one before; the '
        "deepest node below 2,999. Give fewer generations of nodes; at most 200 are taken."
    )


@pytest.fixture
def little_room() -> Iterator[None]:
    """Less room for calls than Python gives: notebooks and test runners take some themselves."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(900)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("little_room")
def test_the_deepest_tree_is_run_with_all_that_is_said_of_it() -> None:
    result = scrub.run(claimed(chain(DEEPEST)), samples=5, diagnose=True)
    assert len(result.nodes) == DEEPEST
