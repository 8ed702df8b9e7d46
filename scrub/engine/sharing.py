"""Samples grouped by what they drew: a value that depends on some inputs has one group per
combination of their rows.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.engine.steps import Variable

REFERENCE = Variable((), "own")
BASELINE = Variable((), "other")


@frozen(eq=False)
class Grouped:
    """Samples by combination.

    Attributes:
        member: combination of each sample, int64 [samples].
        first: a sample of each combination, int64 [combinations].
    """

    member: np.ndarray
    first: np.ndarray


@frozen(eq=False)
class Combinations:
    """What some samples drew, and the groups that were asked for so far."""

    inputs: dict[Variable, Rows]
    _known: dict[frozenset[Variable], Grouped] = field(factory=dict)

    def of(self, needs: frozenset[Variable]) -> Grouped:
        """The distinct combinations of the rows of these inputs."""
        if needs not in self._known:
            code = np.zeros(len(self.inputs[REFERENCE]), dtype=np.int64)
            for variable in sorted(needs):
                rows = self.inputs[variable].index
                code = np.unique(code * (rows.max() + 1) + rows, return_inverse=True)[1]
            first = np.unique(code, return_index=True)[1]
            self._known[needs] = Grouped(code, first)
        return self._known[needs]


def drawn_inputs(draws: Draws, samples: slice = slice(None)) -> dict[Variable, Rows]:
    """Every input of these samples, by the node that drew it."""
    found = {REFERENCE: draws.references, BASELINE: draws.baseline}
    for path, node in draws.nodes.items():
        found[Variable(path, "own")] = node.own
        if node.other is not None:
            found[Variable(path, "other")] = node.other
    return {name: rows.at(rows.index[samples]) for name, rows in found.items()}


def by_dataset(drawn: Iterable[Rows]) -> list[Rows]:
    """All distinct rows that were drawn, dataset by dataset; but for virtual rows."""
    parts: dict[int, list[Rows]] = {}
    for rows in drawn:
        if rows.data.given is not None:
            continue
        parts.setdefault(id(rows.data), []).append(rows)
    return [
        same[0].at(np.unique(np.concatenate([rows.index for rows in same])))
        for same in parts.values()
    ]
