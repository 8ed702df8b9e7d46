"""The results file (`--json`): results as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scrub.analysis.support import Finer, LoosenedNode
from scrub.hypothesis.belief import Expectation
from scrub.metrics import Metric
from scrub.results.doubts import doubts
from scrub.results.inapplicable import Inapplicable
from scrub.results.population import few_rows, small_classes
from scrub.results.result import NodeResult, Result
from scrub.stats.intervals import Interval
from scrub.stats.rounding import finite
from scrub.stats.scores import COLUMNS, Scores

SCHEMA = "scrub.results/1"


def as_json(
    results: Sequence[Result | Inapplicable],
    seed: int,
    *,
    kept: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The results file (schema scrub.results/1). What is undefined is null, with a reason.

    Args:
        kept: the run is not finished: these are the claims that are, and the checkpoints from which
            it can go on (see `scrub.runner.checkpoint`). None for a finished run.
    """
    found: dict[str, Any] = {"schema": SCHEMA, "seed": seed}
    if kept is not None:
        found["partial"] = True
    found["results"] = [
        _result(result) if isinstance(result, Result) else _inapplicable(result)
        for result in results
    ]
    return found if kept is None else found | {"kept": list(kept)}


def _result(result: Result) -> dict[str, Any]:
    expect = result.expect
    return {
        "kind": result.kind,
        "file": result.file,
        "claim": result.claim.name,
        "belief": result.claim.belief,
        "model": result.model,
        "samples": result.samples,
        "metric": _metric(result.metric),
        "loss": _loss(result.scores, result.figure),
        **_figures(result.recovered, result.effect),
        **_believed(result),
        "left_out": int((~result.scores.defined).sum()),
        "other_metrics": [
            _metric(other.metric)
            | {
                "loss": _loss(other.scores, other.figure),
                **_figures(other.recovered, other.effect),
                "left_out": int((~other.scores.defined).sum()),
            }
            for other in result.others
        ],
        "per_reference": _per_reference(result),
        "corrected": _corrected(result.corrected),
        "corrected_reason": None if result.corrected else _judged_alone(result),
        **_support(result),
        "verdict": result.judgement.verdict,
        "expected": expect.verdict if expect else None,
        "bounds": _bounds(expect),
        "reason": None if expect else "the file expects no verdict",
        "passed": result.passed,
        "notes": [*doubts(result), *few_rows(result), *small_classes(result)],
        "seconds": round(result.seconds, 3),
        "data": {"name": result.data_name, "rows": result.rows, "sha256": result.data_sha256},
        "nodes": [_node(node) for node in result.nodes],
    }


def _inapplicable(one: Inapplicable) -> dict[str, Any]:
    """The same keys, with null for whatever only a run gives."""
    undefined, nothing = one.figure, Scores(*(np.empty(0) for _ in COLUMNS))
    effect = undefined if one.kind == "effect" else None
    figures = {"loss": _loss(nothing, undefined), **_figures(undefined, effect)}
    figures["left_out"] = 0
    found: dict[str, Any] = {
        "kind": one.kind,
        "file": one.file,
        "claim": one.claim.name,
        "belief": one.claim.belief,
        "model": one.model,
        "samples": one.samples,
        "metric": _metric(one.metric),
        **figures,
        "other_metrics": [_metric(metric) | figures for metric in one.others],
        "per_reference": {"recovered": None, "cancelled": None, "reason": one.words},
        "corrected": None,
        "corrected_reason": one.words,
        "states_features": [],
        "with_any_input": None,
        "with_any_input_reason": one.words,
        "idle": [],
        "loosened_alone": [],
        "finer_than_needed": [],
        "verdict": one.judgement.verdict,
        "expected": one.expect.verdict if one.expect else None,
        "bounds": _bounds(one.expect),
        "passed": one.passed,
        "reason": one.words,
        "notes": [one.words],
        "seconds": 0.0,
        "data": {"name": one.data.name, "rows": len(one.data), "sha256": one.data.sha256},
        "nodes": [],
    }
    if one.kind == "effect" and one.belief is not None:
        for name in ("before", "after"):
            found |= {name: None, f"{name}_reason": one.words}
        figure = {"name": one.belief.figure} | _with_confidence(undefined)
        found |= {"believed": one.belief.words, "figure": figure}
    return found


def _metric(metric: Metric) -> dict[str, Any]:
    better = metric.higher_is_better
    reason = "the file does not say" if better is None else None
    return {"name": metric.name, "higher_is_better": better, "higher_is_better_reason": reason}


def _bounds(expect: Expectation | None) -> dict[str, Any]:
    """Between what the belief has its figure (null: see reason)."""
    bounds = {"above": expect.low if expect else None, "below": expect.high if expect else None}
    reason = "the file gives no such bound" if expect else "the file expects no verdict"
    return bounds | {"reason": reason if None in bounds.values() else None}


def _figures(recovered: Interval, effect: Interval | None) -> dict[str, Any]:
    """Loss recovered, or the effect where the claim is about that (recovered is then null)."""
    if effect is None:
        return {"recovered": _with_confidence(recovered)}
    found: dict[str, Any] = {"recovered": None, "recovered_reason": recovered.reason}
    return found | {"effect": _with_confidence(effect)}


def _believed(result: Result) -> dict[str, Any]:
    """What a claim about an effect has beside: the metric before and after, and its figure."""
    if result.effect is None or result.belief is None:
        return {}
    means = {"before": result.before, "after": result.after}
    numbers = {name: finite(math.nan if mean is None else mean) for name, mean in means.items()}
    missing = result.effect.reason or "the metric is not finite"
    reasons = {f"{n}_reason": None if v is not None else missing for n, v in numbers.items()}
    return {
        **numbers,
        **reasons,
        "believed": result.belief.words,
        "figure": {"name": result.belief.figure} | _with_confidence(result.figure),
    }


def _with_confidence(found: Interval) -> dict[str, Any]:
    return interval_as_json(found) | {"confidence": found.confidence}


def _judged_alone(result: Result) -> str:
    return f"judged alone, by {'recovered' if result.kind == 'scrub' else 'figure'}"


def _per_reference(result: Result) -> dict[str, Any]:
    """Recovered per reference, and what of the error cancels in the mean (null: see reason)."""
    found = result.cancellation
    if result.kind == "effect":
        return {"recovered": None, "cancelled": None, "reason": result.recovered.reason}
    return {
        "recovered": interval_as_json(found.recovered),
        "cancelled": finite(found.cancelled),
        "reason": found.reason or None,
    }


def _support(result: Result) -> dict[str, Any]:
    """What is recovered without the features that nodes state (null: see reason)."""
    found = result.support
    loosened, reason = found.with_any_input, found.problem
    if loosened is None and not reason:
        reason = "loss recovered is undefined" if result.kind == "scrub" else "it is undefined"
        if result.judgement.vacuous:
            reason = "nothing was swapped"
        if not found.states:
            reason = "no node states a feature"
    return {
        "states_features": list(found.states),
        "with_any_input": None if loosened is None else interval_as_json(loosened),
        "with_any_input_reason": reason or None,
        "idle": [one.name for one in found.loosened if one.idle],
        "loosened_alone": [_loosened(one) for one in found.loosened],
        "finer_than_needed": [_finer(one) for one in found.finer],
    }


def _loosened(one: LoosenedNode) -> dict[str, Any]:
    recovered = None if one.recovered is None else interval_as_json(one.recovered)
    return {"node": one.name, "recovered": recovered, "reason": one.problem or None}


def _finer(one: Finer) -> dict[str, Any]:
    return {"node": one.name, "change": one.words, "recovered": interval_as_json(one.recovered)}


def _corrected(found: Interval | None) -> dict[str, Any] | None:
    """The interval that the verdict was read off; None where that is "recovered"."""
    if found is None:
        return None
    return interval_as_json(found) | {"confidence": found.confidence, "method": "Bonferroni"}


def _loss(scores: Scores, recovered: Interval) -> dict[str, Any]:
    means = {name: finite(scores.means[name]) for name in COLUMNS}
    return means | {"reason": recovered.reason if None in means.values() else None}


def _node(node: NodeResult) -> dict[str, Any]:
    """A leaf has no other inputs; only -v scrubs a node alone: what there is not is left out."""
    found: dict[str, Any] = {
        "name": node.name,
        "path": list(node.path),
        "donors_distinct": node.donors_distinct,
        "donors_changed": node.donors_changed,
        "pads_read": node.pads_read,
    }
    if node.other:
        found["other_distinct"] = node.other_distinct
    if node.alone:
        found["recovered_alone"] = interval_as_json(node.alone)
    return found


def interval_as_json(found: Interval) -> dict[str, Any]:
    names = ("mean", "low", "high", "least", "most")
    numbers = {name: finite(getattr(found, name)) for name in names}
    return numbers | {"reason": found.reason or None}
