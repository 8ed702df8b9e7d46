"""Whether a variant of a claim's tree is legal."""

from __future__ import annotations

from scrub.checks.paths import check_paths
from scrub.checks.samplers import framed
from scrub.data.dataset import Dataset
from scrub.engine.specialise import specialise
from scrub.errors import Problem, Problems
from scrub.hypothesis.tree import NamePath, Tree
from scrub.model.graph import Graph


def problems(
    tree: Tree, graph: Graph, data: Dataset, *, below: NamePath | None = None
) -> tuple[Problem, ...]:
    """What is wrong with the paths of a tree whose names, sites and samplers are legal.

    Args:
        below: look at the paths from this node to its children only (default: at all).
    """
    found = Problems()
    tree, graph = specialise(tree, graph)
    for node, frames in framed(tree, data):
        if below is None or node.path == below:
            check_paths(node, graph, frames, found)
    return tuple(found.found)
