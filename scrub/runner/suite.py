"""The claims of one command, one after the other: what is done is kept, and what is kept resumed.

As long as a run is not finished, a file beside its results file (`results.json.partial`) holds what
there is of them (`"partial": true`), and the numbers from which the same command goes on. Without
--json that file lies in `.scrub/` in the directory in which the command was started. It goes when
the run is finished.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import define, evolve, frozen

from scrub.results.atomic_write import write_whole
from scrub.results.diagnosis_json import diagnoses_as_json
from scrub.results.json import as_json
from scrub.results.result import Result
from scrub.runner.checkpoint import Kept
from scrub.runner.diagnose import (
    NOTHING,
    Asked,
    diagnose,
    scrubs,
)
from scrub.runner.duration import announcement, estimated_seconds
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.interrupts import nothing_stops, sigterm_stops
from scrub.runner.opened_files import so_far
from scrub.runner.options import Options
from scrub.runner.outputs import Outputs, record_folder, save_record
from scrub.runner.pipeline import Ahead, ahead, scrub_claim
from scrub.runner.prepare import Prepared, load_models
from scrub.runner.progress import Progress, Watch
from scrub.runner.session import Session
from scrub.stats.bonferroni import family_size

FOLDER = Path(".scrub")
BETWEEN_CLAIMS, WITHIN_CLAIM = 1.0, 30.0
"""Seconds after which the partial file is written anew: at the end of a claim, and of a chunk."""
MORE: Mapping[str, Any] = MappingProxyType({})
"""What a results file says beside its results: nothing."""


@frozen(eq=False)
class Outcome:
    """What a run came to.

    Attributes:
        stopped: by what the run was stopped; None where it came to its end.
        partial: the file that the same command goes on from, if the run was stopped; None where
            nothing could be kept.
        trouble: why it could not be written; "" if it could.
    """

    results: list[Result]
    stopped: KeyboardInterrupt | None = None
    partial: Path | None = None
    trouble: str = ""


def run_claims(
    claims: Sequence[Prepared],
    session: Session,
    options: Options,
    progress: Progress,
    outputs: Outputs,
    asked: Asked = NOTHING,
) -> Outcome:
    """Scrub and diagnose all claims, but for what a partial file of the same command has already.

    Raises:
        UserError: a model cannot be loaded, a sampler or metric of the user's fails, or a record
            cannot be written. What was computed until then is kept.
    """
    file = partial_file(claims, options, outputs)
    kept = Kept.read(outputs.start / file, Fingerprints.of_claims(claims), shown=file)
    saving = _Saving(file, outputs.start, kept, options.seed, [])
    with sigterm_stops():
        try:
            with progress:
                _run(claims, session, options, progress, saving, outputs, asked)
        except KeyboardInterrupt as stopped:
            with nothing_stops():
                return Outcome(saving.results, stopped, saving.now(), saving.trouble)
        except Exception:
            saving.now()
            raise
    return Outcome(saving.results)


def _run(
    claims: Sequence[Prepared],
    session: Session,
    options: Options,
    progress: Progress,
    saving: _Saving,
    outputs: Outputs,
    asked: Asked,
) -> None:
    progress.note(saving.kept.trouble)
    progress.says("loading the model")
    load_models(claims, session, options)
    coming = [ahead(claim, session, options, saving.kept.section) for claim in claims]
    progress.note(resuming(coming, options.samples))
    progress.note(announced([*map(partial(_diagnosed, asked), coming, claims)], options))

    def finished(samples: int) -> None:
        progress.advance(samples)
        saving.after(WITHIN_CLAIM)

    watch = Watch(progress.says, progress.expects, finished)
    family = family_size(claim.claim for claim in claims)
    for claim, before in zip(claims, coming, strict=True):
        progress.says(claim.name)
        result = scrub_claim(
            claim, session, options, watch, saving.kept.section, family_size=family
        )
        if before.known.dropped:
            progress.note(
                f"{before.name}: what was computed before is not what is computed now, "
                "so all of it was computed anew"
            )
        if outputs.save_run:
            save_record(result, record_folder(outputs.save_run, claim, claims), outputs)
        saving.results.append(result)
        saving.results[-1] = diagnose(
            result, claim, session, options, asked, watch, saving.kept.section, before.cost
        )
        saving.after(BETWEEN_CLAIMS)


def _diagnosed(asked: Asked, item: Ahead, claim: Prepared) -> Ahead:
    """What is left to do of a claim with its diagnoses. Other datasets take plain values too."""
    others = asked.fresh * (item.cost.flops + item.cost.plain_flops)
    flops = scrubs(claim.tree, asked, item.cost) * item.cost.flops
    return evolve(item, flops=item.flops + flops + others)


@define(eq=False)
class _Saving:
    """The partial file, as far as it is written.

    Attributes:
        file: from the start, as messages call it.
        start: the directory in which the command was started.
        results: of the claims that are finished.
        state: claims and samples that the file holds.
        written: when, as `time.monotonic` counts.
        trouble: why it was not written the last time; "" if it was.
    """

    file: Path
    start: Path
    kept: Kept
    seed: int
    results: list[Result]
    state: tuple[int, int] = (0, 0)
    written: float = 0.0
    trouble: str = ""

    def __attrs_post_init__(self) -> None:
        self.state = (0, self.kept.samples)
        self.written = time.monotonic()

    def after(self, seconds: float) -> None:
        """Write the file if the last time is so long ago."""
        if time.monotonic() - self.written >= seconds:
            self.now()

    def now(self) -> Path | None:
        """Write the file if there is anything new; gives it, unless nothing could be kept."""
        state = (len(self.results), self.kept.samples)
        if state != self.state:
            self.written = time.monotonic()
            try:
                if self.file.parent == FOLDER:
                    (self.start / FOLDER).mkdir(exist_ok=True)
                    write_whole(self.start / FOLDER / ".gitignore", "*\n")
                write_whole(self.start / self.file, _text(self.results, self.seed, self.kept))
            except OSError as error:  # a full disk must not end a run that is otherwise well
                self.trouble = f"{self.file}: {error.strerror}"
                return None
            self.state, self.trouble = state, ""
        return self.file if self.kept.samples else None


def partial_file(claims: Sequence[Prepared], options: Options, outputs: Outputs) -> Path:
    """Where a run that is not finished leaves what it computed, from the start.

    The file in `.scrub/` is called after the claims and what else tells one command from another;
    whether what is in it still holds is another question, which fingerprints answer.
    """
    given = outputs.json
    there = outputs.start / given if given is not None else FOLDER
    if given is not None and (there.is_file() or not there.exists()):
        return given.with_name(f"{given.name}.partial")
    command = ([claim.name for claim in claims], options.model, options.seed)
    return FOLDER / f"{hashlib.sha256(repr(command).encode()).hexdigest()[:12]}.json"


def write_finished(
    results: Sequence[Result], seed: int, outputs: Outputs, more: Mapping[str, Any] = MORE
) -> None:
    """Write the results file of a finished run, if one was asked for: `more` is beside the results.

    Raises:
        UserError: it cannot be written.
    """
    if outputs.json is not None:
        with outputs.writing("--json", outputs.json) as file:
            write_whole(file, _text(results, seed, None, more))


def remove_partial(file: Path, outputs: Outputs) -> None:
    """Remove a partial file; and `.scrub/`, if nothing else is in it."""
    folder = outputs.start / FOLDER
    try:
        (outputs.start / file).unlink(missing_ok=True)
        if file.parent == FOLDER and [path.name for path in folder.iterdir()] == [".gitignore"]:
            (folder / ".gitignore").unlink()
            folder.rmdir()
    except OSError:  # another run is at work there
        return


def _text(
    results: Sequence[Result], seed: int, kept: Kept | None, more: Mapping[str, Any] = MORE
) -> str:
    found = as_json(results, seed, kept=None if kept is None else kept.as_json())
    for entry, result in zip(found["results"], results, strict=True):
        entry |= diagnoses_as_json(result)
    if kept is not None:
        found["files"] = {**kept.files, **so_far()}
    found |= more
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def resuming(coming: Sequence[Ahead], samples: int) -> str:
    """One line on what is not computed again; "" where there is nothing."""
    whole = [item for item in coming if item.known.finished]
    begun = [item for item in coming if item.known.samples and not item.known.finished]
    parts = [f"{len(whole)} of {len(coming)} claims"] if whole else []
    parts += [f"{i.known.samples:,} of {samples:,} references of {i.name}" for i in begun]
    verb = "was" if len(whole) == len(parts) == 1 else "were"
    return f"resuming: {' and '.join(parts)} {verb} computed before" if parts else ""


def announced(coming: Sequence[Ahead], options: Options) -> str:
    """One line on how long it will take; "" where that is not long.

    The plain model's rows are computed once for all claims on one model and data.
    """
    rows: dict[tuple[int, int], int] = {}
    for item in coming:
        rows[item.shared] = max(item.plain_flops, rows.get(item.shared, 0))
    flops = sum(item.flops for item in coming) + sum(rows.values())
    seconds = estimated_seconds(flops, options.device, options.dtype)
    left = sum(not item.known.finished for item in coming)
    return announcement(seconds, left)
