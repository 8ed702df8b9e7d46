"""What came of one search of one model, as numbers; kept as JSON, so that a run resumes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Hashable, Mapping, Set
from pathlib import Path
from typing import TypeVar

from attrs import asdict, frozen

from searching.methods import Outcome, Search
from searching.scoring import Counted, area, counted, first
from searching.subject import Searched
from searching.truth import Known

T = TypeVar("T", bound=Hashable)
Curve = Callable[[Searched, Outcome], tuple[float, float]]
"""CPR and CMD of the circuits that a ranking of edges gives."""


@frozen
class Way:
    """A method with its settings.

    Attributes:
        budget: what it is told of how much to keep, or to measure.
        default: whether these are the method's own settings.
    """

    method: str
    budget: str
    search: Search
    default: bool = False

    @property
    def name(self) -> str:
        return f"{self.method}, {self.budget}"


@frozen
class Parts:
    """What was found of heads, or of edges.

    Attributes:
        area: under the ROC curve, of the ranking.
        first: how many of the first so many of the ranking are true, where so many are.
        wrong, missed: what was found and is not true, and the other way round.
    """

    found: int
    right: int
    true: int
    area: float
    first: int
    wrong: tuple[str, ...]
    missed: tuple[str, ...]

    @property
    def counted(self) -> Counted:
        return Counted(self.found, self.right, self.true)


@frozen
class Record:
    """What came of a search.

    Attributes:
        cpr, cmd: of the ranking, on rows held out; NaN where they were not asked for.
        measured: circuits, or effects, that the search computed.
        seconds: of the processor that it took.
        refused: why the search gave up; "" where it did not.
    """

    model: str
    group: str
    way: str
    edges: Parts
    heads: Parts
    cpr: float
    cmd: float
    measured: int
    seconds: float
    refused: str = ""


def record(known: Known, way: Way, samples: int, curve: Curve | None) -> Record:
    """Search a model, and compare what was found with the truth."""
    behaviour, truth = known.make()
    searched = Searched.of(behaviour, truth, samples)
    started = time.process_time()
    found = way.search(searched)
    seconds = time.process_time() - started
    cpr, cmd = (math.nan, math.nan) if curve is None else curve(searched, found)
    return Record(
        known.name, known.group, way.name,
        parts(found.edges, found.edge_scores, truth.edges, truth.every_edge),
        parts(found.heads, found.head_scores, truth.heads, truth.every_head),
        cpr, cmd, found.measured, seconds, found.refused,
    )  # fmt: skip


def parts(found: Set[T], scores: Mapping[T, float], true: Set[T], every: Set[T]) -> Parts:
    """Heads or edges that were found, beside those that are true."""
    one = counted(found, true, every)
    return Parts(
        one.found, one.right, one.true, area(scores, true, every), first(scores, true, every),
        tuple(sorted(map(str, (found & every) - true))), tuple(sorted(map(str, true - found))),
    )  # fmt: skip


def resumed(
    folder: Path, known: Known, way: Way, samples: int, curve: Curve | None
) -> tuple[Record, bool]:
    """The record in a folder, or a new one, which is put there; and whether it is new.

    A record is of a model's name, a way's name and so many samples: delete the folder when what
    they stand for has changed.
    """
    path = folder / known.name.replace(" ", "_") / f"{way.name.replace(' ', '_')}_{samples}.json"
    if path.exists():
        return from_json(path.read_text(encoding="utf-8")), False
    made = record(known, way, samples, curve)
    path.parent.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    whole = path.with_suffix(".tmp")
    whole.write_text(as_json(made), encoding="utf-8")
    whole.rename(path)
    return made, True


def as_json(made: Record) -> str:
    return json.dumps(asdict(made), ensure_ascii=False, indent=1)


def from_json(text: str) -> Record:
    """Law: `as_json(from_json(text)) == text`."""
    said = json.loads(text)
    for side in ("edges", "heads"):
        listed = {key: tuple(said[side][key]) for key in ("wrong", "missed")}
        said[side] = Parts(**(said[side] | listed))
    return Record(**said)
