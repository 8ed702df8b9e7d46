"""Curves: performance against the number of heads that are kept, the least important removed first.

"75% of the performance with 10 heads" says as much about the order in which heads were removed as
about the heads: another order keeps others. So the order is chosen on one half of the rows, the
performance reported on the other, and several orders say how often each head is among those kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from attrs import frozen

from scrub.circuits.ablations import Ablations, corrected
from scrub.circuits.greedy import NodeSet
from scrub.errors import UserError, did_you_mean
from scrub.stats.intervals import Interval

ORDERS = {
    "least": "the least important first, measured again after each removal",
    "once": "the least important first, measured once",
    "backwards": "from the last layer to the first, within a layer the least important first",
    "forwards": "from the first layer to the last, within a layer the least important first",
}
"""Orders of removal, in words."""
LEVELS = (0.9, 0.75, 0.5)
"""Shares of performance of which it is said how many heads keep them."""


@frozen
class Order:
    """An order of removal.

    Attributes:
        kind: of `ORDERS`, or "random": at every step the least important of a random half of what
            is left is removed.
        seed: of these halves.
    """

    kind: str
    seed: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"random {self.seed[-1]}" if self.kind == "random" else self.kind


@frozen
class Point:
    """A circuit on the curve.

    Attributes:
        size: heads that are kept.
        removed: the head that was removed last; "" of the whole circuit.
        kept: the heads.
        chosen_by: what it recovers on the half by which the order was chosen.
        recovered: on the other half; the intervals of all points of all orders hold together.
    """

    size: int
    removed: str
    kept: tuple[str, ...]
    chosen_by: float
    recovered: Interval


@frozen
class Level:
    """The smallest circuit of an order that keeps a share of performance.

    Attributes:
        share: of what is recovered, on the half by which it was chosen.
        point: None where no circuit of the order does.
        lost: heads that the next higher level keeps and this one does not.
    """

    share: float
    point: Point | None
    lost: tuple[str, ...] = ()


@frozen
class Curve:
    """Performance by size.

    Attributes:
        orders: how heads were removed; the first is the one whose levels are told.
        points: of each order, the whole circuit first.
    """

    orders: tuple[Order, ...]
    points: tuple[tuple[Point, ...], ...]
    levels: tuple[Level, ...]

    def frequency(self) -> Mapping[str, Mapping[int, float]]:
        """Of each head the share of orders that keep it, by size. Heads kept longest first."""
        heads = self.points[0][0].kept
        sizes = [point.size for point in self.points[0]]
        found = {
            head: {
                size: float(np.mean([head in points[place].kept for points in self.points]))
                for place, size in enumerate(sizes)
            }
            for head in heads
        }
        return dict(sorted(found.items(), key=lambda one: -sum(one[1].values())))


def orders_of(first: str, count: int, seed: int) -> tuple[Order, ...]:
    """So many orders of removal: the first, the others of `ORDERS`, then random ones.

    Raises:
        UserError: there is no such order.
    """
    if first not in ORDERS:
        raise UserError(f'There is no order "{first}". {did_you_mean(first, ORDERS)}')
    named = [first, *(kind for kind in ORDERS if kind != first)]
    found = [Order(kind) for kind in named[:count]]
    more = range(1, count - len(found) + 1)
    return (*found, *(Order("random", (seed, 4, number)) for number in more))


def removal_orders(
    seen: Ablations, heads: Sequence[int], layers: Mapping[int, int], orders: Sequence[Order]
) -> list[list[NodeSet]]:
    """For each order the sets of nodes that are removed at each size, from none to all heads.

    The least important head is the one without which most is recovered. All orders go on side by
    side, so that a step is one request. Law: an order is that which it would be by itself.

    Args:
        heads: nodes that are removed.
        layers: of each.
    """
    removed: list[list[NodeSet]] = [[frozenset()] for _ in orders]
    random = [np.random.default_rng(order.seed) for order in orders]
    first: dict[int, float] = {}
    for _ in heads:
        may = [
            _candidates(order, heads, layers, sets[-1], draws)
            for order, sets, draws in zip(orders, removed, random, strict=True)
        ]
        asked = list(
            dict.fromkeys(
                sets[-1] | {head}
                for order, sets, heads_ in zip(orders, removed, may, strict=True)
                for head in heads_
                if not (order.kind == "once" and first)
            )
        )
        values = _recovered(seen, asked)
        first = first or {head: values.get(frozenset({head}), 0.0) for head in heads}
        for order, sets, heads_ in zip(orders, removed, may, strict=True):
            last = sets[-1]
            worth = {
                head: first[head] if order.kind == "once" else values[last | {head}]
                for head in heads_
            }
            sets.append(last | {max(heads_, key=lambda head: worth[head])})
    return removed


def _candidates(
    order: Order,
    heads: Sequence[int],
    layers: Mapping[int, int],
    removed: NodeSet,
    random: np.random.Generator,
) -> list[int]:
    left = [head for head in heads if head not in removed]
    if order.kind == "random":
        half = (len(left) + 1) // 2
        return sorted(random.choice(left, size=half, replace=False).tolist())
    if order.kind in ("backwards", "forwards"):
        outermost = (max if order.kind == "backwards" else min)(layers[head] for head in left)
        return [head for head in left if layers[head] == outermost]
    return left


def _recovered(seen: Ablations, sets: Sequence[NodeSet]) -> dict[NodeSet, float]:
    """What the circuit recovers without each of some sets."""
    if not sets:
        return {}
    values = seen.shares(seen.of_circuit(sets) - seen.baseline)
    return dict(zip(sets, values.tolist(), strict=True))


def curve(
    seen: Ablations,
    held: Ablations,
    heads: Sequence[int],
    orders: Sequence[Order],
    removed: Sequence[Sequence[NodeSet]],
    levels: Sequence[float] = LEVELS,
) -> Curve:
    """The performance of every circuit of every order, on rows by which it was not chosen."""
    sets = list(dict.fromkeys(one for found in removed for one in found))
    known = _recovered(seen, sets)
    confidence = corrected(len(sets))
    numbers = zip(sets, held.of_circuit(sets), strict=True)
    recovered = {one: held.recovered(row, confidence) for one, row in numbers}

    def point(one: NodeSet, before: NodeSet) -> Point:
        kept = [head for head in heads if head not in one]
        last = held.named(one - before)
        return Point(len(kept), "".join(last), held.named(kept), known[one], recovered[one])

    points = tuple(
        tuple(point(one, found[max(place - 1, 0)]) for place, one in enumerate(found))
        for found in removed
    )
    return Curve(tuple(orders), points, _levels(points[0], levels))


def _levels(points: Sequence[Point], shares: Sequence[float]) -> tuple[Level, ...]:
    found: list[Level] = []
    for share in sorted(shares, reverse=True):
        reach = [point for point in points if point.chosen_by >= share]
        smallest = min(reach, key=lambda point: point.size, default=None)
        above = next((one.point for one in reversed(found) if one.point), points[0])
        kept = () if smallest is None else smallest.kept
        lost = tuple(head for head in above.kept if head not in kept) if smallest else ()
        found.append(Level(share, smallest, lost))
    return tuple(found)
