"""The numbers of a run that is not finished, kept so that the same command goes on from them.

They stand in the partial results file (`"partial": true`) under "kept", one entry a scrub: the
metric per reference, three times, for the samples that are done. Nothing else is kept: plan and
draws are made again, which is cheap, and a claim that was finished needs no more than its numbers.
An entry is found by its fingerprint (`scrub.runner.fingerprint`) alone, so that a stale one is
never used; and none is used if a file has changed that the user's code read
(`scrub.runner.opened_files`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, field, frozen

from scrub.draw import Draws
from scrub.hypothesis.tree import Tree
from scrub.model.registry import Model
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.opened_files import digest
from scrub.runner.options import Options
from scrub.runner.prepare import Prepared
from scrub.stats.scores import COLUMNS, Scores


@define(eq=False)
class Section:
    """The numbers of one scrub, as far as they are known: those of its first samples.

    Attributes:
        claim: the claim's name, for people.
        parts: in the order of samples, one `Scores` a metric; grows with each chunk.
        seconds: spent on them.
        finished: whether the claim needs no more of them.
        earlier: whether they come from an earlier run and are still to be checked.
        dropped: whether they were forgotten because they no longer held.
    """

    claim: str = ""
    parts: list[tuple[Scores, ...]] = field(factory=list)
    seconds: float = 0.0
    finished: bool = False
    earlier: bool = False
    dropped: bool = False

    @property
    def samples(self) -> int:
        return sum(len(part[0].original) for part in self.parts)

    def add(self, part: tuple[Scores, ...], seconds: float) -> None:
        """The numbers of the samples that come next."""
        self.parts.append(part)
        self.seconds += seconds

    def first(self, samples: int) -> tuple[Scores, ...]:
        """The numbers of the first samples, as many as are known, metric by metric."""
        return tuple(
            Scores(*(np.concatenate([getattr(n, c) for n in one])[:samples] for c in COLUMNS))
            for one in zip(*self.parts, strict=True)
        )

    def forget(self) -> None:
        """Start anew: the numbers are not what is computed now."""
        self.parts.clear()
        self.seconds = 0.0
        self.finished = False
        self.dropped = True


SectionOf = Callable[[Prepared, Model, Options, Tree, Draws], Section]
"""What is known of the numbers of a tree on draws."""


def nothing_known(*scrub: object) -> Section:
    """For a run that keeps nothing beyond its end."""
    return Section()


@frozen(eq=False)
class Kept:
    """The numbers of a run's scrubs, those of an earlier run with them.

    Attributes:
        trouble: why an earlier file could not be read, as a sentence; "" if it could.
        files: what the user's code read before (see `scrub.runner.opened_files`).
    """

    fingerprints: Fingerprints
    sections: dict[str, Section] = field(factory=dict)
    trouble: str = ""
    files: Mapping[str, str] = field(factory=dict)

    @staticmethod
    def read(path: Path, fingerprints: Fingerprints, shown: Path | None = None) -> Kept:
        """What the file of an earlier run has; nothing, where it is complete or not there.

        Args:
            shown: what messages call the file (default: its path).
        """
        if not path.is_file():
            return Kept(fingerprints)
        try:
            text = path.read_text(encoding="utf-8")
            found = json.loads(text) if text else {}
            entries = found["kept"] if found.get("partial") else []
            files = dict(found.get("files", {}))
            changed = [name for name, content in files.items() if digest(name) != content]
            if not changed:
                sections = {e["fingerprint"]: _section(e) for e in entries}
                return Kept(fingerprints, sections, files=files)
            reason = f"{changed[0]}, which the claims read, has changed"
        except OSError as error:
            reason = str(error.strerror)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            reason = "it is damaged, or no results file"
        trouble = f"{shown or path} cannot be resumed from: {reason}. Everything is computed anew."
        return Kept(fingerprints, trouble=trouble)

    def section(
        self, prepared: Prepared, model: Model, options: Options, tree: Tree, draws: Draws
    ) -> Section:
        """What is known of this scrub; an empty section, which is kept, where nothing is."""
        fingerprint = self.fingerprints.of(prepared, model, options, tree, draws)
        return self.sections.setdefault(fingerprint, Section(prepared.name))

    @property
    def samples(self) -> int:
        """Samples that are known, of all scrubs together."""
        return sum(section.samples for section in self.sections.values())

    def as_json(self) -> list[dict[str, Any]]:
        """The entries of the partial results file."""
        known = {key: section for key, section in self.sections.items() if section.samples}
        return [_entry(fingerprint, section) for fingerprint, section in known.items()]


def _entry(fingerprint: str, section: Section) -> dict[str, Any]:
    """Numbers as base64 of little-endian float64: every bit, and what JSON has no word for."""
    metrics = [
        {name: getattr(numbers, name).astype("<f8").tobytes() for name in COLUMNS}
        for numbers in section.first(section.samples)
    ]
    return {
        "claim": section.claim,
        "fingerprint": fingerprint,
        "samples": section.samples,
        "finished": section.finished,
        "seconds": round(section.seconds, 3),
        "sha256": _sha256(metrics),
        "float64": [
            {name: base64.b64encode(values).decode() for name, values in raw.items()}
            for raw in metrics
        ],
    }


def _section(entry: dict[str, Any]) -> Section:
    """The opposite of `_entry`. Raises a ValueError if the numbers are damaged."""
    metrics = [
        {name: base64.b64decode(raw[name], validate=True) for name in COLUMNS}
        for raw in entry["float64"]
    ]
    seconds = float(entry["seconds"])
    sizes = {len(values) for raw in metrics for values in raw.values()}
    if _sha256(metrics) != entry["sha256"] or len(sizes) != 1 or not math.isfinite(seconds):
        raise ValueError("the numbers are not those that were written")
    part = tuple(
        Scores(*(np.frombuffer(raw[name], "<f8").astype(float) for name in COLUMNS))
        for raw in metrics
    )
    return Section(
        entry["claim"],
        [part],
        seconds=seconds,
        finished=bool(entry["finished"]),
        earlier=True,
    )


def _sha256(metrics: list[dict[str, bytes]]) -> str:
    raw = [metric[name] for metric in metrics for name in COLUMNS]
    return hashlib.sha256(b"".join(raw)).hexdigest()
