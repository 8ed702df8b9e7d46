"""What is to be said of a result besides its figures: one sentence each, without a full stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scrub.metrics import Metric
from scrub.results import NodeResult, Numbered, Result
from scrub.samplers import Exact, describe_sampler

MANY = 4
"""Nodes of which a note names each; of more it says how many they are."""
SELDOM = 0.5
"""A node that is swapped less often than this is named: its part of the claim is tested in the
other references only, and `Exact` would be as hard a test in most."""


def notes(result: Result) -> list[str]:
    """What the table does not say."""
    first = _left_out(result.metric, result.numbers)
    more = [
        note
        for other in result.others
        for note in (
            *_left_out(other.metric, other.numbers),
            *([f"{other.metric.name}: {other.recovered.reason}"] if other.recovered.reason else []),
        )
    ]
    vacuous = any(note.startswith("vacuous") for note in result.judgement.notes)
    swaps = [] if vacuous else _swaps(result.nodes)
    return [*result.judgement.notes, *first, *more, *swaps, *_pads(result.nodes)]


def _left_out(metric: Metric, numbers: Numbered) -> list[str]:
    """What there is to say of references on which a metric is not defined."""
    missing, samples = int((~numbers.defined).sum()), len(numbers.defined)
    if not missing:
        return []
    return [
        f"{metric.name} is NaN for {missing:,} of {samples:,} references whatever the model "
        f"computes; the figures are of the other {samples - missing:,}"
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
