"""Circuits as values: which sites, or which edges between sites, a path may pass, and where.

A circuit says nothing of a model or of data: that they have what it names is checked when a path is
told to keep to it (`through=circuit`), and by `scrub.circuits.check`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from scrub.errors import UserError, did_you_mean
from scrub.hypothesis.arguments import Head, several
from scrub.hypothesis.circuit_sets import (
    Cells,
    CellsOf,
    Edges,
    EdgesOf,
    cells_but,
    common_cells,
    common_edges,
    edges_but,
    nodes_of,
    removed,
)
from scrub.hypothesis.circuit_table import frame_of, read_frame
from scrub.hypothesis.edges import EMBEDDINGS as EMBEDDINGS
from scrub.hypothesis.edges import Edge as Edge
from scrub.hypothesis.edges import Placed as Placed
from scrub.hypothesis.edges import Routed, cells_once, edges_once
from scrub.hypothesis.edges import edge as edge
from scrub.hypothesis.edges import placed_cells as placed_cells
from scrub.hypothesis.free_components import with_embeddings_of, with_free_mlps
from scrub.names import Cell
from scrub.printing import html_of, one_line, printed

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 6
"""Sites or edges that a circuit lists in a sentence, at most."""
FREE = ("mlps",)
"""Kinds of components that a circuit may say nothing of."""


def _free(kinds: Any) -> tuple[str, ...]:
    found = tuple(sorted(set(several(kinds)), key=str))
    for kind in found:
        if kind not in FREE:
            raise UserError(f"Circuit: free={printed(kinds)}: {did_you_mean(str(kind), FREE)}")
    return found


def _roles(roles: Mapping[str, Iterable[Cell]]) -> dict[str, tuple[Cell, ...]]:
    return {role: tuple(dict.fromkeys(cells)) for role, cells in roles.items()}


@frozen(cache_hash=True, repr=False)
class Circuit:
    """Sites, or edges between sites, at positions: what a path may pass, given as `through=`.

    `Circuit.of(heads([(9, 9)], at="end"), mlp(0))` is a circuit of sites: a path that keeps to it
    may pass these, at these positions, by all their ports.
    `Circuit.of_edges(edge(heads([(5, 5)]), heads([(9, 9)]), into="q", at="end"), …)` is a circuit
    of edges: a path goes from a reader to a writer by no other way, neither on its way nor to
    where it ends. It may name sites as well; paths go by the edges.

    Law: the order in which things are named, and how often, makes no difference.

    A circuit is also a set, of its nodes at positions and of its edges: `a | b`, `a & b`, `a - b`.
    `len(circuit)` is the number of its nodes, embeddings left out.

    Law: `|` and `&` are those of sets: they commute, associate, absorb and distribute;
    `a - b` and `a & b` have nothing in common and are `a` together.

    Attributes:
        cells: sites, each with its positions.
        edges: edges, where they are known; without any, nodes are joined by all edges.
        free: kinds of components that it says nothing of: "mlps" run on whatever they read of the
            circuit, and all of it reads them. `circuit.on(model)` names them one by one.
        name, model, source: what it is called, of which model it is, and where it comes from.
        roles: nodes by what they are said to do. Neither roles nor names are part of equality.
    """

    cells: Cells = field(default=(), converter=cells_once)
    edges: Edges = field(default=(), converter=edges_once)
    free: tuple[str, ...] = field(default=(), converter=_free)
    name: str = field(default="", eq=False, kw_only=True)
    roles: Mapping[str, tuple[Cell, ...]] = field(
        factory=dict, eq=False, kw_only=True, converter=_roles
    )
    model: str = field(default="", eq=False, kw_only=True)
    source: str = field(default="", eq=False, kw_only=True)

    @classmethod
    def of(cls, *sites: Routed | Any, free: str | Sequence[str] = ()) -> Circuit:
        """The circuit of these sites, at the positions that they name.

        Or, given a `Correspondence`, the circuit of its nodes and of the edges between them (see
        `scrub.circuit_of`, which takes a claim).

        Args:
            free: kinds of components that it says nothing of, such as "mlps".

        Raises:
            UserError: there are none; or what is given are no sites, or paths to sites.
        """
        if len(sites) == 1 and not hasattr(sites[0], "routes"):
            claimed = importlib.import_module("scrub.hypothesis.claimed_circuit")
            if (found := claimed.circuit_given(sites[0])) is not None:
                return found
        if not sites:
            raise UserError(
                "Circuit.of() names no site. Give some: Circuit.of(heads(…), mlp(…)); where a path "
                "may pass nothing, write through=none."
            )
        placed = (cell for group in sites for cell in placed_cells(group, "Circuit.of(…)"))
        return cls(cells=tuple(placed), free=free)

    @classmethod
    def of_edges(cls, *edges: tuple[Edge, ...], free: str | Sequence[str] = ()) -> Circuit:
        """The circuit of these edges, each made by `edge(…)`.

        Args:
            free: kinds of components that it says nothing of, such as "mlps".

        Raises:
            UserError: there are none, or what is given are no edges.
        """
        if not edges:
            raise UserError(
                "Circuit.of_edges() names no edge. Give some: "
                "Circuit.of_edges(edge(mlp(0), heads([(1, 0)])), …)."
            )
        found: list[Edge] = []
        for given in edges:
            if not isinstance(given, tuple) or not all(isinstance(one, Edge) for one in given):
                raise UserError(
                    f"Circuit.of_edges(…) takes edges, and was given a {type(given).__name__}. "
                    "Write edge(writer, reader)."
                )
            found += given
        return cls(edges=tuple(found), free=free)

    @cached_property
    def nodes(self) -> tuple[Placed, ...]:
        """Its sites and the ends of its edges, with the positions at which they write.

        Embeddings are among them, at all positions; the logits are not. An end of edges that is
        not among `cells` writes where edges lead from it.
        """
        return nodes_of(self.cells, self.edges)

    @property
    def heads(self) -> tuple[Head, ...]:
        """Its attention heads (layer, head), in the order of the model."""
        cells = [placed.cell for placed in self.nodes]
        pairs = [(cell.name.layer, cell.head) for cell in cells]
        return tuple(dict.fromkeys((layer, h) for layer, h in pairs if None not in (layer, h)))  # type: ignore[misc]  # neither is None

    @property
    def frame(self) -> pd.DataFrame:
        """Its nodes as a table: a row a node and position.

        Columns: layer and head (whole numbers), position (a column of the data, an index, or
        "all"), kind ("head", "MLP", "embeddings", …) and role.
        """
        return frame_of(self.nodes, self.roles)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        free: str | Sequence[str] | None = None,
        name: str = "",
        model: str = "",
        source: str = "",
    ) -> Circuit:
        """The circuit of a table's nodes: a row a node and position.

        Law: `Circuit.from_frame(circuit.frame, free=circuit.free)` is `circuit.of_sites()`.

        Args:
            frame: a pandas frame with columns layer and head, and if they are there, position
                (a column of the data, an index from the first token; nothing or "all": all), kind
                and role ("name mover; induction").
            free: kinds of components that it says nothing of; None: MLPs, where it has none.
            name, model, source: see `Circuit`.

        Raises:
            UserError: with all that is wrong in the table.
        """
        cells, roles = read_frame(frame)
        if free is None:
            free = () if any(placed.cell.name.of_mlp for placed in cells) else FREE
        return cls(cells, free=free, roles=roles, name=name, model=model, source=source)

    def __len__(self) -> int:
        return sum(placed.cell.site not in EMBEDDINGS for placed in self.nodes)

    def __bool__(self) -> bool:
        """Whether it names anything, embeddings too."""
        return bool(self.cells or self.edges)

    def of_sites(self) -> Circuit:
        """Its nodes without its edges: all edges among them are in it."""
        return evolve(self, cells=self.nodes, edges=())

    def on(self, model: Any) -> Circuit:
        """The same for one model, with what it leaves free made explicit.

        Embeddings stand for what the model has of them: many have none of positions.

        Law: of a circuit of all edges among its nodes, it is the circuit of all edges among its
        nodes and the model's MLPs.

        Args:
            model: what a claim's function is given, with or without weights.
        """
        cells, edges = with_embeddings_of(self.cells, self.edges, model.graph)
        if self.free:
            cells, edges = with_free_mlps(cells, edges, model.graph)
        if (cells, edges, ()) == (self.cells, self.edges, self.free):
            return self
        return evolve(self, cells=cells, edges=edges, free=())

    def without(self, nodes: Iterable[Cell | Placed] | Routed) -> Circuit:
        """The circuit minus some nodes: their sites, and all edges from or to them.

        A node that is given with positions goes there alone.

        Law: in what is left, no node is one of these at one of these positions.

        Raises:
            UserError: a node is in the circuit at all positions, and is taken away at some; or
                what is given are no nodes.
        """
        gone = _placed(nodes)
        return self._remaining(*removed(self.cells, self.edges, gone))

    def __or__(self, other: Any) -> Circuit:
        return self._with(other, "|", lambda a, b: (*a, *b), lambda a, b: (*a, *b))

    def __and__(self, other: Any) -> Circuit:
        return self._with(other, "&", common_cells, common_edges)

    def __sub__(self, other: Any) -> Circuit:
        return self._with(other, "-", cells_but, edges_but)

    def _with(self, other: Any, sign: str, cells: CellsOf, edges: EdgesOf) -> Circuit:
        if not isinstance(other, Circuit):
            return NotImplemented
        self._comparable(other, sign)
        roles = {
            role: (*self.roles.get(role, ()), *other.roles.get(role, ()))
            for role in (*self.roles, *other.roles)
        }
        sources = dict.fromkeys(one.source for one in (self, other) if one.source)
        models = {one.model for one in (self, other) if one.model}
        joined = Circuit(
            free=self.free if self else other.free,
            name=f"{self.name} {sign} {other.name}" if self.name and other.name else "",
            model=models.pop() if len(models) == 1 else "",
            source="; ".join(sources),
            roles=self.roles if sign == "-" else roles,
        )
        return joined._remaining(
            cells(self.cells, other.cells),
            edges(self.edges, other.edges),
            of_edges=bool(self.edges or other.edges),
        )

    def _comparable(self, other: Circuit, sign: str) -> None:
        """Refuse sets of two kinds; an empty circuit is of either."""
        if not (self and other):
            return
        said = f"circuit {sign} other"
        if self.free != other.free:
            kinds = [", ".join(one.free) or "nothing" for one in (self, other)]
            raise UserError(
                f"{said}: one leaves {kinds[0]} free, and the other {kinds[1]}. Name what is free: "
                "circuit.on(model)."
            )
        if bool(self.edges) != bool(other.edges):
            raise UserError(
                f"{said}: one is a circuit of edges, and the other of sites alone. Take the nodes "
                f"of both: circuit.of_sites() {sign} other.of_sites()."
            )

    def _remaining(self, cells: Cells, edges: Edges, of_edges: bool | None = None) -> Circuit:
        """What is left of it. A circuit of edges of which none is left is empty."""
        of_edges = bool(self.edges) if of_edges is None else of_edges
        left = evolve(self, cells=() if of_edges and not edges else cells, edges=edges)
        there = {placed.cell for placed in left.nodes}
        roles = {r: tuple(c for c in named if c in there) for r, named in self.roles.items()}
        return evolve(left, roles={role: named for role, named in roles.items() if named})

    def __str__(self) -> str:
        every = [str(one) for one in (*self.cells, *self.edges)]
        more = [f"{len(every) - SHOWN + 1:,} more"] if len(every) > SHOWN else []
        free = [f"{kind} free" for kind in self.free]
        return f"Circuit({', '.join(every[: SHOWN - len(more)] + more + free)})"

    def __repr__(self) -> str:
        return one_line(str(self))

    def _repr_html_(self) -> str:
        return html_of(self)


def _placed(nodes: Any) -> list[Placed]:
    """Nodes as a user gives them to `without`."""
    if hasattr(nodes, "routes"):
        return placed_cells(nodes, "without(…)")
    given = several(nodes)
    wrong = [one for one in given if not isinstance(one, Cell | Placed)]
    if wrong:
        raise UserError(
            f"without(…) takes nodes, and was given a {type(wrong[0]).__name__}. Give sites, "
            'heads([(9, 9)], at="end"), or some of circuit.nodes.'
        )
    return [Placed(one) if isinstance(one, Cell) else one for one in given]
