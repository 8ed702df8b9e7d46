"""The tables of what searches find, by method and budget."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from searching.record import Parts, Record, Way
from searching.scoring import Counted

HEADINGS = (
    "method", "budget", "edges found", "precision", "recall", "AUC", "first n", "all right",
    "heads found", "precision", "recall", "AUC", "CPR", "CMD", "measured", "CPU s",
)  # fmt: skip
BY_GROUP = ("method", "budget", "group", "models", "precision", "recall", "AUC", "all right")


def by_way(records: Sequence[Record], ways: Sequence[Way]) -> str:
    """A line a way, over all models."""
    return markdown(HEADINGS, (line for way in ways for line in _of_way(records, way)))


def _of_way(records: Sequence[Record], way: Way) -> Iterator[list[str]]:
    mine = [one for one in records if one.way == way.name]
    if not mine:
        return
    name = f"**{way.budget}**" if way.default else way.budget
    exact = sum(_exact(one.edges) for one in mine)
    first = sum(one.edges.first for one in mine) / sum(one.edges.true for one in mine)
    yield [
        way.method, name, *_parts([one.edges for one in mine]), said(first),
        f"{exact} of {len(mine)}", *_parts([one.heads for one in mine]),
        said(mean([one.cpr for one in mine])), said(mean([one.cmd for one in mine])),
        f"{mean([one.measured for one in mine]):,.0f}",
        f"{mean([one.seconds for one in mine]):.1f}",
    ]  # fmt: skip


def by_group(records: Sequence[Record], ways: Sequence[Way]) -> str:
    """Edges by kind of model, of each method's own settings."""
    groups = list(dict.fromkeys(one.group for one in records))
    return markdown(
        BY_GROUP,
        (
            line
            for way in ways
            if way.default
            for group in groups
            for line in _of_group(records, way, group)
        ),
    )


def _of_group(records: Sequence[Record], way: Way, group: str) -> Iterator[list[str]]:
    mine = [one for one in records if (one.way, one.group) == (way.name, group)]
    if mine:
        _, precision, recall, area = _parts([one.edges for one in mine])
        exact = sum(_exact(one.edges) for one in mine)
        yield [way.method, way.budget, group, str(len(mine)), precision, recall, area, str(exact)]


def _exact(parts: Parts) -> bool:
    return parts.found == parts.right == parts.true


def _parts(several: Sequence[Parts]) -> list[str]:
    """Found in the mean; precision and recall of all models' parts together; mean area."""
    pooled = Counted(
        *(sum(getattr(one, key) for one in several) for key in ("found", "right", "true"))
    )
    return [
        f"{pooled.found / len(several):.1f}", said(pooled.precision), said(pooled.recall),
        said(mean([one.area for one in several]), 3),
    ]  # fmt: skip


def mean(values: Sequence[float]) -> float:
    """Of those that are defined; NaN where none is."""
    there = [value for value in values if not math.isnan(value)]
    return float(np.mean(there)) if there else math.nan


def said(value: float, digits: int = 2) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def markdown(headings: Sequence[str], lines: Iterator[list[str]]) -> str:
    every = [list(headings), ["---"] * len(headings), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in every) + "\n"
