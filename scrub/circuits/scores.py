"""The scores of a circuit: the result, as a frozen value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from scrub.circuits.completeness import Completeness
from scrub.circuits.curve import Curve
from scrub.circuits.faithfulness import Faithfulness, OfValue, Part, Size
from scrub.circuits.json_rows import rows_of
from scrub.circuits.minimality import NodeScore
from scrub.circuits.nulls import NullScores
from scrub.circuits.score_settings import ScoreSettings
from scrub.circuits.scores_frames import frames_of, tidy
from scrub.hypothesis.circuit import Circuit
from scrub.printing import html_of, one_line
from scrub.stats.rounding import interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SCHEMA = "scrub.circuit-scores/1"


@frozen(eq=False, repr=False)
class CircuitScores:
    """The scores of a circuit on a behaviour. In a notebook it shows itself as a table.

    Attributes:
        behaviour: its name, and what it says.
        metrics: names; the first is what all but faithfulness and nulls are by.
        faithfulness: under every convention, the behaviour's own first; in every form, the circuit
            as it is given first; by every metric.
        left_out: conventions that make no sense here, each with the reason.
        nulls: of each kind and convention, by every metric.
        parts: the circuit without each role and position.
        by: on the references of each value of a column.
        completeness, minimality, curve: chosen on one half of the rows, measured on the other;
            None: not asked for, or `not_halved` says why.
        data, rows: what the data is called, and how many rows it has.
        halves: how many rows chose, and how many were reported on.
        circuits: how many circuits were measured at most, under all conventions and on all halves:
            several sets may be one, and sets may stop growing.
    """

    behaviour: str
    says: str
    model: str
    circuit: Circuit
    metrics: tuple[str, ...]
    settings: ScoreSettings
    size: Size
    faithfulness: tuple[Faithfulness, ...]
    left_out: tuple[tuple[str, str], ...]
    nulls: tuple[NullScores, ...] = ()
    parts: tuple[Part, ...] = ()
    by: tuple[OfValue, ...] = ()
    completeness: Completeness | None = None
    minimality: tuple[NodeScore, ...] | None = None
    curve: Curve | None = None
    not_halved: str = ""
    data: str = ""
    rows: int = 0
    halves: tuple[int, int] = (0, 0)
    samples: int = 0
    seed: int = 0
    circuits: int = 0
    seconds: float = field(default=0.0)

    @property
    def frames(self) -> Mapping[str, pd.DataFrame]:
        """A table for each section: faithfulness, nulls, parts, by, completeness, minimality,
        curve, frequency; those that are empty are left out.
        """
        return frames_of(self)

    @property
    def frame(self) -> pd.DataFrame:
        """All of it in one table, one row a figure.

        Columns: section, convention, metric, name, kind, nodes, figure, value, low, high.
        """
        return tidy(self)

    @property
    def removed(self) -> str:
        """What the curve removes: "heads"; of a circuit without heads "nodes"."""
        return "heads" if self.size.heads else "nodes"

    @property
    def no_matter(self) -> tuple[str, ...]:
        """Nodes that matter under no set that was tried."""
        return tuple(one.node for one in self.minimality or () if not one.matters)

    def plot(self) -> Figure:
        """Performance against the number of heads kept.

        Raises:
            UserError: there is no curve.
        """
        from scrub.circuits.curve_plot import curve_figure

        return curve_figure(self)

    def as_json(self) -> dict[str, Any]:
        """What the results file holds; `null` is what is undefined or unbounded."""
        rows = {name: rows_of(frame) for name, frame in self.frames.items()}
        return {
            "schema": SCHEMA,
            "behaviour": self.behaviour,
            "model": self.model,
            "circuit": self.circuit.name,
            "metrics": list(self.metrics),
            "samples": self.samples,
            "seed": self.seed,
            "data": self.data,
            "rows": self.rows,
            "halves": dict(zip(("chosen_by", "reported_on"), self.halves, strict=True)),
            "size": {name: getattr(self.size, name) for name in SIZES},
            "left_out": [{"convention": name, "why": why} for name, why in self.left_out],
            "no_halves": self.not_halved or None,
            "no_matter": list(self.no_matter),
            "circuits_at_most": self.circuits,
            **rows,
        }

    def to_json(self) -> str:
        """The text of the results file."""
        return json.dumps(self.as_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def __repr__(self) -> str:
        first = self.faithfulness[0]
        name = self.circuit.name or "circuit"
        return one_line(
            f"CircuitScores({name} on {self.behaviour}, {self.model}: {self.size.nodes} nodes, "
            f"recovered {interval(first.recovered)} of {first.metric})"
        )

    def _repr_html_(self) -> str:
        return html_of(self)


SIZES = ("nodes", "of_nodes", "heads", "of_heads", "edges", "of_edges")
