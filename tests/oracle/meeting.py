"""Whether the paths of two siblings overlap, by brute force over paths, rows and positions.

Both routes are followed along every path that they have in common: they overlap where one arrives
and the other goes on to arrive, or arrives as well. Other than `legality.overlap` this is exact:
two routes that claim one site along different paths do not overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from oracle.legality import Geometry, Mask, Masks, Place, Trip, starts
from oracle.net import cells
from scrub.hypothesis.sites import Route

Step = tuple[Place, tuple[int, ...] | None, Mask]
"""As `Trip.goes` gives it: the next place, the positions that are read, and where it may go."""
Both = tuple[Place, Place]
"""A site that two routes have come to by one path, as each stands there."""


def overlap(geometry: Geometry, parent: Iterable[Route], one: Route, other: Route) -> bool:
    """Whether one's path reaches or runs through what the other claims, in some row."""
    for start, at in starts(geometry, parent):
        trips = (Trip(geometry, start, at, r, frozenset(r.cells)) for r in (one, other))
        if _overlap(*map(followed, trips)):
            return True
    return False


@frozen
class Followed:
    """A route from one of the parent's sites.

    Attributes:
        steps: per place that it comes to where it goes on to.
        arrives: where it has arrived, of these places.
        leads: from where it arrives, there or further on.
    """

    trip: Trip
    steps: Mapping[Place, Sequence[Step]]
    arrives: Masks
    leads: Masks


def followed(trip: Trip) -> Followed:
    reached = trip.reached()
    order = {cell: number for number, cell in enumerate(cells(trip.geometry.net))}
    # A path has left its first component, or not yet; each time readers come before what they read.
    places = sorted(reached, key=lambda place: (place[0] is not None, order[place[1]]))
    steps = {place: tuple(trip.goes(place)) for place in places}
    mine = trip.geometry.mask(trip.route.at)
    arrives = {place: mine for place in places if trip.claimed(place)}
    leads: Masks = {}
    for place in reversed(places):
        mask = arrives.get(place, 0)
        for read, at, allowed in steps[place]:
            if read in leads:
                mask = mask | trip.geometry.reading(leads[read] & allowed, at)
        leads[place] = mask
    return Followed(trip, steps, arrives, leads)


def _overlap(one: Followed, other: Followed) -> bool:
    for (a, b), mask in in_common(one, other).items():
        first = one.arrives.get(a, 0)
        second = other.arrives.get(b, 0)
        if mask & one.leads[a] & other.leads[b] & (first | second):
            return True
    return False


def in_common(one: Followed, other: Followed) -> dict[Both, Mask]:
    """Where both routes come by on one path."""
    read_at = one.trip.geometry.read
    start: Place = (None, one.trip.start, True)
    masks: dict[Both, Mask] = {(start, start): one.trip.at}
    beside: dict[tuple, list[Place]] = {}
    for place in other.steps:
        beside.setdefault(place[:2], []).append(place)
    for a in one.steps:
        for b in beside.get(a[:2], ()):
            if (a, b) not in masks:
                continue
            steps: dict[tuple, list[Step]] = {}
            for step in other.steps[b]:
                steps.setdefault(step[0][:2], []).append(step)
            for read, at, allowed in one.steps[a]:
                for same, _, too in steps.get(read[:2], ()):
                    come = read_at(masks[a, b], at) & allowed & too
                    if come and read in one.steps and same in other.steps:
                        masks[read, same] = masks.get((read, same), 0) | come
    return masks
