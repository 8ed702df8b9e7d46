"""What a walk below a node finds: states of cells, and what a port reads of other cells."""

from __future__ import annotations

from attrs import frozen

from scrub.engine.gates import NO_GATE, RouteId
from scrub.engine.passing import Region
from scrub.hypothesis.positions import ALL, At
from scrub.names import Cell

Lane = tuple[int, int, str]
"""A route along a stream, and the gate by which it came there (see `scrub.engine.gates`)."""


@frozen(order=True, cache_hash=True)
class Open:
    """A route that may be followed through a port of the component at hand.

    `onward` says whether it may leave the component by that port, or only end inside; `gate` to
    which writers.
    """

    route: RouteId
    port: str
    onward: bool
    gate: str = NO_GATE


State = frozenset[Open]
Routes = frozenset[Lane]
PLAIN: State = frozenset()


@frozen(order=True)
class Claimed:
    """A child's value stands here, at these positions of the parent's frame."""

    child: int
    at: At


@frozen
class CellEdge:
    """What a port takes of a cell of its own component, or a stream of one of its writers.

    Attributes:
        open: the state of the cell, as if nothing were claimed.
        claims: the children whose values stand here instead, at some positions or all.
        parts: what stands at positions at which other routes may pass.
    """

    cell: Cell
    open: State
    claims: tuple[Claimed, ...]
    parts: tuple[Part, ...] = ()

    @property
    def state(self) -> State:
        """The state of what is left to compute: plain where a child's value stands everywhere."""
        return PLAIN if any(claim.at == ALL for claim in self.claims) else self.open


@frozen
class Part:
    """What stands at a region of a cell's positions: the cell in a state, or children's values."""

    region: Region
    open: State
    claims: tuple[Claimed, ...]

    @property
    def state(self) -> State:
        """The state of what is left to compute: plain where a child's value stands."""
        return PLAIN if self.claims else self.open


@frozen
class StreamEdge:
    """What a port reads of a stream: the stream with these routes open."""

    stream: str
    routes: Routes


def by_port(state: State) -> dict[str, list[Open]]:
    """A state's ways by their ports."""
    found: dict[str, list[Open]] = {}
    for way in state:
        found.setdefault(way.port, []).append(way)
    return found
