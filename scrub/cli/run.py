"""Running the claims of a command: progress, reporters, and the partial file of a stopped run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scrub.report.reporter import Reporter
    from scrub.results.inapplicable import Inapplicable
    from scrub.results.result import Result
    from scrub.runner.diagnoses import Diagnoses
    from scrub.runner.options import Options
    from scrub.runner.outputs import Outputs
    from scrub.runner.prepare import Prepared
    from scrub.runner.session import Session
    from scrub.runner.suite import Outcome


def run(
    claims: Sequence[Prepared | Inapplicable],
    session: Session,
    options: Options,
    wanted: Diagnoses,
    outputs: Outputs,
    reporters: Sequence[Reporter],
    *,
    quiet: bool = False,
) -> list[Result | Inapplicable]:
    """Scrub and diagnose claims, and pass the results to the reporters.

    Args:
        quiet: show no progress.

    Raises:
        UserError: a model cannot be loaded, a sampler or metric of the user's fails, or a file
            cannot be written.
        KeyboardInterrupt: the run was stopped; the message says what is in the partial file. The
            reporters have got what was finished.
    """
    from scrub.report.progress_bar import ProgressBar
    from scrub.report.reporter import finish
    from scrub.runner.context import Context
    from scrub.runner.partial_results import partial_file, remove_partial
    from scrub.runner.suite import run_claims

    def claim_finished(result: Result | Inapplicable) -> None:
        for reporter in reporters:
            reporter.claim_finished(result)

    progress = ProgressBar(options.samples * len(claims), quiet=quiet)
    context = Context(session, options, progress)
    outcome = run_claims(claims, context, outputs, wanted, claim_finished)
    finish(reporters, outcome.results, stopped=outcome.stopped is not None)
    if outcome.stopped:
        raise type(outcome.stopped)(stopped_message(outcome, len(claims)))
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
