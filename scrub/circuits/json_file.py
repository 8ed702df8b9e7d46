"""Circuits as JSON, schema scrub.circuit/1: nodes, edges, roles, and where it comes from.

    {"schema": "scrub.circuit/1", "name": "…", "model": "gpt2", "source": "…", "free": ["mlps"],
     "nodes": [{"component": "9.9", "at": ["end"], "role": "name mover"}, …],
     "edges": [{"from": "5.5", "to": "9.9", "into": "q", "at": ["end"]}, …]}

A component is "9.9", "MLP 0", "embeddings", "logits"; `from`, `to` and `into` take lists, too, for
all edges between them. Without `at` it is at all positions, without `into` by any port.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from attrs import field, frozen

from scrub.errors import Problems, UserError, did_you_mean
from scrub.hypothesis.circuit import FREE, Circuit
from scrub.hypothesis.circuit_sets import met, nodes_of
from scrub.hypothesis.components import components_named, names_of
from scrub.hypothesis.cycles import cycle_among, cycle_in_words
from scrub.hypothesis.edges import Edge, Placed, cells_once, edges_once
from scrub.hypothesis.positions import ALL, At, as_positions
from scrub.names import Cell
from scrub.printing import printed

SCHEMA = "scrub.circuit/1"
TEXTS = ("name", "model", "source")
KEYS = ("schema", *TEXTS, "free", "nodes", "edges")
NODE_KEYS = ("component", "at", "role")
EDGE_KEYS = ("from", "to", "into", "at")


def as_json(circuit: Circuit) -> str:
    """A circuit as text, a line a node and edge.

    Law: `from_json` gives a circuit with its nodes, edges, free, roles and words; an equal one,
    unless it names sites that its edges have anyway.
    """
    head = {"schema": SCHEMA, **{name: getattr(circuit, name) for name in TEXTS}}
    lines = [f" {json.dumps(key)}: {_line(value)}," for key, value in head.items() if value]
    lines.append(f' "free": {_line(list(circuit.free))},')
    lines.append(f' "nodes": {_listed(_nodes(circuit))},')
    lines.append(f' "edges": {_listed(_edges(circuit))}')
    return "\n".join(["{", *lines, "}", ""])


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _listed(items: Iterable[dict[str, Any]]) -> str:
    lines = [f"  {_line(item)}" for item in items]
    return "[\n" + ",\n".join(lines) + "\n ]" if lines else "[]"


def _nodes(circuit: Circuit) -> Iterator[dict[str, Any]]:
    grouped: dict[tuple[At, tuple[str, ...]], list[Cell]] = {}
    for placed in circuit.nodes:
        roles = tuple(role for role, cells in circuit.roles.items() if placed.cell in cells)
        embedded = placed.cell.name.layer is None
        key = (placed.at, roles) if embedded else (placed.at, (*roles, str(placed.cell)))
        grouped.setdefault(key, []).append(placed.cell)
    for (at, _), cells in grouped.items():
        roles = [role for role, named in circuit.roles.items() if cells[0] in named]
        said = {"role": roles[0] if len(roles) == 1 else roles} if roles else {}
        for name in names_of(cells):
            yield {"component": name, **_at(at), **said}


def _edges(circuit: Circuit) -> Iterator[dict[str, Any]]:
    grouped: dict[tuple[Cell, str | None, At], list[Cell]] = {}
    for edge in circuit.edges:
        grouped.setdefault((edge.reader, edge.into, edge.at), []).append(edge.writer)
    for (reader, into, at), writers in grouped.items():
        (to,) = names_of([reader])
        for name in names_of(writers):
            by = {} if into is None else {"into": into}
            yield {"from": name, "to": to, **by, **_at(at)}


def _at(at: At) -> dict[str, Any]:
    return {} if isinstance(at, str) else {"at": list(at)}


def from_json(said: Mapping[str, Any], file: str) -> Circuit:
    """The circuit that a file of this schema holds.

    Args:
        said: what is in it.
        file: what messages call it.

    Raises:
        UserError: with all that is wrong in it.
    """
    reader = _Reader()
    for key in said:
        if key not in KEYS:
            reader.problems.add(f'there is no key "{key}" here. {did_you_mean(key, KEYS)}')
    for name in TEXTS:
        if not isinstance(said.get(name, ""), str):
            reader.problems.add(f"{name} is {printed(said[name])}, and not text.")
    free = said.get("free", [])
    for kind in free if isinstance(free, list) else [free]:
        if kind not in FREE:
            hint = did_you_mean(str(kind), FREE)
            reader.problems.add(f"free: {printed(kind)} is no kind of components. {hint}")
    reader.entries(said, "nodes", NODE_KEYS, reader.node)
    reader.entries(said, "edges", EDGE_KEYS, reader.edge)
    cycle = cycle_among(reader.edges)
    if cycle:
        reader.problems.add(cycle_in_words(cycle))
    if reader.problems.found:
        raise UserError(*reader.problems.found).at(file=file)
    edges = edges_once(reader.edges)
    implied = set(nodes_of((), edges))
    return Circuit(
        tuple(placed for placed in cells_once(reader.nodes) if placed not in implied),
        edges,
        free,
        roles=reader.roles,
        **{name: said.get(name, "") for name in TEXTS},
    )


@frozen(eq=False)
class _Reader:
    """Reads nodes and edges, and lists what is wrong with them."""

    problems: Problems = field(factory=Problems)
    nodes: list[Placed] = field(factory=list)
    edges: list[Edge] = field(factory=list)
    roles: dict[str, list[Cell]] = field(factory=dict)
    seen: dict[object, list[tuple[At, str]]] = field(factory=dict)

    def entries(
        self,
        said: Mapping[str, Any],
        key: str,
        keys: tuple[str, ...],
        read: Callable[[dict[str, Any], str], None],
    ) -> None:
        """Every entry of a list; what is wrong with it stands behind its place."""
        listed = said.get(key, [])
        if not isinstance(listed, list):
            self.problems.add(f"{key} is {printed(listed)}, and not a list.")
            return
        for number, entry in enumerate(listed):
            place = f"{key}[{number}]"
            if not isinstance(entry, dict):
                self.problems.add(f"{place} is {printed(entry)}, and not an object.")
                continue
            for unknown in (name for name in entry if name not in keys):
                hint = did_you_mean(unknown, keys)
                self.problems.add(f'{place}: there is no key "{unknown}" here. {hint}')
            read(entry, place)

    def node(self, entry: dict[str, Any], place: str) -> None:
        cells, at = self._cells(entry, "component", place), self._position(entry, place)
        roles = _several(entry.get("role", []))
        for role in roles:
            if not isinstance(role, str) or not role.strip():
                self.problems.add(f"{place}: role is {printed(role)}, and not text.")
                return
        for cell in cells:
            self._once(cell, str(cell), at, place)
            self.nodes.append(Placed(cell, at))
            for role in roles:
                self.roles.setdefault(role, []).append(cell)

    def edge(self, entry: dict[str, Any], place: str) -> None:
        writers, readers = (self._cells(entry, key, place) for key in ("from", "to"))
        at, ports = self._position(entry, place), _several(entry.get("into"))
        for port in ports or [[]]:
            if port is not None and not isinstance(port, str):
                self.problems.add(f'{place}: into is {printed(port)}. Give a port, such as "q".')
                return
        for reader, into, writer in product(readers, ports, writers):
            made = Edge(writer, reader, into, at)
            self._once((writer, reader, into), f"{writer} → {reader}", at, place)
            self.edges.append(made)

    def _cells(self, entry: dict[str, Any], key: str, place: str) -> list[Cell]:
        if key not in entry:
            self.problems.add(f'{place} has no "{key}".')
            return []
        found: list[Cell] = []
        for name in _several(entry[key]) or [[]]:
            try:
                found += components_named(name)
            except ValueError as error:
                self.problems.add(f"{place}: {key}: {error}")
        return found

    def _position(self, entry: dict[str, Any], place: str) -> At:
        given: Any = entry.get("at", ALL)
        try:
            return as_positions([str(given)] if isinstance(given, dict) else given)
        except UserError as error:
            self.problems.add(f"{place}: {error}")
            return ALL

    def _once(self, what: object, said: str, at: At, place: str) -> None:
        """Nothing is there twice: who writes it twice may have meant something else."""
        before = self.seen.setdefault(what, [])
        for other, first in before:
            if met(at, other) != () or at == other:
                self.problems.add(f"{said} is there twice, in {first} and {place}.")
                break
        before.append((at, place))


def _several(given: Any) -> list[Any]:
    """One or several of a thing."""
    return given if isinstance(given, list) else [given]
