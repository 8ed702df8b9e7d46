"""The model graph: a DAG of named sites, each a torch callable of its inputs.

A site reads by ports. A port reads another site of the same component (a head's pattern reads its
scores), or a stream: the sum of what several writers wrote (the residual stream, or one argument of
an arithmetic graph). Heads and positions are axes of a site's values, so that a layer runs as one
batched operation. Every value in the engine is `[inputs, positions, heads, ...]`; a site without
positions or without heads has axes of length 1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from functools import cached_property

import torch
from attrs import Factory, field, frozen
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.model.vision import Vision
from scrub.model.weights import Weights
from scrub.names import Cell
from scrub.printing import in_brief

Component = tuple[str, int | None]
"""A group of sites that a path passes as one: a head (its layer's group and its number), an MLP."""


@frozen(eq=False)
class Where:
    """For which heads and at which positions a site is computed.

    Attributes:
        heads: head numbers, int64 [heads]; empty for a site without heads.
        at: index of each position from the first real token, int64 [inputs, positions].
    """

    heads: Tensor
    at: Tensor


Apply = Callable[[Mapping[str, Tensor], Where], Tensor]
"""Inputs by port, each [inputs, positions, heads or 1, ...] → the site's value."""


@frozen(eq=False)
class Port:
    """One input of a site.

    Attributes:
        name: for a port that reads a stream, the name users know (`into=`).
        source: the site or stream that it reads.
        leads: the component's ports to streams on which what it reads depends; its own name where
            it reads a stream itself.
        everywhere: whether it reads its source at all positions (keys, values), not only its own.
        causal_by: the site that keeps a position from seeing what an everywhere port reads after
            it, unless a node claims that site; None: everything is seen.
    """

    name: str
    source: str
    leads: frozenset[str]
    everywhere: bool = False
    causal_by: str | None = None


@frozen(eq=False, repr=False)
class Site:
    """A named value of the model.

    Attributes:
        group: sites of one group and head are one component.
        kind: "attention", "mlp", "embedding", "output" or "site"; `through=mlps` goes by it.
        layer: number of its layer; None outside of layers.
        part: what it is of its component: z, q_in, mlp, mlp_pre, … (see `scrub.names`); of a graph
            that is no transformer its name.
        output: of a site that writes to a stream through a linear map: the site that holds what
            it writes (of a head's z: result).
        summand_of: the split site of which it is a summand, in a graph that is specialised to a
            hypothesis.
        apply: computes the value. A site without ports gets the dataset's inputs instead, by name.
        ports: what it reads.
        heads: length of its head axis; None where it has none.
        shared: whether heads that read the same have the same value, which is then held once, with
            a head axis of length 1.
        positions: whether it has a position axis.
        stored: whether the activation cache keeps its plain values (not those of logits).
        write: what it adds to a stream that it writes to, summed over the heads:
            ([inputs, positions, heads, ...], head numbers) → [inputs, positions, 1, ...].
            Must be linear: the engine writes differences. None: the value itself.
        flops: floating-point operations of `apply` per input, position and head, given the width.
        write_flops: the same for `write`.
        size: numbers in the value per input, position and head, given the width.
        entrywise: of a site without heads whether `apply` takes any number of entries on the head
            axis, and computes each from itself alone.
        scratch: numbers that `apply` holds at once besides its inputs and the value, per input,
            position and head, given the width and how many positions are computed.
        columns: for a site of one port that is linear up to the last axis: columns int64
            [inputs, some] → the function from what it reads to its value at those columns.
        from_rows: for a site that is a function of the data's rows and not of what the model
            reads: (rows, width) → value. `apply` is then used only where inputs are no rows.
    """

    name: str
    group: str
    apply: Apply
    ports: tuple[Port, ...] = ()
    kind: str = "site"
    layer: int | None = None
    part: str = field(default=Factory(lambda self: self.name, takes_self=True))
    output: str | None = None
    summand_of: str | None = None
    heads: int | None = None
    shared: bool = False
    positions: bool = False
    stored: bool = True
    write: Callable[[Tensor, Tensor], Tensor] | None = None
    flops: Callable[[int], int] = lambda width: 0
    write_flops: int = 0
    size: Callable[[int], int] = lambda width: 1
    entrywise: bool = False
    scratch: Callable[[int, int], int] = lambda width, places: 0
    columns: Callable[[Tensor], Callable[[Tensor], Tensor]] | None = None
    from_rows: Callable[[Rows, int], Tensor] | None = None

    def cells(self) -> tuple[Cell, ...]:
        """The site's heads as cells, or the site itself."""
        if self.heads is None:
            return (Cell(self.name),)
        return tuple(Cell(self.name, head) for head in range(self.heads))

    def __repr__(self) -> str:
        return in_brief("Site", repr(self.name))


@frozen(eq=False, repr=False)
class Stream:
    """A sum of writers, built up in the order of the model.

    Attributes:
        writers: the sites that are added.
        base: the stream that this one continues; None where it starts at zero.
        constant: added once for every input and position (an output bias).
        size: numbers per input and position.
    """

    name: str
    writers: tuple[str, ...]
    base: str | None = None
    constant: Tensor | None = None
    size: int = 1

    def __repr__(self) -> str:
        return in_brief("Stream", repr(self.name))


@frozen(eq=False, repr=False)
class Graph:
    """Sites and streams in an order in which each reads only what stands before it.

    Attributes:
        values: sites and streams by name, in that order.
        width: most positions that the model takes; None where there is no such limit.
        vocabulary: how many token ids the model knows; None where it reads no tokens.
        causal: whether what is read everywhere is read only at and before one's own position.
        outputs: how many logits the model gives, by which labels count; None where it reads no
            tokens.
        inputs: the dataset's inputs that it reads, where they are not just tokens.
        weights: of a transformer, for who looks at its matrices; None for other graphs.
        vision: what makes the sites `projector` of images; None where the model reads none.
    """

    values: Mapping[str, Site | Stream]
    width: int | None = None
    dtype: torch.dtype = torch.float32
    device: torch.device = field(factory=lambda: torch.device("cpu"))
    causal: bool = True
    vocabulary: int | None = None
    outputs: int | None = None
    inputs: tuple[str, ...] = ()
    weights: Weights | None = field(default=None, repr=False)
    vision: Vision | None = field(default=None, repr=False)

    @cached_property
    def sites(self) -> dict[str, Site]:
        return {name: value for name, value in self.values.items() if isinstance(value, Site)}

    @cached_property
    def streams(self) -> dict[str, Stream]:
        return {name: value for name, value in self.values.items() if isinstance(value, Stream)}

    @cached_property
    def mlps(self) -> bool:
        """Whether any site is of an MLP."""
        return any(site.kind == "mlp" for site in self.sites.values())

    @cached_property
    def order(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.values)}

    @cached_property
    def outer_ports(self) -> dict[str, frozenset[str]]:
        """Per group the ports by which a path leaves or enters its components."""
        ports: dict[str, set[str]] = {}
        for site in self.sites.values():
            ports.setdefault(site.group, set()).update(*(port.leads for port in site.ports))
        return {group: frozenset(names) for group, names in ports.items()}

    @cached_property
    def writing(self) -> dict[str, tuple[Cell, ...]]:
        """Per stream the cells that write to it, but not to those that it continues."""
        return {
            name: tuple(cell for writer in stream.writers for cell in self.sites[writer].cells())
            for name, stream in self.streams.items()
        }

    @cached_property
    def written(self) -> dict[str, frozenset[Component]]:
        """Per stream the components that write to it, or to one that it continues."""
        written: dict[str, frozenset[Component]] = {}
        for name, stream in self.streams.items():
            mine = frozenset(map(self.component, self.writing[name]))
            written[name] = mine if stream.base is None else mine | written[stream.base]
        return written

    @cached_property
    def read_by(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Per group the streams that its components read, by port."""
        read: dict[str, dict[str, tuple[str, ...]]] = {}
        for site in self.sites.values():
            ports = read.setdefault(site.group, {})
            for port in site.ports:
                if port.source in self.streams:
                    ports[port.name] = (*ports.get(port.name, ()), port.source)
        return read

    @cached_property
    def led_by(self) -> dict[str, dict[str, tuple[Port, ...]]]:
        """Per site, and port of its component, the site's own ports by which that leads to it."""
        led: dict[str, dict[str, list[Port]]] = {name: {} for name in self.sites}
        for name, site in self.sites.items():
            for port in site.ports:
                for lead in port.leads:
                    led[name].setdefault(lead, []).append(port)
        return {
            name: {lead: tuple(ports) for lead, ports in by.items()} for name, by in led.items()
        }

    @cached_property
    def streams_below(self) -> dict[str, dict[str, tuple[str, ...]]]:
        """Per site, and port of its component, the streams that this one reads for it."""
        below: dict[str, dict[str, tuple[str, ...]]] = {}
        for name, led in self.led_by.items():
            here = below.setdefault(name, {})
            for lead, ports in led.items():
                found: dict[str, None] = {}
                for port in ports:
                    inner = port.source in self.sites
                    of = below[port.source].get(lead, ()) if inner else (port.source,)
                    found |= dict.fromkeys(of)
                here[lead] = tuple(found)
        return below

    def writers(self, stream: str) -> tuple[str, ...]:
        """All writers of a stream, those of the streams that it continues first."""
        here = self.streams[stream]
        return (*(self.writers(here.base) if here.base else ()), *here.writers)

    def component(self, cell: Cell) -> Component:
        return self.sites[cell.site].group, cell.head

    def spread(self, name: str) -> bool:
        """Whether a site or stream has a position axis."""
        return name in self._spread

    @cached_property
    def _spread(self) -> frozenset[str]:
        """The sites and streams that have a position axis."""
        found: set[str] = set()
        for name, value in self.values.items():
            if isinstance(value, Site):
                spread = value.positions
            else:
                spread = value.base in found or not found.isdisjoint(value.writers)
            found.update([name] if spread else [])
        return frozenset(found)

    def span(self, name: str, width: int) -> int:
        """Length of the position axis of a site or stream in a batch of this width."""
        return width if self.spread(name) else 1

    def total(self, stream: str, values: Mapping[str, Tensor]) -> Tensor:
        """The sum of a stream's base, constant and writers, all heads of each."""
        here = self.streams[stream]
        parts = [values[here.base]] if here.base else []
        for name in here.writers:
            site = self.sites[name]
            every = torch.arange(site.heads or 0, device=self.device)
            parts.append(site.write(values[name], every) if site.write else values[name])
        if here.constant is not None:
            parts.append(here.constant)
        return functools.reduce(torch.add, parts)

    def __repr__(self) -> str:
        return in_brief("Graph", f"{len(self.values)} sites and streams")


def graph_in_order(values: Mapping[str, Site | Stream], **options: object) -> Graph:
    """A graph of values each of which stands after all that it reads.

    Asserts that they do, and that a component reads other components through streams only.
    """
    seen: set[str] = set()
    for name, value in values.items():
        assert value.name == name
        if isinstance(value, Site):
            inner = [values[port.source] for port in value.ports]
            assert all(v.group == value.group for v in inner if isinstance(v, Site)), name
        reads = (
            [port.source for port in value.ports]
            if isinstance(value, Site)
            else [*value.writers, *([value.base] if value.base else [])]
        )
        assert seen.issuperset(reads), f"{name} reads {set(reads) - seen} before it is there"
        seen.add(name)
    return Graph(values, **options)  # type: ignore[arg-type]  # width, dtype, device
