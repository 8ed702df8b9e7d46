"""What a node of a claim about a transformer could be said to stand for instead."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from attrs import evolve

from scrub import names
from scrub.data.dataset import Dataset
from scrub.hypothesis.sites import (
    ALL,
    Route,
    Sites,
    Spec,
)
from scrub.names import Cell
from validating.claims import Part

PORTS = ("q", "k", "v")


def elsewhere(data: Dataset, layers: int, heads: int, child: Part) -> Iterator[tuple[str, Sites]]:
    """Other sites in the same place, other ports, other positions: the mistake, and the sites.

    Not all of them are legal.
    """
    for route in child.sites.routes:

        def one(kind: str, route: Route = route, **change: object) -> tuple[str, Sites]:
            changed = evolve(route, **change)
            routes = tuple(changed if r is route else r for r in child.sites.routes)
            return kind, Sites(routes)

        for cells in _other_cells(route, layers, heads):
            yield one("node", cells=cells)
        if route.into is not None:
            for port in PORTS:
                if route.into != frozenset({port}):
                    yield one("port", into=port)
        if route.at != ALL and len(route.at) == 1:
            for spec in _positions(data, route.at[0]):
                yield one("position", at=spec)


def _positions(data: Dataset, here: Spec) -> Iterator[Spec]:
    """Other columns for a column, if there are any; else other indices."""
    if isinstance(here, str) and len(data.positions) > 1:
        yield from (name for name in data.positions if name != here)
    else:
        same = data.position(here)
        yield from (i for i in range(data.width) if not (same == i).all())


def _other_cells(route: Route, layers: int, heads: int) -> Iterator[tuple[Cell, ...]]:
    """As many other heads of the same layer, another MLP, or positions in place of tokens."""
    first = route.cells[0]
    numbers = [cell.head for cell in route.cells if cell.head is not None]
    if numbers and len({cell.site for cell in route.cells}) == 1:
        rest = [head for head in range(heads) if head not in numbers]
        for picked in combinations(rest, len(numbers)):
            yield tuple(evolve(first, head=head) for head in picked)
    elif len(route.cells) == 1 and first.site == names.EMBED:
        yield (Cell(names.POS_EMBED),)
    elif len(route.cells) == 1 and first.site in [names.mlp(layer) for layer in range(layers)]:
        for layer in range(layers):
            if first.site != names.mlp(layer):
                yield (Cell(names.mlp(layer)),)
