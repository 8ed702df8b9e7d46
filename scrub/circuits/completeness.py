"""Completeness: does the model without some of a circuit's nodes do as the circuit without them?

|F(C ∖ K) − F(M ∖ K)| over sets K of the circuit's nodes (Wang et al. 2022, arXiv 2211.00593). If
the circuit C is all of what the model M uses, taking the same nodes out of both leaves both as they
are to each other; where M has backups that C lacks, M does better. The worst K counts, and there
are too many to try all: tried are none, each role, random ones, one that grows greedily, and those
of the procedure in the code that was published with that paper (`greed_search_max_brok_cob_diff`):
several searches, each of up to 10 steps at which 10 nodes are tried.

Sets are chosen on one half of the rows and reported on the other, so that the largest number is not
large because it was looked for; its interval is corrected for how many are reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from attrs import frozen
from jaxtyping import Float

from scrub.circuits.ablations import Ablations, corrected, largest, magnitude
from scrub.circuits.greedy import Growth, NodeSet, grown
from scrub.stats.intervals import Interval

Chosen = Mapping[NodeSet, tuple[str, str]]
"""Sets, each with how it was chosen first ("role") and what it is called ("name mover"; of one that
was chosen in several ways "name mover = greedy")."""


@frozen
class SetsOf:
    """Which sets of nodes are tried.

    Attributes:
        random: how many random ones; of completeness each node is in with a chance of one half.
        steps: at most so many nodes of a greedy set; 0: none.
        runs: how many searches of the published procedure; 0: none.
        run_steps, run_tried: its steps, and the nodes that are tried at each.
        node_steps: at most so many nodes of the greedy set of each node of minimality.
    """

    random: int = 10
    steps: int = 10
    runs: int = 5
    run_steps: int = 10
    run_tried: int = 10
    node_steps: int = 3


@frozen
class SetScore:
    """A circuit and its model without a set K of nodes, on rows by which it was not chosen.

    Attributes:
        kind: how it was chosen: "none", "role", "random", "greedy", "published".
        nodes: K.
        circuit, model: what C ∖ K and M ∖ K recover.
        difference: of the two, with an interval that holds together with those of all other sets.
    """

    kind: str
    name: str
    nodes: tuple[str, ...]
    circuit: Interval
    model: Interval
    difference: Interval

    @property
    def distance(self) -> Interval:
        """|F(C ∖ K) − F(M ∖ K)|, as a share of performance."""
        return magnitude(self.difference)


@frozen
class Completeness:
    """How far circuit and model part.

    Attributes:
        sets: as they were chosen.
        worst: the largest distance, with an interval corrected for the number of sets.
    """

    sets: tuple[SetScore, ...]
    worst: Interval

    @property
    def worst_set(self) -> SetScore:
        return max(self.sets, key=lambda one: one.distance.mean)


def choose_sets(seen: Ablations, roles: Mapping[str, NodeSet], tried: SetsOf, seed: int) -> Chosen:
    """The sets K to report, each once, chosen by what is seen."""
    nodes = tuple(range(len(seen.names)))
    found: dict[NodeSet, list[tuple[str, str]]] = {frozenset(): [("none", "none")]}
    for role, members in roles.items():
        found.setdefault(members, []).append(("role", role))
    for number, one in enumerate(random_sets(nodes, tried.random, (seed, 0)), 1):
        found.setdefault(one, []).append(("random", f"random {number}"))
    searches = [Growth(nodes, tried.steps)] if tried.steps else []
    searches += [
        Growth(nodes, tried.run_steps, tried.run_tried, (seed, 1, run)) for run in range(tried.runs)
    ]

    def worth(asked: Sequence[tuple[int, NodeSet]]) -> Float[np.ndarray, " asked"]:
        sets = [one for _, one in asked]
        return np.abs(seen.shares(seen.of_circuit(sets) - seen.of_model(sets)))

    for number, one in enumerate(grown(searches, worth), 0 if tried.steps else 1):
        how = ("published", f"published {number}") if number else ("greedy", "greedy")
        found.setdefault(one, []).append(how)
    return {one: (hows[0][0], _called(hows)) for one, hows in found.items()}


def _called(hows: Sequence[tuple[str, str]]) -> str:
    """ "name mover = greedy = published 1", "random 3", "none = published (5 times)"."""
    names: dict[str, list[str]] = {}
    for kind, name in hows:
        names.setdefault(name if kind == "role" else kind, []).append(name)
    return " = ".join(
        one if len(one_by_one) == 1 else f"{kind} ({len(one_by_one)} times)"
        for kind, one_by_one in names.items()
        for one in one_by_one[:1]
    )


def random_sets(nodes: Sequence[int], count: int, seed: tuple[int, ...]) -> list[NodeSet]:
    """Random subsets, in which each node is with a chance of one half."""
    random = np.random.default_rng(seed)
    inside = random.random((count, len(nodes))) < 0.5
    return [frozenset(np.asarray(nodes)[row].tolist()) for row in inside]


def completeness(held: Ablations, chosen: Chosen) -> Completeness:
    """The distance of circuit and model without each of the sets.

    Law: of the circuit of the whole model every distance is zero.
    """
    sets, confidence = list(chosen), corrected(len(chosen))
    circuit, model = held.of_circuit(sets), held.of_model(sets)
    scores = tuple(
        SetScore(
            *chosen[one],
            held.named(one),
            held.recovered(alone),
            held.recovered(rest),
            held.difference(alone, rest, confidence),
        )
        for one, alone, rest in zip(sets, circuit, model, strict=True)
    )
    return Completeness(scores, largest([one.distance for one in scores]))
