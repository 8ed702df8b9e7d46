"""Circuits tested on several behaviours: what each recovers and costs there, and what they share.

That two circuits overlap does not say that a behaviour hangs on what they share (nodes that matter
to neither may be in both); so what they have in common is ablated, and random nodes beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from scrub.circuits.among import Among
from scrub.circuits.json_rows import rows_of
from scrub.circuits.shared_frames import frames_of, tidy
from scrub.hypothesis.circuit import Circuit
from scrub.printing import html_of, one_line
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from scrub.circuits.overlap import Overlap

SCHEMA = "scrub.shared-circuits/1"


@frozen
class Ablated:
    """What a behaviour loses without some nodes, beside what it loses without random ones.

    Attributes:
        lost: (F(M) − F(M ∖ K)) / (F(M) − F(∅)): 0 where nothing is lost, 1 where as much is as
            where all is knocked out.
        more: the same above the mean of the random circuits, paired by reference; None without any.
        random: what is lost without each random circuit of as many nodes per layer; NaN where that
            is undefined.
        reason: why there are none.
    """

    lost: Interval
    more: Interval | None = None
    random: tuple[float, ...] = ()
    reason: str = ""

    @property
    def among(self) -> Among:
        """What is lost without the nodes, among what is lost without random ones."""
        return Among(self.lost.mean, self.random)


@frozen
class CircuitOn:
    """A circuit on a behaviour, by one metric.

    Attributes:
        own: whether it is the behaviour's: circuits and behaviours are as many, and stand in the
            same order.
        alone: (F(C) − F(∅)) / (F(M) − F(∅)), what it alone keeps of what is lost where all is
            knocked out.
        recovered: (F(C) − baseline) / (F(M) − baseline), what `scrub test` says of its claim.
        ablated: what is lost where it is knocked out, and all else runs.
    """

    circuit: str
    behaviour: str
    own: bool
    convention: str
    metric: str
    alone: Interval
    recovered: Interval
    ablated: Ablated


@frozen
class SharedPart:
    """What two circuits have in common, or what one has and the other has not, knocked out.

    Attributes:
        name: "A & B", "A - B".
        nodes: none where nothing is in it: then what is lost is undefined.
    """

    name: str
    circuits: tuple[str, str]
    nodes: tuple[str, ...]
    behaviour: str
    convention: str
    metric: str
    ablated: Ablated


@frozen
class OnBehaviour:
    """A behaviour that circuits are tested on.

    Attributes:
        convention: the behaviour's own: what stands in for what is knocked out.
        conventions: under which circuits were tested, its own first.
    """

    name: str
    says: str
    metrics: tuple[str, ...]
    convention: str
    conventions: tuple[str, ...]
    data: str
    rows: int


@frozen(eq=False, repr=False)
class SharedCircuits:
    """Circuits on behaviours. In a notebook it shows itself as a table.

    Attributes:
        tested: each circuit on each behaviour, under the behaviour's own convention.
        parts: what each pair of circuits shares and does not; on the behaviours whose circuits
            they are, where that is known, else on all.
        elsewhere: the circuits under the other conventions, without random circuits.
        overlap: of the circuits as sets.
        left_out: conventions that make no sense, each with its behaviour and the reason; and parts
            of two circuits that cannot be said.
        random: how many random circuits there are for each circuit and part.
        count: how many circuits were measured at most.
    """

    model: str
    circuits: tuple[Circuit, ...]
    behaviours: tuple[OnBehaviour, ...]
    tested: tuple[CircuitOn, ...]
    parts: tuple[SharedPart, ...]
    elsewhere: tuple[CircuitOn, ...]
    overlap: Overlap | None
    left_out: tuple[tuple[str, str], ...]
    random: int
    samples: int
    seed: int
    count: int
    seconds: float = 0.0

    def of(self, circuit: str, behaviour: str, metric: str | None = None) -> CircuitOn:
        """One circuit on one behaviour.

        Args:
            metric: a name; None: the behaviour's first.

        Raises:
            KeyError: there is no such circuit, behaviour or metric.
        """
        for one in self.tested:
            if (one.circuit, one.behaviour) == (circuit, behaviour) and metric in (
                None,
                one.metric,
            ):
                return one
        raise KeyError((circuit, behaviour, metric))

    @property
    def frames(self) -> Mapping[str, pd.DataFrame]:
        """Tables: tested, parts, elsewhere, overlap; those that are empty are left out."""
        return frames_of(self)

    @property
    def frame(self) -> pd.DataFrame:
        """Circuits and parts on behaviours in one table, one row a figure.

        Columns: section, name, nodes, behaviour, convention, metric, figure, value, low, high.
        """
        return tidy(self)

    def plot(self) -> Figure:
        """Two heatmaps, circuits by behaviours: kept by the circuit alone, lost without it."""
        from scrub.circuits.shared_plot import heatmaps

        return heatmaps(self)

    def as_json(self) -> dict[str, Any]:
        """What the results file holds; `null` is what is undefined or unbounded."""
        rows = {name: rows_of(frame) for name, frame in self.frames.items()}
        return {
            "schema": SCHEMA,
            "model": self.model,
            "circuits": [one.name for one in self.circuits],
            "behaviours": [
                {"name": one.name, "data": one.data, "rows": one.rows, "metrics": list(one.metrics)}
                for one in self.behaviours
            ],
            "random": self.random,
            "samples": self.samples,
            "seed": self.seed,
            "left_out": [{"what": what, "why": why} for what, why in self.left_out],
            "circuits_at_most": self.count,
            **rows,
        }

    def to_json(self) -> str:
        """The text of the results file."""
        return json.dumps(self.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def __repr__(self) -> str:
        lost = [
            f"{one.circuit} on {one.behaviour}: {interval(one.ablated.lost)}" for one in self.tested
        ]
        return one_line(f"SharedCircuits({self.model}, lost: {'; '.join(lost)})")

    def _repr_html_(self) -> str:
        return html_of(self)
