"""How faithful the circuits of a ranking are, on rows that were not searched."""

from __future__ import annotations

import math

from scrub.circuits.area import areas_of
from scrub.hypothesis.circuit import Edge
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

    made = areas_of(searched.measurements(held), sorted(searched.edges, key=place))
    return made.cpr, made.cmd
