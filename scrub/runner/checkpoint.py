"""Checkpoints: the scores of a run that is not finished, so that the same command resumes.

They stand in the partial results file (`"partial": true`) under "kept", one entry a scrub: the
metric per reference, three times (four of an effect), for the samples that are done. Nothing else
is saved: plan and draws are made again, which is cheap, and a claim that was finished needs no more
than its scores. An entry is found by its fingerprint (`scrub.runner.fingerprint`) alone, so that a
stale one is never used; and none is used if a file has changed that the user's code read
(`scrub.runner.opened_files`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, field, frozen

from scrub.draw import Draws
from scrub.model.registry import Model
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.opened_files import digest
from scrub.runner.options import Options
from scrub.runner.prepare import Prepared
from scrub.stats.scores import BEFORE, COLUMNS, Scores, joined


@define(eq=False)
class Checkpoint:
    """The scores of one scrub, as far as they are computed: those of its first samples.

    It grows while the scrub runs; only `scrub.runner.resume` adds to it.

    Attributes:
        claim: the claim's name, for people.
        parts: in the order of samples, one `Scores` a metric; grows with each chunk.
        seconds: spent on them.
        finished: whether the claim needs no more of them.
        unchecked: whether they come from an earlier run and are still to be checked.
        stale: whether some were dropped because they no longer held.
    """

    claim: str = ""
    parts: list[tuple[Scores, ...]] = field(factory=list)
    seconds: float = 0.0
    finished: bool = False
    unchecked: bool = False
    stale: bool = False

    @property
    def samples(self) -> int:
        return sum(len(part[0].original) for part in self.parts)

    def add(self, part: tuple[Scores, ...], seconds: float) -> None:
        """The scores of the samples that come next."""
        self.parts.append(part)
        self.seconds += seconds

    def first(self, samples: int) -> tuple[Scores, ...]:
        """The scores of the first samples, as many as are computed, metric by metric."""
        whole = (joined(parts) for parts in zip(*self.parts, strict=True))
        return tuple(scores.where(np.s_[:samples]) for scores in whole)

    def drop(self) -> None:
        """Start anew: the scores are not what is computed now."""
        self.parts.clear()
        self.seconds = 0.0
        self.finished = False
        self.stale = True


@frozen(eq=False)
class Checkpoints:
    """The checkpoints of a run, those of an earlier run with them.

    Attributes:
        by_fingerprint: the checkpoint of each scrub.
        trouble: why an earlier file could not be read, as a sentence; "" if it could.
        files: what the user's code read before (see `scrub.runner.opened_files`).
    """

    fingerprints: Fingerprints
    by_fingerprint: dict[str, Checkpoint] = field(factory=dict)
    trouble: str = ""
    files: Mapping[str, str] = field(factory=dict)

    @staticmethod
    def read(path: Path, fingerprints: Fingerprints, shown: Path | None = None) -> Checkpoints:
        """Those in the file of an earlier run; none, where it is complete or not there.

        Args:
            shown: what messages call the file (default: its path).
        """
        if not path.is_file():
            return Checkpoints(fingerprints)
        try:
            text = path.read_text(encoding="utf-8")
            found = json.loads(text) if text else {}
            entries = found["kept"] if found.get("partial") else []
            files = dict(found.get("files", {}))
            changed = [name for name, content in files.items() if digest(name) != content]
            if not changed:
                read = {entry["fingerprint"]: _checkpoint(entry) for entry in entries}
                return Checkpoints(fingerprints, read, files=files)
            reason = f"{changed[0]}, which the claims read, has changed"
        except OSError as error:
            reason = str(error.strerror)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            reason = "it is damaged, or no results file"
        trouble = f"{shown or path} cannot be resumed from: {reason}. Everything is computed anew."
        return Checkpoints(fingerprints, trouble=trouble)

    def of(self, prepared: Prepared, model: Model, options: Options, draws: Draws) -> Checkpoint:
        """The checkpoint of this scrub; an empty one, which is saved, where there is none."""
        fingerprint = self.fingerprints.of(prepared, model, options, draws)
        return self.by_fingerprint.setdefault(fingerprint, Checkpoint(prepared.name))

    @property
    def samples(self) -> int:
        """Samples that are computed, of all scrubs together."""
        return sum(checkpoint.samples for checkpoint in self.by_fingerprint.values())

    def as_json(self) -> list[dict[str, Any]]:
        """The entries of the partial results file."""
        begun = {key: found for key, found in self.by_fingerprint.items() if found.samples}
        return [_entry(fingerprint, checkpoint) for fingerprint, checkpoint in begun.items()]


def _entry(fingerprint: str, checkpoint: Checkpoint) -> dict[str, Any]:
    """Scores as base64 of little-endian float64: every bit, and what JSON has no word for."""
    metrics = [
        {name: numbers.astype("<f8").tobytes() for name, numbers in scores.columns.items()}
        for scores in checkpoint.first(checkpoint.samples)
    ]
    return {
        "claim": checkpoint.claim,
        "fingerprint": fingerprint,
        "samples": checkpoint.samples,
        "finished": checkpoint.finished,
        "seconds": round(checkpoint.seconds, 3),
        "sha256": _sha256(metrics),
        "float64": [
            {name: base64.b64encode(values).decode() for name, values in raw.items()}
            for raw in metrics
        ],
    }


def _checkpoint(entry: dict[str, Any]) -> Checkpoint:
    """The opposite of `_entry`. Raises a ValueError if the scores are damaged."""
    metrics = [
        {name: base64.b64decode(raw[name], validate=True) for name in _columns(raw)}
        for raw in entry["float64"]
    ]
    seconds = float(entry["seconds"])
    sizes = {len(values) for raw in metrics for values in raw.values()}
    if _sha256(metrics) != entry["sha256"] or len(sizes) != 1 or not math.isfinite(seconds):
        raise ValueError("the scores are not those that were written")
    part = tuple(
        Scores(**{name: np.frombuffer(values, "<f8").astype(float) for name, values in raw.items()})
        for raw in metrics
    )
    return Checkpoint(
        entry["claim"],
        [part],
        seconds=seconds,
        finished=bool(entry["finished"]),
        unchecked=True,
    )


def _columns(raw: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns of scores: of a claim about an effect one more."""
    return (*COLUMNS, BEFORE) if BEFORE in raw else COLUMNS


def _sha256(metrics: list[dict[str, bytes]]) -> str:
    raw = [metric[name] for metric in metrics for name in _columns(metric)]
    return hashlib.sha256(b"".join(raw)).hexdigest()
