"""Which sites of a model a node stands for, and along which path.

Everything here is a frozen value that refers to sites by name. Whether a model has them is checked
later, against its graph.

The names are those of `scrub.names`. A head's output is a linear map of its `z`, so a node that
stands for a head claims its `z`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Never

from attrs import evolve, field, frozen

from scrub import names
from scrub.errors import UserError, did_you_mean
from scrub.hypothesis.arguments import (
    Head,
    layers_of,
    number,
    pairs,
    refuse_no_name,
    several,
    streams,
)
from scrub.hypothesis.circuit import Circuit, Placed
from scrub.hypothesis.positions import ALL, At, Positions, as_positions
from scrub.hypothesis.positions import Spec as Spec  # used by who speaks of a route's positions
from scrub.hypothesis.splits import SourcePositions, Split
from scrub.names import Cell
from scrub.printing import in_brief, printed


@frozen(cache_hash=True)
class Through:
    """The sites that a path may pass: `none`, `mlps` or `anything`, with exceptions; or a circuit.

    `anything.excluding(heads([(0, 0)]), mlp(1))` passes through everything but those;
    `none.including(heads([(3, 1)]))` through that head alone. A site is entered by all its ports at
    all its positions, or at those that the exception names: `none.including(mlp(0, at="s2"))` may
    pass what MLP 0 writes at S2. What is excluded at a position is not passed there, whatever is
    included.

    Attributes:
        kinds: what it passes but for the exceptions; of a circuit: "none".
        also, never: what is included and excluded at all positions.
        also_at, never_at: what is included and excluded at some.
        circuit: what is passed beside, given as `through=circuit`.
    """

    kinds: Literal["none", "mlps", "anything"]
    also: tuple[Cell, ...] = ()
    never: tuple[Cell, ...] = ()
    also_at: tuple[Placed, ...] = ()
    never_at: tuple[Placed, ...] = ()
    circuit: Circuit | None = None

    def excluding(self, *sites: Sites) -> Through:
        """The same, but not through these sites, at the positions that they name."""
        whole, placed = _exceptions(sites, "excluding")
        return evolve(self, never=self.never + whole, never_at=self.never_at + placed)

    def including(self, *sites: Sites) -> Through:
        """The same, and through these sites, at the positions that they name."""
        whole, placed = _exceptions(sites, "including")
        return evolve(self, also=self.also + whole, also_at=self.also_at + placed)

    @property
    def passed(self) -> tuple[Placed, ...]:
        """The sites that are named as passed, with their positions, those of edges too."""
        circuit = self.circuit or Circuit()
        ends = (cell for edge in circuit.edges for cell in (edge.writer, edge.reader))
        whole = dict.fromkeys((*self.also, *ends))
        return (*map(Placed, whole), *self.also_at, *circuit.cells)

    @property
    def barred(self) -> tuple[Placed, ...]:
        """The sites that are excluded, with their positions."""
        return (*map(Placed, self.never), *self.never_at)

    @property
    def positions(self) -> tuple[tuple[Spec, ...], ...]:
        """The positions that it names, of each exception and edge that is not at all of them."""
        edges = () if self.circuit is None else self.circuit.edges
        ats = [one.at for one in (*self.passed, *self.barred, *edges)]
        return tuple(at for at in dict.fromkeys(ats) if not isinstance(at, str))

    def __str__(self) -> str:
        if self.circuit is not None:
            return str(self.circuit)
        also, never = (*self.also, *self.also_at), (*self.never, *self.never_at)
        including = f".including({', '.join(map(str, also))})" if also else ""
        excluding = f".excluding({', '.join(map(str, never))})" if never else ""
        return f"{self.kinds}{including}{excluding}"


Passing = Through | Circuit | Literal["none", "mlps", "anything"]
"""What `through=` takes."""

none = Through("none")
mlps = Through("mlps")
anything = Through("anything")


Ports = str | Sequence[str] | None
"""What `into=` takes; None: any port."""
KINDS = {through.kinds: through for through in (none, mlps, anything)}
PARTS_OF_PATTERN = ("q", "k", "mask")


def _through(through: Through | Circuit | str) -> Through:
    if isinstance(through, Through):
        return through
    if isinstance(through, Circuit):
        if not through.cells and not through.edges:
            raise UserError(
                "through=Circuit(): the circuit is empty. Where a path may pass nothing, write "
                "through=none."
            )
        if through.free:
            raise UserError(
                f"through={through}: the circuit leaves {', '.join(through.free)} free, and a path "
                "must be told what it passes. Write through=circuit.on(model)."
            )
        by_edges = bool(through.edges)
        return Through("none", circuit=evolve(through, cells=()) if by_edges else through)
    if isinstance(through, str) and through in KINDS:
        return KINDS[through]
    if isinstance(through, str):
        raise UserError(f"through={printed(through)}: {did_you_mean(through, KINDS)}")
    raise UserError(
        f"through= is of type {type(through).__name__}. Give none, mlps or anything, such as "
        "anything.excluding(heads([(0, 0)]))."
    )


def _into(into: str | Sequence[str] | None) -> frozenset[str] | None:
    if into is None:
        return None
    ports = several(into)
    for port in ports:
        if not isinstance(port, str):
            raise UserError(
                f"into={printed(into)}: {printed(port)} is no port. Give the name of one, such as "
                '"q", or several.'
            )
    if not ports:
        raise UserError("into= names no port. Give one or several, or leave it out for any.")
    return frozenset(
        p for name in ports for p in (PARTS_OF_PATTERN if name == "pattern" else (name,))
    )


def _in_order(ports: frozenset[str] | None) -> str:
    """The same text in every process: files are named by the hash of what it is part of."""
    return repr(ports and sorted(ports))


@frozen
class Route:
    """Sites, and the path that leads to them from the parent's sites.

    Attributes:
        cells: the sites claimed.
        at: the positions claimed, or "all".
        into: the ports by which the path enters the parent's sites; None: any. "pattern" is
            short for q, k and mask.
        through: the sites that the path may pass through on its way.
        split: how the sites are split, where the cells are summands.
    """

    cells: tuple[Cell, ...]
    at: At = field(default=ALL, converter=as_positions)
    into: frozenset[str] | None = field(default=None, converter=_into, repr=_in_order)
    through: Through = field(default=none, converter=_through)
    split: Split | None = None


@frozen(repr=False)
class Sites:
    """What a node stands for: one route, or several joined with `|`."""

    routes: tuple[Route, ...]

    def __or__(self, other: Sites) -> Sites:
        return Sites(self.routes + _given(other, "sites | …").routes)

    def __repr__(self) -> str:
        from scrub.hypothesis.describe import describe_route

        return in_brief("Sites", " | ".join(map(describe_route, self.routes)))


def _given(sites: Any, taker: str) -> Sites:
    """Sites, where a user gave them."""
    if isinstance(sites, Sites):
        return sites
    raise UserError(
        f"{taker} takes sites, and was given a {type(sites).__name__}. "
        "Give sites: heads(…), mlp(…), embeddings(…), output(…)."
    )


def _exceptions(sites: Sequence[Sites], verb: str) -> tuple[tuple[Cell, ...], tuple[Placed, ...]]:
    """The sites that are named at all positions, and those that are named at some."""
    routes = [route for group in sites for route in _given(group, f"{verb}(…)").routes]
    whole = tuple(cell for route in routes if route.at == ALL for cell in route.cells)
    placed = tuple(Placed(c, route.at) for route in routes if route.at != ALL for c in route.cells)
    return whole, placed


def _sites(
    cells: Iterable[Cell],
    at: Positions,
    into: Ports,
    through: Passing,
    wrong: Mapping[str, object],
) -> Sites:
    """Sites along one path. `wrong` are keywords of a kind that no path has."""
    if wrong:
        name = min(wrong)
        hint = did_you_mean(name, ("at", "into", "through"))
        raise UserError(f'A path has no argument "{name}". {hint}')
    claimed = tuple(cells)
    if not claimed:
        raise UserError("A node must stand for at least one site; this list is empty.")
    return Sites((Route(claimed, at, into, through),))


def heads(
    which: str | Iterable[Head | str],
    part: str = "z",
    *,
    at: Positions = ALL,
    into: Ports = None,
    through: Passing = none,
    **wrong: Never,
) -> Sites:
    """Attention heads (layer, head), or one `part` of them: q, k, v, pattern, scores, mask, z.

    Path: `at`, `into`, `through`, as in `Route`.

    Args:
        which: pairs [(9, 9), (10, 0)], or texts: ["9.9", "10.0"], "9.9,10.0".
    """
    refuse_no_name(part, "heads", "part")
    cells = (Cell(names.attention_site(layer, part), h) for layer, h in pairs(which))
    return _sites(cells, at, into, through, wrong)


def mlp(
    *layers: int,
    at: Positions = ALL,
    into: Ports = None,
    through: Passing = none,
    **wrong: Never,
) -> Sites:
    """Outputs of the MLPs of these layers. Path as in `Route`."""
    cells = (Cell(names.mlp(layer)) for layer in layers_of(layers, "mlp"))
    return _sites(cells, at, into, through, wrong)


def mlp_part(
    part: str,
    *layers: int,
    at: Positions = ALL,
    into: Ports = None,
    through: Passing = none,
    **wrong: Never,
) -> Sites:
    """A part of these layers' MLPs: normed, pre, pre_linear (gated), post. Path as in `Route`.

    Single neurons are summands: `summand(mlp_part("post", 3), neurons(n7=[7]), "n7")`.
    """
    refuse_no_name(part, "mlp_part", "part")
    cells = (Cell(names.mlp_site(layer, part)) for layer in layers_of(layers, "mlp_part"))
    return _sites(cells, at, into, through, wrong)


def embeddings(
    *, at: Positions = ALL, into: Ports = None, through: Passing = none, **wrong: Never
) -> Sites:
    """Token and position embedding together. Path as in `Route`."""
    return _sites((Cell(names.EMBED), Cell(names.POS_EMBED)), at, into, through, wrong)


def token_embedding(
    *, at: Positions = ALL, into: Ports = None, through: Passing = none, **wrong: Never
) -> Sites:
    """The token embedding alone. Path as in `Route`."""
    return _sites((Cell(names.EMBED),), at, into, through, wrong)


def position_embedding(
    *, at: Positions = ALL, into: Ports = None, through: Passing = none, **wrong: Never
) -> Sites:
    """The (learned) position embedding alone. Path as in `Route`."""
    return _sites((Cell(names.POS_EMBED),), at, into, through, wrong)


def projector(
    *, at: Positions = ALL, into: Ports = None, through: Passing = none, **wrong: Never
) -> Sites:
    """What a vision-language model's projector gives for the patches of images. Path as in `Route`.

    It is a part of the token embedding: zero at positions that hold no image token.
    """
    return _sites((Cell(names.PROJECTOR),), at, into, through, wrong)


def output(
    *, at: Positions = ALL, into: Ports = None, through: Passing = none, **wrong: Never
) -> Sites:
    """The logits. Path as in `Route`."""
    return _sites((Cell(names.LOGITS),), at, into, through, wrong)


def input_stream(
    reader: Sites,
    by: str | Sequence[str] | None = None,
    *,
    at: Positions = ALL,
    into: Ports = None,
    through: Passing = none,
    **wrong: Never,
) -> Sites:
    """The input stream of a reader: every writer's edge into it. Path as in `Route`.

    Args:
        reader: heads(…), mlp(…) or output().
        by: for heads, the ports whose streams are meant: "q", "k", "v" or several; default all.
            "pattern" is short for q and k (the mask is read from no stream).
    """
    ports = streams(by)
    cells: list[Cell] = []
    for cell in (cell for route in _given(reader, "input_stream").routes for cell in route.cells):
        if cell.head is not None:
            cells += [Cell(names.reader_input(cell.site, port), cell.head) for port in ports]
        else:
            cells.append(Cell(names.reader_input(cell.site)))
    return _sites(cells, at, into, through, wrong)


def summand(sites: Sites, split: Split, part: str | int) -> Sites:
    """One summand of sites that are split: `summand(heads([(0, 0)], part="result"), phi, "phi")`.

    A site has one split; nodes that claim summands of it name the same one.

    Raises:
        UserError: the split has no such summand; names the nearest.
    """
    if not isinstance(split, Split):
        raise UserError(
            f"summand: the split is of type {type(split).__name__}. Give projection(…), "
            "neurons(…), estimate(…) or source_positions()."
        )
    by_number = isinstance(split, SourcePositions) and number(part) is not None
    named = str(part) if by_number else part
    if not isinstance(named, str) or not split.has(named):
        shown = f'"{part}"' if isinstance(part, str) else printed(part)
        raise UserError(f"{split} has no summand {shown}. {did_you_mean(str(part), split.names)}")
    return Sites(
        tuple(
            evolve(route, cells=tuple(evolve(c, part=named) for c in route.cells), split=split)
            for route in _given(sites, "summand").routes
        )
    )


def site(
    name: str,
    head: int | None = None,
    *,
    at: Positions = ALL,
    into: Ports = None,
    through: Passing = none,
    **wrong: Never,
) -> Sites:
    """Any site by its name in the graph. Path as in `Route`."""
    refuse_no_name(name, "site", "name")
    if head is not None and number(head) is None:
        raise UserError(f"site: head={printed(head)} is no head. Give a whole number, or None.")
    return _sites((Cell(name, head),), at, into, through, wrong)
