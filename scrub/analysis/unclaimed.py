"""What a node reads that none of its children claims: components, by the port that they enter.

A node's `other` input gives all of it at once. Here it is taken apart: each component that writes
to what the node's sites read, by each port, unless a child claims it or a child's path passes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar

from attrs import evolve, frozen

from scrub.analysis.comparability import columns_used, misaligned
from scrub.analysis.legality import problems
from scrub.analysis.single_paths import find
from scrub.checks.reachability import Shared, explore
from scrub.checks.samplers import framed
from scrub.data.dataset import Dataset, Rows
from scrub.draw import Draws, NodeDraw
from scrub.engine.specialise import specialise
from scrub.hypothesis.correspondence import InterpNode
from scrub.hypothesis.edges import EMBEDDINGS
from scrub.hypothesis.positions import either
from scrub.hypothesis.sites import ALL, Route
from scrub.hypothesis.tree import NamePath, Occurrence, Tree
from scrub.model.graph import Graph
from scrub.names import Cell
from scrub.samplers import Exact, Randomness, Sampler, is_virtual, source_of
from scrub.stats.intervals import Interval

REST = "the rest"


@frozen
class Piece:
    """Unclaimed components that enter a node's sites by one port.

    Attributes:
        component: "MLP 0", "head 3.1", "2 heads of layer 3", "embeddings".
        route: their outputs, at all positions at which the node reads them.
    """

    component: str
    route: Route

    @property
    def port(self) -> str:
        (port,) = self.route.into or ("",)
        return port

    @property
    def heads(self) -> tuple[Piece, ...]:
        """Of heads of one layer each by itself; () of all else."""
        cells = self.route.cells
        if len(cells) < 2 or any(cell.head is None for cell in cells):
            return ()
        return tuple(Piece(str(cell), evolve(self.route, cells=(cell,))) for cell in cells)


@frozen
class LostBy:
    """What an unclaimed component loses by one port, as shares of baseline − original.

    Attributes:
        alone: lost where it alone takes the other input, by this port, and all else is exact.
        last: lost by it where all swaps of the claim are made: what would be won back if it took
            the node's own input.
        heads: of a layer's heads each one, where they were looked at one by one.
    """

    component: str
    port: str
    alone: Interval
    last: Interval
    heads: tuple[LostBy, ...] = ()


@frozen
class Unclaimed:
    """What a node's `other` loses, component by component.

    Attributes:
        components: by port, embeddings and early layers first.
        rest: all that could not be taken apart: what children's paths pass, what they claim at some
            positions only, masks. Law: with no component it is what `other` loses.
        together: why components that could be told by name are in the rest; "" if none is.
    """

    components: tuple[LostBy, ...]
    rest: LostBy
    together: str = ""


def pieces(
    tree: Tree, path: NamePath, graph: Graph, data: Dataset, draws: Draws
) -> tuple[tuple[Piece, ...], str]:
    """The unclaimed components of a node, heads by layer, and why some cannot be taken apart.

    Law: a tree in which a child claims any of them is legal, and puts index on index only between
    rows that are alike.

    Args:
        draws: of the tree.
    """
    every = _legal(tree, path, list(candidates(find(tree, path), graph)), graph, data)
    layers = tuple(_by_layer(every))
    variant = exact(tree, path, layers)
    if not every or problems(variant, graph, data, below=path):
        return (), ""
    (added,) = (node.path for node in variant.walk() if node.path not in draws.nodes)
    drawn = evolve(draws, nodes={**draws.nodes, added: NodeDraw(draws.nodes[path].own)})
    wrong = {
        (cells, into): why
        for (above, cells, into, _), why in misaligned(variant, drawn, columns_used(tree)).items()
        if above == path
    }
    alike = tuple(p for p in layers if (p.route.cells, p.route.into) not in wrong)
    apart = [wrong[p.route.cells, p.route.into] for p in layers if p not in alike]
    why = apart[0].partition(": ")[2] if apart else ""
    return alike, f"rows differ and index would be put on index ({why})" if apart else ""


@frozen(eq=False)
class AsDrawn:
    """Draws what a node's sampler of other inputs drew: so a component takes what the node took."""

    sampler: Sampler
    rows: Rows
    laws: ClassVar = ()

    @property
    def source(self) -> Dataset | None:
        """The dataset that these are rows of, where it is not the reference's own."""
        return source_of(self.sampler)

    def draw(self, references: Rows, randomness: Randomness) -> Rows:
        assert len(references) == len(self.rows), "one for each sample"
        return self.rows


def exact(tree: Tree, path: NamePath, kept: Iterable[Piece]) -> Tree:
    """The tree in which some unclaimed components of a node take its own input.

    They belong to a new child that swaps nothing, so that all draws are the claim's.
    """
    return _beside(tree, path, tuple(piece.route for piece in kept), Exact())


def other_alone(tree: Tree, path: NamePath, swapped: Iterable[Piece], other: Rows) -> Tree:
    """The tree in which only some unclaimed components of a node take its other input.

    They belong to a new child, and the node's other input is its own.

    Args:
        other: what the node draws as other in the tree.
    """
    node = find(tree, path).node
    # What is virtual is a function of the reference; and the engine tells it by its sampler.
    sampler = node.other if is_virtual(node.other) else AsDrawn(node.other, other)
    inside = _replaced(tree, path, lambda one: evolve(one, node=evolve(one.node, other=Exact())))
    return _beside(inside, path, tuple(piece.route for piece in swapped), sampler)


def _beside(tree: Tree, path: NamePath, routes: tuple[Route, ...], sampler: Sampler) -> Tree:
    """The tree in which a node has one more child, a leaf of these routes."""

    def with_leaf(parent: Occurrence) -> Occurrence:
        name, names = "unclaimed", {child.node.name for child in parent.children}
        while name in names:
            name += "'"
        leaf = Occurrence((*path, name), InterpNode(name, sampler), routes, ())
        return evolve(parent, children=(*parent.children, leaf))

    return _replaced(tree, path, with_leaf) if routes else tree


def _replaced(tree: Tree, path: NamePath, change: Callable[[Occurrence], Occurrence]) -> Occurrence:
    if tree.path == path:
        return change(tree)
    below = (
        _replaced(child, path, change) if path[: len(child.path)] == child.path else child
        for child in tree.children
    )
    return evolve(tree, children=tuple(below))


def candidates(node: Occurrence, graph: Graph) -> Iterator[Piece]:
    """Each component that writes to what a node's sites read, by each port; claimed or not."""
    found: dict[tuple[str, Cell], bool] = {}
    for cell in dict.fromkeys(cell for route in node.routes for cell in route.cells):
        site = cell.site
        for port, streams in graph.streams_below[site].items():
            wide = _everywhere(graph, site, port)
            for writer in (w for stream in streams for w in graph.writers(stream)):
                for written in graph.sites[writer].cells():
                    key = (port, written)
                    found[key] = found.get(key, False) or wide
    at = either([route.at for route in node.routes])
    for (port, written), wide in sorted(found.items(), key=lambda one: _order(*one[0], graph)):
        route = Route((written,), ALL if wide else at, port)
        yield Piece(str(written), route)


def grouped(found: Sequence[Piece]) -> int:
    """How many pieces they are with heads by layer."""
    return len({_group(piece) for piece in found})


def _everywhere(graph: Graph, site: str, lead: str) -> bool:
    """Whether a site depends by a port of its component on other positions than its own."""
    return any(
        port.everywhere or (port.source in graph.sites and _everywhere(graph, port.source, lead))
        for port in graph.led_by[site].get(lead, ())
    )


def _order(port: str, cell: Cell, graph: Graph) -> tuple[str, int, int]:
    return port, graph.order[cell.site], -1 if cell.head is None else cell.head


def _legal(
    tree: Tree, path: NamePath, found: list[Piece], graph: Graph, data: Dataset
) -> list[Piece]:
    """Those that a new child may claim beside the node's children."""
    while found:
        wrong = _wrong(exact(tree, path, found), path, len(found), graph, data)
        if not wrong:
            break
        found = [piece for number, piece in enumerate(found) if number not in wrong]
    return found


def _wrong(tree: Tree, path: NamePath, count: int, graph: Graph, data: Dataset) -> set[int]:
    """Routes of a node's last child that lead nowhere, or meet those of its siblings."""
    tree, graph = specialise(tree, graph)
    ((node, frames),) = ((n, tables) for n, tables in framed(tree, data) if n.path == path)
    explored = explore(node, graph, *frames)
    last = len(node.children) - 1
    wrong: set[int] = set()
    for number in range(count):
        route = node.children[last].routes[number]
        reached = explored.reached.get((last, number), {})
        unreached = any(cell not in reached for cell in route.cells)
        lost = route.at != ALL and any(
            all(spec not in places for places in reached.values()) for spec in route.at
        )
        wrong |= {number} if unreached or lost else set()
    for overlap in explored.overlaps:
        if isinstance(overlap, Shared):
            met = [route for route, _ in overlap.by]
        else:
            met = [*overlap.by, *overlap.paths]
        wrong |= {number for child, number in met if child == last}
    return wrong


def _group(piece: Piece) -> object:
    """What belongs together: heads of one layer, the embeddings."""
    (cell,) = piece.route.cells
    if cell.head is not None and cell.name.layer is not None:
        return piece.port, cell.site
    return piece.port, "embeddings" if cell.site in EMBEDDINGS else cell


def _by_layer(found: Sequence[Piece]) -> Iterator[Piece]:
    together: dict[object, list[Piece]] = {}
    for piece in found:
        together.setdefault(_group(piece), []).append(piece)
    for alike in together.values():
        cells = tuple(cell for piece in alike for cell in piece.route.cells)
        yield alike[0] if len(alike) == 1 else _joined(alike[0], cells)


def _joined(first: Piece, cells: tuple[Cell, ...]) -> Piece:
    layer = cells[0].name.layer
    name = "embeddings" if layer is None else f"{len(cells)} heads of layer {layer}"
    return Piece(name, evolve(first.route, cells=cells))
