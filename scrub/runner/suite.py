"""The claims of one command: plan all and announce, then run, diagnose and save each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from attrs import evolve, frozen

from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.runner.checkpoint import Checkpoints
from scrub.runner.context import Context
from scrub.runner.diagnose import diagnose
from scrub.runner.diagnoses import NO_DIAGNOSES, Diagnoses
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.interrupts import nothing_stops, sigterm_stops
from scrub.runner.outputs import Outputs, record_folder, save_record
from scrub.runner.partial_results import PartialFile, partial_file
from scrub.runner.pipeline import scrub_claim
from scrub.runner.planned import Planned, plan_claim
from scrub.runner.prepare import Prepared, load_models, split
from scrub.runner.progress import Progress
from scrub.runner.remaining import announced, remaining_work, resuming
from scrub.stats.bonferroni import family_size

BETWEEN_CLAIMS, WITHIN_CLAIM = 1.0, 30.0
"""Seconds after which the partial file is written anew: at the end of a claim, and of a chunk."""


@frozen(eq=False)
class Outcome:
    """What a run came to.

    Attributes:
        stopped: by what the run was stopped; None where it came to its end.
        partial: the file that the same command goes on from, if the run was stopped; None where
            nothing could be saved.
        trouble: why it could not be written; "" if it could.
    """

    results: list[Result | Inapplicable]
    stopped: KeyboardInterrupt | None = None
    partial: Path | None = None
    trouble: str = ""


def run_claims(
    claims: Sequence[Prepared | Inapplicable],
    context: Context,
    outputs: Outputs,
    wanted: Diagnoses = NO_DIAGNOSES,
    claim_finished: Callable[[Result | Inapplicable], None] = lambda result: None,
) -> Outcome:
    """Scrub and diagnose all claims, but for what a partial file of the same command has already.

    Those that do not apply to their models are among the results, and no others of the run depend
    on them.

    Args:
        claim_finished: gets each result as soon as its diagnoses are made, in order of the claims.

    Raises:
        UserError: a model cannot be loaded, a sampler or metric of the user's fails, or a record
            cannot be written. What was computed until then is saved.
    """
    path = partial_file(claims, context.options, outputs)
    running, _ = split(claims)
    fingerprints = Fingerprints.of_claims(running)
    checkpoints = Checkpoints.read(outputs.start / path, fingerprints, shown=path)
    file = PartialFile(path, outputs.start, checkpoints, context.options.seed, [])
    saving = evolve(
        context,
        progress=SavingProgress(context.progress, file),
        checkpoints=checkpoints,
        family_size=family_size(claim.claim for claim in running),
    )
    with sigterm_stops():
        try:
            with context.progress:
                _run(claims, saving, outputs, wanted, file, claim_finished)
        except KeyboardInterrupt as stopped:
            with nothing_stops():
                return Outcome(file.results, stopped, file.save(), file.trouble)
        except Exception:
            file.save()
            raise
    return Outcome(file.results)


def _run(
    claims: Sequence[Prepared | Inapplicable],
    context: Context,
    outputs: Outputs,
    wanted: Diagnoses,
    file: PartialFile,
    claim_finished: Callable[[Result | Inapplicable], None],
) -> None:
    progress, options = context.progress, context.options
    running, _ = split(claims)
    progress.note(file.checkpoints.trouble)
    progress.says("loading the model")
    load_models(running, context.session, options, progress.says)
    waiting = deque(plan_claim(claim, context) for claim in running)
    coming = [remaining_work(planned, wanted, context) for planned in waiting]
    progress.note(resuming(coming, options.samples))
    progress.note(announced(coming, options))
    for claim in claims:
        if isinstance(claim, Inapplicable):
            file.results.append(claim)
        else:  # a claim that is finished is let go, and its draws with it
            _run_one(waiting.popleft(), context, wanted, file, outputs, running)
        claim_finished(file.results[-1])


def _run_one(
    planned: Planned,
    context: Context,
    wanted: Diagnoses,
    file: PartialFile,
    outputs: Outputs,
    claims: Sequence[Prepared],
) -> None:
    prepared, progress = planned.prepared, context.progress
    progress.says(prepared.claim.name)
    result = scrub_claim(planned, context)
    if planned.checkpoint.stale:
        progress.note(
            f"{prepared.claim.name}: what was computed before is not what is computed now, "
            "so all of it was computed anew"
        )
    if outputs.save_run:
        save_record(result, record_folder(outputs.save_run, prepared, claims), outputs)
    file.results.append(result)
    file.results[-1] = diagnose(result, planned, context, wanted)
    file.save_after(BETWEEN_CLAIMS)


@frozen(eq=False)
class SavingProgress:
    """Progress that saves the partial results file from time to time, when a chunk is done."""

    shown: Progress
    file: PartialFile

    def __enter__(self) -> Self:
        self.shown.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.shown.__exit__(*error)

    def says(self, text: str) -> None:
        self.shown.says(text)

    def note(self, text: str) -> None:
        self.shown.note(text)

    def expects(self, samples: int) -> None:
        self.shown.expects(samples)

    def advance(self, samples: int) -> None:
        self.shown.advance(samples)
        self.file.save_after(WITHIN_CLAIM)
