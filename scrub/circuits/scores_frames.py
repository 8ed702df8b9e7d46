"""The scores of a circuit as pandas frames: one a section, and all of it in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from scrub.stats.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd

    from scrub.circuits.scores import CircuitScores

Row = dict[str, Any]
JOINED = ", "


def frames_of(scores: CircuitScores) -> Mapping[str, pd.DataFrame]:
    """A frame for each section that has any rows."""
    import pandas as pd

    sections = {
        "faithfulness": _faithfulness(scores),
        "nulls": _nulls(scores),
        "parts": _parts(scores),
        "by": _by(scores),
        "completeness": _completeness(scores),
        "minimality": _minimality(scores),
        "curve": _curve(scores),
        "frequency": _frequency(scores),
    }
    frames = {name: pd.DataFrame(list(rows)) for name, rows in sections.items()}
    return {name: frame for name, frame in frames.items() if len(frame)}


def _ends(name: str, found: Interval) -> Row:
    """An interval as three columns: the first has its name."""
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}


def _faithfulness(scores: CircuitScores) -> Iterator[Row]:
    for one in scores.faithfulness:
        yield {
            "convention": one.convention,
            "form": one.form,
            "metric": one.metric,
            "value": one.value,
            **_ends("recovered", one.recovered),
            **_ends("of_ablated", one.of_ablated),
        }


def _nulls(scores: CircuitScores) -> Iterator[Row]:
    for one in scores.nulls:
        among = one.among
        low, high = among.range
        yield {
            "convention": one.convention,
            "metric": one.metric,
            "kind": one.kind,
            "circuit": one.circuit,
            "tries": len(among.defined),
            "mean": among.mean,
            "low": low,
            "high": high,
            "as_well": among.as_much,
            "p": among.p,
            "reason": one.reason or None,
        }


def _parts(scores: CircuitScores) -> Iterator[Row]:
    for one in scores.parts:
        yield {
            "without": one.kind,
            "name": one.name,
            "nodes": JOINED.join(one.nodes),
            **_ends("recovered", one.recovered),
            **_ends("lost", one.lost),
        }


def _by(scores: CircuitScores) -> Iterator[Row]:
    for one in scores.by:
        yield {
            scores.settings.by: one.value.item() if hasattr(one.value, "item") else one.value,
            "metric": one.metric,
            "references": one.references,
            **_ends("recovered", one.recovered),
        }


def _completeness(scores: CircuitScores) -> Iterator[Row]:
    for one in () if scores.completeness is None else scores.completeness.sets:
        yield {
            "kind": one.kind,
            "set": one.name,
            "nodes": JOINED.join(one.nodes),
            "size": len(one.nodes),
            **_ends("circuit", one.circuit),
            **_ends("model", one.model),
            **_ends("difference", one.difference),
            **_ends("distance", one.distance),
        }


def _minimality(scores: CircuitScores) -> Iterator[Row]:
    for one in scores.minimality or ():
        yield {
            "node": one.node,
            "role": one.role,
            **_ends("alone", one.alone),
            "kind": one.kind,
            "under": JOINED.join(one.under),
            **_ends("effect", one.effect),
            "matters": one.matters,
        }


def _curve(scores: CircuitScores) -> Iterator[Row]:
    if scores.curve is None:
        return
    for order, points in zip(scores.curve.orders, scores.curve.points, strict=True):
        for point in points:
            yield {
                "order": str(order),
                "size": point.size,
                "removed": point.removed,
                "kept": JOINED.join(point.kept),
                "chosen_by": point.chosen_by,
                **_ends("recovered", point.recovered),
            }


def _frequency(scores: CircuitScores) -> Iterator[Row]:
    if scores.curve is None or len(scores.curve.orders) == 1:
        return
    for head, sizes in scores.curve.frequency().items():
        for size, share in sizes.items():
            yield {"head": head, "size": size, "share": share}


FIGURES = {
    "faithfulness": ("recovered", "of_ablated"),
    "nulls": ("mean",),
    "parts": ("recovered", "lost"),
    "by": ("recovered",),
    "completeness": ("circuit", "model", "difference", "distance"),
    "minimality": ("alone", "effect"),
    "curve": ("recovered",),
    "frequency": ("share",),
}
"""The figures of each section."""
CALLED = {
    "faithfulness": "form",
    "nulls": "kind",
    "parts": "name",
    "completeness": "set",
    "minimality": "node",
    "curve": "size",
    "frequency": "head",
}
"""The column that says what a row is about."""
SORTED = {
    "parts": "without",
    "completeness": "kind",
    "minimality": "kind",
    "curve": "order",
    "frequency": "size",
}
"""The column that says of which kind it is."""
NODES = {"parts": "nodes", "completeness": "nodes", "minimality": "under", "curve": "kept"}


def tidy(scores: CircuitScores) -> pd.DataFrame:
    """All sections in one frame: one row a figure."""
    import pandas as pd

    columns = [
        "section",
        "convention",
        "metric",
        "name",
        "kind",
        "nodes",
        "figure",
        "value",
        "low",
        "high",
    ]
    found = pd.DataFrame(list(_tidy_rows(scores)), columns=columns)
    return found.astype({"name": str, "kind": str})


def _tidy_rows(scores: CircuitScores) -> Iterator[Row]:
    own = scores.faithfulness[0].convention
    for section, frame in scores.frames.items():
        for row in frame.to_dict("records"):
            for figure in FIGURES[section]:
                low, high = (f"{figure}_{end}" for end in ("low", "high"))
                if section == "nulls":
                    low, high = "low", "high"
                yield {
                    "section": section,
                    "convention": row.get("convention", own),
                    "metric": row.get("metric", scores.metrics[0]),
                    "name": row[CALLED.get(section, scores.settings.by)],
                    "kind": row.get(SORTED.get(section, ""), ""),
                    "nodes": row.get(NODES.get(section, ""), ""),
                    "figure": figure,
                    "value": row[figure],
                    "low": row.get(low),
                    "high": row.get(high),
                }
