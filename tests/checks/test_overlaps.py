"""Siblings are refused if and only if their paths overlap in some row: against brute force."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from attrs import evolve, frozen

from oracle import meeting
from oracle.engines import graph_named
from oracle.legality import Geometry
from oracle.net import Net
from scrub.checks.layouts import Layouts
from scrub.checks.reachability import explore
from scrub.checks.structure import check
from scrub.data.dataset import Dataset
from scrub.engine.specialise import specialise
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Route, heads, mlp, output
from scrub.hypothesis.tree import Occurrence
from scrub.model.graph import Graph
from scrub.samplers import Exact, Fixed, Uncond
from support import tiny_models
from support.generator import Draft, Grower
from support.random_data import random_dataset
from support.virtual_samplers import VirtualRows

PARENTS = 30


@frozen(eq=False)
class Siblings:
    """Routes below one parent, in the rows of two datasets."""

    geometry: Geometry
    graph: Graph
    tables: tuple[Dataset, Dataset]
    parent: tuple[Route, ...]
    routes: tuple[Route, ...]

    def refused(self) -> set[tuple[int, int]]:
        """The pairs of routes that the checker finds to overlap."""
        children = tuple(leaf(str(n), (route,)) for n, route in enumerate(self.routes))
        parent = evolve(leaf("parent", self.parent), children=children)
        found = explore(*specialise(parent, self.graph), *self.tables)
        pairs = found.pairs(len(self.routes) ** 3)
        assert pairs is not None
        return {(min(a, b), max(a, b)) for p in pairs for a, b in [(p.first[0], p.second[0])]}

    @functools.cached_property
    def overlapping(self) -> set[tuple[int, int]]:
        """The same by brute force."""
        return {
            (a, b)
            for a, b in itertools.combinations(range(len(self.routes)), 2)
            if meeting.overlap(self.geometry, self.parent, self.routes[a], self.routes[b])
        }


def leaf(name: str, routes: tuple[Route, ...]) -> Occurrence:
    return Occurrence((name,), InterpNode(name, Exact()), routes, ())


@functools.cache
def random_siblings(seed: int) -> Siblings:
    """Routes of any kind below the output, or below a site that a path leads to from there."""
    rng = np.random.default_rng([seed, 2])
    name = str(rng.choice([*tiny_models.FAMILIES, *tiny_models.GPT2S, *tiny_models.NATIVES]))
    shape = tiny_models.SHAPES[name]
    tables = random_dataset(rng, "data"), random_dataset(rng, "twin")
    columns = {c: np.concatenate([t.position(c) for t in tables]) for c in tables[0].positions}
    # The checker takes no account of windows: a path goes wherever one without them goes.
    geometry = Geometry(Net(evolve(shape, window=None)), columns)
    grower = Grower(rng, geometry, {}, tables[1], 8, VirtualRows(rng, 0, shape))
    root = Draft("root", (grower.root_route(),), [])
    below = grower.route(root) if rng.random() < 0.6 else None
    parent = Draft("parent", (below,), []) if below else root
    routes = [route for _ in range(4) if (route := grower.route(parent)) is not None]
    graph = graph_named(name, torch.float64)
    return Siblings(geometry, graph, tables, parent.routes, tuple(routes))


def disagreements(parents: int) -> Iterator[str]:
    """What checker and brute force say of each pair of routes below so many parents."""
    for seed in range(parents):
        siblings = random_siblings(seed)
        refused, overlapping = siblings.refused(), siblings.overlapping
        for pair in itertools.combinations(range(len(siblings.routes)), 2):
            yield {
                (True, True): "overlap",
                (False, False): "apart",
                (True, False): f"{seed} {pair}: refused, though no paths meet",
                (False, True): f"{seed} {pair}: accepted, though paths meet",
            }[pair in refused, pair in overlapping]


def test_siblings_overlap_if_and_only_if_they_do_in_some_row() -> None:
    said = Counter(disagreements(PARENTS))
    assert set(said) == {"overlap", "apart"}, said
    assert min(said.values()) > PARENTS / 2


@pytest.mark.parametrize(
    ("method", "mutant", "found"),
    [
        ("region", lambda self, region: self.every, "refused, though"),
        ("seen_from", lambda self, mask: mask, "accepted, though"),
    ],
    ids=["passes anywhere", "never attends"],
)
def test_a_checker_that_forgets_positions_is_caught(
    method: str, mutant: Callable[..., int], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Layouts, method, mutant)
    assert any(found in said for said in disagreements(PARENTS))


def table(name: str, a: list[int], b: list[int]) -> Dataset:
    return Dataset(
        name,
        inputs={"tokens": np.arange(5 * len(a)).reshape(-1, 5) % tiny_models.VOCABULARY},
        lengths=np.full(len(a), 5),
        positions={"a": np.array(a), "b": np.array(b), "end": np.full(len(a), 4)},
    )


APART = table("apart", [0, 1], [2, 3])
MEETING = table("meeting", [0, 2], [2, 2])


@pytest.mark.parametrize("which", ["own", "other", "a node above"])
def test_positions_that_meet_in_the_rows_that_a_sampler_brings(which: str) -> None:
    """They are those of a node that is computed on such rows, or on rows that are drawn below."""
    brings = Fixed(MEETING)
    root = InterpNode("logits", brings if which == "own" else Exact(), other=Exact())
    head = root.child(
        "head",
        brings if which == "a node above" else Exact(),
        other=brings if which == "other" else Uncond(),
    )
    first, second = head.child("first", Exact()), head.child("second", Exact())
    tree = Correspondence(
        {
            root: output(at="end"),
            head: heads([(1, 0)], at="end"),
            first: mlp(0, at="a", into="v"),
            second: mlp(0, at="b", into="v"),
        }
    )
    (problem,) = check(tree, graph_named("2x2", torch.float64), APART)
    assert str(problem).startswith('node "second": It and "first" both claim MLP 0 at a, by the')
