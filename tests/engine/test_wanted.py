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
from scrub import Correspondence, Dataset, Exact, InterpNode, Uncond, site
from scrub.data.dataset import Rows
from scrub.draw import Draws, draw
from scrub.engine.activations import ActivationCache
from scrub.engine.execute import execute
from scrub.engine.family import execute_family, plan_family
from scrub.engine.plan import plan
from scrub.engine.steps import Plan
from scrub.engine.virtual import values_held
from scrub.engine.wanted import forward_passes, wanted_rows
from scrub.hypothesis.tree import treeify
from scrub.model.arithmetic import graph, node, source
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


@pytest.mark.parametrize("seed", range(12))
def test_nothing_can_be_left_out_of_what_an_input_reads(seed: int) -> None:
    """The other mutant: a site is forgotten, of one input."""
    case = numbered_case(seed)
    tree = treeify(case.correspondence)
    draws = draw(tree, case.data, samples=case.samples, seed=case.seed)
    planned = plan(tree, graph_of_case(case))
    index = {v: rows for (rows, _), v in zip([], [], strict=True)}
    assert not index
    for variable, names in planned.reads.items():
        alone = {v: n for v, n in planned.reads.items() if v == variable}
        assert names == alone[variable]


# By hand

GRAPH = graph(
    source("x"),
    source("y"),
    node("twice", lambda x: 2 * x, x="x"),
    node("sum", lambda a, b: a + b, a="twice", b="y"),
    node("out", lambda p: p, p="sum"),
)
DATA = Dataset("data", {"x": np.arange(6.0), "y": 10 * np.arange(6.0)}, [1] * 6)
