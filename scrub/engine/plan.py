"""Plan a scrub: which values are computed, at which positions and in which order.

Read `plan` as a table of contents; each pass is a function in a module of its own.
"""

from __future__ import annotations

from scrub.engine.dependencies import find_needs, list_reads
from scrub.engine.lower import lower
from scrub.engine.narrow import narrow_positions
from scrub.engine.readout import drop_last_site
from scrub.engine.specialise import specialise
from scrub.engine.steps import Plan, Source, Variable
from scrub.engine.virtual import root_is_given, virtual_inputs
from scrub.hypothesis.tree import Tree
from scrub.model.graph import Graph


def plan(tree: Tree, graph: Graph, *, columns: bool = False, before: bool = False) -> Plan:
    """The plan of a legal tree (see `scrub.checks.structure`) on a graph.

    Args:
        columns: whether the metric reads a few columns of the root only; the root's last site is
            then left to be read out per reference, where it allows that.
        before: whether the root's plain value on its other input is asked for, too.

    Law: every pass after `lower` keeps the root's value to the bit, or to rounding where fewer
    positions are computed at once; each only saves work or says what a step needs.
    """
    tree, graph = specialise(tree, graph)
    steps, result = lower(tree, graph)
    if columns and not root_is_given(tree):
        steps, result = drop_last_site(steps, result, graph)
    steps = narrow_positions(steps, result, tree, graph)
    steps = find_needs(steps)
    other = Source(Variable(tree.path, "other")) if before else None
    virtual = virtual_inputs(tree)
    reads = list_reads(steps, [result], before=other, virtual=virtual)
    return Plan(graph, tree, steps, result, reads, other, virtual)
