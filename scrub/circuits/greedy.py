"""Sets of a circuit's nodes that grow node by node, each time by the one that is worth most.

Several such searches go on side by side, so that all that one step asks for is one request. What is
found is a function of the numbers and of each search's own seed: not of the others beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from attrs import field, frozen
from jaxtyping import Float

NodeSet = frozenset[int]
"""Nodes of a circuit, by their number in its order."""

Worth = Callable[[Sequence[tuple[int, NodeSet]]], Float[np.ndarray, " asked"]]
"""What sets are worth, each to one of the searches, by its number."""

GAIN = 1e-5
"""The least by which a set must be worth more than the one before it: the rest is rounding
(docs/semantics.md, Laws: float32)."""


@frozen
class Growth:
    """How a set grows.

    Attributes:
        may: the nodes that it may take, in the circuit's order.
        steps: at most so many are taken.
        tried: of those left, so many are tried at a step, drawn at random; None: all.
        seed: of these draws.
        start: the set that it begins with.
    """

    may: tuple[int, ...]
    steps: int
    tried: int | None = None
    seed: tuple[int, ...] = (0,)
    start: NodeSet = field(default=frozenset())


def grown(searches: Sequence[Growth], worth: Worth) -> list[NodeSet]:
    """The set of each search at its end.

    At every step the node is taken with which the set is worth most, if that is more than before.
    Where only some were tried, the next step tries others; where all were, the search ends.

    Law: a set at its end is worth no less than the one that the search began with.
    """
    sets = [one.start for one in searches]
    random = [np.random.default_rng(one.seed) for one in searches]
    best = worth(list(enumerate(sets))) if searches else np.zeros(0)
    going = [number for number, one in enumerate(searches) if one.steps]
    for step in range(max((one.steps for one in searches), default=0)):
        tried = {
            number: _tried(searches[number], sets[number], random[number])
            for number in going
            if step < searches[number].steps
        }
        asked = [
            (number, sets[number] | {node}) for number, nodes in tried.items() for node in nodes
        ]
        if not asked:
            break
        values = worth(asked)
        for number, nodes in tried.items():
            mine = [place for place, (whose, _) in enumerate(asked) if whose == number]
            top = max(mine, key=lambda place: values[place], default=None)
            if top is not None and values[top] > best[number] + GAIN:
                sets[number], best[number] = asked[top][1], values[top]
            elif len(nodes) == len(_left(searches[number], sets[number])):
                going.remove(number)
    return sets


def _left(search: Growth, taken: NodeSet) -> list[int]:
    return [node for node in search.may if node not in taken]


def _tried(search: Growth, taken: NodeSet, random: np.random.Generator) -> list[int]:
    left = _left(search, taken)
    if search.tried is None or search.tried >= len(left):
        return left
    return sorted(random.choice(left, size=search.tried, replace=False).tolist())
