"""Senders: the components of a model of which a sweep asks, and at which positions.

A range ("heads", "mlps", "layers", "streams") is every component of a kind, whether it comes before
the receiver or not; those that do not are left out and counted. Senders that are named one by one
must each reach the receiver.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from scrub import names
from scrub.errors import UserError, did_you_mean
from scrub.hypothesis.arguments import HEADS as HEADS
from scrub.hypothesis.arguments import Head, several
from scrub.hypothesis.sites import (
    ALL,
    Route,
    Sites,
    Spec,
    Through,
    embeddings,
    heads,
    mlp,
    mlp_part,
    summand,
)
from scrub.hypothesis.splits import neurons
from scrub.model.graph import Graph
from scrub.model.registry import Model
from scrub.names import Cell
from scrub.printing import printed

RANGES = ("heads", "mlps", "layers", "streams")
Senders = str | Sites | Sequence[Head | str] | Mapping[str, Sites]
"""What `senders=` takes."""
NEURONS = "neurons"
EACH = "each"


@frozen
class Sender:
    """A component, or several that are one, at some positions.

    Attributes:
        name: "head 3.1", "MLP 2", "layer 2" (attention and MLP), "stream 2" (all that was written
            before layer 2), "neuron 2.17".
        routes: its sites, with positions; the path to the receiver is the sweep's.
        layer, head: numbers, for the heatmap; `head` is that of a neuron for neurons.
        kind: of what it is one: a range's name, or "sites".
        before: cells that no path of this sender may pass: what its stream sums up already.
    """

    name: str
    routes: tuple[Route, ...]
    layer: int | None = None
    head: int | None = None
    kind: str = "sites"
    before: tuple[Cell, ...] = ()

    @property
    def by_column(self) -> bool:
        """Whether position columns say where it is, at each of its sites."""
        return all(
            route.at != ALL and all(isinstance(place, str) for place in route.at)
            for route in self.routes
        )

    @property
    def at(self) -> str:
        """Its positions as a table shows them: "end", "io, s1", "all"."""
        at = self.routes[0].at
        return at if isinstance(at, str) else ", ".join(map(str, at))

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(cell for route in self.routes for cell in route.cells)

    def at_positions(self, spec: Spec) -> Sender:
        """The same component at one position."""
        at = ALL if spec == ALL else (spec,)
        return evolve(self, routes=tuple(evolve(route, at=at) for route in self.routes))

    def sites(self, through: Through) -> Sites:
        """What a node that is this sender stands for, on a path through these sites."""
        if self.before:
            through = through.excluding(Sites((Route(self.before),)))
        return Sites(tuple(evolve(route, through=through) for route in self.routes))


@frozen(repr=False)
class Named:
    """The senders that were asked for, before positions.

    Attributes:
        ranged: whether they are a range, of which some may be left out.
        neurons: number of the layer whose neurons are asked for; None: no neurons.
    """

    senders: tuple[Sender, ...]
    ranged: bool
    neurons: int | None = None

    def __repr__(self) -> str:
        return ", ".join(dict.fromkeys(sender.kind for sender in self.senders))


def named_senders(given: Any, model: Model) -> Named:
    """The senders that `senders=` (`--from`) names.

    Args:
        given: a range; "neurons:8"; heads, "9.9,9.6"; a role; sites, one sender a cell; a list of
            heads [(9, 9)]; a mapping from names to sites, one sender a name; or what is named.

    Raises:
        UserError: it names nothing of the kind; or a layer or head that the model does not have.
    """
    if isinstance(given, Named):
        return given
    if isinstance(given, str):
        return _by_text(given.strip(), model)
    if isinstance(given, Mapping):
        listed = [_one(str(name), sites) for name, sites in given.items()]
    elif isinstance(given, Sites):
        listed = [_of_cell(cell, route) for route in given.routes for cell in route.cells]
    elif isinstance(given, Sequence) and given:
        listed = [_of_cell(c, r) for r in heads(given).routes for c in r.cells]
    else:
        listed = []
    if not listed:
        raise UserError(
            f"senders={printed(given)} names no sender. Give {_choices()}, sites, or a mapping "
            "from names to sites."
        )
    return Named(tuple(listed), ranged=False)


def _choices() -> str:
    return f'{", ".join(RANGES)}, neurons:LAYER, heads such as "9.9,9.6", or a role'


def _by_text(given: str, model: Model) -> Named:
    graph = model.graph
    if given in RANGES:
        found = tuple(range_of(given, graph))
        if not found:
            raise UserError(
                f'Model "{model.name}" has no {given} to send from. Name sites instead, in Python: '
                "scrub.patch(…, senders=site(…))."
            )
        return Named(found, ranged=True)
    kind, colon, layer = given.partition(":")
    if kind == NEURONS:
        return Named((), ranged=True, neurons=_layer_of_neurons(layer if colon else "", graph))
    if HEADS.fullmatch(given):
        pairs = heads_of(given)
    elif given in model.roles:
        pairs = list(model.role(given))
    else:
        raise UserError(
            f'There are no senders "{given}". '
            f"{did_you_mean(given, (*RANGES, f'{NEURONS}:0', *model.roles))} Give {_choices()}."
        )
    return Named(tuple(_of_cell(c, r) for r in heads(pairs).routes for c in r.cells), ranged=False)


def heads_of(text: str) -> list[tuple[int, int]]:
    """ "9.9,9.6" as pairs of layer and head."""
    split = [piece.strip().split(".") for piece in text.split(",")]
    return [(int(layer), int(head)) for layer, head in split]


def _layers(graph: Graph) -> list[int]:
    return sorted({site.layer for site in graph.sites.values() if site.layer is not None})


def _heads_in(layer: int, graph: Graph) -> list[Cell]:
    site = graph.sites.get(names.attention_site(layer, "z"))
    return [] if site is None else list(site.cells())


def _mlp_in(layer: int, graph: Graph) -> list[Cell]:
    return [Cell(names.mlp(layer))] if names.mlp(layer) in graph.sites else []


def range_of(kind: str, graph: Graph) -> Iterator[Sender]:
    """Every component of a kind, in the model's order: see `RANGES`."""
    for layer in _layers(graph):
        attention, feedforward = _heads_in(layer, graph), _mlp_in(layer, graph)
        if kind == "heads":
            for cell in attention:
                yield Sender(str(cell), (Route((cell,)),), layer, cell.head, kind)
        elif kind == "mlps" and feedforward:
            yield Sender(f"MLP {layer}", (Route(tuple(feedforward)),), layer, None, kind)
        elif kind == "layers":
            cells = (*attention, *feedforward)
            yield Sender(f"layer {layer}", (Route(cells),), layer, None, kind)
        elif kind == "streams":
            cells = _written_before(layer, graph)
            yield Sender(f"stream {layer}", (Route(cells),), layer, None, kind, before=cells)


def _written_before(layer: int, graph: Graph) -> tuple[Cell, ...]:
    """All that writes to the residual stream before a layer."""
    written = [c for r in embeddings().routes for c in r.cells if c.site in graph.sites]
    for below in range(layer):
        written += [*_heads_in(below, graph), *_mlp_in(below, graph)]
    return tuple(written)


def _layer_of_neurons(given: str, graph: Graph) -> int:
    have = [layer for layer in _layers(graph) if names.mlp_site(layer, "post") in graph.sites]
    if not have:
        raise UserError("neurons: the model has no MLPs. Give heads.")
    if not given.isdigit():
        raise UserError(
            f'neurons:{given}: "{given}" is no layer. Give a number, as in neurons:{have[-1]}.'
        )
    layer = int(given)
    if layer not in have:
        nearest = min(have, key=lambda there: abs(there - layer))
        raise UserError(
            f"neurons:{layer}: the model has MLPs in layers {have[0]} to {have[-1]}. "
            f"The nearest is neurons:{nearest}."
        )
    return layer


def neuron_sender(layer: int, number: int) -> Sender:
    """One neuron of a layer."""
    name = f"n{number}"
    sites = summand(mlp_part("post", layer), neurons(**{name: [number]}), name)
    return Sender(f"neuron {layer}.{number}", sites.routes, layer, number, NEURONS)


def whole_neurons(layer: int) -> Sender:
    """The neurons of a layer together."""
    return Sender(f"neurons {layer}", mlp_part("post", layer).routes, layer, None, NEURONS)


def _one(name: str, sites: Any) -> Sender:
    if not isinstance(sites, Sites):
        raise UserError(
            f'senders={{"{name}": …}}: {printed(sites)} are no sites. Give heads(…), mlp(…), …'
        )
    return Sender(name, sites.routes)


def _of_cell(cell: Cell, route: Route) -> Sender:
    layer = cell.name.layer
    kind = "heads" if cell.name.is_z else "mlps" if mlp_like(cell) else "sites"
    return Sender(str(cell), (evolve(route, cells=(cell,)),), layer, cell.head, kind)


def mlp_like(cell: Cell) -> bool:
    """Whether it is the output of an MLP."""
    layer = cell.name.layer
    return layer is not None and cell == mlp(layer).routes[0].cells[0]


def placed(found: Sequence[Sender], at: Any, columns: Sequence[str]) -> tuple[Sender, ...]:
    """Senders at the positions that are asked for: each at each.

    Args:
        at: "all": whole; "each": at each of the data's columns; a column, an index, or several.
        columns: the data's position columns.
    """
    if isinstance(at, str) and at == ALL:
        return tuple(found)
    if isinstance(at, str) and at == EACH:
        specs: Sequence[Spec] = columns
    else:
        specs = several(at)
    return tuple(sender.at_positions(spec) for sender in found for spec in specs)
