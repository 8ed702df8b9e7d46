"""A cell's record: what it measured, from which the table, the verdicts and the plots are made.

It is a function of the cell alone: no time, no machine's name, nothing of what ran beside it. So
two executors leave the same bytes (on one machine, with one number of threads).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import field, frozen
from safetensors.numpy import load, save

from scrub.hypothesis.belief import Belief, Expectation
from scrub.matrix.cell import Cell, as_json
from scrub.matrix.folder import SCHEMA, put, put_json, record_file
from scrub.stats.scores import BEFORE, COLUMNS, Scores

_PLAIN = (
    "not_applicable", "nothing_swapped", "same_values", "states", "metric", "data", "rows",
    "data_sha256", "weights_sha256",
)  # fmt: skip


@frozen(eq=False)
class Record:
    """What one cell measured: the metric per reference of its shard, and what judging it takes.

    Attributes:
        not_applicable: why the file says that the claim is not about the model; "" if it is. There
            are then no scores.
        expect: what the file expects; None: nothing.
        nothing_swapped: why no input was swapped in any of the samples, those of other shards
            included; "" if one was.
        same_values: whether all inputs have the same values where the nodes sit; asked only where
            the scrub changed nothing in this shard.
        states: the nodes that state a feature, in words; "" if none does.
        metric: the one that decides.
        data_sha256, weights_sha256: of the rows, and of the weights that were read.
        scores: of the claim, float64 [samples of the shard] each.
        anything: the scores with any input in place of those that agree, on the same references;
            None where no node states a feature, or where that cannot be scrubbed.
        others: of metrics that decide nothing, by name.
    """

    cell: Cell
    not_applicable: str = ""
    expect: Expectation | None = None
    nothing_swapped: str = ""
    same_values: bool = False
    states: str = ""
    metric: str = ""
    data: str = ""
    rows: int = 0
    data_sha256: str = ""
    weights_sha256: str = ""
    scores: Scores | None = None
    anything: Scores | None = None
    others: Mapping[str, Scores] = field(factory=dict)


def save_record(record: Record, folder: Path) -> None:
    """Write a record: its numbers first, so that it is whole once it is there.

    Raises:
        OSError: it cannot be written.
    """
    file = record_file(folder, record.cell)
    raw = save(_tensors(record))
    put(file.with_suffix(".safetensors"), raw)
    put_json(
        file,
        {
            "schema": SCHEMA,
            "key": record.cell.key,
            "cell": as_json(record.cell),
            "samples": list(record.cell.samples),
            **{name: getattr(record, name) for name in _PLAIN},
            "expect": _expectation(record.expect),
            "others": list(record.others),
            "sha256": hashlib.sha256(raw).hexdigest(),
        },
    )


def read_record(folder: Path, cell: Cell) -> Record | None:
    """The record of a cell; None where it is not there, or not whole."""
    file = record_file(folder, cell)
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        raw = file.with_suffix(".safetensors").read_bytes()
        if found["key"] != cell.key or hashlib.sha256(raw).hexdigest() != found["sha256"]:
            return None
        tensors = load(raw)
        expect = found["expect"]
        others = {name: _scores(tensors, f"other {n}.") for n, name in enumerate(found["others"])}
        return Record(
            cell,
            expect=_believed(expect) if expect else None,
            scores=_scores(tensors, ""),
            anything=_scores(tensors, "any input."),
            others={name: scores for name, scores in others.items() if scores is not None},
            **{name: found[name] for name in _PLAIN},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _tensors(record: Record) -> dict[str, np.ndarray]:
    every = {"": record.scores, "any input.": record.anything}
    every |= {f"other {n}.": scores for n, scores in enumerate(record.others.values())}
    return {
        f"{prefix}{name}": np.ascontiguousarray(numbers, dtype=np.float64)
        for prefix, scores in every.items()
        if scores is not None
        for name, numbers in scores.columns.items()
    }


def _scores(tensors: Mapping[str, np.ndarray], prefix: str) -> Scores | None:
    names = [name for name in (*COLUMNS, BEFORE) if f"{prefix}{name}" in tensors]
    return Scores(**{name: tensors[f"{prefix}{name}"] for name in names}) if names else None


def _expectation(expect: Expectation | None) -> dict[str, Any] | None:
    """An expectation as JSON, without the metric that a belief may bring: it is measured."""
    if expect is None:
        return None
    belief = None
    if expect.belief is not None:
        belief = {n: getattr(expect.belief, n) for n in ("figure", "low", "high", "words")}
    return {"verdict": expect.verdict, "belief": belief}


def _believed(found: Mapping[str, Any]) -> Expectation:
    return Expectation(found["verdict"], Belief(**found["belief"]) if found["belief"] else None)
