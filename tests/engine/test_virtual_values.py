"""Virtual rows in the engine: worked out by hand, and the laws that they keep."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from attrs import evolve
from test_engine import laws

from hypothesis import given
from oracle.engines import ENGINE, graph_of_case, within
from scrub import (
    Agree,
    Constant,
    Correspondence,
    Dataset,
    Exact,
    InterpNode,
    Mean,
    Steer,
    Uncond,
    Zero,
    anything,
    heads,
    mlp,
    output,
    site,
)
from scrub.draw import draw
from scrub.engine.activations import ActivationCache
from scrub.engine.sharing import drawn_inputs
from scrub.engine.virtual import given_rows
from scrub.hypothesis.tree import treeify
from scrub.model.arithmetic import graph, node, source
from scrub.reference import evaluate, evaluate_graph
from scrub.samplers import Sampler
from support.difference import difference
from support.generator import Case, numbered_case, random_hypotheses
from support.random_data import random_dataset
from support.resampling import resampled

GRAPH = graph(
    source("x"),
    source("y"),
    node("m", lambda a, b: (a + 1) * b, a="x", b="y"),
    node("out", lambda p, q: p**2 + q, p="m", q="x"),
)
TWO = Dataset("two", {"x": [1.0, 3.0], "y": [2.0, 6.0]}, [1, 1], columns={"word": list("ab")})
X, Y = np.array([1.0, 3.0]), np.array([2.0, 6.0])
M = (X + 1) * Y


def values(correspondence: Correspondence, data: Dataset = TWO) -> np.ndarray:
    """The root's value on the two rows as references, by engine and evaluator."""
    tree = treeify(correspondence)
    draws = draw(tree, data, samples=2, seed=0, references=[0, 1])
    (outputs,) = ENGINE.outputs(tree, draws, GRAPH)
    expected = evaluate_graph(correspondence, draws, GRAPH)
    np.testing.assert_allclose(outputs.scrubbed, expected)
    return outputs.scrubbed.flatten().numpy()


def below(other: Sampler, sampler: Sampler, name: str, **path: object) -> Correspondence:
    root = InterpNode("out", Exact(), other=other)
    return Correspondence({root: site("out"), root.child("below", sampler): site(name, **path)})


BY_HAND: dict[str, tuple[Correspondence, np.ndarray]] = {
    "the mean of what comes out": (
        Correspondence({InterpNode("out", Mean()): site("out")}),
        np.full(2, (M**2 + X).mean()),
    ),
    "a class of one": (Correspondence({InterpNode("out", Mean("word")): site("out")}), M**2 + X),
    "a leaf that is a mean": (below(Exact(), Mean(), "m"), M.mean() ** 2 + X),
    "the mean is of the site, not of what it reads": (
        below(Mean(), Exact(), "x", into="q"),
        M.mean() ** 2 + X,
    ),
    "what lies behind a child's value is computed anew": (
        below(Mean(), Exact(), "y", through=anything),
        ((X.mean() + 1) * Y) ** 2 + X.mean(),
    ),
    "the same of zeros": (below(Zero(), Exact(), "y", through=anything), Y**2),
    "zeros where no path comes": (below(Zero(), Exact(), "x", into="q"), X),
    "a constant": (below(Exact(), Constant(5), "m"), 25 + X),
    "a constant along the one number that there is": (below(Exact(), Constant([5]), "m"), 25 + X),
    "steered": (below(Exact(), Steer([1.5], by=2), "m"), (M + 3) ** 2 + X),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name: str) -> None:
    correspondence, expected = BY_HAND[name]
    np.testing.assert_allclose(values(correspondence), expected)


def test_only_what_is_read_is_made() -> None:
    correspondence = below(Mean(), Mean("word"), "x", into="q")
    tree = treeify(correspondence)
    draws = draw(tree, TWO, samples=2, seed=0)
    plan = ENGINE.plan(tree, GRAPH)
    made = {rows.data.name: names for rows, names in given_rows(plan, drawn_inputs(draws))}
    assert made == {"Mean": {"out.p", "out.q", "x"}, "Mean(word)": {"x"}}
    cache = ActivationCache(plan.graph)
    list(ENGINE.execute(plan, draws, cache, within(10)))
    held = {
        cache.store.datasets[key].name: {value.name for value in table.buffers}
        for (key, _), table in cache.store.tables.items()
    }
    assert {name: held[name] for name in made} == made


# Laws, on random hypotheses


def swapped(case: Case, leaf: Sampler, other: Sampler) -> Case:
    """The case with these samplers of what is computed on, on rows that one column tells apart."""
    parents = {parent for node in case.correspondence.sites for parent in node.parents}
    data = case.data.with_columns(row=np.arange(len(case.data)))
    own = resampled(case, lambda node: (Uncond() if node in parents else leaf, other))
    return evolve(own, data=data)


def scrubbed(case: Case) -> torch.Tensor:
    tree = treeify(case.correspondence)
    draws = draw(tree, case.data, samples=case.samples, seed=case.seed)
    (output,) = ENGINE.outputs(tree, draws, graph_of_case(case))
    return output.scrubbed


@laws
@given(case=random_hypotheses())
def test_the_mean_of_one_row_is_that_row(case: Case) -> None:
    one = Mean("row")
    expected = scrubbed(swapped(case, Exact(), Exact()))
    assert difference(scrubbed(swapped(case, one, one)), expected) < 1e-9


@laws
@given(case=random_hypotheses())
def test_the_mean_of_equal_rows_is_such_a_row(case: Case) -> None:
    longest = int(case.data.lengths.argmax())  # so that indices stay within its width
    alike = evolve(case, data=case.data.take([longest] * len(case.data)))
    expected = scrubbed(swapped(alike, Exact(), Exact()))
    assert difference(scrubbed(swapped(alike, Mean(), Mean())), expected) < 1e-9


@laws
@given(case=random_hypotheses())
def test_the_constant_0_is_zero(case: Case) -> None:
    one, other = (scrubbed(swapped(case, leaf, Exact())) for leaf in (Constant(0), Zero()))
    assert torch.equal(one, other)


def of_sizes(leaf: Callable[[int], Sampler]) -> Correspondence:
    """Leaves of two sizes under the logits."""
    logits = InterpNode("logits", Exact(), other=Agree("two"))
    return Correspondence(
        {
            logits: output(at="end"),
            logits.child("heads", leaf(4)): heads([(1, 0), (1, 1)], at="end"),
            logits.child("mlp", leaf(8)): mlp(0, at="end"),
        }
    )


def test_steered_by_0_is_exact() -> None:
    rng = np.random.default_rng(0)
    case = numbered_case(0)
    case = evolve(case, model_name="2x2", data=random_dataset(rng, "data"))

    def found(leaf: Callable[[int], Sampler]) -> torch.Tensor:
        return scrubbed(evolve(case, correspondence=of_sizes(leaf)))

    exact = found(lambda size: Exact())
    assert torch.equal(found(lambda size: Steer(rng.normal(size=size), by=0)), exact)
    assert difference(found(lambda size: Steer(rng.normal(size=size), by=1)), exact) > 1e-3


def test_a_mean_stays_where_plain_values_are_forgotten() -> None:
    """It is made once a run, whatever the memory, and is the same."""
    case = next(
        case
        for case in map(numbered_case, range(100))
        if any(isinstance(node.other, Mean) for node in case.correspondence.sites)
    )
    tree = treeify(case.correspondence)
    draws = draw(tree, case.data, samples=20, seed=0)
    plan = ENGINE.plan(tree, graph_of_case(case))
    cache = ActivationCache(plan.graph)
    found = [o.scrubbed for o in ENGINE.execute(plan, draws, cache, within(2, keep_cache=False))]
    (whole,) = ENGINE.outputs(tree, draws, graph_of_case(case))
    assert difference(torch.cat(found), whole.scrubbed) < 1e-9
    expected = evaluate(case.correspondence, draws, case.bridge)
    assert difference(whole.scrubbed, expected) < 1e-9
