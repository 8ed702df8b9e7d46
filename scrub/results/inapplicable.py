"""The outcome of a claim that its file says is not about the model: a verdict without figures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from attrs import frozen

from scrub.hypothesis.belief import Belief, Expectation, Verdict
from scrub.hypothesis.claim import Claim
from scrub.metrics import Metric
from scrub.printing import REPORT_WIDTH, Printed, ReportOptions, html_of, one_line, report_of
from scrub.stats.intervals import Interval
from scrub.stats.verdict import NOT_APPLICABLE, Judgement

if TYPE_CHECKING:
    import pandas as pd

    from scrub.data.dataset import Dataset


@frozen(eq=False, repr=False)
class Inapplicable:
    """A claim that does not apply to a model. Nothing was drawn, run or judged.

    It has of a `Result` what does not depend on a run; its figures are NaN, with the reason.

    Attributes:
        path: the claim's file, whatever directory one works in.
        seed: of the run.
        reason: why it does not apply, as its file says: a clause without a full stop.
    """

    file: str
    claim: Claim
    model: str
    data: Dataset
    metric: Metric
    others: tuple[Metric, ...]
    path: Path
    seed: int
    reason: str

    @property
    def name(self) -> str:
        return f"{self.file}::{self.claim.name}" if self.file else self.claim.name

    @property
    def kind(self) -> Literal["scrub", "effect"]:
        """What the claim would be about: what is recovered, or what is changed."""
        return "effect" if self.expect is not None and self.expect.is_effect else "scrub"

    @property
    def expect(self) -> Expectation | None:
        return self.claim.expect

    @property
    def belief(self) -> Belief | None:
        return self.expect.belief if self.expect else None

    @property
    def samples(self) -> int:
        return 0

    @property
    def words(self) -> str:
        """ "not applicable: it has no induction heads"."""
        return f"{NOT_APPLICABLE}: {self.reason}"

    @property
    def figure(self) -> Interval:
        """Undefined."""
        return Interval(math.nan, -math.inf, math.inf, reason=self.words)

    recovered = figure

    @property
    def judgement(self) -> Judgement:
        return Judgement(NOT_APPLICABLE, None, notes=(self.words,))

    @property
    def verdict(self) -> Verdict:
        """ "not applicable"."""
        return NOT_APPLICABLE

    @property
    def passed(self) -> None:
        """Neither true nor false."""
        return

    @property
    def summary(self) -> pd.DataFrame:
        """One row: the verdict, and the reason."""
        import pandas as pd

        columns = {
            "claim": self.claim.name,
            "verdict": NOT_APPLICABLE,
            "expected": self.expect.verdict if self.expect else None,
            "reason": self.reason,
        }
        return pd.DataFrame(columns, index=[0])

    def __repr__(self) -> str:
        return one_line(f"Inapplicable({self.claim.name}: {self.reason})")

    def report(self, width: int = REPORT_WIDTH, **how: Unpack[ReportOptions]) -> Printed:
        """What `scrub test` prints of it, as text.

        Args:
            width: in characters.
            how: verbose (also node by node), by (a column of the data), diagnoses, as `scrub test`
                has them.
        """
        return report_of([self], width=width, **how)

    def _repr_html_(self) -> str:
        return html_of(self)
