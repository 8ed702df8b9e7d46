"""Specialise a graph to a hypothesis: sites that it splits become sums of sites of their own.

The engine knows nothing of splits: a summand is a site like any other, between the split site and
what feeds it. A hypothesis without splits gets its graph back as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from attrs import evolve
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.hypothesis.sites import Route
from scrub.hypothesis.splits import (
    REST,
    Coordinates,
    Estimate,
    Projection,
    SourcePositions,
    Split,
)
from scrub.hypothesis.tree import NamePath, Occurrence, Tree
from scrub.model.graph import Apply, Graph, Port, Site, Stream, Where
from scrub.names import Cell, summand_site

Parts = dict[str, tuple[Split, set[str]]]
"""Per split site its split, and the summands that are claimed."""


def specialise(tree: Tree, graph: Graph) -> tuple[Tree, Graph]:
    """The tree and the graph with every split site and every claimed head output spelled out."""
    (tree,), graph = specialise_family((tree,), graph)
    return tree, graph


def specialise_family(trees: Sequence[Tree], graph: Graph) -> tuple[tuple[Tree, ...], Graph]:
    """The same for several trees, which get one graph.

    Asserts that no two of them split a site in two ways, or mean another rest by it.
    """
    parts = _parts(trees)
    for site, (split, claimed) in (item for tree in trees for item in _parts([tree]).items()):
        assert split == parts[site][0], f"{site} is split in two ways"
        whole = not isinstance(split, SourcePositions) or REST not in claimed
        assert whole or claimed == parts[site][1], f"{site} has two rests"
    outputs = {site.output for site in graph.sites.values()}
    below = [node for tree in trees for node in tree.walk()[1:]]
    used = {cell.site for node in below for route in node.routes for cell in route.cells}
    results = {site for site in used if site in outputs}
    if not parts and not results:
        return tuple(trees), graph
    values: dict[str, Site | Stream] = {}
    for name, value in graph.values.items():
        if isinstance(value, Stream):
            values[name] = _with_results(value, graph, results)
        else:
            site = _as_writer(value, results)
            spelled = _spelled(site, graph, *parts[name]) if name in parts else [site]
            values.update({part.name: part for part in spelled})
    return tuple(map(_renamed, trees)), evolve(graph, values=values)


def _parts(trees: Sequence[Tree]) -> Parts:
    parts: Parts = {}
    nodes = (node for tree in trees for node in tree.walk())
    for route in (route for node in nodes for route in node.routes):
        for cell in route.cells:
            if cell.part is not None:
                assert route.split is not None
                parts.setdefault(cell.site, (route.split, set()))[1].add(cell.part)
    return parts


def _renamed(tree: Occurrence) -> Occurrence:
    """The tree with summands named as the specialised graph names them."""

    def cell(old: Cell) -> Cell:
        return old if old.part is None else Cell(summand_site(old.site, old.part), old.head)

    def route(old: Route) -> Route:
        return evolve(old, cells=tuple(cell(c) for c in old.cells))

    made: dict[NamePath, Occurrence] = {}
    for here in tree.upwards():
        children = tuple(made.pop(child.path) for child in here.children)
        made[here.path] = evolve(here, routes=tuple(map(route, here.routes)), children=children)
    return made[tree.path]


def _with_results(stream: Stream, graph: Graph, results: set[str]) -> Stream:
    """The stream with heads' outputs as writers in place of their z, where outputs are claimed."""

    def writer(name: str) -> str:
        output = graph.sites[name].output
        return name if output is None or output not in results else output

    writers = tuple(writer(name) for name in stream.writers)
    return stream if writers == stream.writers else evolve(stream, writers=writers)


def _as_writer(site: Site, results: set[str]) -> Site:
    """A head's output as a writer of the residual stream, and its z as one no longer."""
    if site.name in results:
        return evolve(site, stored=True, write=_sum_of_heads)
    if site.output in results:
        return evolve(site, write=None, write_flops=0, output=None)
    return site


def _sum_of_heads(value: Tensor, heads: Tensor) -> Tensor:
    return value.sum(dim=2, keepdim=True)


def _spelled(site: Site, graph: Graph, split: Split, claimed: set[str]) -> list[Site]:
    """The sites that stand for a split site: its whole value, its summands, and their sum."""
    if isinstance(split, SourcePositions):
        summands = _sources(site, sorted(claimed - {REST}, key=int))
        before: list[Site] = []
    else:
        leads = _leads(site, graph)
        whole = evolve(
            site,
            name=_beside_summands(site, split, "whole"),
            summand_of=site.name,
            write=None,
            write_flops=0,
            output=None,
        )
        reading = Port("whole", whole.name, leads)
        if isinstance(split, Estimate):
            guess = _estimate(site, graph, split)
            before, summands = [whole, guess], _estimated(site, split, reading, guess)
        else:
            before, summands = [whole], _projected(site, graph, split, reading)
    leads = _leads(site, graph)
    ports = tuple(Port(part.name, part.name, leads) for part in summands)
    total = evolve(site, apply=_sum, ports=ports, stored=False, flops=lambda width: 0)
    return [*before, *summands, total]


def _beside_summands(site: Site, split: Split, name: str) -> str:
    """A name for a site that summands are computed from, which is none of theirs."""
    while name in split.names:
        name += "'"
    return summand_site(site.name, name)


def _leads(site: Site, graph: Graph) -> frozenset[str]:
    """The ports of its component by which a path comes to a site.

    A site that reads nothing is come to by the port that reads it, or by one of its own name.
    """
    below = frozenset().union(*(port.leads for port in site.ports))
    readers = [p for s in graph.sites.values() for p in s.ports if p.source == site.name]
    return below.union(*(port.leads for port in readers)) or frozenset({site.name})


def _sum(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
    return torch.stack(torch.broadcast_tensors(*inputs.values())).sum(0)


def _summand(
    site: Site,
    name: str,
    apply: Apply,
    ports: tuple[Port, ...],
    flops: Callable[[int], int] = lambda width: 0,
) -> Site:
    """A site like the split one, with another name and another way to compute it."""
    return evolve(
        site,
        name=summand_site(site.name, name),
        summand_of=site.name,
        apply=apply,
        ports=ports,
        stored=False,
        write=None,
        write_flops=0,
        output=None,
        flops=flops,
    )


def _projected(
    site: Site, graph: Graph, split: Projection | Coordinates, whole: Port
) -> list[Site]:
    maps = {name: _map(split, name, graph) for name in split.names if name != REST}

    def part(project: Callable[[Tensor], Tensor]) -> Apply:
        return lambda inputs, where: project(inputs["whole"])

    def rest(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        value = inputs["whole"]
        for project in maps.values():
            value = value - project(inputs["whole"])
        return value

    costs = {name: _cost(split, name) for name in maps}
    summands = [
        _summand(site, name, part(project), (whole,), lambda width, cost=costs[name]: cost)
        for name, project in maps.items()
    ]
    return [*summands, _summand(site, REST, rest, (whole,), lambda width: sum(costs.values()))]


def _map(split: Projection | Coordinates, name: str, graph: Graph) -> Callable[[Tensor], Tensor]:
    """The linear map that takes one summand out of a value, on its last axis."""
    if isinstance(split, Projection):
        basis = torch.tensor(split.bases[name]).to(graph.device, graph.dtype)
        return lambda value: (value @ basis) @ basis.T
    chosen = torch.tensor(split.sets[name], device=graph.device)

    def only(value: Tensor) -> Tensor:
        kept = torch.zeros_like(value)
        return kept.index_copy(-1, chosen, value.index_select(-1, chosen))

    return only


def _cost(split: Projection | Coordinates, name: str) -> int:
    """Operations of one projection: into the subspace and out again."""
    return 4 * split.bases[name].size if isinstance(split, Projection) else 0


def _estimate(site: Site, graph: Graph, split: Estimate) -> Site:
    """φ, a site that is computed from the row alone."""
    heads = site.heads or 1

    def from_rows(rows: Rows, width: int) -> Tensor:
        found = torch.as_tensor(np.asarray(split.function(rows))).to(graph.device, graph.dtype)
        span = width if site.positions else 1
        if found.dim() == 2:
            everywhere = found[:, None].expand(-1, span, -1)
        else:
            missing = max(span - found.shape[1], 0)
            everywhere = torch.nn.functional.pad(found, (0, 0, 0, missing))[:, :span]
        return everywhere[:, :, None].expand(-1, span, heads, -1)

    name = _beside_summands(site, split, "estimate")
    return evolve(_summand(site, split.name, _sum, ()), name=name, from_rows=from_rows, stored=True)


def _estimated(site: Site, split: Estimate, whole: Port, guess: Site) -> list[Site]:
    """φ as a summand to be claimed, and the rest, which takes away the φ of its own frame."""
    mine = Port("estimate", guess.name, whole.leads)
    own = Port("estimate", guess.name, frozenset())

    def phi(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return inputs["estimate"]

    def rest(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        return inputs["whole"] - inputs["estimate"]

    return [_summand(site, split.name, phi, (mine,)), _summand(site, REST, rest, (whole, own))]


def _sources(site: Site, names: list[str]) -> list[Site]:
    """A z as pattern times value at single source positions, and at all others."""

    def part(index: int) -> Apply:
        def apply(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
            return inputs["pattern"][..., index : index + 1] * inputs["v"][:, None, index]

        return apply

    def rest(inputs: Mapping[str, Tensor], where: Where) -> Tensor:
        pattern = inputs["pattern"].clone()
        pattern[..., [int(name) for name in names]] = 0
        return torch.einsum("nqhk,nkhe->nqhe", pattern, inputs["v"])

    summands = [_summand(site, name, part(int(name)), site.ports) for name in names]
    return [*summands, _summand(site, REST, rest, site.ports)]
