"""Samplers on small tables: whom they draw, worked out by hand, and what couples their draws.

Their distributions are held against their laws in `test_testing.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from attrs import frozen

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import (
    Agree,
    Correspondence,
    Dataset,
    Differ,
    Exact,
    InterpNode,
    Paired,
    Pool,
    Together,
    Uncond,
    UserError,
    Weighted,
    site,
)
from scrub.data.dataset import Rows
from scrub.draw import Draws, KeyedRandomness, draw
from scrub.hypothesis.tree import treeify
from scrub.samplers import Sampler, describe_sampler, laws_of
from scrub.samplers.agreement import possible

DATA = Dataset(
    "people",
    inputs={"x": np.arange(6)},
    lengths=np.ones(6, dtype=int),
    columns={
        "town": ["Rome", "Rome", "Rome", "Oslo", "Oslo", "Oslo"],
        "job": ["cook", "cook", "judge", "cook", "judge", "judge"],
        "age": [30, 40, 50, 30, 40, 50],
        "weight": [1.0, 2.0, 0.0, 0.0, 0.0, 5.0],
        "pair": [0, 1, 2, 1, 0, 2],
    },
)


def reached(sampler: Sampler, row: int, data: Dataset = DATA, samples: int = 400) -> set[int]:
    """The rows that are drawn for one reference."""
    references = Rows(data, np.full(samples, row))
    return set(sampler.draw(references, KeyedRandomness(0, ("node",), samples)).index.tolist())


def drawn(nodes: Sequence[InterpNode], samples: int = 200, seed: int = 0) -> Draws:
    tree = treeify(Correspondence({node: site("x") for node in nodes}))
    return draw(tree, DATA, samples=samples, seed=seed)


@pytest.mark.parametrize(
    ("sampler", "row", "expected"),
    [
        (Differ("town"), 0, {3, 4, 5}),
        (Differ("job"), 2, {0, 1, 3}),
        (Differ(["town", "job"]), 0, {4, 5}),
        (Agree("town", differ="job"), 0, {2}),
        (Agree("town", differ="job"), 4, {3}),
        (Agree("job", differ=["town", "age"]), 5, set()),
        (Agree(["town", "job"]), 1, {0, 1}),
        (Agree([], differ="age"), 0, {1, 2, 4, 5}),
        (Weighted("weight"), 3, {0, 1, 5}),
        (Weighted("weight", "town"), 2, {0, 1}),
        (Weighted("weight", "town"), 3, {5}),
        (Paired("pair"), 0, {4}),
        (Paired("pair"), 1, {3}),
        (Paired(DATA.take(range(6), "corrupted")), 2, {2}),
        (Pool(3, "pool"), 2, set(range(6))),
        (Pool(3, "pool", "town"), 2, {0, 1, 2}),
        (Together("pair", "job"), 2, {2, 4, 5}),
    ],
)
def test_whom_a_sampler_draws(sampler: Sampler, row: int, expected: set[int]) -> None:
    if expected:
        assert reached(sampler, row) == expected
    else:
        with pytest.raises(UserError):
            reached(sampler, row)


def test_weights_are_the_odds() -> None:
    """Of Rome's weights 1, 2 and 0: a third, two thirds, never (5 standard deviations)."""
    references = Rows(DATA, np.full(9000, 0))
    drawn = Weighted("weight", "town").draw(references, KeyedRandomness(0, ("node",), 9000))
    counts = np.bincount(drawn.index, minlength=6)
    assert abs(counts[0] - 3000) < 5 * np.sqrt(9000 * 2 / 9)
    assert counts[0] + counts[1] == 9000


@given(data=st.data(), rows=st.integers(1, 12), values=st.integers(1, 4))
@settings(deadline=None, max_examples=200)
def test_choices_are_what_the_words_say(data: st.DataObject, rows: int, values: int) -> None:
    """Agree on these, differ on each of those: counted row by row."""
    columns = {
        name: data.draw(st.lists(st.integers(0, values), min_size=rows, max_size=rows))
        for name in "abc"
    }
    table = Dataset("t", inputs={"x": np.arange(rows)}, lengths=np.ones(rows), columns=columns)
    agree = data.draw(st.lists(st.sampled_from("abc"), max_size=2, unique=True))
    differ = data.draw(st.lists(st.sampled_from("abc"), max_size=3))
    references = Rows(table, np.array(data.draw(st.permutations(range(rows)))))
    found = possible(references, agree, differ)
    for sample, row in enumerate(references.index.tolist()):
        expected = [
            other
            for other in range(rows)
            if all(columns[name][other] == columns[name][row] for name in agree)
            and all(columns[name][other] != columns[name][row] for name in differ)
        ]
        assert sorted(found.of(sample).tolist()) == expected
        assert found.size[sample] == len(expected)


def test_agree_draws_what_it_always_drew() -> None:
    """Written down before there was `differ`: kept results and records go on to hold."""
    references = Rows(DATA, np.array([0, 1, 2, 3, 4, 5, 0, 5]))
    found = Agree("town").draw(references, KeyedRandomness(7, ("root", "own"), 8))
    assert found.index.tolist() == OLD_DRAWS


OLD_DRAWS = [2, 0, 1, 5, 4, 5, 1, 3]


# Pairs go by the root


def test_a_pair_is_that_of_the_roots_reference() -> None:
    root = InterpNode("root", Uncond(), other=Paired("pair"))
    middle = root.child("middle", Uncond())
    below = middle.child("below", Paired("pair"))
    draws = drawn([root, middle, below])
    expected = Paired("pair").draw(draws.references, KeyedRandomness(0, (), 200)).index.tolist()
    assert draws.nodes["root", "middle", "below"].own.index.tolist() == expected
    top = draws.nodes["root",]
    assert top.other is not None
    assert top.other.index.tolist() == expected
    assert top.own.index.tolist() != draws.references.index.tolist()


def test_a_sampler_of_the_users_own_may_ask_for_the_root_too() -> None:
    @frozen
    class LikeTheRoot:
        def draw(self, references: Rows, randomness: Any) -> Rows:
            return Agree("town").draw(references.root, randomness)

    root = InterpNode("root", Uncond())
    draws = drawn([root, root.child("below", LikeTheRoot())])
    below = draws.nodes["root", "below"].own
    assert below.feature("town").tolist() == draws.references.feature("town").tolist()


# Pools couple nodes


def pool_draws(one: Sampler, two: Sampler, samples: int = 400) -> tuple[np.ndarray, np.ndarray]:
    root = InterpNode("root", Exact(), other=Exact())
    draws = drawn([root, root.child("one", one), root.child("two", two)], samples)
    return draws.nodes["root", "one"].own.index, draws.nodes["root", "two"].own.index


def test_nodes_that_are_together_draw_the_same() -> None:
    one, two = pool_draws(Together("p", "town"), Together("p", "town"))
    assert one.tolist() == two.tolist()
    assert len(set(one)) == 6
    other, two = pool_draws(Together("q", "town"), Together("p", "town"))
    assert other.tolist() != two.tolist()


def test_a_pool_of_k_is_shared_once_in_k_times_and_more() -> None:
    """Alike with probability 1/4 + 3/4 · 1/3 = 1/2 in classes of three; 1/3 without a pool."""
    one, two = pool_draws(Pool(4, "p", "town"), Pool(4, "p", "town"), 6000)
    assert abs(np.mean(one == two) - 1 / 2) < 5 * np.sqrt(1 / 4 / 6000)
    one, two = pool_draws(Pool(4, "p", "town"), Pool(4, "q", "town"), 6000)
    assert abs(np.mean(one == two) - 1 / 3) < 5 * np.sqrt(2 / 9 / 6000)


def test_nodes_with_references_of_other_classes_share_nothing() -> None:
    root = InterpNode("root", Exact(), other=Exact())
    swapped = root.child("swapped", Differ("town"))
    nodes = [root, swapped, root.child("one", Together("p", "town"))]
    draws = drawn([*nodes, swapped.child("two", Together("p", "town"))])
    one = draws.nodes["root", "one"].own
    two = draws.nodes["root", "swapped", "two"].own
    assert one.feature("town").tolist() == draws.references.feature("town").tolist()
    assert not set(one.feature("town") + two.feature("town")) & {"RomeRome", "OsloOslo"}


def test_a_pool_does_not_depend_on_who_else_draws_from_it() -> None:
    root = InterpNode("root", Exact(), other=Exact())
    one, two = root.child("one", Pool(3, "p", "job")), root.child("two", Pool(3, "p", "job"))
    alone = drawn([root, one]).nodes["root", "one"].own
    beside = drawn([root, two, root.child("three", Uncond()), one]).nodes["root", "one"].own
    assert alone.index.tolist() == beside.index.tolist()
    few = drawn([root, one], 50).nodes["root", "one"].own
    assert alone.index.tolist()[:50] == few.index.tolist()


def test_shared_randomness_is_the_names_alone() -> None:
    one, two = KeyedRandomness(3, ("a", "own"), 9), KeyedRandomness(3, ("b", "other"), 20)
    two.uniform()
    assert one.shared("p").uniform().tolist() == two.shared("p").uniform().tolist()[:9]
    assert one.shared("p").uniform().tolist() != one.shared("q").uniform().tolist()
    assert one.shared("p").uniform().tolist() != one.uniform().tolist()


# A user's own


@frozen
class SameAge:
    """Nine lines are enough, and it is checked like ours."""

    features = ("age",)

    def draw(self, references: Rows, randomness: Any) -> Rows:
        ages = references.population.columns["age"]
        draws = zip(references.feature("age"), randomness.uniform(), strict=True)
        rows = [np.flatnonzero(ages == age) for age, _ in draws]
        picks = randomness.uniform()
        return references.donors([r[int(p * len(r))] for r, p in zip(rows, picks, strict=True)])


def test_a_users_own_sampler_has_a_name_and_laws() -> None:
    assert reached(SameAge(), 0) == {0, 3}
    assert describe_sampler(SameAge()) == "SameAge(age)"
    assert laws_of(SameAge()) == (
        "legality",
        "determinism",
        "immutability",
        "agreement",
        "independence",
    )


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (Exact(), "Exact"),
        (Agree("town"), "Agree(town)"),
        (Agree("town", differ=["age", "job"]), "Agree(town, differ=age, job)"),
        (Differ("town"), "Differ(town)"),
        (Pool(4, "names", "town"), "Pool(4, names, town)"),
        (Together("names"), "Together(names)"),
        (Weighted("weight", "town"), "Weighted(weight, town)"),
        (Paired("pair"), "Paired(pair)"),
        (Paired(DATA), "Paired(people)"),
    ],
)
def test_samplers_in_words(sampler: Sampler, words: str) -> None:
    assert describe_sampler(sampler) == words


# What is refused


@pytest.mark.parametrize(
    ("make", "row", "message"),
    [
        (
            lambda: Differ("twon"),
            0,
            'Dataset "people" has no feature "twon". The nearest is "town"; there are: town, job, '
            "age, weight, pair.",
        ),
        (
            lambda: Agree(["town", "job"], differ="age"),
            2,
            'Agree(town, job, differ=age): row 2 of dataset "people" has no donor, since no row '
            "agrees with it on town ('Rome') and job ('judge') and differs from it on age (50). "
            "Take such rows out of the data, or ask for less.",
        ),
        (
            lambda: Weighted("weight", ["town", "job"]),
            2,
            "Weighted(weight, town, job): all rows that reference 2 may be swapped for have weight "
            "0. Give one of them a weight, or ask for less agreement.",
        ),
        (
            lambda: Weighted("job"),
            0,
            'Weighted(job): column "job" of dataset "people" is no column of numbers. Give weights '
            "of 0 or more.",
        ),
        (
            lambda: Paired("job"),
            0,
            "Paired(job): row 0 of dataset \"people\" has no pair: job is 'cook' in 3 rows (6 rows "
            "are like that). Give the two rows of a pair one value that no other row has.",
        ),
        (
            lambda: Paired(DATA.take(range(4), "corrupted")),
            0,
            'Paired: dataset "corrupted" has 4 rows, the data 6. Row i is the donor of row i, so '
            "give one row for each.",
        ),
        (lambda: Pool(0, "p"), 0, "Pool(0, …): a pool stores a whole number of draws, at least 1."),
    ],
)
def test_what_cannot_be_drawn_is_said(make: Any, row: int, message: str) -> None:
    with pytest.raises(UserError) as refused:
        reached(make(), row)
    assert str(refused.value) == message


@pytest.mark.parametrize("weight", [-0.5, float("nan"), float("inf")])
def test_weights_that_are_none(weight: float) -> None:
    data = DATA.with_columns(weight=[1, 1, 1, weight, 1, 1])
    message = rf'"weight" is {weight:g} in row 3 of dataset "people". Give finite weights of 0'
    with pytest.raises(UserError, match=message):
        reached(Weighted("weight"), 0, data)
