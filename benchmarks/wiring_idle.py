"""What heads and neurons do that nothing is said of: something, written where nobody reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from attrs import frozen

Random = np.random.Generator
Projections = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Query, key and value of a head, each [coordinates read, d_head]."""
Weights = tuple[np.ndarray, np.ndarray]
"""Into neurons [coordinates read, neurons], and out of them [neurons, coordinates written]."""
QUIET = 0.3
"""Standard deviation of what is written."""


@frozen(eq=False)
class Idle:
    """Idle parts of a layer.

    Attributes:
        head: (coordinates read, d_head, random) to how a head reads.
        neurons: (coordinates read, neurons, coordinates written, random) to their weights.
    """

    head: Callable[[int, int, Random], Projections]
    neurons: Callable[[int, int, int, Random], Weights]


def mixing(read: int, d_head: int, random: Random) -> Projections:
    """Attends by a rule of its own, and moves a mixture of all that it reads."""
    query = random.normal(size=(read, d_head)) / d_head**0.5
    key = random.normal(size=(read, d_head))
    return query, key, random.normal(size=(read, d_head)) / read**0.5


def copying(value: np.ndarray) -> Callable[[int, int, Random], Projections]:
    """Heads that attend by rules of their own, sharper ones, and move what all of them move.

    Args:
        value: [coordinates, d_head] of the first coordinates that are read.
    """

    def head(read: int, d_head: int, random: Random) -> Projections:
        query, key = random.normal(size=(read, d_head)), random.normal(size=(read, d_head))
        return query, key, np.concatenate([value, np.zeros((read - len(value), d_head))])

    return head


def one_by_one(read: int, neurons: int, written: int, random: Random) -> Weights:
    """Neurons whose input is of size 1, drawn neuron by neuron."""
    pre, post = np.zeros((read, neurons)), np.zeros((neurons, written))
    for number in range(neurons):
        pre[:, number] = random.normal(size=read) / read**0.5
        post[number] = QUIET * random.normal(size=written)
    return pre, post


def at_once(read: int, neurons: int, written: int, random: Random) -> Weights:
    """Neurons whose input grows with what they read, drawn together."""
    pre = random.normal(size=(read, neurons))
    return pre, QUIET * random.normal(size=(neurons, written))


MIXING = Idle(mixing, one_by_one)
