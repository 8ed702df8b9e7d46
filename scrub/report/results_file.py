"""The reporter that writes the results file (`--json`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.runner.outputs import Outputs
from scrub.runner.partial_results import write_finished


@frozen(eq=False)
class ResultsFile:
    """Writes the results of a run into its results file when the run has come to its end.

    Attributes:
        outputs: where the file goes.
        further: the fields that the file has beside the results, from the results.
    """

    outputs: Outputs
    seed: int
    further: Callable[[Sequence[Result | Inapplicable]], Mapping[str, Any]] = lambda results: {}

    def claim_finished(self, result: Result | Inapplicable) -> None:
        """Writes nothing: the runner saves unfinished runs, in the partial file."""

    def run_finished(self, results: Sequence[Result | Inapplicable], *, stopped: bool) -> None:
        """Writes the file, unless the run was stopped.

        Raises:
            UserError: it cannot be written.
        """
        if not stopped:
            write_finished(results, self.seed, self.outputs, self.further(results))
