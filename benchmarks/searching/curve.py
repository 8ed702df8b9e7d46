"""How faithful the circuits of a ranking are, on rows that were not searched."""

from __future__ import annotations

import math

from scrub.circuits.area import areas as areas_of
from scrub.hypothesis.circuit import Circuit, Edge
from searching.methods import Outcome
from searching.subject import Searched


def areas(searched: Searched, found: Outcome) -> tuple[float, float]:
    """CPR and CMD of the ranking, by the behaviour's metric and corruption.

    Edges that have no score come last, in the order of the model.
    """
    _, held = searched.halves()
    scores = found.edge_scores

    def place(edge: Edge) -> float:
        return -scores.get(edge, -math.inf)

    order = sorted(searched.edges, key=place)

    def circuit(count: int) -> Circuit:
        return Circuit(edges=tuple(order[:count]))

    made = areas_of(searched.measurements(held), circuit, len(order))
    return made.cpr.mean, made.cmd
