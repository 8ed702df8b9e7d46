"""What is read of each drawn input is what is kept of its rows; and the forward passes for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attrs import evolve

import scrub.engine.activations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.engines import graph_of_case, within
from scrub import Correspondence, Dataset, Exact, InterpNode, Uncond, anything, site
from scrub.data.dataset import Rows
from scrub.draw import Draws, draw
from scrub.engine.activations import ActivationCache
from scrub.engine.execute import execute
from scrub.engine.family import execute_family, plan_family
from scrub.engine.plan import plan
from scrub.engine.sharing import BASELINE, REFERENCE
from scrub.engine.steps import Plan, Variable
from scrub.engine.virtual import kept_of_inputs, values_held
from scrub.engine.wanted import forward_passes, wanted_rows
from scrub.hypothesis.tree import treeify
from scrub.model.arithmetic import graph, node, source
from support.families import random_family
from support.generator import Case, numbered_case, random_hypotheses

laws = settings(
    max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


class Looked:
    """A cache's run, and how many rows are stored of each value, and are ever read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slots: dict[int, set[int]] = {}
        gather = scrub.engine.activations.gather

        def seen(values: Any, slots: Any, *more: Any) -> Any:
            self.slots.setdefault(id(values), set()).update(slots.tolist())
            return gather(values, slots, *more)

        monkeypatch.setattr(scrub.engine.activations, "gather", seen)

    def unread(self, cache: ActivationCache) -> int:
        """How many values of inputs are kept and never read; a value is a site of a row."""
        store = cache.store
        return sum(
            buffer.filled - len(self.slots.get(id(buffer.values), ()))
            for (key, _), table in store.tables.items()
            if store.datasets[key].given is None
            for buffer in table.buffers.values()
        )


def unread(planned: Plan, draws: Draws) -> int:
    cache = ActivationCache(planned.graph)
    with pytest.MonkeyPatch.context() as monkeypatch:
        looked = Looked(monkeypatch)
        list(execute(planned, draws, cache, within(1000)))
        return looked.unread(cache)


@laws
@given(case=random_hypotheses())
def test_of_each_row_what_some_input_reads_is_kept_and_no_more(case: Case) -> None:
    """No less, since what was not computed cannot be read."""
    tree = treeify(case.correspondence)
    draws = draw(tree, case.data, samples=case.samples, seed=case.seed)
    assert unread(plan(tree, graph_of_case(case)), draws) == 0


def test_what_all_inputs_read_together_is_too_much_for_each() -> None:
    """The mutant that the law must catch: every row has what the plan reads of any."""
    found = []
    for case in map(numbered_case, range(12)):
        tree = treeify(case.correspondence)
        draws = draw(tree, case.data, samples=case.samples, seed=case.seed)
        planned = plan(tree, graph_of_case(case))
        inputs = [v for v in planned.reads if v not in planned.virtual]
        every = frozenset[str]().union(*(planned.reads[variable] for variable in inputs))
        union = evolve(planned, reads={**planned.reads, **dict.fromkeys(inputs, every)})
        found.append(unread(union, draws))
    assert max(found) > 0


def test_nothing_can_be_left_out_of_what_inputs_read() -> None:
    """The other mutant: a site or stream is forgotten."""
    for case in map(numbered_case, range(6)):
        tree = treeify(case.correspondence)
        draws = draw(tree, case.data, samples=case.samples, seed=case.seed)
        planned = plan(tree, graph_of_case(case))
        for name in sorted(values_held(planned)):
            kept = {**planned.reads, **kept_of_inputs(planned)}
            reads = {variable: names - {name} for variable, names in kept.items()}
            with pytest.raises((AssertionError, KeyError)):
                unread(evolve(planned, reads=reads), draws)


@pytest.mark.parametrize("seed", range(6))
def test_a_family_keeps_what_some_member_reads(seed: int) -> None:
    family = random_family(seed)
    planned = plan_family(family.trees, graph_of_case(family.case))
    cache = ActivationCache(planned.graph)
    with pytest.MonkeyPatch.context() as monkeypatch:
        looked = Looked(monkeypatch)
        for outputs in execute_family(planned, family.draws(), cache, within(1000)):
            list(outputs.members)
        assert looked.unread(cache) == 0


# By hand

GRAPH = graph(
    source("x"),
    source("y"),
    node("twice", lambda x: 2 * x, x="x"),
    node("sum", lambda a, b: a + b, a="twice", b="y"),
    node("out", lambda p: p, p="sum"),
)
DATA = Dataset("data", {"x": np.arange(6.0), "y": 10 * np.arange(6.0)}, [1] * 6)
ROOT, LEAF = ("root",), ("root", "leaf")


def test_each_row_has_the_union_of_what_the_inputs_that_drew_it_read() -> None:
    root = InterpNode("root", Exact(), other=Uncond())
    tree = treeify(
        Correspondence(
            {root: site("out"), root.child("leaf", Uncond()): site("twice", through=anything)}
        )
    )
    planned = plan(tree, GRAPH)
    other, own = Variable(ROOT, "other"), Variable(LEAF, "own")
    assert planned.reads == {
        REFERENCE: {"out"},
        BASELINE: {"out"},
        other: {"twice", "sum", "sum.a", "sum.b", "out.p"},
        own: {"twice"},
    }
    drawn = {REFERENCE: [0, 1], BASELINE: [1, 2], other: [2, 3], own: [3, 4]}
    inputs = {variable: Rows(DATA, np.array(rows)) for variable, rows in drawn.items()}
    kept: dict[int, set[str]] = {}
    for rows, names in wanted_rows(planned, inputs):
        for row in rows.index.tolist():
            assert kept.setdefault(row, set()).isdisjoint(names)
            kept[row] |= names
    of_other = {"twice", "sum", "sum.a", "sum.b", "out.p"}
    assert kept == {0: {"out"}, 1: {"out"}, 2: of_other | {"out"}, 3: of_other, 4: {"twice"}}


def mask(*rows: int) -> np.ndarray:
    return np.isin(np.arange(6), rows)


def test_rows_that_know_the_same_go_together() -> None:
    lacking, known = {"out": mask(0, 1, 2)}, {"twice": mask(0, 2, 5)}
    found = forward_passes(GRAPH, lacking, known, 2)
    assert {(tuple(one.at), one.names, one.known) for one in found} == {
        ((0, 2), frozenset({"out"}), frozenset({"twice"})),
        ((1,), frozenset({"out"}), frozenset()),
    }


def test_few_rows_join_others_and_start_from_what_all_of_them_know() -> None:
    lacking, known = {"out": mask(0, 1, 2), "twice": mask(4)}, {"twice": mask(0, 2, 5)}
    (found,) = forward_passes(GRAPH, lacking, known, 20)
    assert sorted(found.at) == [0, 1, 2, 4]
    assert found.names == {"out", "twice"}
    assert found.known == frozenset()


masks = st.lists(st.booleans(), min_size=30, max_size=30).map(np.array)


@laws
@given(lacking=st.tuples(masks, masks), known=st.tuples(masks, masks), at_once=st.integers(1, 40))
def test_every_row_is_in_one_pass_that_computes_what_it_lacks(
    lacking: tuple[np.ndarray, ...], known: tuple[np.ndarray, ...], at_once: int
) -> None:
    have = {"twice": known[0] & ~lacking[0], "sum": known[1]}
    lack = {"twice": lacking[0], "out": lacking[1]}
    found = forward_passes(GRAPH, lack, have, at_once)
    rows = sorted(row for one in found for row in one.at)
    assert rows == np.flatnonzero(lacking[0] | lacking[1]).tolist()
    for one in found:
        assert len(one.at) <= at_once
        assert {name for name, which in lack.items() if which[one.at].any()} == one.names
        assert all(have[name][one.at].all() for name in one.known)
