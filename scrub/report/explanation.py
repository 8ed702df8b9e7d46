"""Blame in Python and in notebooks: a frame, the worst references, a picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attrs import frozen

from scrub.analysis.blame import Blame
from scrub.analysis.describe_swap import swap_in_words
from scrub.analysis.unclaimed import LostBy
from scrub.printing import html_of, one_line
from scrub.report.waterfall import waterfall
from scrub.results.result import Result
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@frozen(eq=False, repr=False)
class Explanation:
    """Where a claim loses what it loses. In a notebook it shows itself as a table.

    Attributes:
        result: of the claim itself.
    """

    result: Result

    @property
    def blame(self) -> Blame:
        """Every swap with its paths, and the samples that lose most."""
        assert self.result.diagnosis is not None
        assert self.result.diagnosis.blame is not None
        return self.result.diagnosis.blame

    @property
    def frame(self) -> pd.DataFrame:
        """One row a swap, in order from the root; in shares of baseline − original.

        `lost_alone`, `lost_last` and `lost_in_order`, each with the ends of its interval. Law: what
        is lost in order adds up to what the claim loses.
        """
        import pandas as pd

        found = []
        for loss in self.blame.swaps:
            _, draws = swap_in_words(self.result.tree, loss.swap)
            row: dict[str, Any] = {"node": " / ".join(loss.swap.path), "draws": draws}
            kinds = {"alone": loss.alone, "last": loss.last, "in_order": loss.step}
            for kind, lost in kinds.items():
                row[f"lost_{kind}"] = lost.mean
                row |= {f"lost_{kind}_low": lost.low, f"lost_{kind}_high": lost.high}
            found.append(row)
        return pd.DataFrame(found)

    @property
    def other_frame(self) -> pd.DataFrame:
        """What each node's `other` loses by unclaimed component and port, in the same shares.

        One row a component, those of a node in the order of the model, and one for the rest;
        single heads have in `of` the component that they are among. No row of an `other` that
        loses and wins nothing.
        """
        import pandas as pd

        found: list[dict[str, Any]] = []
        for loss in self.blame.swaps:
            if loss.unclaimed is None:
                continue
            node = " / ".join(loss.swap.path)
            for by in loss.unclaimed.components:
                found.append(_component(node, by, ""))
                found += [_component(node, head, by.component) for head in by.heads]
            found.append(_component(node, loss.unclaimed.rest, ""))
        columns = _component("", LostBy("", "", UNDEFINED, UNDEFINED), "")
        return pd.DataFrame(found, columns=list(columns))

    @property
    def worst(self) -> pd.DataFrame:
        """The references that lose most, the worst first: as in `result.frame`."""
        return self.result.frame.iloc[list(self.blame.worst)]

    def plot(self) -> Figure:
        """What is lost from the root down, as a waterfall."""
        claim = self.result.claim
        return waterfall(self.result.tree, self.blame, f"{claim.name}: {claim.belief}")

    def __repr__(self) -> str:
        lost = self.blame.total
        return one_line(
            f"Explanation({self.result.claim.name}: loses {interval(lost)} "
            f"in {len(self.blame.swaps)} swaps)"
        )

    def _repr_html_(self) -> str:
        return html_of(self)


UNDEFINED = Interval(math.nan, math.nan, math.nan)


def _component(node: str, by: LostBy, of: str) -> dict[str, Any]:
    row: dict[str, Any] = {"node": node, "component": by.component, "port": by.port, "of": of}
    for kind, lost in {"alone": by.alone, "last": by.last}.items():
        row[f"lost_{kind}"] = lost.mean
        row |= {f"lost_{kind}_low": lost.low, f"lost_{kind}_high": lost.high}
    return row
