"""Results files: the partial one of a run that is not finished, and the whole one at its end.

As long as a run is not finished, a file beside its results file (`results.json.partial`) holds what
there is of them (`"partial": true`), and the checkpoints from which the same command resumes.
Without --json that file lies in `.scrub/` in the directory in which the command was started. It
goes when the run is finished. Every write is atomic.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from attrs import define

from scrub.results.atomic_write import write_whole
from scrub.results.diagnosis_json import diagnoses_as_json
from scrub.results.inapplicable import Inapplicable
from scrub.results.json import as_json
from scrub.results.result import Result
from scrub.runner.checkpoint import Checkpoints
from scrub.runner.opened_files import so_far
from scrub.runner.options import Options
from scrub.runner.outputs import Outputs
from scrub.runner.prepare import Prepared

FOLDER = Path(".scrub")
MORE: Mapping[str, Any] = MappingProxyType({})
"""What a results file says beside its results: nothing."""


@define(eq=False)
class PartialFile:
    """The partial results file, as far as it is written.

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
    checkpoints: Checkpoints
    seed: int
    results: list[Result | Inapplicable]
    state: tuple[int, int] = (0, 0)
    written: float = 0.0
    trouble: str = ""

    def __attrs_post_init__(self) -> None:
        self.state = (0, self.checkpoints.samples)
        self.written = time.monotonic()

    def save_after(self, seconds: float) -> None:
        """Write the file if the last time is so long ago."""
        if time.monotonic() - self.written >= seconds:
            self.save()

    def save(self) -> Path | None:
        """Write the file if there is anything new; gives it, unless nothing could be saved."""
        state = (len(self.results), self.checkpoints.samples)
        if state != self.state:
            self.written = time.monotonic()
            try:
                if self.file.parent == FOLDER:
                    (self.start / FOLDER).mkdir(exist_ok=True)
                    write_whole(self.start / FOLDER / ".gitignore", "*\n")
                write_whole(
                    self.start / self.file, _text(self.results, self.seed, self.checkpoints)
                )
            except OSError as error:  # a full disk must not end a run that is otherwise well
                self.trouble = f"{self.file}: {error.strerror}"
                return None
            self.state, self.trouble = state, ""
        return self.file if self.checkpoints.samples else None


def partial_file(
    claims: Sequence[Prepared | Inapplicable], options: Options, outputs: Outputs
) -> Path:
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
    results: Sequence[Result | Inapplicable],
    seed: int,
    outputs: Outputs,
    more: Mapping[str, Any] = MORE,
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
    results: Sequence[Result | Inapplicable],
    seed: int,
    checkpoints: Checkpoints | None,
    more: Mapping[str, Any] = MORE,
) -> str:
    found = as_json(results, seed, kept=None if checkpoints is None else checkpoints.as_json())
    for entry, result in zip(found["results"], results, strict=True):
        if isinstance(result, Result):
            entry |= diagnoses_as_json(result)
    if checkpoints is not None:
        found["files"] = {**checkpoints.files, **so_far()}
    found |= more
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
