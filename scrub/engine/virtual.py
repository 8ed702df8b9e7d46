"""Virtual rows in a plan: which inputs they are, and which of their values are read.

Of an input the cache stores what is worth it, and the rest is recomputed. Of a virtual row every
value is given, also one that is not worth storing: f of a mean is not the mean of f. So of these
rows exactly the sites and streams that are read are made.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scrub.data.dataset import Rows
from scrub.data.virtual import Averages
from scrub.engine.activation_store import identity_of
from scrub.engine.steps import Plan, Variable
from scrub.hypothesis.tree import Tree
from scrub.model.forward import stored_sources
from scrub.samplers import Zero, is_virtual


def virtual_inputs(tree: Tree) -> frozenset[Variable]:
    """The inputs that are virtual rows: own ones of leaves, and other ones."""
    found = set[Variable]()
    for node in tree.walk():
        if node.is_leaf and is_virtual(node.node.sampler):
            found.add(Variable(node.path, "own"))
        if not node.is_leaf and is_virtual(node.node.other):
            found.add(Variable(node.path, "other"))
    return frozenset(found)


def root_is_given(tree: Tree) -> bool:
    """Whether the root's plain value is one that does not follow from what the root reads.

    The mean of the logits does: they are linear in what they read.
    """
    return is_virtual(tree.node.sampler) if tree.is_leaf else isinstance(tree.node.other, Zero)


def kept_of_inputs(plan: Plan) -> dict[Variable, frozenset[str]]:
    """The sites and streams that are stored of each input, from which all that is read is found."""
    return {
        variable: stored_sources(plan.graph, names)
        for variable, names in plan.reads.items()
        if variable not in plan.virtual
    }


def values_held(plan: Plan) -> frozenset[str]:
    """The sites and streams that a run keeps, of inputs or of virtual rows."""
    given = (names for variable, names in plan.reads.items() if variable in plan.virtual)
    return frozenset[str]().union(*kept_of_inputs(plan).values(), *given)


Given = tuple[Rows, frozenset[str]]
"""Distinct virtual rows, and the values that are read of them."""


def given_rows(plan: Plan, inputs: Mapping[Variable, Rows]) -> list[Given]:
    """The virtual rows that were drawn, those of one dataset together."""
    drawn: dict[object, Given] = {}
    for variable, rows in inputs.items():
        if rows.data.given is None:
            continue
        key = identity_of(rows.data)
        known, names = drawn.get(key, (rows, frozenset[str]()))
        every = rows.at(np.union1d(known.index, rows.index))
        drawn[key] = (every, names | plan.reads.get(variable, frozenset()))
    return list(drawn.values())


def is_mean(rows: Rows) -> bool:
    """Whether rows are means, which stay in the cache: they are few, and each of many rows."""
    return isinstance(rows.data.given, Averages)
