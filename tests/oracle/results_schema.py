"""What a results file is (docs/results.md), as a checker: it lists what is wrong with a text.

Written from the documentation alone; it shares nothing with the program.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

VERDICTS = ("supported", "refuted", "inconclusive", "vacuous")
METRIC = ("name", "higher_is_better", "higher_is_better_reason")
INTERVAL = ("mean", "low", "high", "least", "most", "reason")
LOSS = ("original", "scrubbed", "baseline", "reason")
RESULT = (
    "kind",
    "file",
    "claim",
    "belief",
    "model",
    "samples",
    "metric",
    "loss",
    "recovered",
    "left_out",
    "other_metrics",
    "per_reference",
    "corrected",
    "corrected_reason",
    "states_features",
    "with_any_input",
    "with_any_input_reason",
    "idle",
    "loosened_alone",
    "finer_than_needed",
    "verdict",
    "expected",
    "bounds",
    "reason",
    "passed",
    "notes",
    "seconds",
    "data",
    "nodes",
)
EFFECT = (
    "effect",
    "before",
    "before_reason",
    "after",
    "after_reason",
    "believed",
    "figure",
    "recovered_reason",
)
OF_OTHERS = ("effect", "recovered_reason")
FIGURES = ("effect", "share", "attention")
DIAGNOSES = ("nulls", "conventions", "specificity", "blame")
NODE = ("name", "path", "donors_distinct", "donors_changed", "pads_read")
OF_SOME_NODES = ("other_distinct", "recovered_alone")
PARTIAL = ("partial", "kept", "files")


class NoJSONError(Exception):
    """A word that JSON does not have, or a key that stands twice."""


def wrong(text: str) -> list[str]:
    """What is wrong with a results file; nothing, if it is one."""
    try:
        found = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, NoJSONError) as error:
        return [str(error)]
    return [*_everywhere(found, "file"), *_file(found)]


def _refuse(word: str) -> None:
    raise NoJSONError(f"{word} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise NoJSONError(f"a key stands twice: {[key for key, _ in pairs]}")
    return dict(pairs)


def _everywhere(value: Any, place: str) -> Iterator[str]:
    """Numbers are finite and never -0.0, a null has its reason, intervals are in order."""
    if isinstance(value, float) and (not math.isfinite(value) or str(value) == "-0.0"):
        yield f"{place} is {value}"
    for key, inner in value.items() if isinstance(value, dict) else ():
        nulls = inner is None or (isinstance(inner, list) and None in inner)
        if key.endswith("reason"):
            if inner is not None and (not isinstance(inner, str) or not inner):
                yield f"{place}.{key} is {inner!r}"
        elif nulls and not value.get(f"{key}_reason", value.get("reason")):
            yield f"{place}.{key} is null without a reason"
        yield from _everywhere(inner, f"{place}.{key}")
    for number, inner in enumerate(value) if isinstance(value, list) else ():
        yield from _everywhere(inner, f"{place}[{number}]")
    if isinstance(value, dict) and {"low", "mean", "high"} <= value.keys():
        ends = [value.get(name) for name in ("least", "low", "mean", "high", "most")]
        there = [end for end in ends if end is not None]
        if there != sorted(there):
            yield f"{place} is out of order: {there}"


def _file(found: Any) -> Iterator[str]:
    if not isinstance(found, dict):
        yield "the file is no object"
        return
    partial = PARTIAL if "partial" in found else ()
    yield from _keys(found, ("schema", "seed", "results", *partial), "file", ("comparisons",))
    if found.get("schema") != "scrub.results/1":
        yield f"schema is {found.get('schema')!r}"
    if partial and found["partial"] is not True:
        yield f"partial is {found['partial']!r}"
    yield from _is(found, "seed", int, "file")
    for number, result in enumerate(found.get("results", ())):
        yield from _result(result, f"results[{number}]")


def _result(result: dict[str, Any], place: str) -> Iterator[str]:
    effect = result.get("kind") == "effect"
    yield from _keys(result, (*RESULT, *(EFFECT if effect else ())), place, DIAGNOSES)
    if result.get("kind") not in ("scrub", "effect"):
        yield f"{place}.kind is {result.get('kind')!r}"
    if effect:
        yield from _effect(result, place)
    for key in ("file", "claim", "belief", "model"):
        yield from _is(result, key, str, place)
    for key in ("samples", "left_out"):
        yield from _is(result, key, int, place)
    inapplicable = result.get("verdict") == "not applicable"
    if inapplicable:
        yield from _inapplicable(result, place)
    else:
        yield from _is(result, "passed", bool, place)
    yield from _is(result, "seconds", float, place)
    measured: list[tuple[str, Any]] = [
        (place, result),
        *((f"{place}.other", m) for m in result.get("other_metrics", ())),
    ]
    for where, one in measured:
        yield from _keys(one.get("loss", {}), LOSS, f"{where}.loss")
        about = "effect" if effect else "recovered"
        if effect and one.get("recovered") is not None:
            yield f"{where}.recovered is {one['recovered']!r}"
        yield from _keys(one.get(about) or {}, (*INTERVAL, "confidence"), f"{where}.{about}")
        yield from _keys(one.get("metric", one), METRIC, where, (*one,))
    yield from _keys(result.get("bounds", {}), ("above", "below", "reason"), f"{place}.bounds")
    verdicts = (result.get("verdict"), result.get("expected"))
    if inapplicable:
        if verdicts[1] not in (*VERDICTS, None):
            yield f"{place}.expected is {verdicts[1]!r}"
        return
    if result.get("verdict") is None and result.get("expected") is None:
        if result.get("passed") is not True:
            yield f"{place} expects nothing and has not passed"
    elif not set(verdicts) <= set(VERDICTS):
        yield f"{place} has the verdicts {verdicts}"
    elif result.get("passed") != (verdicts[0] == verdicts[1]):
        yield f"{place}.passed is not whether the verdict is as expected"
    if not result.get("nodes"):
        yield f"{place} has no nodes"
    for number, node in enumerate(result.get("nodes", ())):
        where = f"{place}.nodes[{number}]"
        yield from _keys(node, NODE, where, OF_SOME_NODES)
        yield from _is(node, "name", str, where)
        yield from _is(node, "donors_distinct", float, where)


def _inapplicable(result: dict[str, Any], place: str) -> Iterator[str]:
    """What was not run has passed nothing and failed nothing, has no figure, and says why."""
    if result.get("passed") is not None or result.get("samples") != 0 or result.get("nodes") != []:
        yield f"{place} is not applicable, and has run"
    if not str(result.get("reason")).startswith("not applicable: "):
        yield f"{place} does not say why it is not applicable"
    means = [(result.get("loss") or {}).get(name) for name in LOSS[:-1]]
    if any(mean is not None for mean in means):
        yield f"{place} is not applicable, and has a loss"


def _effect(result: dict[str, Any], place: str) -> Iterator[str]:
    """What only a claim about an effect has."""
    yield from _is(result, "believed", str, place)
    figure = result.get("figure", {})
    yield from _keys(figure, ("name", *INTERVAL, "confidence"), f"{place}.figure")
    if figure.get("name") not in FIGURES:
        yield f"{place}.figure.name is {figure.get('name')!r}"
    mean, ends = result.get("effect", {}).get("mean"), [result.get(k) for k in ("after", "before")]
    if (
        mean is not None
        and None not in ends
        and abs(ends[0] - ends[1] - mean) > 1e-6 * max(1.0, *map(abs, ends))
    ):
        yield f"{place}.effect is not after - before"
    for number, other in enumerate(result.get("other_metrics", ())):
        yield from (
            f"{place}.other_metrics[{number}] lacks {key}" for key in OF_OTHERS if key not in other
        )


def _keys(
    found: dict[str, Any],
    needed: tuple[str, ...],
    place: str,
    more: tuple[str, ...] = (),
) -> Iterator[str]:
    yield from (f"{place} lacks {key}" for key in needed if key not in found)
    yield from (f"{place} has {key}" for key in found if key not in (*needed, *more))


def _is(found: dict[str, Any], key: str, kind: type, place: str) -> Iterator[str]:
    if key in found and type(found[key]) is not kind:
        yield f"{place}.{key} is {found[key]!r}, no {kind.__name__}"
