"""The same recursion over the sites of a graph: a DAG of torch callables.

Every value is `[samples, width, …]` for one head; axis 1 has length 1 for a site without positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from attrs import evolve, field, frozen
from torch import Tensor

from scrub.data.dataset import Rows, padded_tokens
from scrub.draw import Draws
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.sites import Through
from scrub.hypothesis.splits import Estimate
from scrub.model.graph import Graph, Port, Site, Where
from scrub.names import Cell
from scrub.reference import places
from scrub.reference.path import Path
from scrub.reference.places import Step
from scrub.reference.summands import Summands, estimated, from_source
from scrub.reference.tree import root_value
from scrub.reference.virtual import Given, given_to

Component = tuple[str, int | None]


def evaluate_graph(correspondence: Correspondence, draws: Draws, graph: Graph) -> Tensor:
    """The root's value on a graph, [samples, positions, cells, …]; see `root_value`."""
    return root_value(correspondence, draws, GraphModel(graph, Summands.of(correspondence)))


@frozen(eq=False)
class GraphModel:
    """A graph, as a model whose nodes can be evaluated."""

    graph: Graph
    summands: Summands

    def plain(self, rows: Rows, width: int) -> Frame:
        at = torch.arange(width).expand(len(rows), -1)
        if rows.data.given is not None:
            given = given_to(rows, lambda source: self._values(source, width))
            return Frame(self.graph, self.summands, rows, {}, at, given=given)
        table = dict(rows.data.inputs) | {"lengths": rows.data.lengths}
        if "tokens" in table:
            table["tokens"] = padded_tokens(rows.data, width)
        inputs = {name: torch.tensor(values[rows.index]) for name, values in table.items()}
        return Frame(self.graph, self.summands, rows, inputs, at)

    def _values(self, rows: Rows, width: int) -> Callable[[Cell], Tensor]:
        frame = self.plain(rows, width)
        return lambda cell: self.scrubbed(cell, frame, [])

    def scrubbed(self, cell: Cell, frame: Frame, paths: list[Path]) -> Tensor:
        site = evolve(cell, part=None)
        whole = computed(site, frame, paths)
        summands = summands_of(site, whole, frame, paths)
        if cell.part is not None:
            return summands(cell.part)
        leads = leads_to(frame.graph, site)
        return frame.summands.exchanged(whole, site, paths, leads, summands)


@frozen(eq=False)
class Frame:
    """The inputs that a node is evaluated on.

    Attributes:
        rows: the inputs.
        inputs: what the sites without ports read, by name, [samples, …].
        at: all positions, [samples, width].
        plain: the sites of the plain model that have been computed so far.
        given: what virtual rows give; they have no inputs.
    """

    graph: Graph
    summands: Summands
    rows: Rows
    inputs: Mapping[str, Tensor]
    at: Tensor
    plain: dict[Cell, Tensor] = field(factory=dict)
    given: Given | None = None

    def apply(self, cell: Cell, inputs: Mapping[str, Tensor]) -> Tensor:
        """One head of a site from its inputs."""
        where = Where(heads_of(cell), self.at)
        return self.graph.sites[cell.site].apply(inputs, where)[:, :, 0]


def computed(cell: Cell, frame: Frame, paths: Iterable[Path]) -> Tensor:
    """A site computed from its inputs, where these paths have come to it and not ended.

    Where no path is open it is plain. A frame has one plain value of a site, so that is kept.
    """
    going = still_open(frame.graph, paths, cell)
    if frame.given is not None:
        if not going or not frame.graph.sites[cell.site].ports:
            return frame.given.value(cell)
        return frame.given.unless_landed(cell, lambda: from_inputs(cell, frame, going))
    if going:
        return from_inputs(cell, frame, going)
    if cell not in frame.plain:
        frame.plain[cell] = from_inputs(cell, frame, [])
    return frame.plain[cell]


def still_open(graph: Graph, paths: Iterable[Path], cell: Cell) -> list[Path]:
    """The paths that can still end behind a site that they have come to.

    This decides what an evaluation costs, not what it gives: a path that cannot end any more
    changes nothing.
    """
    here, number = component_of(graph, cell), graph.order[cell.site]

    def may_end(path: Path) -> bool:
        mine = any(component_of(graph, end) == here for end in path.values)
        return mine or (path.leaves and any(graph.order[end.site] < number for end in path.values))

    return [path for path in paths if may_end(path)]


def from_inputs(cell: Cell, frame: Frame, paths: list[Path]) -> Tensor:
    """One step of the model: a site as a function of the sites and streams that it reads."""
    site = frame.graph.sites[cell.site]
    ports = site.ports
    if site.from_rows is not None:
        return site.from_rows(frame.rows, frame.at.shape[1])[:, :, 0]
    if not ports:
        return frame.apply(cell, frame.inputs)
    values = {port.name: arrived(cell, port, frame, paths)[:, :, None] for port in ports}
    return frame.apply(cell, values)


def arrived(cell: Cell, port: Port, frame: Frame, paths: list[Path]) -> Tensor:
    """What a port of a site reads: a site of the same component, or a stream."""
    if port.source in frame.graph.streams:
        leaving = [path for path in paths if path.leaves_by(port.name)]
        return stream(port.source, frame, leaving, (cell, port.name))
    source = frame.graph.sites[port.source]
    return read(Cell(port.source, cell.head if source.heads else None), frame, paths)


def read(cell: Cell, frame: Frame, paths: list[Path]) -> Tensor:
    """A site as its reader sees it: the child's value where a path ends, elsewhere computed."""
    whole, leads = computed(cell, frame, paths), leads_to(frame.graph, cell)
    value = whole
    for path in paths:
        if path.ends_at(cell, leads):
            value = path.landed_on(value, cell)
    summands = summands_of(cell, whole, frame, paths)
    value = frame.summands.exchanged(value, cell, paths, leads, summands)
    if frame.given is not None and value is not whole:
        frame.given.landed.append(cell)
    return value


def summands_of(
    cell: Cell, whole: Tensor, frame: Frame, paths: list[Path]
) -> Callable[[str], Tensor]:
    """The summands of a site where these paths have come to it, by name."""

    def part(name: str) -> Tensor:
        return read(Cell(cell.name.beside(name), cell.head), frame, paths)

    def by_source(source: int) -> Tensor:
        return from_source(source, part("pattern"), part("v"))

    def phi(split: Estimate) -> Tensor:
        if frame.given is not None:
            return frame.given.value(evolve(cell, part=split.name))
        return estimated(split.function(frame.rows), whole)

    if frame.given is not None and whole is frame.given.value(cell):
        given = frame.given
        return lambda name: given.value(evolve(cell, part=name))
    return lambda name: frame.summands.summand(cell.site, name, whole, phi, by_source)


def stream(name: str, frame: Frame, leaving: list[Path], reader: tuple[Cell, str]) -> Tensor:
    """The sum of all that was written to a stream, as a site reads it by a port."""
    here = frame.graph.streams[name]
    parts = [stream(here.base, frame, leaving, reader)] if here.base else []
    for writer in here.writers:
        site = output(frame.graph, writer)
        for cell in site.cells():
            value = written(cell, frame, leaving, reader)
            if site.write:
                value = site.write(value[:, :, None], heads_of(cell))[:, :, 0]
            parts.append(value)
    if here.constant is not None:
        parts.append(here.constant)
    return sum(parts[1:], parts[0])


def written(writer: Cell, frame: Frame, leaving: list[Path], reader: tuple[Cell, str]) -> Tensor:
    """A writer as the paths find it that come from this reader, by this port."""

    def component(cell: Cell) -> Component:
        return component_of(frame.graph, cell)

    return places.written(
        Step(component, *reader, writer, frame.rows, frame.at.shape[1]),
        leaving,
        lambda through: allows(frame.graph, through, writer),
        lambda entering: read(writer, frame, entering),
    )


def output(graph: Graph, writer: str) -> Site:
    """What a writer writes, as a site of its own where the graph has one: a head's result."""
    return graph.sites[graph.sites[writer].output or writer]


def heads_of(cell: Cell) -> Tensor:
    """The head's number, [1], or none, [0]."""
    return torch.tensor([] if cell.head is None else [cell.head], dtype=torch.int64)


def component_of(graph: Graph, cell: Cell) -> Component:
    return graph.sites[cell.site].group, cell.head


def leads_to(graph: Graph, cell: Cell) -> frozenset[str]:
    """The ports of its component that a site depends on.

    A site that reads nothing (a mask) is itself what those who read it depend on; one that only
    writes (an embedding) has a port of its own name.
    """
    ports = graph.sites[cell.site].ports or tuple(
        port for site in graph.sites.values() for port in site.ports if port.source == cell.site
    )
    return frozenset().union(*(port.leads for port in ports)) or frozenset({cell.site})


def allows(graph: Graph, through: Through, cell: Cell) -> bool:
    """Whether a path may pass through the component of a site."""
    here = component_of(graph, cell)
    mlp = graph.sites[cell.site].kind == "mlp"
    kinds = {"none": False, "mlps": mlp, "anything": True}[through.kinds]
    also = here in {component_of(graph, c) for c in through.also}
    never = here in {component_of(graph, c) for c in through.never}
    return (kinds or also) and not never
