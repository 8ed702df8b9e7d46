"""Diagnoses and comparisons as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scrub.analysis.blame import Blame, Lost, LostOnPath
from scrub.analysis.conventions import Convention
from scrub.analysis.describe_swap import swap_in_words
from scrub.analysis.nulls import Nulls
from scrub.analysis.specificity import Tried
from scrub.analysis.unclaimed import LostBy, Unclaimed
from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.tree import Tree
from scrub.results.comparison import Comparison
from scrub.results.json import interval_as_json
from scrub.results.result import Result, describe_sampler
from scrub.stats.between import Fresh
from scrub.stats.rounding import finite
from scrub.stats.scores import COLUMNS


def comparisons_as_json(found: Sequence[Comparison]) -> list[dict[str, Any]]:
    """One entry a pair. Results are told by their number in the file."""
    return [
        {
            "first": number,
            "second": number + len(found),
            "difference": interval_as_json(pair.difference),
            "paired": pair.paired,
        }
        for number, pair in enumerate(found)
    ]


def diagnoses_as_json(result: Result) -> dict[str, Any]:
    """The fields that diagnoses add to a result. What was not asked for is left out."""
    found: dict[str, Any] = {}
    if result.diagnosis and result.diagnosis.nulls:
        found["nulls"] = _nulls(result.diagnosis.nulls)
    if result.diagnosis and result.diagnosis.conventions is not None:
        found["conventions"] = [_convention(one) for one in result.diagnosis.conventions]
    if result.diagnosis and result.diagnosis.specificity is not None:
        found["specificity"] = [_tried(result.tree, one) for one in result.diagnosis.specificity]
    if result.diagnosis and result.diagnosis.blame:
        found["blame"] = _blame(result, result.diagnosis.blame)
    if result.fresh:
        found["fresh"] = _fresh(result.fresh)
    return found


def _fresh(found: Fresh) -> dict[str, Any]:
    """Between and within are null where a dataset's interval is unbounded (see reason)."""
    known = {"between": found.between, "within": found.within}
    value = interval_as_json(found.value)
    return {
        "seeds": list(found.seeds),
        "recovered": [interval_as_json(one)["mean"] for one in found.recovered[1:]],
        **{name: one if math.isfinite(one) else None for name, one in known.items()},
        **{name: value[name] for name in ("mean", "low", "high", "reason")},
        "confidence": found.value.confidence,
    }


def _nulls(found: Nulls) -> dict[str, Any]:
    share = {name: finite(getattr(found.share, name)) for name in ("mean", "low", "high")}
    undefined = len(found.recovered) - found.tries
    of_some = "loss recovered is undefined for it" if undefined else None
    no_belief = found.reason or "the file gives no bounds"
    return {
        "asked": found.asked,
        "recovered": [finite(null) for null in found.recovered],
        "recovered_reason": of_some,
        "as_high": found.as_high,
        "as_well": found.as_well,
        "undefined": undefined,
        "share": share if found.tries else None,
        "passing": found.passing,
        "passing_reason": no_belief if found.passing is None else None,
        "pools": found.pools,
        "reason": found.reason or None,
    }


def _convention(one: Convention) -> dict[str, Any]:
    return {
        "convention": one.name,
        "recovered": None if one.recovered is None else interval_as_json(one.recovered),
        "verdict": one.verdict,
        "verdict_reason": None if one.verdict else one.problem or "the file expects no verdict",
        "turns": one.turns,
        "doubt": one.doubt,
        "reason": one.problem or None,
    }


def _tried(tree: Tree, one: Tried) -> dict[str, Any]:
    return {
        "node": list(one.swap.path),
        "swap": one.swap.which,
        "sampler": swap_in_words(tree, one.swap)[1].removeprefix("other "),
        "kind": one.kind,
        "change": one.words,
        "recovered": interval_as_json(one.recovered),
        "lower_by": interval_as_json(one.lowers),
        "finding": one.finding,
        "recovered_shuffled": None if one.control is None else interval_as_json(one.control),
        "recovered_shuffled_reason": "only of further columns" if one.control is None else None,
    }


def _blame(result: Result, found: Blame) -> dict[str, Any]:
    return {
        "lost": interval_as_json(found.total),
        "swaps": [_lost(result.tree, loss) for loss in found.swaps],
        "worst": [_sample(result, sample) for sample in found.worst],
    }


def _lost(tree: Tree, loss: Lost) -> dict[str, Any]:
    (node,) = (node.node for node in tree.walk() if node.path == loss.swap.path)
    return {
        "node": list(loss.swap.path),
        "swap": loss.swap.which,
        "sampler": describe_sampler(node.sampler if loss.swap.which == "own" else node.other),
        "alone": interval_as_json(loss.alone),
        "last": interval_as_json(loss.last),
        "in_order": interval_as_json(loss.step),
        "paths": [_on_path(path) for path in loss.paths],
        "unclaimed": None if loss.unclaimed is None else _unclaimed(loss.unclaimed),
        "unclaimed_reason": _whole(loss) if loss.unclaimed is None else None,
    }


def _whole(loss: Lost) -> str:
    """Why a swap is not broken down by component."""
    return "it is not told from nothing" if loss.swap.which == "other" else "only of other inputs"


def _unclaimed(found: Unclaimed) -> dict[str, Any]:
    return {
        "components": [_lost_by(by) for by in found.components],
        "rest": _lost_by(found.rest),
        "together": found.together or None,
    }


def _lost_by(by: LostBy) -> dict[str, Any]:
    return {
        "component": by.component,
        "port": by.port,
        "alone": interval_as_json(by.alone),
        "last": interval_as_json(by.last),
        "heads": [_lost_by(head) for head in by.heads],
    }


def _on_path(path: LostOnPath) -> dict[str, Any]:
    return {
        "path": describe_route(path.route),
        "alone": interval_as_json(path.alone),
        "last": interval_as_json(path.last),
    }


def _sample(result: Result, sample: int) -> dict[str, Any]:
    rows, scores = result.draws.references, result.scores
    row = int(rows.index[sample])
    figures: dict[str, Any] = {name: finite(getattr(scores, name)[sample]) for name in COLUMNS}
    figures["reason"] = "the metric is not finite" if None in figures.values() else None
    return {"sample": sample, "row": row, "text": rows.data.text(row), **figures}
