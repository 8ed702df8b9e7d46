"""The log of a pruning: what each sweep took out, and what stayed and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from scrub.searches.greedy import Decision
from scrub.stats.rounding import number

SHOWN = 8
"""Parts that a line names, at most."""
CALLED = {"mlps": "MLPs", "ports": "ports with all that they read"}


class Limits(Protocol):
    """What a line needs to know of the settings."""

    @property
    def costs(self) -> float: ...


def sweep_lines(
    sweep: int, stage: str, way: str, done: Sequence[Decision], left: float
) -> Iterator[str]:
    """What one sweep took out.

    Args:
        left: the share of the performance after it.
    """
    head = f"{sweep}. {CALLED.get(stage, stage)}, {way}: "
    removed = sorted((one for one in done if one.removed), key=_dearest)
    yield f"{head}{len(done):,} tried, {len(removed) or 'none'} removed; {_percent(left)} is left"
    if removed:
        yield f"   removed  {_named([_cost(one) for one in removed])}"


def stays_line(done: Sequence[Decision], left: Sequence[float], limits: Limits) -> str:
    """What stayed, the dearest first, and what it would cost to take it out; "" for nothing.

    Args:
        left: the share of the performance without each part.
    """
    stayed = [(one, share) for one, share in zip(done, left, strict=True) if not one.removed]
    said = [
        _cost(one) if one.cost > limits.costs else f"{_cost(one)} (would leave {_percent(share)})"
        for one, share in sorted(stayed, key=lambda pair: _dearest(pair[0]))
    ]
    return f"   stays    {_named(said)}" if said else ""


def _dearest(one: Decision) -> float:
    """By what is shown: parts that cost as much to the last digit stay in the sweep's order."""
    return -round(one.cost, 3)


def _cost(one: Decision) -> str:
    return f"{one.part.name} {_percent(one.cost)}"


def _percent(share: float) -> str:
    return f"{number(100 * share, 1)}%"


def _named(parts: Sequence[str]) -> str:
    more = len(parts) - SHOWN
    if more <= 1:
        return ", ".join(parts)
    return f"{', '.join(parts[:SHOWN])}, and {more:,} more"


def frequency_lines(frequency: Mapping[str, float], orders: int) -> Iterator[str]:
    """How often each node and edge stayed, over several orders of removal."""
    if orders < 2:
        return
    yield f"stays in how many of {orders} orders of removal"
    counts = {round(share * orders) for share in frequency.values()}
    for count in sorted(counts, reverse=True):
        names = [name for name, share in frequency.items() if round(share * orders) == count]
        nodes = [name for name in names if "→" not in name]
        edges = len(names) - len(nodes)
        parts = [*nodes, *([f"{edges:,} edge{'s' * (edges != 1)}"] if edges else [])]
        yield f"   {count:>3}: {', '.join(parts)}"
