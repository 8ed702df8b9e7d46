"""Where a route may pass: at which positions of which component.

Positions are told by name, and where a name points differs by row: positions that two names share
are known to the executor alone. So a plan divides them into *regions*, each of which lies in some
named sets and outside of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from scrub.hypothesis.positions import ALL, At, Spec, either
from scrub.hypothesis.sites import Through
from scrub.model.graph import Graph
from scrub.names import Cell

Specs = tuple[Spec, ...]


@frozen
class Passage:
    """Positions at which a route may pass: those of `at` that are none of `never`."""

    at: At = ALL
    never: Specs = ()

    @property
    def everywhere(self) -> bool:
        return self.at == ALL and not self.never

    @property
    def nowhere(self) -> bool:
        return self.at != ALL and set(self.at) <= set(self.never)

    @property
    def sets(self) -> tuple[Specs, ...]:
        """The sets of named positions that it goes by."""
        named = () if isinstance(self.at, str) else (self.at,)
        return tuple(specs for specs in (*named, self.never) if specs)

    def holds(self, within: frozenset[Specs]) -> bool:
        """Whether a position is among its own, that lies in these of its sets and no others."""
        return (self.at == ALL or self.at in within) and self.never not in within


NOWHERE = Passage(())


def passage(through: Through, cell: Cell, graph: Graph) -> Passage:
    """Where a path may pass the component of this cell, of a route that keeps to no edges."""
    here = graph.component(cell)
    if here in {graph.component(c) for c in through.never}:
        return NOWHERE
    kind = graph.sites[cell.site].kind
    at: At = ()
    if through.kinds == "anything" or (through.kinds == "mlps" and kind == "mlp"):
        at = ALL
    else:
        at = either(one.at for one in through.passed if graph.component(one.cell) == here)
    never = either(one.at for one in through.never_at if graph.component(one.cell) == here)
    assert never != ALL, "what is excluded everywhere names no positions"
    return Passage(at, never)  # type: ignore[arg-type]  # positions by name


@frozen(cache_hash=True)
class Region:
    """Positions of `at` that are, in their row, in each of `within` and in none of `without`."""

    at: Specs
    within: tuple[Specs, ...] = ()
    without: tuple[Specs, ...] = ()


def regions(sets: Sequence[Specs]) -> Iterator[tuple[Region, frozenset[Specs]]]:
    """The regions into which sets of positions divide all that are in any of them.

    Each comes with the sets that it lies in. Regions that are empty in every row, whatever the row,
    are left out; no position is in two.
    """
    every = tuple(dict.fromkeys(sets))
    for chosen in _divided(every):
        if chosen:
            without = tuple(one for one in every if one not in chosen)
            region = _simplest(chosen, without)
            if region.at:
                yield region, frozenset(chosen)


def _divided(
    sets: tuple[Specs, ...], chosen: tuple[Specs, ...] = ()
) -> Iterator[tuple[Specs, ...]]:
    """Every choice of sets that may have a position in common."""
    if not sets:
        yield chosen
        return
    first, *rest = sets
    if all(_may_meet(first, other) for other in chosen):
        yield from _divided(tuple(rest), (*chosen, first))
    yield from _divided(tuple(rest), chosen)


def _may_meet(one: Specs, other: Specs) -> bool:
    """Whether two sets may have a position in common in some row: two numbers differ in every."""
    by_name = [any(isinstance(spec, str) for spec in specs) for specs in (one, other)]
    return any(by_name) or not set(one).isdisjoint(other)


def _simplest(chosen: tuple[Specs, ...], without: tuple[Specs, ...]) -> Region:
    """A region in as few words as can be: what holds in every row is left out."""
    first, *others = sorted(chosen, key=len)
    taken = {spec for one in without for spec in one}
    at = tuple(
        spec
        for spec in first
        if spec not in taken and all(_may_meet((spec,), other) for other in others)
    )
    return Region(
        at,
        tuple(one for one in others if not set(at) <= set(one)),
        tuple(one for one in without if _may_meet(at, one)),
    )
