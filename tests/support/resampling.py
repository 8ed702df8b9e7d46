"""Random cases with other samplers."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Sites
from scrub.samplers import Sampler
from support.generator import Case


def resampled(case: Case, choose: Callable[[InterpNode], tuple[Sampler, Sampler]]) -> Case:
    """The same tree with other samplers."""
    made: dict[InterpNode, InterpNode] = {}

    def rebuilt(node: InterpNode) -> InterpNode:
        if node not in made:
            own, other = choose(node)
            parents = tuple(rebuilt(parent) for parent in node.parents)
            made[node] = evolve(node, sampler=own, other=other, parents=parents)
        return made[node]

    sites: dict[InterpNode, Sites] = {
        rebuilt(node): where for node, where in case.correspondence.sites.items()
    }
    return evolve(case, correspondence=Correspondence(sites))
