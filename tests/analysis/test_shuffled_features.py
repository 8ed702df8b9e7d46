"""Shuffled features where references are no rows of the population, and nodes below them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub import (
    Agree,
    Correspondence,
    Dataset,
    Exact,
    Fixed,
    Generate,
    Input,
    InterpNode,
    Paired,
    claim,
    site,
)
from scrub.analysis.specificity import Shuffled
from scrub.data.dataset import Rows
from scrub.draw import KeyedRandomness, draw
from scrub.hypothesis.tree import treeify
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.runner.diagnoses import Diagnoses
from scrub.samplers import Sampler, describe_sampler
from scrub.testing import datasets
from support.diagnosed import diagnosed

X, Y = np.array(list(itertools.product(range(3), range(4)))).T
DATA = Dataset(
    "numbers",
    inputs={"x": X, "y": Y},
    lengths=np.ones(12, dtype=int),
    columns={"x": X, "y": Y, "out": 2 * X + Y, "pair": np.arange(12) // 2},
)
TWIN = DATA.take(range(11, -1, -1), "twin")
MODEL = graph(
    source("x"),
    source("y"),
    node("left", lambda value: 2 * value, value="x"),
    node("right", lambda value: value, value="y"),
    node("out", lambda terms: terms, terms=["left", "right"]),
)


def other_y(reference: Input, generator: np.random.Generator) -> Input:
    """Another y, of a hundred, so that more are made than there are rows."""
    y = int(generator.integers(100))
    return reference.but(y=y, columns={"y": y, "out": int(reference.inputs["x"]) * 2 + y})


def references(sampler: Sampler, samples: int = 300, seed: int = 0) -> Rows:
    every = Rows(DATA, np.arange(samples) % 12)
    return sampler.draw(every, KeyedRandomness(seed, ("above", "own"), samples)).under(every)


def by_hand() -> None:
    """x is 0 in four rows; shuffled, in four others: the same for all references with that x."""
    here = references(Generate(other_y))
    assert here.data is not DATA
    assert len(here.data) > len(DATA)
    drawn = Shuffled(Agree("x"), ("x",), 5).draw(here, KeyedRandomness(0, ("below",), 300))
    assert drawn.data is DATA
    x = X[np.random.default_rng(5).permutation(12)]
    assert (x[drawn.index] == here.feature("x")).all()
    for value in range(3):
        assert set(drawn.index[here.feature("x") == value]) == set(np.flatnonzero(x == value))
    assert {tuple(np.flatnonzero(x == v)) for v in range(3)} != {(0, 1, 2, 3), (4, 5, 6, 7)}


def test_below_generated_inputs_by_hand() -> None:
    by_hand()


def _among_what_was_made(self: Shuffled, references: Rows, randomness: Any) -> Rows:
    """As it was: the features of the generated inputs, permuted over these."""
    data = references.data
    order = np.random.default_rng(self.seed).permutation(len(data))
    columns = {name: data.feature(name)[order] for name in self.names}
    shuffled = Rows(data.with_columns(**columns), references.index)
    return references.at(self.sampler.draw(shuffled, randomness).index)


def _not_shuffled(self: Shuffled, references: Rows, randomness: Any) -> Rows:
    return self.sampler.draw(references, randomness)


@pytest.mark.parametrize("mutant", [_among_what_was_made, _not_shuffled])
def test_mutants_are_caught(mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shuffled, "draw", mutant)
    with pytest.raises(AssertionError):
        by_hand()


@given(data=st.data(), table=datasets(), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_classes_stay_as_large_whatever_the_references_are(
    data: st.DataObject, table: Dataset, seed: int
) -> None:
    """Below rows, generated inputs, another dataset: donors are rows with the permuted value.

    As it permutes values over rows, as many rows have each of them as before.
    """
    names = data.draw(st.sampled_from([("a",), ("a", "b")]))
    above = data.draw(
        st.sampled_from(
            [
                Exact(),
                Generate(lambda r, g: r.but(tokens=g.integers(1, 9, size=len(r.tokens)))),
                Fixed(table.take(range(len(table) - 1, -1, -1), "turned")),
                Paired(table.take(range(len(table)), "twin")),
            ]
        )
    )
    samples = 10 * len(table)
    root = Rows(table, np.arange(samples) % len(table))
    here = above.draw(root, KeyedRandomness(seed, ("above", "own"), samples)).under(root)
    drawn = Shuffled(Agree(names), names, seed).draw(
        here, KeyedRandomness(seed, ("below", "own"), samples)
    )
    population = here.population
    assert drawn.data is population
    order = np.random.default_rng(seed).permutation(len(population))
    there = np.stack([population.feature(name)[order] for name in names], axis=1)
    of_rows = here.data is population
    mine = there[here.index] if of_rows else np.stack([here.feature(n) for n in names], axis=1)
    assert (there[drawn.index] == mine).all()


@pytest.mark.parametrize(
    "above", [Generate(other_y), Fixed(TWIN), Paired(TWIN)], ids=describe_sampler
)
@pytest.mark.parametrize(
    "below", [Fixed(list(range(11, -1, -1))), Paired("pair")], ids=describe_sampler
)
def test_nodes_below_shuffled_ones_draw_from_the_data(above: Sampler, below: Sampler) -> None:
    """A row map and a pair find rows of the dataset that they are written down for."""
    nodes = [InterpNode("root", Exact(), other=Exact())]
    for name, sampler in (("up", above), ("mid", Shuffled(Agree("x"), ("x",), 1)), ("low", below)):
        nodes.append(nodes[-1].child(name, sampler))
    draws = draw(treeify(Correspondence({n: site("x") for n in nodes})), DATA, samples=200, seed=0)
    mid, low = draws.nodes["root", "up", "mid"].own, draws.nodes["root", "up", "mid", "low"].own
    assert mid.data is (DATA if isinstance(above, Generate) else TWIN)
    if isinstance(below, Fixed):
        assert low.data is mid.data
        assert (low.index == 11 - mid.index).all()
    else:
        assert low.data is DATA
        assert (low.index == draws.references.index + 1 - 2 * (draws.references.index % 2)).all()


def distance(out: Any, references: Any) -> Any:
    return np.abs(out.numpy() - references.feature("out"))


def no_y(reference: Input, generator: np.random.Generator) -> Input:
    """Three inputs in all: fewer than there are rows."""
    return reference.but(y=0, columns={"y": 0, "out": int(reference.inputs["x"]) * 2})


@pytest.mark.parametrize("function", [other_y, no_y])
def test_a_claim_with_generated_inputs_is_diagnosed(function: Any) -> None:
    """It died there where fewer inputs are generated than there are rows."""

    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Exact())
        left = out.child("left", Generate(function), other=Exact())
        return Correspondence(
            {
                out: site("out"),
                left: site("left"),
                left.child("x", Agree("x")): site("x"),
            }
        )

    made = claim(data=DATA, metric=custom(distance))(build)
    asked = Diagnoses(nulls=5, conventions=True, specificity=True, blame=True)
    result = diagnosed(made, MODEL, asked, samples=400)
    assert result.diagnosis is not None
    assert result.diagnosis.specificity is not None
    assert result.recovered.mean == 1
    tried = {one.words: one for one in result.diagnosis.specificity}
    assert tried["x shuffled"].finding == "the feature matters"
    # x shuffled hits x by one row's chance or more: classes of four rows of twelve
    assert 0 <= tried["x shuffled"].recovered.mean < 0.8


def test_further_columns_on_which_no_row_is_like_a_reference_are_not_tried() -> None:
    """Most generated y are those of no row; whether x is 2 does not tell x, and x does."""
    data = DATA.with_columns(big=X == 2)

    def build(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Exact())
        left = out.child("left", Generate(other_y), other=Exact())
        x = left.child("x", Agree("big"))
        return Correspondence({out: site("out"), left: site("left"), x: site("x")})

    made = claim(data=data, metric=custom(distance))(build)
    result = diagnosed(made, MODEL, Diagnoses(specificity=True), samples=400)
    assert result.diagnosis is not None
    assert result.diagnosis.specificity is not None
    words = [one.words for one in result.diagnosis.specificity]
    columns = ["and x", "and pair"]  # rows of one pair are near to each other
    assert words == ["without big", "big shuffled", "and everything else", *columns]
