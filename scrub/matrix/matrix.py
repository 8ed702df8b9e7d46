"""A matrix as it was found in its folder: a table, how it scatters, and a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from scrub.errors import UserError
from scrub.hypothesis.start_directory import started_in
from scrub.matrix.cell import Cell
from scrub.matrix.folder import SCHEMA, read_failures, read_plan
from scrub.matrix.judged import Judged, judged, numbers
from scrub.matrix.record import Record, read_record
from scrub.printing import html_of, one_line
from scrub.stats.bonferroni import told_apart
from scrub.stats.heterogeneity import (
    Heterogeneity,
    SeedSpread,
    heterogeneity,
    pooled,
    seed_spread,
)
from scrub.stats.intervals import Interval
from scrub.stats.verdict import NOT_APPLICABLE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

JUDGED = ("supported", "refuted", "inconclusive", "vacuous")


@frozen(eq=False)
class Entry:
    """A claim on one model with one seed.

    Attributes:
        cells: its shards.
        status: done, not applicable, failed or pending.
        result: what the records of all its shards say; None unless it is done.
        note: why it failed, or does not apply; how many shards are there.
    """

    cells: tuple[Cell, ...]
    status: str
    result: Judged | None = None
    note: str = ""

    @property
    def cell(self) -> Cell:
        """The first of its cells, which tells where it stands."""
        return self.cells[0]

    @property
    def verdict(self) -> str | None:
        if self.status == NOT_APPLICABLE:
            return NOT_APPLICABLE
        return self.result.judgement.verdict if self.result else None


@frozen(eq=False)
class ClaimSpread:
    """How one claim came out on all models and seeds.

    Attributes:
        verdicts: how many of each, of those that are done.
        holds: whether there is one verdict, wherever the claim applies and none is missing; None
            where it is held against nothing.
        seeds: the spread between seeds of one model, beside the one within.
        between_seeds, between_models: how far either is more than errors explain.
        least, most: the entries with the least and the largest figure.
    """

    name: str
    entries: tuple[Entry, ...]
    verdicts: Mapping[str, int]
    holds: bool | None
    which: str
    seeds: SeedSpread
    between_seeds: Heterogeneity
    between_models: Heterogeneity
    least: Entry | None
    most: Entry | None


@frozen(eq=False, slots=False, repr=False)
class Matrix:
    """Claims × models × seeds, as far as their records are there.

    Attributes:
        folder: where the records lie.
        entries: one a claim, model and seed, in order of the plan.
    """

    folder: Path
    entries: tuple[Entry, ...] = field(factory=tuple)

    @cached_property
    def names(self) -> dict[tuple[str, str], str]:
        """What each claim is called: its name, with the file where two have one name."""
        places = list(dict.fromkeys((e.cell.file, e.cell.claim) for e in self.entries))
        return dict(zip(places, told_apart(places), strict=True))

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(entry.cell.model_name for entry in self.entries))

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a claim, model and seed: means, figure with interval, verdict, and its status."""
        import pandas as pd

        return pd.DataFrame([self._row(entry) for entry in self.entries])

    def _row(self, entry: Entry) -> dict[str, Any]:
        cell, blank = entry.cell, dict.fromkeys(NUMBERS, math.nan)
        unsaid = {"figure": None, "verdict": entry.verdict, "expected": None, "passed": None}
        found = blank | unsaid if entry.result is None else numbers(entry.result)
        return {
            "file": cell.file,
            "claim": cell.claim,
            "model": cell.model_name,
            "seed": cell.seed,
            **{name: found[name] for name in ORDER},
            "status": entry.status,
            "note": entry.note,
        }

    @cached_property
    def claims(self) -> tuple[ClaimSpread, ...]:
        """How each claim came out on all models and seeds."""
        return tuple(
            _spread(name, [e for e in self.entries if (e.cell.file, e.cell.claim) == place])
            for place, name in self.names.items()
        )

    @property
    def heterogeneity(self) -> pd.DataFrame:
        """One row a claim: verdicts, whether they are one, and how the figure scatters.

        "between_seeds" and "within_seed" are in the figure's units, as is "tau_models"; see
        `scrub.stats.heterogeneity` for Q, p and I².
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "claim": one.name,
                "figure": one.which,
                **{verdict: one.verdicts.get(verdict, 0) for verdict in JUDGED},
                "not applicable": one.verdicts.get(NOT_APPLICABLE, 0),
                "holds": one.holds,
                "least": one.least.result.figure.mean if one.least and one.least.result else None,
                "most": one.most.result.figure.mean if one.most and one.most.result else None,
                "between_seeds": one.seeds.observed,
                "within_seed": one.seeds.within,
                **_columns(one.between_seeds, "seeds"),
                **_columns(one.between_models, "models"),
            }
            for one in self.claims
        )

    def count(self, status: str) -> int:
        return sum(entry.status == status for entry in self.entries)

    def to_json(self) -> str:
        """The table and the heterogeneity; what is undefined is null."""
        import json

        tables = {"results": self.frame, "heterogeneity": self.heterogeneity}
        found: dict[str, Any] = {"schema": SCHEMA}
        for name, frame in tables.items():
            found[name] = json.loads(str(frame.to_json(orient="records", double_precision=15)))
        return json.dumps(found, indent=1, ensure_ascii=False) + "\n"

    def plot(self) -> Figure:
        """Claims × models: the figure, mean over seeds, and the verdicts."""
        from scrub.matrix.heatmap import heatmap

        return heatmap(self)

    def __repr__(self) -> str:
        done = self.count("done") + self.count(NOT_APPLICABLE)
        return one_line(
            f"Matrix({len(self.names)} claims on {len(self.models)} models: {done} of "
            f"{len(self.entries)} there)"
        )

    def _repr_html_(self) -> str:
        return html_of(self)


NUMBERS = (
    "samples", "original", "scrubbed", "baseline", "mean", "low", "high", "error",
    "with_any_input",
)  # fmt: skip
ORDER = (
    "samples", "original", "scrubbed", "baseline", "figure", "mean", "low", "high", "error",
    "with_any_input", "verdict", "expected", "passed",
)  # fmt: skip


def _columns(found: Heterogeneity, which: str) -> dict[str, float]:
    """Seeds have no τ of their own: their truth is one."""
    named = {"q": found.q, "df": found.degrees, "p": found.p, "i2": found.i2}
    if which == "models":
        named["tau"] = found.tau
    return {f"{name}_{which}": value for name, value in named.items()}


def read_matrix(folder: str | PathLike[str], start: Path | None = None) -> Matrix:
    """The matrix of a folder that `scrub matrix … --out DIR` filled, as far as it is filled.

    Args:
        start: from where (default: where one works).

    Raises:
        UserError: there is no matrix, or its plan is damaged.
    """
    place = (start or started_in()) / Path(folder)
    cells = read_plan(place)
    if not cells:
        raise UserError(
            f"There is no matrix in {folder}: no matrix.json. Make one by scrub matrix FILE… "
            f"--out {folder}."
        )
    return matrix_of(place, cells, read_failures(place))


def matrix_of(folder: Path, cells: Sequence[Cell], failures: Mapping[str, str]) -> Matrix:
    """The matrix of a plan's cells, from their records.

    Args:
        failures: why cells failed, by key.
    """
    groups: dict[tuple[str, str, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.file, cell.claim, cell.model, cell.seed), []).append(cell)
    family: dict[str, set[tuple[str, str]]] = {}
    for cell in cells:
        if cell.judged:
            family.setdefault(cell.model, set()).add((cell.file, cell.claim))
    entries = []
    for group in groups.values():
        size = len(family.get(group[0].model, ()))
        entries.append(_entry(group, [read_record(folder, c) for c in group], failures, size))
    return Matrix(folder, tuple(entries))


def _entry(
    cells: Sequence[Cell],
    records: Sequence[Record | None],
    failures: Mapping[str, str],
    family: int,
) -> Entry:
    there = [record for record in records if record is not None]
    group = tuple(cells)
    if len(there) == len(group):
        reason = there[0].not_applicable
        if reason:
            return Entry(group, NOT_APPLICABLE, note=reason)
        found = judged(there, family)
        return Entry(group, "done", found, found.judgement.vacuous)
    why = [failures[cell.key] for cell in group if cell.key in failures]
    if why:
        return Entry(group, "failed", note=why[0])
    shards = f"{len(there)} of {len(group)} shards are there" if len(group) > 1 else ""
    return Entry(group, "pending", note=shards)


def _spread(name: str, entries: Sequence[Entry]) -> ClaimSpread:
    done = [entry for entry in entries if entry.result is not None]
    by_model: dict[str, list[Interval]] = {}
    for entry in done:
        if entry.result is not None:
            by_model.setdefault(entry.cell.model_name, []).append(entry.result.figure)
    verdicts: dict[str, int] = {}
    for entry in entries:
        if entry.verdict is not None:
            verdicts[entry.verdict] = verdicts.get(entry.verdict, 0) + 1
    said = set(verdicts) - {NOT_APPLICABLE}
    complete = all(entry.status in ("done", NOT_APPLICABLE) for entry in entries)
    ranked = sorted(
        (e for e in done if e.result and math.isfinite(e.result.figure.mean)),
        key=lambda e: e.result.figure.mean if e.result else math.nan,
    )
    groups = list(by_model.values())
    return ClaimSpread(
        name,
        tuple(entries),
        verdicts,
        holds=complete and len(said) == 1 if said else None,
        which=next((e.result.which for e in done if e.result), "recovered"),
        seeds=seed_spread(groups),
        between_seeds=heterogeneity(groups),
        between_models=heterogeneity([[pooled(group) for group in groups]]),
        least=ranked[0] if ranked else None,
        most=ranked[-1] if ranked else None,
    )
