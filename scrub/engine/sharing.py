"""Samples grouped by what they drew: a value that depends on some inputs has one group per
combination of their rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from attrs import field, frozen

from scrub.data.dataset import Rows
from scrub.draw import Draws
from scrub.engine.steps import Variable

REFERENCE = Variable((), "own")
BASELINE = Variable((), "other")
APART = 0.9
"""The same share for families, whose members have little else to compute."""
LARGEST = 2**62
"""Codes of combinations stay below this."""


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
    """What some samples drew, and the groups that were asked for so far.

    Attributes:
        apart: share of the samples from which on they are left ungrouped: where few share a value,
            to bring values from group to group costs more than to compute some of them twice.
    """

    inputs: dict[Variable, Rows]
    apart: float = math.inf
    _known: dict[frozenset[Variable], Grouped] = field(factory=dict)

    def of(self, needs: frozenset[Variable]) -> Grouped:
        """The distinct combinations of the rows of these inputs."""
        if needs not in self._known:
            code, most = np.zeros(len(self.inputs[REFERENCE]), dtype=np.int64), 1
            for variable in sorted(needs):
                rows = self.inputs[variable].index
                count = int(rows.max()) + 1
                if most * count > LARGEST:
                    code = np.unique(code, return_inverse=True)[1]
                    most = len(code)
                code, most = code * count + rows, most * count
            _, first, member = np.unique(code, return_index=True, return_inverse=True)
            few = len(first) < self.apart * len(member)
            self._known[needs] = Grouped(member, first) if few else self._each
        return self._known[needs]

    @cached_property
    def _each(self) -> Grouped:
        """Every sample as a group of its own."""
        every = np.arange(len(self.inputs[REFERENCE]))
        return Grouped(every, every)


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
    return [united(same) for same in parts.values()]


def united(same: Sequence[Rows]) -> Rows:
    """All distinct rows among rows of one dataset, in order."""
    drawn = np.zeros(len(same[0].data), dtype=bool)
    for rows in same:
        drawn[rows.index] = True
    return same[0].at(np.flatnonzero(drawn))
