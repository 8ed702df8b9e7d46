"""The log of a search by attribution: what is approximate, how far, and what was measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from scrub.hypothesis.circuit import Circuit
from scrub.searches.attribution_settings import AttributionSettings
from scrub.searches.ranking import Beside, Ranking
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval, number, percent

SHOWN = 6
"""Parts that are listed, at most."""
MISSED = 0.1
"""Share of the total effect from which a part that first order does not show is named: what a path
search keeps (docs/searches.md)."""
SHOWS = 0.2
"""Of its exact effect a part must show so much to first order, with the same sign, else it is
missed: a ranking that is off by five is none."""


def largest(ranking: Ranking, metric: str, settings: AttributionSettings) -> Iterator[str]:
    """How parts were ranked, and which came first."""
    way = f"over {settings.steps} inputs on the way" if settings.steps else "on the references"
    count = len(ranking.parts)
    yield f"approximate: {count:,} {settings.level} ranked by gradients {way}, on {metric}"
    order = np.argsort(-np.abs(ranking.means), kind="stable").tolist()
    for place in order[:SHOWN]:
        yield f"   ≈ {interval(ranking.interval(place))}  {ranking.parts[place]}"


def agreement(checks: Mapping[str, Beside]) -> Iterator[str]:
    """How far first order is from exact effects, and what it misses."""
    for called, one in checks.items():
        if not len(one.names):
            continue
        yield (
            f"exact beside it, of {len(one.names):,} {called}: rank correlation "
            f"{_said(one.correlation)}"
        )
        yield f"   furthest off: {_both(one, one.furthest)}"
    for one in checks.values():
        missed = one.missed(MISSED, SHOWS)
        for place in missed[:SHOWN]:
            share = round(float(abs(one.exact[place] / one.total)), 3)
            yield f"WARNING  first order misses {_both(one, place)} ({percent(share)} of the total)"
        if len(missed) > SHOWN:
            yield f"WARNING  and {len(missed) - SHOWN:,} more"


def sizes(
    circuit: Callable[[int], Circuit],
    tried: Mapping[int, Interval],
    chosen: int,
    settings: AttributionSettings,
) -> Iterator[str]:
    """What the circuits of the first parts keep, by exact measurements, and which was taken."""
    if len(tried) > 1:
        yield f"measured, circuits of the first {settings.level}:"
        several = sorted(tried)
        for size, larger in itertools.zip_longest(several, several[1:]):
            if larger is None or circuit(size) != circuit(larger):
                made = _made_of(circuit(size))
                yield f"   {size:>6,}: {made}, recovers {interval(tried[size])}"
    what = f"{_made_of(circuit(chosen))}, of the first {chosen:,} {settings.level}"
    keeps = tried[chosen]
    if settings.size is None and settings.threshold is None:
        if keeps.mean >= settings.keeps:
            what = f"the smallest that keeps {percent(settings.keeps)}: {what}"
        else:
            what = f"none keeps {percent(settings.keeps)}; the largest: {what}"
    yield f"{what}, recovers {interval(keeps)} here"


def _both(one: Beside, place: int) -> str:
    """ "head 2.1: exact -13.037, ≈ -1.563"."""
    first, exact = (number(float(values[place])) for values in (one.first_order, one.exact))
    return f"{one.names[place]}: exact {exact}, ≈ {first}"


def _made_of(circuit: Circuit) -> str:
    if not circuit:
        return "nothing on a path"
    nodes, edges = len(circuit), len(circuit.edges)
    said = f"{nodes:,} node{'s' * (nodes != 1)}"
    return f"{edges:,} edge{'s' * (edges != 1)} and {said}" if edges else said


def _said(correlation: float) -> str:
    return "undefined" if np.isnan(correlation) else number(correlation, 2)
