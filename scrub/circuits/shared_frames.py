"""Circuits on behaviours as pandas frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from scrub.stats.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd

    from scrub.circuits.shared import Ablated, CircuitOn, SharedCircuits

Row = dict[str, Any]
FIGURES = {
    "tested": ("alone", "recovered", "lost", "more"),
    "parts": ("lost", "more"),
    "elsewhere": ("alone", "recovered", "lost"),
}
"""The figures of each section."""
COLUMNS = (
    "section", "name", "nodes", "behaviour", "convention", "metric", "figure", "value", "low",
    "high",
)  # fmt: skip


def frames_of(shared: SharedCircuits) -> Mapping[str, pd.DataFrame]:
    """A frame for each section that has any rows."""
    import pandas as pd

    nodes = {one.name: len(one) for one in shared.circuits}
    sections = {
        "tested": [_tested(one, nodes) | _nulls(one.ablated) for one in shared.tested],
        "parts": list(_parts(shared)),
        "elsewhere": [_tested(one, nodes) for one in shared.elsewhere],
    }
    frames = {name: pd.DataFrame(rows) for name, rows in sections.items()}
    if shared.overlap is not None:
        frames["overlap"] = shared.overlap.frame
    return {name: frame for name, frame in frames.items() if len(frame)}


def tidy(shared: SharedCircuits) -> pd.DataFrame:
    """Circuits and parts in one frame: one row a figure."""
    import pandas as pd

    return pd.DataFrame(list(_tidy_rows(shared.frames)), columns=list(COLUMNS))


def _tidy_rows(frames: Mapping[str, pd.DataFrame]) -> Iterator[Row]:
    for section, figures in FIGURES.items():
        rows: Iterable[Row] = frames[section].to_dict("records") if section in frames else ()  # type: ignore[assignment]  # keys are str
        for row in rows:
            name = row["part"] if section == "parts" else row["circuit"]
            about = {key: row[key] for key in ("behaviour", "convention", "metric")}
            for figure in figures:
                yield {
                    "section": section,
                    "name": name,
                    "nodes": row["nodes"],
                    **about,
                    "figure": figure,
                    "value": row[figure],
                    "low": row[f"{figure}_low"],
                    "high": row[f"{figure}_high"],
                }


def _tested(one: CircuitOn, nodes: Mapping[str, int]) -> Row:
    return {
        "circuit": one.circuit,
        "nodes": nodes[one.circuit],
        "behaviour": one.behaviour,
        "own": one.own,
        "convention": one.convention,
        "metric": one.metric,
        **_ends("alone", one.alone),
        **_ends("recovered", one.recovered),
        **_ends("lost", one.ablated.lost),
    }


def _parts(shared: SharedCircuits) -> Iterator[Row]:
    for one in shared.parts:
        yield {
            "part": one.name,
            "nodes": len(one.nodes),
            "named": ", ".join(one.nodes),
            "behaviour": one.behaviour,
            "convention": one.convention,
            "metric": one.metric,
            **_ends("lost", one.ablated.lost),
            **_nulls(one.ablated),
        }


def _nulls(ablated: Ablated) -> Row:
    among = ablated.among
    low, high = among.range
    return {
        **_ends("more", ablated.more),
        "tries": len(among.defined),
        "random": among.mean,
        "random_low": low,
        "random_high": high,
        "as_much": among.as_much,
        "p": among.p,
        "reason": ablated.reason or None,
    }


def _ends(name: str, found: Interval | None) -> Row:
    """An interval as three columns: the first has its name."""
    if found is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"), float("nan"))
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
