"""The file in which measured circuits are kept: `.scrub/….npz`, in the directory of the command.

What is in it is used only under the fingerprint of all that determines it
(`scrub.runner.fingerprint`).
"""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from attrs import define
from jaxtyping import Float

from scrub.circuits.conventions import Convention
from scrub.circuits.subject import Subject
from scrub.draw import Draws
from scrub.model.registry import Model
from scrub.results.atomic_write import write_whole, written_beside
from scrub.runner.context import Context
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.opened_files import digest, so_far
from scrub.runner.outputs import Outputs
from scrub.runner.partial_results import FOLDER

EVERY = 30.0
"""Seconds after which it is written anew when more circuits are measured."""
Known = dict[str, Float[np.ndarray, "metrics samples"]]


@define(eq=False)
class MeasurementsFile:
    """Where the circuits of one command are kept.

    Attributes:
        path: from the start, as messages call it; None: nothing is kept.
        start: the directory in which the command was started.
        saved: how many circuits are in it.
        trouble: why it was not written the last time; "" if it was.
    """

    path: Path | None = None
    start: Path = Path()
    fingerprint: str = ""
    written: float = 0.0
    saved: int = 0
    trouble: str = ""

    @staticmethod
    def of(
        subject: Subject,
        convention: Convention,
        model: Model,
        draws: Draws,
        context: Context,
        outputs: Outputs | None,
    ) -> MeasurementsFile:
        """The file of these measurements: other data, conventions and seeds have others."""
        if outputs is None:
            return MeasurementsFile()
        options, names = context.options, [metric.name for metric in subject.metrics]
        command = (subject.item.name, subject.data.name, convention.name, options.model, names)
        drawn = options.seed, options.samples
        called = hashlib.sha256(repr((*command, *drawn)).encode()).hexdigest()[:12]
        base = Fingerprints.of_claims([subject.base]).of(subject.base, model, options, draws)
        fingerprint = hashlib.sha256(repr((base, repr(convention))).encode()).hexdigest()
        return MeasurementsFile(
            FOLDER / f"{called}.npz", outputs.start, fingerprint, time.monotonic()
        )

    def read(self) -> Known:
        """What an earlier command measured; nothing where it does not hold any more."""
        if self.path is None or not (self.start / self.path).is_file():
            return {}
        try:
            with np.load(self.start / self.path, allow_pickle=False) as found:
                said = json.loads(str(found["said"]))
                if said["fingerprint"] != self.fingerprint:
                    return {}
                if any(digest(name) != content for name, content in said["files"].items()):
                    return {}
                numbers = found["numbers"]
                names = list(map(str, found["names"]))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):  # it is damaged
            return {}
        self.saved = len(names)
        return dict(zip(names, numbers, strict=True))

    def save(self, known: Mapping[str, np.ndarray], *, at_once: bool = False) -> str:
        """Write it if the last time is some while ago; says what is kept, where it is at once."""
        if self.path is None or not known:
            return ""
        due = at_once or time.monotonic() - self.written >= EVERY
        if due and len(known) != self.saved:
            self._write(known)
        if self.trouble:
            return f"what was measured could not be kept: {self.trouble}"
        return (
            f"{len(known):,} circuits were measured; they are in {self.path}, and the same "
            "command resumes"
        )

    def remove(self) -> None:
        """Forget what was measured."""
        if self.path is not None:
            (self.start / self.path).unlink(missing_ok=True)

    def _write(self, known: Mapping[str, np.ndarray]) -> None:
        assert self.path is not None
        said = json.dumps({"fingerprint": self.fingerprint, "files": so_far()})
        try:
            (self.start / FOLDER).mkdir(exist_ok=True)
            write_whole(self.start / FOLDER / ".gitignore", "*\n")
            with written_beside(self.start / self.path) as beside:
                np.savez(
                    beside, said=said, names=list(known), numbers=np.stack(list(known.values()))
                )
        except OSError as error:  # a full disk must not end a run that is otherwise well
            self.trouble = f"{self.path}: {error.strerror}"
            return
        self.trouble, self.saved, self.written = "", len(known), time.monotonic()
