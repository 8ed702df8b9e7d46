"""Models that were trained to do the task by heads that are known, as behaviours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scrub.circuits.edges import all_edges
from scrub.datasets import ioi
from scrub.hypothesis.behaviour import Behaviour
from scrub.model.registry import describe
from searching.truth import (
    Algorithm,
    Known,
    Truth,
    counted_edges,
    edges_of_roles,
    heads_of,
    is_head,
)

PROMPTS = 600
_FIRST: Algorithm = (
    ("duplicate token", "S-inhibition", ("v",)),
    ("S-inhibition", "name mover", ("q",)),
    ("name mover", "logits", (None,)),
)
ALGORITHMS: Mapping[str, Algorithm] = {
    "ioi-planted": _FIRST,
    "ioi-planted-2": (
        *_FIRST,
        ("previous token", "induction", ("k", "v")),
        ("induction", "S-inhibition", ("v",)),
        ("S-inhibition", "negative name mover", ("q",)),
        ("negative name mover", "logits", (None,)),
    ),
    "complete": (
        *_FIRST,
        ("previous token", "duplicate token", ("v",)),
        ("previous token", "name mover", ("k",)),
    ),
}
"""By model what was trained into its heads, as its card says; "complete" is the algorithm of
`benchmarks/train_ioi_complete.py`, of directories."""


def known_planted(model: str) -> Known:
    """An embedded model, or the directory of one of the complete algorithm."""
    algorithm, name = ALGORITHMS.get(model, ALGORITHMS["complete"]), Path(model).name
    return Known(name, name, lambda: behaviour_of(model, algorithm))


def behaviour_of(model: str, algorithm: Algorithm) -> tuple[Behaviour, Truth]:
    """Indirect-object identification, and the circuit that was trained into the model.

    Training says nothing of how words reach the heads, and of what MLPs do between two of them:
    true or false are edges between heads, and from them to the logits.
    """
    described = describe(model)
    edges = edges_of_roles(algorithm, described.roles)
    assert heads_of(edges) == {one for group in described.roles.values() for one in group}
    truth = Truth(
        heads=heads_of(edges),
        edges=edges,
        every_head=frozenset(
            (layer, number)
            for layer in range(described.layers)
            for number in range(described.heads)
        ),
        every_edge=counted_edges(all_edges(described.graph), is_head),
    )
    return ioi.behaviour(PROMPTS, model=model), truth
