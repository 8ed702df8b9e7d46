"""The laws of samplers: what keeps them passes, at the level claimed; what does not fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import frozen
from scipy import stats

from hypothesis import given, settings
from hypothesis import strategies as st
from oracle.broken_samplers import BROKEN, DATA, KEEPING, Bent, any_row
from scrub import Agree, Dataset, Differ, Exact, Generate, Paired, Pool, Together, Uncond, Weighted
from scrub.data.dataset import Rows
from scrub.draw import draw
from scrub.samplers import Sampler, describe_sampler, laws_of
from scrub.testing import DRAWS, LAWS, LEVEL, Case, broken_laws, datasets, references, trees
from scrub.testing.exact import agreement, determinism, immutability, legality
from scrub.testing.frequencies import Cell, coin, draws_to_reach, groups, rarest

REPETITIONS = 300
"""If all of so many are caught, more than 99% are, with 95% confidence: 0.99³⁰⁰ = 0.049."""
COUNTED = (
    "a row too far",
    "another dataset",
    "every seventh call",
    "the neighbour's reference",
    "a list of draws",
    "any row, one time in 200",
    "never the reference",
    "the label too, one time in 4",
    "differs",
    "one donor for all nodes, one time in 4",
)
"""One or more of each law, of which so many runs are made; of the others, a few."""
OURS: tuple[Sampler, ...] = (
    *KEEPING,
    Exact(),
    Paired("pair"),
    Paired(DATA.take(range(len(DATA)), "twin")),
    Pool(3, "p", "kind"),
    Together("t"),
    Together("t", "label"),
    Generate(lambda r, g: r.but(tokens=g.integers(9, size=3)), features="kind"),
)


@pytest.mark.parametrize("sampler", OURS, ids=describe_sampler)
def test_our_samplers_keep_what_they_claim(sampler: Sampler) -> None:
    draws = 600 if isinstance(sampler, Generate) else DRAWS
    assert broken_laws(Case(sampler, DATA, draws=draws)) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_sampler_that_breaks_a_law_is_caught(name: str) -> None:
    """In over 99% of runs at the default number of draws (of generated inputs: 60)."""
    sampler, law = BROKEN[name]
    runs = REPETITIONS if name in COUNTED else 10
    draws = 60 if isinstance(sampler, Generate) else DRAWS
    cases = (Case(sampler, DATA, seed=1000 * run, draws=draws) for run in range(runs))
    caught = [LAWS[law](case) for case in cases]
    assert all(caught)
    assert all(str(broken).startswith(law) for broken in caught)


@pytest.mark.parametrize("law", ["reach", "uniformity", "marginals", "independence"])
def test_a_law_that_holds_is_said_to_be_broken_no_more_often_than_the_level(
    law: str,
) -> None:
    """At a level of 10% instead of one in a million, so that it can be counted."""
    runs = 200
    alarms = sum(
        LAWS[law](Case(Agree("kind"), DATA, seed=1000 * run, draws=600, level=0.1)) is not None
        for run in range(runs)
    )
    assert stats.binom.sf(alarms - 1, runs, 0.1) > 1e-6


def test_the_bound_holds_where_probabilities_differ() -> None:
    """Hoeffding: a sum of unlike indicators is no more spread than the binomial of its mean."""
    rng = np.random.default_rng(0)
    p = np.concatenate([np.full(50, 0.9), np.full(50, 0.05)])
    counts = (rng.random((20_000, 100)) < p).sum(axis=1)
    for tail in (40, 55):
        cell = Cell("x", tail, p.sum(), 100)
        seen = np.mean(counts <= tail) if tail < p.sum() else np.mean(counts >= tail)
        bound = (
            stats.binom.cdf(tail, 100, p.mean())
            if tail < p.sum()
            else stats.binom.sf(tail - 1, 100, p.mean())
        )
        assert seen <= bound
        assert rarest([cell]) is None
    assert rarest([Cell("x", 100, p.sum(), 100)]) is not None


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=30), st.floats(1e-3, 1))
def test_groups_are_neighbours_and_likely_enough(weights: list[float], least: float) -> None:
    p = np.array(weights) / sum(weights)
    parts = groups(p, least)
    assert np.concatenate(parts).tolist() == list(range(len(p)))
    assert len(parts) == 1 or all(p[part].sum() >= least - 1e-9 for part in parts)


@pytest.mark.parametrize(("probability", "cells"), [(0.5, 1), (0.01, 40), (1e-4, 7)])
def test_draws_that_reach_a_row(probability: float, cells: int) -> None:
    draws = draws_to_reach(probability, cells)
    assert cells * (1 - probability) ** draws <= LEVEL < cells * (1 - probability) ** (draws - 1)


def test_a_coin_that_is_tossed_by_nobody() -> None:
    alike = np.ones(50, dtype=bool)
    assert rarest([coin("x", alike, alike)]) is None
    assert rarest([coin("x", alike, ~alike)]) is not None


# Any dataset

samplers = st.sampled_from(
    (
        Exact(),
        Uncond(),
        Agree("a"),
        Agree(["a", "b"]),
        Weighted("w"),
        Pool(2, "p", "a"),
        Together("t", "b"),
        Generate(lambda r, g: r.but(tokens=g.integers(1, 9, size=len(r.tokens))), features="b"),
    )
)


@given(data=datasets(weights=["w"], positions=["at"]), sampler=samplers, seed=st.integers(0, 2**40))
@settings(deadline=None, max_examples=60)
def test_exact_laws_hold_on_any_dataset(data: Dataset, sampler: Sampler, seed: int) -> None:
    if isinstance(sampler, Weighted) and not data.columns["w"].any():
        return
    for law in (legality, determinism, immutability, agreement):
        assert law(Case(sampler, data, seed=seed, draws=40)) is None


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_choices_of_differ_on_any_dataset(data: st.DataObject) -> None:
    table = data.draw(datasets())
    rows = data.draw(references(table))
    values = table.columns["a"]
    if all((values != values[row]).any() for row in rows.index):
        case = Case(Differ("a"), table)
        assert (case.drawn(rows).feature("a") != rows.feature("a")).all()


@given(table=datasets(), tree=trees((Exact(), Uncond(), Agree("a"))), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_trees_are_drawn(table: Dataset, tree: Any, seed: int) -> None:
    draws = draw(tree, table, samples=5, seed=seed)
    assert draws.nodes.keys() == {node.path for node in tree.walk()}


# Counterexamples


def test_a_counterexample_is_a_table_of_rows() -> None:
    broken = agreement(Case(Bent(any_row, 0.005), DATA))
    assert broken is not None
    assert list(broken.table.columns) == [
        "sample",
        "reference",
        "reference kind",
        "donor",
        "donor kind",
    ]
    assert len(broken.table) == 1
    assert broken.table["reference kind"][0] != broken.table["donor kind"][0]


def test_one_sampler_of_each_law_is_counted() -> None:
    assert {BROKEN[name][1] for name in COUNTED} == set(LAWS)


def test_a_sampler_is_held_to_what_it_claims() -> None:
    claiming = Bent(any_row, 0.1, laws=("marginals",))
    assert laws_of(claiming) == ("legality", "determinism", "immutability", "marginals")
    assert laws_of(Pool(2, "p"))[-1] == "marginals", "a pool does not claim independence"
    assert "marginals" not in laws_of(Differ("kind"))


TWIN = DATA.take(range(len(DATA)), "twin")


@pytest.mark.parametrize("law", ["reach", "uniformity", "marginals"])
def test_donors_of_another_dataset(law: str) -> None:
    @frozen
    class Elsewhere:
        laws = (law,)
        source = TWIN

        def draw(self, references: Rows, randomness: Any) -> Rows:
            return Rows(TWIN, references.index)

    assert LAWS["legality"](Case(Elsewhere(), DATA)) is None, "it says so"
    broken = LAWS[law](Case(Elsewhere(), DATA))
    assert broken is not None
    assert broken.what == 'donors are rows of "twin", not of the data "kinds"'


def test_a_large_class_is_looked_at_in_groups() -> None:
    """Of 60,000 rows each is rarer than can be waited for; a missing tenth is found."""

    @frozen
    class NoTail:
        laws = ("reach",)

        def draw(self, references: Rows, randomness: Any) -> Rows:
            rows = int(0.9 * len(references.data))
            return references.donors((randomness.uniform() * rows).astype(int))

    rows = 60_000
    large = Dataset("large", {"x": np.arange(rows)}, np.ones(rows), {"a": np.arange(rows) % 2})
    assert broken_laws(Case(Uncond(), large)) == []
    broken = LAWS["reach"](Case(NoTail(), large))
    assert broken is not None
    assert broken.rows[0]["never drawn"].startswith("5")
