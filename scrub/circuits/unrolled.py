"""A circuit unrolled as a tree: what the root reads of it, what that reads in turn, to the inputs.

A tree has a value of a component for each way to it, a circuit has one. Heads of one role that read
the same and are read by the same are one node.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from scrub.checks.reachability import explore
from scrub.circuits.known_edges import ROOT_CELL, Components, Read, by_port, known_edges
from scrub.data.dataset import Dataset
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.claimed_circuit import numbers, whole
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.positions import ALL, At, Spec
from scrub.hypothesis.sites import Route, Sites, Through, mlps, none
from scrub.hypothesis.tree import Occurrence
from scrub.model.graph import Graph
from scrub.names import Cell
from scrub.samplers import Exact

ROOT = "root"
Roles = Mapping[str, Sequence[Cell]]


@frozen(eq=False)
class Part:
    """Components of a circuit at some positions, and all that they read of it.

    Attributes:
        label: the role of the components, or what they are; unique in the circuit.
        inputs: none of embeddings, where every path ends.
    """

    label: str
    cells: tuple[Cell, ...]
    at: At
    inputs: tuple[Input, ...] = ()

    @property
    def is_leaf(self) -> bool:
        return not self.inputs

    def walk(self) -> Iterator[Part]:
        """This and all parts that it reads, each once, a reader before what it reads."""
        last: dict[Part, None] = {}
        _postorder(self, last)
        yield from reversed(last)


def _postorder(part: Part, seen: dict[Part, None]) -> None:
    for one in part.inputs:
        if one.part not in seen:
            _postorder(one.part, seen)
    seen[part] = None


@frozen(eq=False)
class Input:
    """What a part reads of another.

    Attributes:
        port: by which it does; None: it has but one.
        through: what the path may pass on its way.
    """

    part: Part
    port: str | None
    through: Through


def unrolled(
    circuit: Circuit,
    graph: Graph,
    root: Route,
    tables: Sequence[Dataset],
    roles: Roles,
    aligned: Container[Spec] = (),
) -> Part:
    """What the root reads of a circuit, as far as it leads back to the embeddings.

    With edges: along these. Without: along all that the model has between the circuit's sites, in
    some row. Where MLPs run freely a path may pass them.

    Args:
        root: the sites that the metric reads.
        tables: datasets on whose rows the nodes may be computed.
        roles: heads by what they are called.
        aligned: columns that point to one index in an input and in that which stands in for it: a
            node takes a column's value from where it points in its own input, a circuit at the
            index where it is read.

    Returns:
        The root; one without inputs where nothing of the circuit leads to it.
    """
    components = Components(graph, root.cells)
    reads = known_edges(circuit, components)
    maker = _Maker(circuit, graph, tables, _groups(reads, components, roles), root, aligned)
    return maker.part(Group(ROOT, (ROOT_CELL,)), root.at) or Part(ROOT, root.cells, root.at)


@frozen
class Group:
    """Components that read the same, and are read by the same."""

    label: str
    cells: tuple[Cell, ...]
    embedding: bool = False


GroupRead = tuple[Group, str | None, At, bool]
"""What a group reads: another, by a port, where that writes; and whether directly."""


def _groups(
    reads: Sequence[Read], components: Components, roles: Roles
) -> dict[Group, list[GroupRead]]:
    """What each group reads. Law: of two groups, each member reads each, or none reads any."""
    cells = dict.fromkeys(c for read in reads for c in (read.writer, read.reader))
    role_of = {components.writer_of(c): role for role, held in roles.items() for c in held}
    inward: dict[Cell, set[Any]] = {cell: set() for cell in cells}
    outward: dict[Cell, set[Any]] = {cell: set() for cell in cells}
    for read in reads:
        inward[read.reader].add((read.writer, read.port, read.at, read.directly))
        outward[read.writer].add((read.reader, read.port, read.at, read.directly))
    alike: dict[Any, list[Cell]] = {}
    order = list(components.written_by.values())
    for cell in sorted(cells, key=lambda c: order.index(c) if c in order else len(order)):
        embedding = cell != ROOT_CELL and components.kind(cell) == "embedding"
        called: Any = "embeddings" if embedding else role_of.get(cell, cell)
        key = (embedding, called, frozenset(inward[cell]), frozenset(outward[cell]))
        alike.setdefault(key, []).append(cell)
    taken: set[str] = set()
    group_of: dict[Cell, Group] = {}
    for (embedding, called, *_), members in alike.items():
        label = ROOT if members == [ROOT_CELL] else _label(called, members, cells, role_of)
        while label in taken:
            label = f"{label}, too"
        taken.add(label)
        group = Group(label, tuple(members), embedding)
        group_of |= dict.fromkeys(members, group)
    found: dict[Group, list[GroupRead]] = {group: [] for group in group_of.values()}
    for read in sorted(reads, key=lambda read: by_port(read.port)):
        one = (group_of[read.writer], read.port, read.at, read.directly)
        if one not in found[group_of[read.reader]]:
            found[group_of[read.reader]].append(one)
    return found


def _label(
    called: Any, members: Sequence[Cell], cells: Mapping[Cell, None], role_of: Mapping[Cell, str]
) -> str:
    """A role by its name where its heads are all there; else with their numbers; or a site."""
    if isinstance(called, Cell):
        return str(called)
    if called == "embeddings" and called not in role_of.values():
        return called if len(members) > 1 else _embedding(members[0])
    every = [cell for cell in cells if role_of.get(cell) == called]
    return called if len(every) == len(members) else f"{called} {numbers(members)}"


def _embedding(cell: Cell) -> str:
    return {"embed": "token embedding", "pos_embed": "position embedding"}.get(cell.site, str(cell))


@frozen(eq=False)
class _Maker:
    """Makes the parts of one circuit, each once."""

    circuit: Circuit
    graph: Graph
    tables: Sequence[Dataset]
    reads: Mapping[Group, Sequence[GroupRead]]
    root: Route
    aligned: Container[Spec]
    _made: dict[tuple[Group, At], Part | None] = field(factory=dict, init=False)

    def part(self, group: Group, at: At) -> Part | None:
        """A group at some positions; None where nothing that it reads leads to the embeddings."""
        key = (group, at)
        if key not in self._made:
            cells = self.root.cells if group.cells == (ROOT_CELL,) else group.cells
            if group.embedding:
                self._made[key] = Part(group.label, cells, at)
            else:
                inputs = tuple(self._inputs(group, cells, at))
                self._made[key] = Part(group.label, cells, at, inputs) if inputs else None
        return self._made[key]

    def _inputs(self, group: Group, cells: tuple[Cell, ...], at: At) -> Iterator[Input]:
        given = self.reads.get(group, ())
        routes = [self._route(cells, read) for read in given]
        reached = self._reached(cells, at, routes)
        for (writers, port, *_), route, there in zip(given, routes, reached, strict=True):
            # embeddings are taken index by index, as a circuit takes them
            whole_row = there is not None and writers.embedding and route.at == ALL
            part = None if there is None else self.part(writers, ALL if whole_row else there)
            if part is not None:
                yield Input(part, port, route.through)

    def _route(self, readers: tuple[Cell, ...], read: GroupRead) -> Route:
        writers, port, at, directly = read
        columns = () if isinstance(at, str) or not writers.embedding else at
        if directly and all(isinstance(one, int) or one in self.aligned for one in columns):
            free = "mlps" in self.circuit.free and self.graph.mlps
            return Route(writers.cells, at, port, mlps if free else none)
        kept = inputs_of(self.circuit, readers, self.graph)
        return Route(writers.cells, ALL, port, kept)

    def _reached(
        self, cells: tuple[Cell, ...], at: At, routes: Sequence[Route]
    ) -> Iterator[At | None]:
        """Of each route the positions that a path leads to in some row; None: to none."""
        node = InterpNode(ROOT, Exact())
        below = tuple(
            Occurrence((ROOT, str(number)), node, (route,), ())
            for number, route in enumerate(routes)
        )
        parent = Occurrence((ROOT,), node, (Route(cells, at),), below)
        reached = explore(parent, self.graph, *self.tables).reached if routes else {}
        for number, route in enumerate(routes):
            there = reached.get((number, 0), {})
            specs = set().union(*there.values())
            if set(there) != set(route.cells) or not specs:
                yield None
            elif isinstance(route.at, str):
                yield at if self._at_its_own_place(cells, route) else route.at
            else:
                yield tuple(spec for spec in route.at if spec in specs)

    def _at_its_own_place(self, cells: tuple[Cell, ...], route: Route) -> bool:
        """Whether a reader reads there by this port only where it stands itself."""
        ports = None if route.into is None else next(iter(route.into))
        return all(
            not port.everywhere
            for cell in cells
            for port in _ports_into(self.graph, cell.site, ports)
        )


def _ports_into(graph: Graph, site: str, port: str | None) -> Iterator[Any]:
    """The ports on the way from a stream to a site, by one port of its component or any."""
    leads = graph.led_by[site]
    for name in leads if port is None else [port]:
        for one in leads.get(name, ()):
            yield one
            if one.source in graph.sites:
                yield from _ports_into(graph, one.source, name)


def inputs_of(circuit: Circuit, readers: Sequence[Cell], graph: Graph) -> Circuit:
    """The edges of a circuit by which embeddings come to some sites, by free MLPs too."""
    cells = {cell for written in graph.writing.values() for cell in written}
    words = {cell for cell in cells if graph.sites[cell.site].kind == "embedding"}
    free = {cell for cell in cells if graph.sites[cell.site].kind == "mlp" and circuit.free}
    ends = free | set(map(whole, readers))
    kept = circuit.on(_OfGraph(graph)).edges
    return Circuit(edges=tuple(e for e in kept if e.writer in words | free and e.reader in ends))


@frozen(eq=False)
class _OfGraph:
    """All of a model that `Circuit.on` asks."""

    graph: Graph


@frozen
class Place:
    """A node of the tree as it is written down.

    Attributes:
        parents: numbers of its parents in the list; () of the root.
    """

    name: str
    route: Route
    parents: tuple[int, ...]
    is_leaf: bool


def places(root: Part, *, folded: bool) -> tuple[Place, ...]:
    """The nodes of the tree, parents first; the root's path says nothing.

    Law: folded or not, it is the same tree: a node with several parents stands once below each.

    Args:
        folded: whether a part that several read alike is one node, a child of each of them.
    """
    names = _names(root)
    found = [Place(ROOT, Route(root.cells, root.at), (), root.is_leaf)]
    if folded:
        return tuple(_folded(root, names, found))
    waiting = [(root, 0)]
    for part, number in waiting:  # grows meanwhile
        for one in part.inputs:
            waiting.append((one.part, len(found)))
            found.append(_place(one, names, (number,)))
    return tuple(found)


def _place(one: Input, names: Mapping[tuple[str, str | None], str], by: tuple[int, ...]) -> Place:
    part = one.part
    route = Route(part.cells, part.at, one.port, one.through)
    return Place(names[part.label, one.port], route, by, part.is_leaf)


def _folded(
    root: Part, names: Mapping[tuple[str, str | None], str], found: list[Place]
) -> list[Place]:
    """A part is one node for each way in which it is read."""
    readers: dict[Part, dict[tuple[str | None, Through], tuple[Input, list[Part]]]] = {}
    for part in root.walk():
        for one in part.inputs:
            ways = readers.setdefault(one.part, {})
            ways.setdefault((one.port, one.through), (one, []))[1].append(part)
    numbers: dict[Part, list[int]] = {root: [0]}
    for part in list(root.walk())[1:]:
        for one, by in readers[part].values():
            numbers.setdefault(part, []).append(len(found))
            parents = tuple(number for reader in by for number in numbers[reader])
            found.append(_place(one, names, parents))
    return found


def _names(root: Part) -> dict[tuple[str, str | None], str]:
    """What nodes are called: their label; with the port, where that tells siblings apart."""
    ports: dict[str, dict[str, None]] = {}
    found: dict[tuple[str, str | None], str] = {}
    for one in (one for part in root.walk() for one in part.inputs):
        here = ports.setdefault(one.part.label, {})
        here |= {} if one.port is None else {one.port: None}
        found[one.part.label, one.port] = one.part.label
    return {
        (label, port): label if port is None or len(ports[label]) < 2 else f"{label} into {port}"
        for label, port in found
    }


def size(root: Part) -> int:
    """Nodes of the tree."""
    below: dict[Part, int] = {}
    for part in reversed(list(root.walk())):
        below[part] = 1 + sum(below[one.part] for one in part.inputs)
    return below[root]


def depth(root: Part) -> int:
    """Nodes of the longest way from the root down."""
    below: dict[Part, int] = {}
    for part in reversed(list(root.walk())):
        below[part] = 1 + max((below[one.part] for one in part.inputs), default=0)
    return below[root]


def as_tree(root: Part, other: Any, *, folded: bool) -> Correspondence:
    """The tree as a hypothesis: every node may carry anything, all else comes from `other`."""
    listed = places(root, folded=folded)
    nodes: list[InterpNode] = []
    for place in listed:
        above = tuple(nodes[number] for number in place.parents)
        nodes.append(InterpNode(place.name, Exact(), other=other, parents=above))
    return Correspondence(
        {node: Sites((place.route,)) for node, place in zip(nodes, listed, strict=True)}
    )
