"""The run record: enough for somebody else to recompute each number with the model and hooks.

One folder a claim. `run.json` says what stands where; `run.safetensors` holds the inputs.
`tests/oracle/recompute.py` reads them without scrub.

`tree` lists the nodes, the root first, each with its parent's id, and per route its sites (heads
are a layer's `z`; a head's output is its `z` times its rows of the output matrix), the ports of the
parent by which it enters (`into`; null: any) and the sites that it may pass through.
`weights_sha256` is of the model's *.safetensors files, put together in order of name; of a model
in memory, of its tensors: `in_memory` says what that means. `recovered` is computed from the
metrics; so is its interval (docs/statistics.md), which is one of `looks` that hold together.
`splits` lists the split sites: how, and into which summands, "rest" being what the others leave.
`kind` is "scrub", or "effect" where the claim is about metric.scrubbed − metric.before: `recovered`
is then null, and `believed` says between what the `figure` is to lie.
`recomputable` is false of a metric or an estimate φ of the user's own: the function is not in the
record, and of φ only its values are.

Tensors (n samples, w positions, p named positions), by name:
    reference.tokens, baseline.tokens           [n, w]   right-padded
    reference.mask, baseline.mask               [n, w]   1 where a token is real
    reference.at, baseline.at                   [n, p]   the root's positions in each
    label.NAME                                  [n]      token ids of the reference's labels
    node.I.own.tokens, node.I.own.mask          [n, w]   I: the node's id in run.json
    node.I.other.tokens, node.I.other.mask      [n, w]   (internal nodes)
    node.I.R.own.at, node.I.R.other.at          [n, p]   positions of its route R in each input
    node.I.R.parent.at                          [n, p]   the same in the parent's frame, where
                                                         the value lands
    metric.original, .scrubbed, .baseline       [n]
    metric.before                               [n]      of a claim about an effect: the metric of
                                                         the plain model on node.0.other
    reference.position.COLUMN                   [n]      where a metric reads a pattern: the
                                                         column's position in the reference
    other_metric.I.original, …                  [n]      I: its number in run.json's other_metrics
    split.SITE.SUMMAND                          [size, dimensions]: of a projection, the orthonormal
                                                         basis that it projects on
    node.I.own.split.SITE.SUMMAND, node.I.other.split.SITE.SUMMAND
                                                [n, w or 1, size]: φ of each input on which a
                                                         node's sites or its children's summands
                                                         are computed; 1: the same at every position
    node.I.own.class, node.I.other.class        [n]      of virtual rows that are means: the class
    node.I.own.mean.tokens, node.I.other.mean.… [m, w]   the rows that they are means of, with
                                                         .mean.mask, and .mean.class [m]
    node.I.own.value, node.I.other.value                 what is given at every site: one number,
                                                         [size], or [positions, size]
    node.I.own.shift                            [size]   what is added to the values of own.tokens
An entry with `at` "all" has no positions: index goes to index.
A node's `virtual` in run.json says which of its inputs are virtual rows, and of what kind: "mean",
"value" or "shift" (see docs/semantics.md). Those have a mask; tokens only a shift has.
Of a model that reads images, `images` [m, height, width, 3] are all that were drawn, each once, and
    NAME.images [n, k] says beside NAME.tokens which of them an input has, −1: none.
A leaf is computed on its own input; an internal node on its other input, with the children's
values put in. Inputs that are no tokens are saved under their own names in the same way.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from scrub.data.dataset import Dataset, Rows, padded_tokens, what_is_read
from scrub.data.virtual import Averages, Filled, Shifted
from scrub.draw import NodeDraw
from scrub.hypothesis.circuit import Circuit, Placed
from scrub.hypothesis.sites import ALL, At, Route, Through
from scrub.hypothesis.splits import (
    REST,
    Coordinates,
    Estimate,
    Projection,
    SourcePositions,
    Split,
)
from scrub.hypothesis.tree import Occurrence
from scrub.metrics import Metric
from scrub.names import Cell
from scrub.results.atomic_write import write_whole, written_beside
from scrub.results.recorded_images import with_images
from scrub.results.result import Result
from scrub.samplers import describe_sampler
from scrub.stats.intervals import Interval

SCHEMA = "scrub.run/1"
IN_MEMORY = (
    "The model was in memory. weights_sha256 is of its tensors, not of files: it tells whether a "
    "model is this one (scrub.Model(model).weights_sha256), not where to find it. To recompute, "
    "have the model itself, as by save_pretrained."
)
"""What a record says of a model that no file is known to hold."""


def save(result: Result, directory: Path) -> Path:
    """Write the record of one result to `directory/CLAIM`; returns that folder."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    folder = directory / result.claim.name
    folder.mkdir(parents=True, exist_ok=True)
    described = json.dumps(_described(result), indent=1, ensure_ascii=False, allow_nan=False)
    tensors = {name: np.ascontiguousarray(array) for name, array in _tensors(result).items()}
    with written_beside(folder / "run.safetensors") as beside:
        try:
            save_file(tensors, beside)
        except SafetensorError as error:  # its own name for an OSError
            raise OSError(None, str(error), str(folder / "run.safetensors")) from error
        write_whole(folder / "run.json", described + "\n")
    return folder


def _described(result: Result) -> dict[str, Any]:
    nodes = result.tree.walk()
    number = {node.path: i for i, node in enumerate(nodes)}
    return {
        "schema": SCHEMA,
        "file": result.file,
        "claim": result.claim.name,
        "belief": result.claim.belief,
        "kind": result.kind,
        "model": {
            "name": result.model,
            "weights_sha256": result.weights_sha256,
            "dtype": result.dtype,
            **({"in_memory": IN_MEMORY} if result.in_memory else {}),
        },
        "data": {"name": result.data_name, "sha256": result.data_sha256},
        "metric": _metric(result.metric),
        "other_metrics": [_metric(other.metric) for other in result.others],
        "seed": result.seed,
        "samples": result.samples,
        "tree": [
            {
                "id": number[node.path],
                "path": list(node.path),
                "parent": number.get(node.path[:-1]),
                "leaf": node.is_leaf,
                "sampler": describe_sampler(node.node.sampler),
                "other": None if node.is_leaf else describe_sampler(node.node.other),
                "routes": [_route(route) for route in node.routes],
            }
            | _virtual(result.draws.nodes[node.path])
            for node in nodes
        ],
        "splits": [_split(site, split, result.tree) for site, split in _splits(result.tree)],
        "recovered": _numbers(result.recovered),
        **_effect(result),
        "versions": _versions(),
    }


def _virtual(drawn: NodeDraw) -> dict[str, Any]:
    """Which inputs of a node are virtual rows, and of what kind."""
    found = {
        which: _KINDS[type(rows.data.given)]
        for which, rows in (("own", drawn.own), ("other", drawn.other))
        if rows is not None and rows.data.given is not None
    }
    return {"virtual": found} if found else {}


_KINDS = {Averages: "mean", Filled: "value", Shifted: "shift"}


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "kind": metric.kind,
        "labels": list(metric.labels),
        "positions": list(metric.positions),
        "recomputable": metric.recomputable,
        **({"sets": [list(labels) for labels in metric.sets]} if metric.sets else {}),
    }


def _effect(result: Result) -> dict[str, Any]:
    """Of a claim about an effect: what it believes, and its figures."""
    if result.effect is None or result.belief is None:
        return {}
    bounds = {"above": result.belief.low, "below": result.belief.high}
    return {
        "effect": _numbers(result.effect),
        "figure": {"name": result.belief.figure} | _numbers(result.figure),
        "believed": {"words": result.belief.words, "figure": result.belief.figure} | bounds,
    }


def _numbers(interval: Interval) -> dict[str, float | str | None]:
    found = {"mean": interval.mean, "low": interval.low, "high": interval.high}
    finite = {name: value if np.isfinite(value) else None for name, value in found.items()}
    how = {"confidence": interval.confidence, "looks": interval.looks}
    return {**finite, **how, "reason": interval.reason or None}


def _cell(cell: Cell, at: At = ALL) -> dict[str, Any]:
    part = {} if cell.part is None else {"part": cell.part}
    where = {} if isinstance(at, str) else {"at": list(at)}
    return {"site": cell.site, "head": cell.head} | part | where


def _through(through: Through) -> dict[str, Any]:
    circuit = through.circuit or Circuit()
    also = (*map(Placed, through.also), *through.also_at, *circuit.cells)
    found: dict[str, Any] = {
        "base": through.kinds,
        "including": [_cell(placed.cell, placed.at) for placed in also],
        "excluding": [_cell(placed.cell, placed.at) for placed in through.barred],
    }
    if circuit.edges:
        found["edges"] = [
            {
                "writer": _cell(edge.writer),
                "reader": _cell(edge.reader),
                "into": edge.into,
                "at": edge.at if isinstance(edge.at, str) else list(edge.at),
            }
            for edge in circuit.edges
        ]
    return found


def _route(route: Route) -> dict[str, Any]:
    return {
        "sites": list(map(_cell, route.cells)),
        "at": route.at if route.at == ALL else list(route.at),
        "into": None if route.into is None else sorted(route.into),
        "through": _through(route.through),
        "split": None if route.split is None else str(route.split),
    }


def _splits(tree: Occurrence) -> list[tuple[str, Split]]:
    """The sites that are split, and how: a site has one split."""
    routes = [route for node in tree.walk() for route in node.routes]
    splits = {cell.site: route.split for route in routes for cell in route.cells if cell.part}
    return sorted((site, split) for site, split in splits.items() if split is not None)


def _split(site: str, split: Split, tree: Occurrence) -> dict[str, Any]:
    found = {"site": site, "summands": list(split.names), "recomputable": True}
    match split:
        case Projection():
            return found | {"kind": "projection"}
        case Coordinates():
            sets = {name: list(numbers) for name, numbers in split.sets.items()}
            return found | {"kind": "coordinates", "sets": sets}
        case Estimate():
            function = getattr(split.function, "__qualname__", type(split.function).__qualname__)
            return found | {"kind": "estimate", "function": function, "recomputable": False}
        case SourcePositions():
            claimed = {part for node in tree.walk() for part in _parts(node, site)} - {REST}
            summands = [*sorted(claimed, key=int), REST]
            return found | {"kind": "source positions", "summands": summands}


def _parts(node: Occurrence, site: str) -> set[str]:
    """The summands of a site that a node claims."""
    cells = [cell for route in node.routes for cell in route.cells]
    return {cell.part for cell in cells if cell.site == site and cell.part is not None}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in ("scrub", "torch", "transformer_lens", "transformers", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _tensors(result: Result) -> dict[str, np.ndarray]:
    draws, tree = result.draws, result.tree
    width = max(rows.data.width for rows in draws.rows())
    found: dict[str, np.ndarray] = {}
    for name, rows in (("reference", draws.references), ("baseline", draws.baseline)):
        found |= _inputs(name, rows, width) | _positions(name, rows, tree.routes[0])
    for label in draws.references.data.labels:
        found[f"label.{label}"] = draws.references.data.label(label)[draws.references.index]
    frames: dict[tuple[str, ...], Rows] = {path: d.frame for path, d in draws.nodes.items()}
    for number, node in enumerate(tree.walk()):
        found |= _node(f"node.{number}", node, draws.nodes[node.path].own, "own", width)
        other = draws.nodes[node.path].other
        if other is not None:
            found |= _node(f"node.{number}", node, other, "other", width)
        found |= _estimates(f"node.{number}", node, draws.nodes[node.path], _splits(tree), width)
        if len(node.path) > 1:
            for i, route in enumerate(node.routes):
                above = frames[node.path[:-1]]
                found |= _positions(f"node.{number}.{i}.parent", above, route)
                for spec in dict.fromkeys(spec for at in route.through.positions for spec in at):
                    index = above.data.position(spec)[above.index]
                    found[f"node.{number}.{i}.through.{spec}"] = index
    for site, split in _splits(tree):
        if isinstance(split, Projection):
            found |= {f"split.{site}.{name}": basis for name, basis in split.bases.items()}
    measured = {f"other_metric.{i}": other.scores for i, other in enumerate(result.others)}
    for name, numbers in {"metric": result.scores, **measured}.items():
        found |= {f"{name}.{column}": values for column, values in numbers.columns.items()}
    every = (result.metric, *(other.metric for other in result.others))
    for column in dict.fromkeys(column for metric in every for column in metric.positions):
        rows = draws.references
        found[f"reference.position.{column}"] = rows.data.position(column)[rows.index]
    return with_images(found, [rows.data for rows in draws.rows()])


def _node(name: str, node: Occurrence, rows: Rows, which: str, width: int) -> dict[str, np.ndarray]:
    found = _inputs(f"{name}.{which}", rows, width)
    for i, route in enumerate(node.routes):
        found |= _positions(f"{name}.{i}.{which}", rows, route)
    return found


def _estimates(
    name: str, node: Occurrence, drawn: NodeDraw, splits: list[tuple[str, Split]], width: int
) -> dict[str, np.ndarray]:
    """φ on the inputs of a node's frame, where the node or a child claims a summand."""
    found: dict[str, np.ndarray] = {}
    which = "own" if drawn.other is None else "other"
    for site, split in splits:
        if isinstance(split, Estimate) and any(_parts(n, site) for n in (node, *node.children)):
            found[f"{name}.{which}.split.{site}.{split.name}"] = _estimated(
                split, drawn.frame, width
            )
    return found


def _estimated(split: Estimate, rows: Rows, width: int) -> np.ndarray:
    """φ per sample, [samples, width or 1, size]; 0 at positions for which it has no value."""
    if rows.data.given is not None:
        return _estimated_of_virtual(split, rows, width)
    distinct, which = np.unique(rows.index, return_inverse=True)
    values = np.asarray(split.function(rows.at(distinct)))
    values = values[:, None] if values.ndim == 2 else values[:, :width]
    missing = width - values.shape[1] if values.shape[1] > 1 else 0
    return np.pad(values, ((0, 0), (0, missing), (0, 0)))[which]


def _estimated_of_virtual(split: Estimate, rows: Rows, width: int) -> np.ndarray:
    """φ of virtual rows: its mean, what is given, or that of the row and what is added."""
    match rows.data.given:
        case Averages() as given:
            distinct, which = np.unique(rows.index, return_inverse=True)
            of = [np.flatnonzero(given.class_of == number) for number in distinct]
            means = [_estimated(split, Rows(given.source, r), width).mean(0) for r in of]
            return np.stack(means)[which]
        case Shifted() as given:
            return _estimated(split, Rows(given.source, rows.index), width) + given.by
        case Filled() as given:
            like = np.zeros_like(_estimated(split, Rows(given.source, rows.index), width))
            return (
                like + given.value[..., : like.shape[1], :]
                if given.value.ndim == 2
                else (like + given.value)
            )
    raise AssertionError(f"{rows.data.name} has no virtual rows")


def _inputs(name: str, rows: Rows, width: int) -> dict[str, np.ndarray]:
    data: Dataset = rows.data
    if data.given is not None:
        return _given(name, rows, width)
    found = {f"{name}.{key}": values[rows.index] for key, values in what_is_read(data).items()}
    if "tokens" in data.inputs:
        found[f"{name}.tokens"] = padded_tokens(data, width)[rows.index]
    return found | {f"{name}.mask": _mask(rows, width)}


def _mask(rows: Rows, width: int) -> np.ndarray:
    return (np.arange(width) < rows.data.lengths[rows.index][:, None]).astype(np.uint8)


def _given(name: str, rows: Rows, width: int) -> dict[str, np.ndarray]:
    """What virtual rows are made of."""
    mask = {f"{name}.mask": _mask(rows, width)}
    match rows.data.given:
        case Averages() as given:
            members = np.flatnonzero(np.isin(given.class_of, rows.index))
            classes = {
                f"{name}.class": rows.index,
                f"{name}.mean.class": given.class_of[members],
            }
            return mask | classes | _inputs(f"{name}.mean", Rows(given.source, members), width)
        case Filled() as given:
            return mask | {f"{name}.value": given.value}
        case Shifted() as given:
            return _inputs(name, Rows(given.source, rows.index), width) | {
                f"{name}.shift": given.by
            }
    raise AssertionError(f"{rows.data.name} has no virtual rows")


def _positions(name: str, rows: Rows, route: Route) -> dict[str, np.ndarray]:
    if route.at == ALL:
        return {}
    columns = [rows.data.position(spec)[rows.index] for spec in route.at]
    return {f"{name}.at": np.stack(columns, axis=1)}
