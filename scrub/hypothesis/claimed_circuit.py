"""The circuit that a tree names: of each node and its parent the edge between them.

Ports and components are told by the names of sites alone. What a path passes that is told by kind,
or by sites, depends on the model: see `scrub.circuits.claimed`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from attrs import evolve, frozen

from scrub import names
from scrub.errors import UserError
from scrub.hypothesis.ancestry import parents_first, refuse_too_many
from scrub.hypothesis.circuit import EMBEDDINGS, Circuit, Edge
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.positions import ALL, At
from scrub.hypothesis.sites import Route, Through, mlps, none
from scrub.hypothesis.tree import Occurrence, treeify
from scrub.names import LOGITS, Cell

PORTS = ("q", "k", "v")
OF_PATTERN = {"pattern": ("q", "k"), "scores": ("q", "k"), "mask": ()}


@frozen
class Step:
    """A site of a node and one of its parent, with the path between them.

    Attributes:
        reader: the parent's site.
        ports: by which the path enters it; None: any.
        stands: where the parent's site is claimed.
        route: the child's, with the one site.
    """

    reader: Cell
    ports: tuple[str, ...] | None
    stands: At
    route: Route

    @property
    def writer(self) -> Cell:
        return self.route.cells[0]

    @property
    def at(self) -> At:
        """Where it is written: a path to all positions comes to where the reader reads."""
        own = whole(self.reader).head is None or self.ports == ("q",)
        return self.stands if self.route.at == ALL and own else self.route.at

    def edges(self) -> Iterator[Edge]:
        """The direct ones, told by names: what is of a later layer is no writer."""
        writer, reader = whole(self.writer), whole(self.reader)
        if _may_read(reader, writer):
            for port in (None,) if self.ports is None else self.ports:
                yield Edge(writer, reader, port, self.at)


class Ways(Protocol):
    """What lies on the way where that depends on the model."""

    def __call__(self, step: Step, /) -> Iterator[Edge]: ...


def named_circuit(tree: Occurrence, ways: Ways) -> Circuit:
    """The circuit of a tree's nodes and edges; roles are what the nodes are called.

    A path through MLPs is an edge beside which MLPs run freely. Of a tree of one node below the
    root, whose path keeps to a circuit, it is that circuit.

    Raises:
        UserError: the tree has no node below the root; or `ways` raises it.
    """
    if tree.is_leaf:
        raise UserError(
            "It has no node below the root: it names no path, and of what the root reads nothing. "
            "A circuit is of a tree whose root has children."
        )
    if kept := _kept(tree):
        return kept
    found: dict[Edge, None] = {}
    roles: dict[str, dict[Cell, None]] = {}
    free = False
    for parent in tree.walk():
        for child in parent.children:
            free |= any(route.through == mlps for route in child.routes)
            for step in _steps(parent, child):
                found |= dict.fromkeys(_edges(step, ways))
            cells = [whole(cell) for route in child.routes for cell in route.cells]
            if role := _role(child, cells):
                roles.setdefault(role, {}).update(dict.fromkeys(cells))
    edges = [edge for edge in found if not (free and _of_mlp(edge))]
    return Circuit(
        edges=edges,  # type: ignore[arg-type]  # made a tuple
        free="mlps" if free else (),
        roles={role: tuple(cells) for role, cells in roles.items()},
    )


def _edges(step: Step, ways: Ways) -> Iterator[Edge]:
    stream = step.writer.name.part.endswith("_in")
    if whole(step.writer) == whole(step.reader) and not stream:
        return iter(())  # a part of what is there already
    through = step.route.through
    if through.circuit is not None and through.circuit.edges:
        return iter(through.circuit.edges)
    by_names = through in (none, mlps) and not stream
    return step.edges() if by_names else ways(step)


def _kept(tree: Occurrence) -> Circuit | None:
    """The circuit of which a tree says that all else is of no matter; None where it is none."""
    if len(tree.children) != 1 or not tree.children[0].is_leaf:
        return None
    (child,) = tree.children
    (route, *more) = child.routes
    circuit = route.through.circuit
    whole_path = route.at == ALL and route.into is None and not more
    ends = all(cell.site in EMBEDDINGS for cell in route.cells)
    return circuit if whole_path and ends else None


def _steps(parent: Occurrence, child: Occurrence) -> Iterator[Step]:
    for above in parent.routes:
        for reader in above.cells:
            for route in child.routes:
                ports = _ports(reader, route)
                for cell in route.cells if ports != () else ():
                    one = evolve(route, cells=(cell,))
                    yield Step(reader, ports, above.at, one)


def _ports(reader: Cell, route: Route) -> tuple[str, ...] | None:
    """The ports by which a path enters a site; None: any."""
    part = reader.name.part
    own = OF_PATTERN.get(part, (part[0],) if part[:1] in PORTS and _of_port(part) else PORTS)
    if whole(reader).head is None:
        return None
    said = PORTS if route.into is None else tuple(p for p in PORTS if p in route.into)
    both = tuple(port for port in said if port in own)
    return None if both == PORTS and route.into is None else both


def _of_port(part: str) -> bool:
    """Whether it is a query, key or value, or what one of these reads."""
    return part[1:] in ("", "_in", "_normed")


def whole(cell: Cell) -> Cell:
    """What the component of a site writes, by names: a head's z, an MLP's output, the logits."""
    name = cell.name
    if name.of_attention and cell.head is not None:
        return Cell(name.beside("z"), cell.head)
    if name.of_mlp and name.layer is not None:
        return Cell(names.mlp(name.layer))
    if cell.site in (names.LOGITS_IN, names.LOGITS_NORMED):
        return Cell(LOGITS)
    return Cell(cell.site, cell.head)


def _may_read(reader: Cell, writer: Cell) -> bool:
    """Whether a model may have an edge: heads read earlier layers, an MLP its own heads too."""
    if reader.name.layer is None or writer.name.layer is None:
        return reader.site == LOGITS or writer.name.layer is None
    if writer.name.layer == reader.name.layer:
        return reader.head is None and writer.head is not None
    return writer.name.layer < reader.name.layer


def _of_mlp(edge: Edge) -> bool:
    return edge.writer.name.of_mlp or edge.reader.name.of_mlp


def _role(node: Occurrence, cells: Sequence[Cell]) -> str:
    """What a node is called, but for its port and the numbers of its heads; "" of embeddings."""
    if any(cell.site in EMBEDDINGS for cell in cells):
        return ""
    said = node.node.name
    ports = {port for route in node.routes for port in route.into or ()}
    if len(ports) == 1:
        said = said.removesuffix(f" into {ports.pop()}")
    if len(cells) == 1 and said == str(cells[0]):
        return ""
    return said.removesuffix(f" {numbers(cells)}")


def numbers(cells: Sequence[Cell]) -> str:
    """ "9.6, 9.9" of heads."""
    return ", ".join(str(cell).removeprefix("head ") for cell in cells)


def unknown_ways(step: Step) -> Iterator[Edge]:
    """Refuses what depends on the model.

    Raises:
        UserError: always.
    """
    through = step.route.through
    said = f"passes {_shown(through)}" if through not in (none, mlps) else f"ends at {step.writer}"
    raise UserError(
        f"A path of it {said}: which sites lie on it depends on the model. Write "
        "scrub.circuit_of(claim), or scrub.circuit_of(claim, model)."
    )


def _shown(through: Through) -> str:
    return str(through) if through.circuit is None else f"the sites of {through.circuit}"


def circuit_of_correspondence(correspondence: Correspondence) -> Circuit:
    """The circuit of a hypothesis whose paths are direct, through MLPs, or keep to a circuit.

    Raises:
        UserError: it is no tree; or what lies on a path depends on the model.
    """
    roots = [node for node in correspondence.sites if not node.parents]
    if len(roots) != 1:
        raise UserError(f"A hypothesis has one root; this one has {len(roots)}.")
    refuse_too_many(correspondence, parents_first(correspondence.sites))
    return named_circuit(treeify(correspondence), unknown_ways)


def circuit_given(given: object) -> Circuit | None:
    """The circuit of what a user gave to `Circuit.of` in place of sites; None where it is none.

    Raises:
        UserError: it is a claim, whose model `Circuit.of` does not know.
    """
    if isinstance(given, Claim):
        raise UserError(
            f'Circuit.of(…) takes sites or a Correspondence, and "{given.name}" is a claim, which '
            "makes one for a model. Write scrub.circuit_of(claim)."
        )
    return circuit_of_correspondence(given) if isinstance(given, Correspondence) else None
