"""A circuit unrolled, as the Python text of a claim: every node carries all that it does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from attrs import evolve

from scrub.circuits.unrolled import Place
from scrub.hypothesis.claimed_circuit import whole
from scrub.hypothesis.sites import Route, none
from scrub.names import LOGITS, Cell
from scrub.sweeps.code import Call, lines, sites_in_code, variable_name

INPUTS_OF = "inputs_of"


def tree_in_code(listed: Sequence[Place], root: str, other: str, reserved: Iterable[str]) -> str:
    """The body of a claim's function that makes the tree.

    Args:
        root: the sites of the root, in code.
        other: the sampler of the nodes' other inputs, in code.
        reserved: names that stand for something else in the file.
    """
    reserved = frozenset(reserved)
    taken = {*reserved, "root"}
    variables: list[str] = []
    said: list[str] = []
    entries: list[str] = []
    for place in listed:
        variable = variable_name(place.name, taken, reserved) if place.parents else "root"
        above = [variables[number] for number in place.parents]
        variables.append(variable)
        said.append(lines(_node(place, variable, above, other), 4))
        made: str | Call = root if not place.parents else _sites(place, listed)
        entries.append(lines(made, 12, before=f"{variable}: ", after=","))
    return "\n".join(
        [*said, "    return Correspondence(", "        {", *entries, "        }", "    )"]
    )


def _node(place: Place, variable: str, above: Sequence[str], other: str) -> Call:
    quoted = json.dumps(place.name, ensure_ascii=False)
    name = repr(place.name) if "\\" in quoted else quoted
    others = () if place.is_leaf else (f"other={other}",)
    if len(above) == 1:
        return Call(f"{variable} = {above[0]}.child(", (name, "Exact()", *others))
    parents = (Call("parents=(", tuple(above)),) if above else ()
    return Call(f"{variable} = InterpNode(", (name, "Exact()", *others, *parents))


def _sites(place: Place, listed: Sequence[Place]) -> Call:
    route = place.route
    if route.through.circuit is None:
        return _made(route)
    made = _made(evolve(route, through=none))
    reader = _made(Route(tuple(map(whole, listed[place.parents[0]].route.cells))))
    return Call(made.opens, (*made.items, Call(f"through={INPUTS_OF}(", ("model", reader))))


def _made(route: Route) -> Call:
    if route.cells == (Cell(LOGITS),):
        return Call("output(", ())
    (made,) = sites_in_code([route], {})
    return made


def inputs_in_code(circuit: str, *, free: bool) -> str:
    """The function of the file that says by which edges embeddings come to a node.

    Args:
        circuit: the variable that holds it.
        free: whether MLPs run freely in it.
    """
    before = "embeddings() | mlp(*range(model.layers))" if free else "embeddings()"
    ends = "before | reader" if free else "reader"
    on_model = ".on(model)" if free else ""
    says = ", by free MLPs too" if free else ""
    return (
        f"def {INPUTS_OF}(model, reader):\n"
        f'    """The edges by which embeddings come to a node{says}: index by index."""\n'
        f"    before = {before}\n"
        f"    return {circuit}{on_model} & Circuit.of_edges(edge(before, {ends}))"
    )
