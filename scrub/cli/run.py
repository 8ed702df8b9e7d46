"""Running the claims of a command: progress, results file, and what a stopped run leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scrub.results.result import Result
    from scrub.runner.diagnoses import Diagnoses
    from scrub.runner.options import Options
    from scrub.runner.outputs import Outputs
    from scrub.runner.prepare import Prepared
    from scrub.runner.session import Session
    from scrub.runner.suite import Outcome


def run(
    claims: Sequence[Prepared],
    session: Session,
    options: Options,
    wanted: Diagnoses,
    outputs: Outputs,
    more: Callable[[Sequence[Result]], dict[str, Any]] = lambda results: {},
) -> list[Result]:
    """The results of a run that came to its end; what a stopped one computed is kept.

    Args:
        more: what the results file says beside the results.
    """
    from scrub.report.progress_bar import ProgressBar
    from scrub.runner.context import Context
    from scrub.runner.partial_results import partial_file, remove_partial, write_finished
    from scrub.runner.suite import run_claims

    progress = ProgressBar(options.samples * len(claims), quiet=False)
    outcome = run_claims(claims, Context(session, options, progress), outputs, wanted)
    if outcome.stopped:
        raise type(outcome.stopped)(stopped_message(outcome, len(claims)))
    write_finished(outcome.results, options.seed, outputs, more(outcome.results))
    remove_partial(partial_file(claims, options, outputs), outputs)
    return outcome.results


def stopped_message(outcome: Outcome, claims: int) -> str:
    """How far a stopped run came, and where its partial file is; "" if it computed nothing."""
    if outcome.partial is not None:
        return (
            f"{len(outcome.results)} of {claims} claims finished; what was computed is in "
            f"{outcome.partial}, and the same command resumes"
        )
    finished = f"{len(outcome.results)} of {claims} claims finished"
    if outcome.trouble:
        return f"{finished}; what was computed could not be kept: {outcome.trouble}"
    return finished if outcome.results else ""
