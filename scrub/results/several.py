"""The results of claims that were judged together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Unpack, overload

from attrs import field, frozen

from scrub.hypothesis.belief import Verdict
from scrub.printing import REPORT_WIDTH, Printed, ReportOptions, html_of, one_line, report_of
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result

if TYPE_CHECKING:
    import pandas as pd


@frozen(eq=False, repr=False)
class Results(Sequence[Result | Inapplicable]):
    """The results of claims that were judged together, in the order of the claims.

    A sequence, and by name: `results["by_value"]`. Their verdicts are corrected for how many they
    are. In a notebook they show themselves as a table, with each claim below it.
    """

    _each: tuple[Result | Inapplicable, ...] = field(converter=tuple)

    @property
    def verdicts(self) -> dict[str, Verdict | None]:
        """Name → verdict."""
        return {result.claim.name: result.verdict for result in self._each}

    @property
    def passed(self) -> bool:
        """Whether every claim that applies came out as its file expects."""
        return all(result.passed is not False for result in self._each)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a claim, as their `summary`."""
        import pandas as pd

        return pd.concat([result.summary for result in self._each], ignore_index=True)

    def report(self, width: int = REPORT_WIDTH, **how: Unpack[ReportOptions]) -> Printed:
        """What `scrub test` prints of them, as text.

        Args:
            width, how: as of `Result.report`.
        """
        return report_of(self, width, **how)

    @overload
    def __getitem__(self, which: int | str) -> Result | Inapplicable: ...
    @overload
    def __getitem__(self, which: slice) -> Results: ...
    def __getitem__(self, which: int | str | slice) -> Result | Inapplicable | Results:
        if isinstance(which, slice):
            return Results(self._each[which])
        if isinstance(which, str):
            found = [result for result in self._each if result.claim.name == which]
            if len(found) != 1:
                names = ", ".join(self.verdicts)
                count = "no claim" if not found else f"{len(found)} claims"
                raise KeyError(f"There is {count} of the name {which!r} among {names}")
            return found[0]
        return self._each[which]

    def __iter__(self) -> Iterator[Result | Inapplicable]:
        return iter(self._each)

    def __len__(self) -> int:
        return len(self._each)

    def __repr__(self) -> str:
        said = ", ".join(f"{name}: {verdict}" for name, verdict in self.verdicts.items())
        return one_line(f"Results({len(self)} claims; {said})")

    def _repr_html_(self) -> str:
        return html_of(self)
