"""What a circuit that was found does on rows that were not searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from scrub.circuits.among import Among
from scrub.circuits.kept import Kept, keeping
from scrub.circuits.random_circuits import dangling, random_circuits
from scrub.hypothesis.circuit import Circuit
from scrub.runner.outputs import Outputs
from scrub.searches.circuit_found import CircuitFound, thinned
from scrub.searches.circuit_search import CircuitSearch, measurements
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval, number

if TYPE_CHECKING:
    import pandas as pd

RANDOM = 20
"""Random circuits of the same sizes, beside which the score stands."""
POINTS = 12
"""Circuits of the curve that are scored on the rows held out, at most."""


@frozen(eq=False)
class Score:
    """What a circuit does on rows that were not searched.

    Attributes:
        metric: its name.
        recovered: loss recovered.
        beside: among random circuits; None where there are no others of these sizes.
        curve: circuits by size, the largest first, each with what it recovers.
        rows: how many rows are held out.
    """

    metric: str
    recovered: Interval
    beside: Among | None
    curve: tuple[tuple[Circuit, Interval], ...]
    rows: int

    @property
    def frame(self) -> pd.DataFrame:
        """The curve. Columns: nodes, edges, recovered, low, high."""
        import pandas as pd

        rows = [
            [len(circuit), len(circuit.edges), one.mean, one.low, one.high]
            for circuit, one in self.curve
        ]
        return pd.DataFrame(rows, columns=["nodes", "edges", "recovered", "low", "high"])


def scored(
    search: CircuitSearch,
    found: CircuitFound,
    outputs: Outputs | None = None,
    *,
    fresh: bool = False,
) -> Score:
    """The circuit's score on the rows held out, beside random circuits of the same sizes.

    Raises:
        UserError: as `Measurements`.
    """
    held = measurements(search, outputs, held=True, fresh=fresh)
    model, own, circuit = search.held.model, search.own, found.circuit
    points = thinned(found.curve, POINTS)
    others = _random(circuit, search)
    kept: list[Kept] = [keeping(one, model) for one in (circuit, *points, *others)]
    held.numbers(kept)
    mine, *rest = (held.recovered(one, metric=own) for one in kept)
    curve = tuple(zip(points, rest[: len(points)], strict=True))
    beside = [one.mean for one in rest[len(points) :]]
    held.keep()
    return Score(
        search.held.metrics[own].name,
        mine,
        Among(mine.mean, tuple(beside)) if beside else None,
        curve,
        len(search.held.data),
    )


def _random(circuit: Circuit, search: CircuitSearch) -> Sequence[Circuit]:
    """Other circuits of as many nodes or edges per layer, connected where it is.

    Of what MLPs that are left free join nobody says whether it is connected.
    """
    model, seed = search.held.model, search.context.options.seed
    connected = bool(circuit.edges) and not circuit.free and not dangling(circuit.edges)
    found = random_circuits(circuit, model, RANDOM, seed=seed, connected=connected)
    return [one for one in found if one != circuit]


def score_lines(score: Score) -> list[str]:
    """What the circuit does on rows that were not searched, in words."""
    lines = [
        f"on the {score.rows:,} rows held out it recovers {interval(score.recovered)} of "
        f"{score.metric}"
    ]
    if score.beside is None:
        return [*lines, "there are no other circuits of these sizes per layer"]
    random = score.beside
    low, high = random.range
    lines.append(
        f"{len(random.random)} random circuits of the same sizes per layer: "
        f"{number(random.mean, 3)} in the mean, 95% within {number(low, 3)} to "
        f"{number(high, 3)}; {random.as_much} do as well (p = {number(random.p, 3)})"
    )
    return lines
