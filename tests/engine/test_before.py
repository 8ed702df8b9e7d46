"""The root on its other input, which effects are measured from: against the reference evaluator."""

from __future__ import annotations

import pytest
import torch
from attrs import evolve

from hypothesis import HealthCheck, assume, given, settings
from oracle.engines import ENGINE, graph_of_case, within
from scrub.draw import Draws, draw
from scrub.engine.cost import cost
from scrub.engine.dependencies import list_reads
from scrub.engine.execute import Outputs, execute
from scrub.engine.plan import plan
from scrub.engine.steps import Plan, Source, Variable
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.tree import Tree, treeify
from scrub.reference import evaluate
from support.difference import difference
from support.generator import Case, numbered_case, random_hypotheses

TOLERANCE = 1e-9


def drawn(case: Case) -> tuple[Tree, Draws]:
    tree = treeify(case.correspondence)
    return tree, draw(tree, case.data, samples=case.samples, seed=case.seed)


def outputs(planned: Plan, draws: Draws) -> Outputs:
    (output,) = execute(planned, draws, ENGINE.cache(planned.graph), within(1000))
    return output


def read_before(planned: Plan, before: Source) -> Plan:
    """The plan that takes the root before anything was swapped from this source."""
    reads = list_reads(planned.steps, [planned.result], before=before, virtual=planned.virtual)
    return evolve(planned, before=before, reads=reads)


def on_the_other_input(case: Case, tree: Tree, draws: Draws) -> torch.Tensor:
    """The reference evaluator's root alone, its other input taken for its own."""
    (root,) = (node for node in case.correspondence.sites if not node.parents)
    alone = Correspondence({root: case.correspondence.sites[root]})
    here = draws.nodes[tree.path]
    assert here.other is not None
    nodes = {**draws.nodes, tree.path: evolve(here, own=here.other, other=None)}
    return evaluate(alone, evolve(draws, nodes=nodes), case.bridge)


@settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(case=random_hypotheses())
def test_it_is_the_plain_model_on_the_roots_other_input(case: Case) -> None:
    tree, draws = drawn(case)
    assume(not tree.is_leaf)
    graph = graph_of_case(case)
    output, without = (outputs(plan(tree, graph, before=b), draws) for b in (True, False))
    assert output.before is not None
    assert without.before is None
    assert difference(output.before, on_the_other_input(case, tree, draws)) < TOLERANCE
    for name in ("original", "scrubbed", "baseline"):
        assert difference(getattr(output, name), getattr(without, name)) < TOLERANCE


@pytest.mark.parametrize("which", ["own", "baseline"])
def test_another_input_is_found_out(which: str) -> None:
    """Mutants: before is read on the root's own input, or on an unrelated one."""
    off = []
    for number in range(12):
        case = numbered_case(number)
        tree, draws = drawn(case)
        if tree.is_leaf:
            continue
        planned = plan(tree, graph_of_case(case), before=True)
        frame = Variable(tree.path, "own") if which == "own" else Variable((), "other")
        found = outputs(read_before(planned, Source(frame)), draws).before
        assert found is not None
        off.append(difference(found, on_the_other_input(case, tree, draws)))
    assert max(off) > 1e-3


def test_it_is_counted_where_a_run_is_predicted() -> None:
    case = next(c for c in map(numbered_case, range(50)) if not treeify(c.correspondence).is_leaf)
    tree, graph = treeify(case.correspondence), graph_of_case(case)
    one, more = (cost(plan(tree, graph, before=b), case.data.width) for b in (False, True))
    assert more.bytes > one.bytes
    assert more.flops >= one.flops
