"""What a search has measured: of each receiver, the effect of every sender. Written as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from scrub.hypothesis.arguments import Head
from scrub.hypothesis.sites import Route, Sites, Spec, anything, embeddings, heads, mlp
from scrub.model.graph import Graph
from scrub.stats.intervals import Interval
from scrub.stats.rounding import finite

At = Spec
"""Where a component stands: a position column, an index, or "all"."""


@frozen(order=True)
class Component:
    """A head, an MLP, or the embeddings together.

    Attributes:
        kind: "heads", "mlps" or "embeddings".
        layer, head: -1 where it has none.
    """

    kind: str
    layer: int = -1
    head: int = -1

    @property
    def pair(self) -> Head:
        return (self.layer, self.head)

    def __str__(self) -> str:
        match self.kind:
            case "heads":
                return f"head {self.layer}.{self.head}"
            case "mlps":
                return f"MLP {self.layer}"
            case _:
                return "embeddings"

    def routes(self, graph: Graph) -> tuple[Route, ...]:
        """Its sites in a model."""
        found = []
        for route in sites_of((self,)).routes:
            # not every model has position embeddings
            cells = tuple(cell for cell in route.cells if cell.site in graph.sites)
            found.append(evolve(route, cells=cells))
        return tuple(found)


def sites_of(components: tuple[Component, ...], **path: Any) -> Sites:
    """The sites of components of one kind. Path as in `Route`."""
    kind = components[0].kind
    if kind == "heads":
        return heads([one.pair for one in components], **path)
    if kind == "mlps":
        return mlp(*(one.layer for one in components), **path)
    return embeddings(**path)


@frozen
class Receiver:
    """What senders send to: components of one kind at one position; none: the root.

    From there to the root everything is computed anew.
    """

    components: tuple[Component, ...] = ()
    at: At = ""

    @property
    def is_root(self) -> bool:
        return not self.components

    @property
    def ports(self) -> tuple[str, ...]:
        """The ports that it is entered by, each a sender's way in; "": any."""
        return ("q", "k", "v") if self.components and self.components[0].kind == "heads" else ("",)

    @property
    def sites(self) -> Sites:
        return sites_of(self.components, at=self.at, through=anything)

    def __str__(self) -> str:
        if self.is_root:
            return "the output"
        where = "" if self.at == "all" else f" at {self.at}"
        return f"{in_words(self.components)}{where}"


def in_words(components: tuple[Component, ...]) -> str:
    """ "heads 2.0, 2.1", "MLP 3", "embeddings"."""
    first = components[0]
    if first.kind == "heads":
        numbers = ", ".join(f"{one.layer}.{one.head}" for one in components)
        return f"head{'s' * (len(components) > 1)} {numbers}"
    if first.kind == "mlps":
        numbers = ", ".join(str(one.layer) for one in components)
        return f"MLP{'s' * (len(components) > 1)} {numbers}"
    return "embeddings"


@frozen
class Effect:
    """What one sender changes by way of a receiver.

    Attributes:
        port: by which it enters the receiver; "": any.
        effect: on the metric, in its units; the interval holds together with those of all other
            senders to this receiver (Bonferroni).
        share: of the total effect, positive towards the original; NaN where that is not told from
            zero.
    """

    sender: Component
    at: At
    port: str
    effect: Interval
    share: float

    @property
    def certain(self) -> bool:
        """Whether its interval is away from zero."""
        return self.effect.low > 0 or self.effect.high < 0

    def __str__(self) -> str:
        where = "" if self.at == "all" else f" at {self.at}"
        into = f" into {self.port}" if self.port else ""
        return f"{self.sender}{where}{into}"


@frozen
class Measured:
    """The effects of all senders to one receiver.

    Attributes:
        total: original − corrupted, of the metric.
        left_out: senders of the range that no such path leads from.
    """

    receiver: Receiver
    effects: tuple[Effect, ...]
    total: Interval
    left_out: int = 0

    @property
    def told(self) -> bool:
        """Whether the total effect is told from zero, so that there are shares of it."""
        return self.total.low > 0 or self.total.high < 0


@frozen
class Attention:
    """What a head attends to, in the mean over references.

    Attributes:
        to: the position column that it attends to most.
        share: how much of its attention.
    """

    to: str
    share: float


Attends = Mapping[tuple[Head, At], Attention]
"""By head and position of the query."""


def as_json(measured: Measured) -> dict[str, Any]:
    return {
        "receiver": {
            "components": [_component(one) for one in measured.receiver.components],
            "at": measured.receiver.at,
        },
        "total": _interval(measured.total),
        "left_out": measured.left_out,
        "effects": [
            {
                "sender": _component(one.sender),
                "at": one.at,
                "port": one.port,
                "effect": _interval(one.effect),
                "share": finite(one.share),
            }
            for one in measured.effects
        ],
    }


def from_json(said: Mapping[str, Any]) -> Measured:
    """Law: `from_json(as_json(measured)) == measured`, but for what intervals say beside ends."""
    receiver = said["receiver"]
    return Measured(
        Receiver(tuple(Component(*one) for one in receiver["components"]), receiver["at"]),
        tuple(
            Effect(
                Component(*one["sender"]), one["at"], one["port"], _read(one["effect"]),
                math.nan if one["share"] is None else one["share"],
            )
            for one in said["effects"]
        ),
        _read(said["total"]),
        said["left_out"],
    )  # fmt: skip


def _component(one: Component) -> list[Any]:
    return [one.kind, one.layer, one.head]


def _interval(found: Interval) -> list[float | None]:
    return [finite(x) for x in (found.mean, found.low, found.high, found.confidence)]


def _read(said: list[float | None]) -> Interval:
    mean, low, high, confidence = said
    return Interval(
        math.nan if mean is None else mean,
        -math.inf if low is None else low,
        math.inf if high is None else high,
        0.95 if confidence is None else confidence,
    )
