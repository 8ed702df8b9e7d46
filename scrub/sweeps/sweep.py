"""The result of a sweep: the effect of every sender, with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve, field, frozen

from scrub.errors import UserError
from scrub.hypothesis.sites import Route
from scrub.metrics import Metric
from scrub.printing import html_of, one_line
from scrub.runner.options import is_whole
from scrub.stats.intervals import CONFIDENCE, Interval
from scrub.stats.rounding import interval, percent
from scrub.sweeps.approximation import Approximation
from scrub.sweeps.by_column import ByColumn
from scrub.sweeps.question import Question
from scrub.sweeps.senders import Sender

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@frozen
class Origin:
    """Where a behaviour stands, for the hypothesis file that imports it.

    Attributes:
        file: what messages call it; "" where it is in no file.
        module: the file's name without .py, as an import has it.
        model: the model in code, for the claim; "" where it is the file's MODEL.
        variable: what holds it there; "" where nothing does.
        unnamed: what the model is called that Python was given as an edited one or in memory, which
            no file can name; "" where a file can.
    """

    file: str = ""
    module: str = ""
    variable: str = ""
    model: str = ""
    unnamed: str = ""

    def check_named(self) -> None:
        """Refuse to write a file about a model that it cannot name.

        Raises:
            UserError: it says how to name it.
        """
        if self.unnamed:
            raise UserError(
                f"The model was given to Python, {self.unnamed}, and a file cannot name it. Put it "
                'into a file as MODEL, or give its variable: model="FILE.py::VARIABLE".'
            )


@frozen(eq=False, repr=False)
class Sweep:
    """The effect of every sender on a receiver. In a notebook it shows itself as a table.

    An *effect* is metric(a sender restored) − metric(the corrupted run), a mean over references; or
    corrupting, metric(a sender corrupted) − metric(the original). Positive: more of the metric. Its
    interval holds together with those of all other effects of the sweep (Bonferroni).

    Attributes:
        behaviour: its name, and what it says.
        model: the model's name.
        receiver: what was sent to.
        question: what was asked.
        senders: those that were tried, in the model's order.
        metrics: what was measured; the first decides which senders `to_hypothesis` takes.
        effects: per metric, of each sender.
        totals: per metric, original − corrupted: what all senders together can restore.
        data, rows: what the data is called, and how many rows it has: the effects are about these.
        tried: effects whose intervals hold together: senders times metrics.
        left_out: senders of the range that cannot reach the receiver.
        of_other_length: references whose corrupted inputs have another number of tokens.
        origin: where the behaviour stands.
        receiver_routes: the receiver's sites; () where senders send to the root.
        attention: whether what is measured is attention, and not by the behaviour's metrics.
        corrupt: the behaviour's sampler of corrupted inputs.
        roles: of the model.
        approximation: how good first-order effects are, and of which senders; None where all
            effects are exact.
        by: effects by the values of a column, where that was asked for; `by_frame` is its table.
    """

    behaviour: str
    says: str
    model: str
    receiver: str
    question: Question
    senders: tuple[Sender, ...]
    metrics: tuple[Metric, ...]
    effects: tuple[tuple[Interval, ...], ...]
    totals: tuple[Interval, ...]
    tried: int
    samples: int
    seed: int
    data: str = ""
    rows: int = 0
    left_out: int = 0
    of_other_length: int = 0
    seconds: float = 0.0
    origin: Origin = Origin()
    receiver_routes: tuple[Route, ...] = ()
    attention: bool = False
    corrupt: Any = None
    roles: Mapping[str, Sequence[tuple[int, int]]] = field(factory=dict)
    approximation: Approximation | None = None
    by: ByColumn | None = None

    @property
    def exact(self) -> bool:
        """Whether every effect was computed, none by gradients alone."""
        return self.approximation is None or not self.approximation.decides

    def share(self, metric: int, sender: int) -> float:
        """A sender's effect in shares of the total one; NaN where that is not told from zero.

        Positive towards the original where senders are restored, and away from it where they are
        corrupted: 1 is as much as all of the input.
        """
        total = self.totals[metric]
        if not (total.low > 0 or total.high < 0):
            return math.nan
        sign = 1 if self.question.restore else -1
        return sign * self.effects[metric][sender].mean / total.mean

    def order(self, metric: int = 0) -> list[int]:
        """Numbers of the senders, the largest effect of a metric first, whatever its sign."""
        means = np.array([effect.mean for effect in self.effects[metric]])
        return list(np.argsort(-np.abs(means), kind="stable"))

    def certain(self, metric: int = 0) -> list[int]:
        """Numbers of the senders whose interval is away from zero, the largest effect first."""
        found = self.effects[metric]
        return [n for n in self.order(metric) if found[n].low > 0 or found[n].high < 0]

    @property
    def frame(self) -> pd.DataFrame:
        """One row a sender and metric, by metric and size of the effect.

        Columns: sender, layer, head, at, metric, effect, low, high, share, n (references); where
        gradients were used also approximate, first_order and exact.
        """
        import pandas as pd

        rows = [
            self._row(metric, sender)
            for metric in range(len(self.metrics))
            for sender in self.order(metric)
        ]
        found = pd.DataFrame(rows)
        return found.astype({"layer": "Int64", "head": "Int64"})

    def _row(self, metric: int, number: int) -> dict[str, object]:
        sender, effect = self.senders[number], self.effects[metric][number]
        row: dict[str, object] = {
            "sender": sender.name,
            "layer": sender.layer,
            "head": sender.head,
            "at": sender.at,
            "metric": self.metrics[metric].name,
            "effect": effect.mean,
            "low": effect.low,
            "high": effect.high,
            "share": self.share(metric, number),
            "n": self.samples,
        }
        if self.approximation is not None:
            row |= self.approximation.columns(metric, number)
        return row

    @property
    def by_frame(self) -> pd.DataFrame:
        """One row a sender, metric and value of the column that `by=` names, with what it differs.

        Columns as `scrub.sweeps.by_column.ByColumn.frame_of` says.

        Raises:
            UserError: the effects were not told apart by a column.
        """
        if self.by is None:
            raise UserError("The sweep has no effects by column. Give by= to scrub.patch.")
        return self.by.frame_of(self)

    def top(self, n: int = 20) -> Sweep:
        """The same sweep with its n largest effects alone (of the first metric).

        Their intervals stay corrected for all that were tried.
        """
        if not is_whole(n) or n < 1:
            raise UserError(f"top({n!r}): give a whole number, 1 or more.")
        keep = sorted(self.order()[:n])
        found, by = self.approximation, self.by
        return evolve(
            self,
            senders=tuple(self.senders[number] for number in keep),
            effects=tuple(tuple(of[number] for number in keep) for of in self.effects),
            approximation=None if found is None else found.only(keep),
            by=None if by is None else by.only(keep),
        )

    def plot(self, metric: int = 0) -> Figure:
        """A heatmap of the effects on one of the metrics; uncertain ones are dimmed."""
        from scrub.sweeps.heatmap import heatmap

        return heatmap(self, metric)

    def to_hypothesis(self, n: int | None = None) -> str:
        """The strongest senders as the text of a hypothesis file, which `scrub test` runs.

        Args:
            n: at most so many, the largest effects first (default: all that are away from zero).

        Raises:
            UserError: no effect is away from zero, effects are approximate, or the behaviour
                stands in no file that another could import.
        """
        from scrub.sweeps.hypothesis_file import hypothesis_text

        return hypothesis_text(self, n)

    @property
    def direction(self) -> str:
        """What was done, in words: "restored in the corrupted run"."""
        if self.question.restore:
            return "senders restored in the corrupted run"
        return "senders corrupted in the original run"

    @property
    def correction(self) -> str:
        """How the intervals were corrected for how many effects were tried."""
        level = next(iter(self.effects[0])).confidence if self.senders else CONFIDENCE
        if level == CONFIDENCE:
            return f"intervals of {percent(level)}: one effect was tried"
        return f"each interval has {percent(level)} (Bonferroni), so that all hold at 95%"

    def __repr__(self) -> str:
        if not self.senders:
            return f"Sweep({self.behaviour} → {self.receiver}: no sender)"
        first = self.order()[0]
        shown = f"{self.senders[first].name} {interval(self.effects[0][first])}"
        return one_line(
            f"Sweep({self.behaviour} → {self.receiver}: {len(self.senders)} senders, "
            f"largest {shown}, {self.samples:,} references)"
        )

    def _repr_html_(self) -> str:
        return html_of(self)
