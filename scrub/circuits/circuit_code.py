"""A circuit as Python text: its sites by role; or its edges, those with the same ends together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from scrub.hypothesis.circuit import Circuit, Edge, Placed
from scrub.hypothesis.positions import At
from scrub.hypothesis.sites import Route
from scrub.names import EMBED, LOGITS, POS_EMBED, Cell
from scrub.sweeps.code import LINE, Call, lines, sites_in_code

Roles = Mapping[str, Sequence[Cell]]
NO_ROLE = ""


def circuit_in_code(circuit: Circuit, roles: Roles, variable: str) -> str:
    """An assignment that makes the circuit. Of one with edges, these: no path goes by its sites.

    Law: evaluated, it is the same circuit; what is called by roles stands in comments.
    """
    free = f"    free={_listed(circuit.free)},\n" if circuit.free else ""
    if circuit.edges:
        made = "".join(_edges(circuit.edges, roles))
        return f"{variable} = Circuit.of_edges(\n{made}{free})"
    made = "".join(_sites(circuit.cells, roles))
    return f"{variable} = Circuit.of(\n{made}{free})"


def sites_by_role(cells: Iterable[Placed], roles: Roles) -> Iterator[Call]:
    """Calls that make sites: those of one role and place together."""
    for (_, at), members in _by_role(cells, roles).items():
        yield from sites_in_code([Route(tuple(members), at)], {})


def _by_role(cells: Iterable[Placed], roles: Roles) -> dict[tuple[str, At], list[Cell]]:
    alike: dict[tuple[str, At], list[Cell]] = {}
    for placed in cells:
        alike.setdefault((_role(placed.cell, roles), placed.at), []).append(placed.cell)
    return alike


def _sites(cells: Sequence[Placed], roles: Roles) -> Iterator[str]:
    """The same as lines, with the roles in comments."""
    for (role, at), members in _by_role(cells, roles).items():
        if role:
            yield "    " + _comment(role, 4)
        for call in sites_in_code([Route(tuple(members), at)], {}):
            yield lines(call, 4, after=",") + "\n"


def _comment(said: str, indent: int) -> str:
    """A line: what does not fit on it is cut."""
    return f"# {said}"[: LINE - indent] + "\n"


def _role(cell: Cell, roles: Roles) -> str:
    return next((role for role, cells in roles.items() if cell in cells), NO_ROLE)


Ends = tuple[Cell, ...]


def _edges(edges: Sequence[Edge], roles: Roles) -> Iterator[str]:
    """Calls of edge(…), with what they lead from and to in a comment where that is a role."""
    said = ""
    for writers, readers, ports, at in _joined(edges, roles):
        way = _between(writers, readers, roles)
        if way and way != said:
            yield "    " + _comment(way, 4)
        said = way
        writer, reader = _ends(writers), _ends(readers)
        path = [f"into={_listed(ports)}"] if ports else []
        path += [f"at={_listed(at)}"] if not isinstance(at, str) else []
        yield lines(Call("edge(", (writer, reader, *path)), 4, after=",") + "\n"


def _ends(cells: Ends) -> Call:
    if cells == (Cell(LOGITS),):
        return Call("output(", ())
    (made,) = sites_in_code([Route(cells)], {})
    return made


def _between(writers: Ends, readers: Ends, roles: Roles) -> str:
    """ "S-inhibition to name mover"; "" where neither is a role."""
    ends = [{_role(cell, roles) or _kind(cell) for cell in cells} for cells in (writers, readers)]
    if not any(_role(cell, roles) for cell in (*writers, *readers)):
        return ""
    start, end = (" and ".join(sorted(one)) for one in ends)
    return f"{start} to {end}"


def _kind(cell: Cell) -> str:
    if cell.site == LOGITS:
        return "the logits"
    if cell.head is not None:
        return "other heads"
    return "MLPs" if cell.name.layer is not None else "embeddings"


Grouped = tuple[Ends, Ends, tuple[str, ...], At]


def _joined(edges: Sequence[Edge], roles: Roles) -> Iterator[Grouped]:
    """Edges from each of some sites to each of others, by all of some ports: few for many.

    Writers of one kind and role, then readers, then ports are joined where all else is the same.
    """
    by_writer: dict[tuple[Cell, str | None, At, tuple[str, str]], list[Cell]] = {}
    for edge in edges:
        called = _called(edge.writer, roles)
        by_writer.setdefault((edge.reader, edge.into, edge.at, called), []).append(edge.writer)
    by_reader: dict[tuple[Ends, str | None, At, tuple[str, str]], list[Cell]] = {}
    for (reader, into, at, _), writers in by_writer.items():
        key = (tuple(writers), into, at, _called(reader, roles))
        by_reader.setdefault(key, []).append(reader)
    by_port: dict[tuple[Ends, Ends, At, bool], list[str]] = {}
    for (writers, into, at, _), readers in by_reader.items():
        ports = by_port.setdefault((writers, tuple(readers), at, into is None), [])
        ports += [] if into is None else [into]
    for (writers, readers, at, _), ports in by_port.items():
        yield writers, readers, tuple(ports), at


def _called(cell: Cell, roles: Roles) -> tuple[str, str]:
    """What is joined in one call: what is of one kind, and of one role."""
    kind = "embeddings" if cell.site in (EMBED, POS_EMBED) else f"{cell.name.part} {cell.part}"
    return kind, _role(cell, roles)


def _listed(items: Sequence[str | int]) -> str:
    said = [json.dumps(item, ensure_ascii=False) for item in items]
    return said[0] if len(said) == 1 else f"({', '.join(said)})"
