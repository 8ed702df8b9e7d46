"""Minimality: does every node of a circuit matter, under some set of others taken out?

For each node v the set K ⊆ C ∖ {v} is looked for under which |F(C ∖ (K ∪ {v})) − F(C ∖ K)| is
largest (Wang et al. 2022, arXiv 2211.00593): a node that others back up shows nothing while these
are there. K is chosen on one half of the rows, and what v matters under it measured on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from attrs import frozen
from jaxtyping import Float

from scrub.circuits.ablations import Ablations, certain, corrected
from scrub.circuits.completeness import SetsOf, random_sets
from scrub.circuits.greedy import Growth, NodeSet, grown
from scrub.stats.intervals import Interval

ALL_TRIED = 10
"""Of more nodes than these a greedy set tries so many at a step, drawn at random."""

Under = tuple[NodeSet, str]
"""A set K, and what it is called."""


@frozen
class NodeScore:
    """What a node of a circuit matters, on rows by which K was not chosen.

    Attributes:
        role: of the node; "" where it has none.
        alone: F(C) − F(C ∖ {v}), as a share of performance: what is lost with v alone. Negative:
            the circuit does better without it.
        kind: of K: "none", "its role", "role", "random", "greedy".
        under: K.
        effect: F(C ∖ K) − F(C ∖ (K ∪ {v})). Both intervals hold together with those of all other
            nodes.
    """

    node: str
    role: str
    alone: Interval
    kind: str
    under: tuple[str, ...]
    effect: Interval

    @property
    def matters(self) -> bool:
        """Whether it is told from zero that it matters, by itself or under K."""
        return certain(self.alone) or certain(self.effect)


def choose_under(
    seen: Ablations, roles: Mapping[str, NodeSet], tried: SetsOf, seed: int
) -> list[Under]:
    """For each node the set under which it matters most, by what is seen."""
    nodes = range(len(seen.names))
    named = [_candidates(node, roles, tried, seed, len(nodes)) for node in nodes]
    asked = [(node, one) for node in nodes for one in named[node]]

    def worth(asked: Sequence[tuple[int, NodeSet]]) -> Float[np.ndarray, " asked"]:
        return np.abs(seen.shares(_lost(seen, asked)))

    values = dict(zip(asked, worth(asked), strict=True)) if asked else {}
    best = [max(named[node], key=lambda one: values[node, one]) for node in nodes]
    searches = [
        Growth(
            tuple(other for other in nodes if other != node),
            tried.node_steps,
            ALL_TRIED if len(nodes) > ALL_TRIED + 1 else None,
            (seed, 3, node),
            best[node],
        )
        for node in nodes
    ]
    grew = grown(searches, worth) if tried.node_steps else best
    return [(one, named[node].get(one, "greedy")) for node, one in enumerate(grew)]


def _candidates(
    node: int, roles: Mapping[str, NodeSet], tried: SetsOf, seed: int, count: int
) -> dict[NodeSet, str]:
    """None, the rest of its role, each other role, random sets: without the node."""
    others = [other for other in range(count) if other != node]
    found: dict[NodeSet, str] = {frozenset(): "none"}
    for role, members in roles.items():
        name = f"rest of {role}" if node in members else role
        found.setdefault(members - {node}, name)
    for one in random_sets(others, tried.random, (seed, 2, node)):
        found.setdefault(one, "random")
    return found


def _lost(
    seen: Ablations, asked: Sequence[tuple[int, NodeSet]]
) -> Float[np.ndarray, "asked samples"]:
    """F(C ∖ K) − F(C ∖ (K ∪ {v})), of each v and K."""
    sets = [one for _, one in asked]
    with_node = [one | {node} for node, one in asked]
    both = seen.of_circuit([*sets, *with_node])
    return both[: len(sets)] - both[len(sets) :]


def minimality(
    held: Ablations, chosen: Sequence[Under], roles: Mapping[str, NodeSet]
) -> tuple[NodeScore, ...]:
    """What each node matters by itself, and under the set that was chosen for it."""
    asked = list(enumerate(one for one, _ in chosen))
    alone = [(node, frozenset()) for node, _ in asked]
    pairs = dict.fromkeys([*asked, *alone])
    confidence = corrected(len(pairs))
    sets = list(dict.fromkeys(one for v, k in pairs for one in (k, k | {v})))
    values = dict(zip(sets, held.of_circuit(sets), strict=True)) if sets else {}

    def effect(node: int, under: NodeSet) -> Interval:
        return held.difference(values[under], values[under | {node}], confidence)

    return tuple(
        NodeScore(
            held.names[node],
            next((role for role, members in roles.items() if node in members), ""),
            effect(node, frozenset()),
            chosen[node][1],
            held.named(under),
            effect(node, under),
        )
        for node, under in asked
    )
