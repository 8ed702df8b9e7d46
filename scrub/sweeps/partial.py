"""The partial file of a sweep that is not finished, from which the same command resumes.

It lies in `.scrub/` in the directory in which the command was started, holds the numbers of the
samples that are done, and goes when the sweep is finished. What is in it is used only under the
fingerprint of all that determines it (`scrub.runner.fingerprint`), and after a few of the samples
were computed again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from attrs import define, field

from scrub.results.atomic_write import write_whole
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.opened_files import digest, so_far
from scrub.runner.outputs import Outputs
from scrub.runner.partial_results import FOLDER, remove_partial
from scrub.sweeps.measure import Members, Numbers

EVERY = 30.0
"""Seconds after which it is written anew when a chunk is done."""
CHECKED = 8
"""Samples of an earlier run that are computed again before the others are believed."""


class Work(Protocol):
    """Numbers of a sweep that are computed for some samples at a time.

    Law: those of one sample do not depend on which others are computed with it, but for rounding.
    """

    @property
    def members(self) -> Members: ...

    @property
    def kind(self) -> str:
        """What the numbers are, where one sweep has several kinds: "" for the members' metrics."""
        ...

    def chunks(self, start: int) -> Iterator[Numbers]:
        """The numbers of the samples from `start` on, some at a time."""
        ...

    def at(self, samples: np.ndarray) -> Numbers:
        """The numbers of these samples, of which nobody is told how far they are."""
        ...


@define(eq=False)
class Partial:
    """The numbers of the samples that are done, and where they are kept.

    Attributes:
        file: from the start, as messages call it; None: nothing is kept.
        start: the directory in which the command was started.
        parts: in the order of samples.
        trouble: why an earlier file was not used, or this one not written; "" where all is well.
    """

    file: Path | None = None
    start: Path = Path()
    fingerprint: str = ""
    parts: list[Numbers] = field(factory=list)
    trouble: str = ""
    written: float = field(factory=time.monotonic)
    saved: int = 0

    @property
    def samples(self) -> int:
        return sum(part.shape[-1] for part in self.parts)

    def add(self, part: Numbers) -> None:
        """The numbers of the samples that come next."""
        self.parts.append(part)
        if time.monotonic() - self.written >= EVERY:
            self.save()

    def save(self) -> bool:
        """Write the file if there is anything new; says whether there is a file."""
        if self.file is None or not self.samples:
            return False
        if self.samples == self.saved:
            return True
        self.written = time.monotonic()
        numbers = np.concatenate(self.parts, axis=-1).astype("<f8")
        said = {
            "partial": True,
            "kind": "sweep",
            "fingerprint": self.fingerprint,
            "files": so_far(),
            "shape": numbers.shape,
            "sha256": hashlib.sha256(numbers.tobytes()).hexdigest(),
            "float64": base64.b64encode(numbers.tobytes()).decode(),
        }
        try:
            (self.start / FOLDER).mkdir(exist_ok=True)
            write_whole(self.start / FOLDER / ".gitignore", "*\n")
            write_whole(self.start / self.file, json.dumps(said) + "\n")
        except OSError as error:  # a full disk must not end a run that is otherwise well
            self.trouble = f"{self.file}: {error.strerror}"
            return False
        self.saved = self.samples
        return True

    def remove(self, outputs: Outputs) -> None:
        """Remove the file of a sweep that is finished."""
        if self.file is not None:
            remove_partial(self.file, outputs)


def opened(work: Work, outputs: Outputs) -> Partial:
    """The partial file of a sweep, with what an earlier run of the same command left in it."""
    members = work.members
    sweep, options = members.sweep, members.context.options
    kind = (work.kind,) if work.kind else ()
    command = (sweep.item.name, repr(sweep.question), options.model, options.seed, *kind)
    file = FOLDER / f"{hashlib.sha256(repr(command).encode()).hexdigest()[:12]}.json"
    fingerprints = Fingerprints.of_claims([sweep.base])
    base = fingerprints.of(sweep.base, members.model, options, members.draws)
    routes = [[repr(node.routes) for node in tree.walk()] for tree in members.trees]
    fingerprint = hashlib.sha256(repr((base, routes, *kind)).encode()).hexdigest()
    found = Partial(file, outputs.start, fingerprint)
    if (outputs.start / file).is_file():
        _read(outputs.start / file, found)
        _check(found, work)
    return found


def _read(path: Path, into: Partial) -> None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["fingerprint"] != into.fingerprint:
            return
        changed = [name for name, content in found["files"].items() if digest(name) != content]
        if changed:
            into.trouble = f"{changed[0]}, which the file reads, has changed"
            return
        into.parts.append(_numbers(found))
        into.saved = into.samples
    except OSError as error:
        into.trouble = str(error.strerror)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        into.trouble = "it is damaged"


def _numbers(found: dict[str, Any]) -> Numbers:
    """The numbers as they were written. Raises a ValueError if they are damaged."""
    raw = base64.b64decode(found["float64"], validate=True)
    if hashlib.sha256(raw).hexdigest() != found["sha256"]:
        raise ValueError("the numbers are not those that were written")
    return np.frombuffer(raw, "<f8").astype(float).reshape(found["shape"])


def _check(found: Partial, work: Work) -> None:
    """Compute a few samples again; drop all if they differ by more than rounding."""
    if not found.samples:
        return
    which = np.unique(np.linspace(0, found.samples - 1, CHECKED).astype(np.int64))
    again = work.at(which)
    before = found.parts[0][..., which]
    eps = np.finfo(np.float32).eps ** 0.5
    scale = np.abs(before[np.isfinite(before)]).max(initial=0.0)
    if not np.allclose(before, again, rtol=0, atol=eps * scale, equal_nan=True):
        found.parts.clear()
        found.saved = 0
        found.trouble = "what was computed before is not what is computed now"
