"""Parts of a circuit that belong together: its roles, and what stands at one position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scrub.circuits.greedy import NodeSet
from scrub.hypothesis.circuit import Circuit, Placed
from scrub.hypothesis.positions import ALL
from scrub.names import parse

NO_ROLE = "no role"


def removable(circuit: Circuit) -> tuple[Placed, ...]:
    """A circuit's nodes without embeddings, which are the input: what can be taken from it."""
    return tuple(one for one in circuit.nodes if parse(one.cell.site).layer is not None)


def roles_of(circuit: Circuit, nodes: Sequence[Placed]) -> Mapping[str, NodeSet]:
    """The circuit's roles, each with the numbers of its nodes; what has none is one group.

    Of a circuit that names no roles: its layers.

    Law: every node is in a group.
    """
    found: dict[str, set[int]] = {}
    for number, node in enumerate(nodes):
        named = [role for role, cells in circuit.roles.items() if node.cell in cells]
        layer = f"layer {parse(node.cell.site).layer}"
        for role in named or [NO_ROLE if circuit.roles else layer]:
            found.setdefault(role, set()).add(number)
    return {role: frozenset(numbers) for role, numbers in found.items()}


def positions_of(nodes: Sequence[Placed]) -> Mapping[str, tuple[Placed, ...]]:
    """What stands at each position that a circuit names: at that position alone."""
    found: dict[str, list[Placed]] = {}
    for node in nodes:
        if isinstance(node.at, str):
            found.setdefault(ALL, []).append(node)
            continue
        for spec in node.at:
            found.setdefault(str(spec), []).append(Placed(node.cell, (spec,)))
    return {name: tuple(placed) for name, placed in found.items()}
