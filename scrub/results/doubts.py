"""Reasons to doubt a result: a sentence each, without a full stop; none if all is well.

A table of figures does not show where they mislead. These sentences do. The terminal prints them
below its table, and the results file has them in "notes".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scrub.analysis.confounding import equivalent_features
from scrub.analysis.conventions import convention_doubts
from scrub.analysis.loosening import stated
from scrub.analysis.nulls import nulls_doubts
from scrub.analysis.support import Support
from scrub.hypothesis.belief import Belief
from scrub.metrics import Metric
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import NodeResult, Result
from scrub.samplers import Agree, Exact, describe_sampler, features_of, is_virtual
from scrub.stats.figure import in_words
from scrub.stats.rounding import interval, number, percent
from scrub.stats.scores import Scores
from scrub.stats.verdict import verdict_of

MANY = 4
"""Nodes of which a line names each; of more it says how many they are."""
SELDOM = 0.5
"""A node that is swapped less often than this is named: its part of the claim is tested in the
other references only, and `Exact` would be as hard a test in most."""
HIDDEN = 0.05
"""Errors that cancel are spoken of where they hide more than this share of what is at stake."""


def doubts(result: Result | Inapplicable) -> list[str]:
    """All reasons to doubt a result, in the order in which they are reported."""
    if isinstance(result, Inapplicable):
        return [result.words]
    vacuous = result.judgement.vacuous
    found = [f"vacuous: {vacuous}"] if vacuous else []
    found += _corrected(result)
    found += result.judgement.notes
    found += _left_out(result.metric, result.scores)
    for other in result.others:
        found += _left_out(other.metric, other.scores)
        if other.figure.reason:
            found.append(f"{other.metric.name}: {other.figure.reason}")
    found += _nowhere(result)
    found += _given(result)
    found += _untested(result.support, result.belief)
    found += _equivalent_features(result)
    if result.diagnosis is not None:
        found += nulls_doubts(result.diagnosis.nulls)
        found += convention_doubts(result.diagnosis.conventions)
    if not vacuous and result.kind == "effect":
        found += _swaps(result.nodes)
    elif not vacuous:
        found += [*_cancelled(result), *_swaps(result.nodes)]
    return [*found, *_pads(result.nodes)]


def _corrected(result: Result) -> list[str]:
    """Where the interval that is shown clears the bound, and the one that decides does not."""
    expect, corrected, verdict = result.expect, result.corrected, result.judgement.verdict
    if expect is None or corrected is None or verdict == "vacuous":
        return []
    alone = verdict_of(result.figure, expect)
    if alone == verdict:
        return []
    bounds = (expect.low, expect.high)
    return [
        f"{verdict} as one of {result.family_size} claims, by its {percent(corrected.confidence)} "
        f"interval {interval(corrected, bounds).partition(' ')[2]}; by its own "
        f"{percent(result.figure.confidence)} interval it would be {alone}"
    ]


def _left_out(metric: Metric, scores: Scores) -> list[str]:
    """What there is to say of references on which a metric is not defined."""
    missing, samples = int((~scores.defined).sum()), len(scores.defined)
    if missing in (0, samples):  # where all are, nothing is defined, which is said as the reason
        return []
    return [
        f"{metric.name} is NaN for {missing:,} of {samples:,} references whatever the model "
        f"computes; the figures are of the other {samples - missing:,}"
    ]


def _nowhere(result: Result) -> list[str]:
    """What an effect of exactly zero rests on."""
    belief, found = result.belief, result.figure
    about_it = belief is not None and belief.figure == "effect" and not result.judgement.vacuous
    return [found.widened] if about_it and found.low == found.high == 0 else []


def _given(result: Result) -> list[str]:
    """What of an effect on a virtual row is not due to what the nodes put in."""
    other = result.tree.node.other
    about_it = result.belief is not None and result.belief.figure == "effect"
    if not about_it or result.tree.is_leaf or not is_virtual(other):
        return []
    return [
        f"before is what {describe_sampler(other)} gives as the root, and after is computed anew "
        "from what it gives below: that alone may change the metric, whatever is put in. To leave "
        "it out, give the root other=Exact() and the virtual row to a child"
    ]


def _untested(found: Support, belief: Belief | None) -> list[str]:
    """Nodes that need not state what they state."""
    said = []
    if found.problem:
        said.append(
            f"it could not be run with any input in place of those it asks for: {found.problem}"
        )
    idle = [alone for alone in found.loosened if alone.idle and alone.recovered is not None]
    if len(idle) > MANY:
        least = min(alone.recovered.mean for alone in idle if alone.recovered is not None)
        said.append(
            f"{len(idle)} of its {len(found.states)} nodes that state a feature are idle: with any "
            f"input in place of one of them, {_or_more(belief, least)}"
        )
    else:
        said += [
            f'node "{alone.name}" is idle: with any input in its place alone, '
            f"{in_words(belief, alone.recovered.mean)}"
            for alone in idle
            if alone.recovered is not None
        ]
    said += [
        f'node "{one.name}" is finer than needed: {one.words}, '
        f"{in_words(belief, one.recovered.mean)}"
        for one in found.finer
    ]
    return said


def _or_more(belief: Belief | None, least: float) -> str:
    if belief is None or not belief.is_effect:
        return f"{number(least)} or more is recovered"
    return "the belief is met as well"


def _equivalent_features(result: Result) -> list[str]:
    """Nodes whose features say the same in this data: exchanged, they would do as well."""
    if result.judgement.verdict != "supported":
        return []
    data = result.draws.references.data
    effect = result.kind == "effect"
    nodes = [one for one in stated(result.tree, effect=effect) if isinstance(one.sampler, Agree)]
    features = {one.name: features_of(one.sampler) for one in nodes}
    said = {name: f'"{name}" ({", ".join(asked)})' for name, asked in features.items()}
    return [
        f"nodes {said[one]} and {said[other]} state features that divide these rows alike: rows in "
        "which they differ would tell them apart"
        for one, other in equivalent_features(data, features)
    ][:MANY]


def _cancelled(result: Result) -> list[str]:
    found = result.cancellation
    if result.judgement.verdict == "refuted" or not found.hidden > HIDDEN:
        return []
    return [
        f"errors cancel in the mean, which hides {found.hidden:.0%} of what is at stake: "
        f"per reference, {interval(found.recovered)} is recovered"
    ]


def _swaps(nodes: Sequence[NodeResult]) -> list[str]:
    """Nodes whose donors are mostly their own references, though their samplers may swap them."""
    exact = describe_sampler(Exact())
    seldom = [n for n in nodes if n.sampler != exact and n.donors_changed < SELDOM]
    if len(seldom) > MANY:
        most = max(node.donors_changed for node in seldom)
        return [
            f"{len(seldom)} nodes are swapped in at most {most:.0%} of the references each: "
            "mostly each draws its own reference"
        ]
    return [
        f"node {name} swaps nothing: every donor is the reference itself"
        if node.donors_changed == 0
        else f"node {name} is swapped in {node.donors_changed:.0%} of the references only: mostly "
        "it draws its own reference"
        for name, node in zip(_named(seldom, nodes), seldom, strict=True)
    ]


def _pads(nodes: Sequence[NodeResult]) -> list[str]:
    """Nodes that read padding: each by its name, or where they are many their number."""
    reading = [node for node in nodes if node.pads_read]
    where = "at positions past a row's end"
    if len(reading) > MANY:
        times = sum(node.pads_read for node in reading)
        return [f"{len(reading)} nodes read padding, {times:,} times in all, {where}"]
    return [
        f"node {name} read padding {node.pads_read:,} times, {where}"
        for name, node in zip(_named(reading, nodes), reading, strict=True)
    ]


def _named(some: Sequence[NodeResult], nodes: Sequence[NodeResult]) -> list[str]:
    """Their names; with the path from the root where several nodes have one name."""
    count = Counter(node.name for node in nodes)
    return [f'"{" / ".join(n.path) if count[n.name] > 1 else n.name}"' for n in some]
