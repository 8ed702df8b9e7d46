"""First-order effects by gradients: attribution patching (Nanda 2023; Syed et al. 2023).

The effect of swapping a site's value is about (new − old) · gradient of the metric. The gradient is
taken along the paths that a sweep permits and no others: what writes to the residual stream and may
not be passed is cut off there. One backward pass gives the effects of all sites.

*Integrated* gradients are those of Hanna et al. 2024 (2403.17806, EAP-IG): a mean over inputs whose
embeddings lie at k/m, k = 1 … m, of the way from the old input to the new one.

First order misses what saturates: a head whose attention is all at one position has no gradient
there. It may rank senders, it decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor

from scrub.data.dataset import Rows
from scrub.engine.alignment import named_index, take_positions
from scrub.engine.passing import passage
from scrub.errors import UserError
from scrub.hypothesis.sites import ALL, At, Route, Through
from scrub.model.forward import (
    Heads,
    InputBatch,
    batch_of,
    forward,
    read,
    stored_sources,
)
from scrub.model.graph import Graph
from scrub.names import Cell

Edit = Callable[[Tensor], Tensor]
Measure = Callable[[Tensor], Tensor]
"""The root's value [n, positions, cells, …] → the metric per sample, [n]."""
STEPS = 5
"""Inputs that integrated gradients are a mean over."""


@frozen(eq=False)
class Paths:
    """Where gradients may flow.

    Attributes:
        root: what the metric reads.
        receiver: what the senders' paths lead to; () where that is the root.
        through: what the senders' paths may pass.
    """

    graph: Graph
    root: Route
    receiver: tuple[Route, ...]
    through: Through


def first_order(
    paths: Paths,
    sites: Sequence[str],
    ats: Sequence[At],
    old: Rows,
    new: Rows,
    measure: Measure,
    *,
    apart: bool = False,
    steps: int = 0,
) -> dict[tuple[str, At], np.ndarray]:
    """The first-order effect of each site's heads on each sample: float64 [n, heads or entries].

    Args:
        sites: sites that are swapped, each by itself; writers to the residual stream, or neurons.
        ats: at which positions; for each the effects are given.
        old: what the model runs on, [n] rows.
        new: the inputs whose values the sites take.
        apart: whether the entries of a site's last axis are senders by themselves (neurons).
        steps: of integrated gradients; 0: the gradient on the old input alone.

    Laws: for a metric that is linear in what it reads, on direct paths without a norm, equal to the
    exact effects; a sum over positions that are all of them equals "all".
    """
    graph, width = paths.graph, max(old.data.width, new.data.width)
    before, after = (batch_of(rows, width, graph.device) for rows in (old, new))
    embedded = [name for name, site in graph.sites.items() if site.kind == "embedding"]
    with torch.no_grad():
        known = {*sites, *(embedded if steps else ())}
        end = forward(graph, after, known)
        start = forward(graph, before, known) if steps else {}
    slope: dict[str, Tensor] = {}
    for step in range(1, steps + 1) if steps else (0,):
        moved = {
            name: _moved((end[name] - start[name]) * (step / steps))
            for name in (embedded if step else ())
        }
        gradients, values = _gradients(paths, sites, before, old, measure, moved)
        start = start or values  # of the old input, where it was not moved
        for name, gradient in gradients.items():
            slope[name] = slope.get(name, 0) + gradient / max(steps, 1)
    found = {}
    for name in sites:
        for at in ats:
            here, there = (_at(rows, at, graph, name, width) for rows in (old, new))
            change = _taken(end[name], there) - _taken(start[name], here)
            product = (change * _taken(slope[name], here)).double().sum(1)
            found[name, at] = (product.flatten(1) if apart else product.sum(-1)).cpu().numpy()
    return found


def backward_passes(paths: Paths) -> int:
    """How many backward passes give the gradient on one input."""
    return 1 + len(list(_together(paths)))


def plain_root(paths: Paths, rows: Rows) -> Tensor:
    """The root's value in the plain model: [n, positions, cells, …]."""
    batch = batch_of(rows, rows.data.width, paths.graph.device)
    wanted = stored_sources(paths.graph, {cell.site for cell in paths.root.cells})
    with torch.no_grad():
        values = forward(paths.graph, batch, wanted)
        return root_value(paths.graph, paths.root, values, rows, batch)


def _moved(by: Tensor) -> Edit:
    return lambda value: value + by


def _at(rows: Rows, at: At, graph: Graph, name: str, width: int) -> Tensor | None:
    """Index of each position in the rows, int64 [n, positions]; None: all."""
    if at == ALL or not graph.spread(name):
        return None
    return named_index(rows, at).to(graph.device)


def _taken(value: Tensor, index: Tensor | None) -> Tensor:
    return value if index is None else take_positions(value, index)


@frozen(eq=False)
class _Pass:
    """One forward pass: what it edits, and the values that it lets through unedited.

    Attributes:
        leaves: zeros that were added to sites, whose gradients are asked for.
        seen: values of sites before their edit.
    """

    leaves: dict[str, Tensor] = field(factory=dict)
    seen: dict[str, Tensor] = field(factory=dict)

    def edit(self, name: str, passes: Tensor | bool, *, leaf: bool) -> Edit:
        """Cut a value off where no path may pass it, and add a leaf."""

        def change(value: Tensor) -> Tensor:
            self.seen[name] = value
            if isinstance(passes, bool):
                value = value if passes else value.detach()
            else:
                mask = passes.view(1, 1, -1, *(1,) * (value.dim() - 3))
                value = torch.where(mask, value, value.detach())
            if leaf:
                self.leaves[name] = torch.zeros_like(value, requires_grad=True)
                value = value + self.leaves[name]
            return value

        return change


def _gradients(
    paths: Paths,
    sites: Sequence[str],
    batch: InputBatch,
    rows: Rows,
    measure: Measure,
    moved: Mapping[str, Edit],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The metric's gradient at each site, along the permitted paths; and the site's value."""
    if not paths.receiver:
        return _backward(paths, sites, paths.through, batch, rows, moved, measure)
    graph = paths.graph
    weights: dict[str, Tensor] = {}
    for route, cells in _together(paths):
        names = list(dict.fromkeys(cell.site for cell in cells))
        slope, _ = _backward(paths, names, route.through, batch, rows, moved, measure)
        for name, gradient in slope.items():
            here = _masked(gradient, name, cells, route.at, rows, graph, batch.width)
            weights[name] = weights.get(name, 0) + here

    def weighted(values: Mapping[str, Tensor]) -> Tensor:
        total = [(weights[name] * values[name]).flatten(1).sum(1) for name in weights]
        return torch.stack(total).sum(0)

    return _backward(
        paths, sites, paths.through, batch, rows, moved, weighted, read_by=tuple(weights)
    )


def _together(paths: Paths) -> Iterable[tuple[Route, tuple[Cell, ...]]]:
    """The receiver's cells, in groups whose gradients one pass gives.

    Where a cell's path to the root may not pass the others, each needs a pass of its own.
    """
    for route in paths.receiver:
        if all(_passes(paths.graph, route.through, cell) for cell in route.cells):
            yield route, route.cells
        else:
            yield from ((route, (cell,)) for cell in route.cells)


def _masked(
    gradient: Tensor, name: str, cells: Iterable[Cell], at: At, rows: Rows, graph: Graph, width: int
) -> Tensor:
    """A gradient at the receiver's heads and positions; 0 elsewhere."""
    site = graph.sites[name]
    mask = torch.zeros(gradient.shape[:3], dtype=torch.bool, device=gradient.device)
    heads = [cell.head for cell in cells if cell.site == name]
    if site.shared and len(heads) < (site.heads or 1):
        raise UserError(
            f"approximate: all heads of a layer read one {name}, so a gradient does not tell "
            "them apart. Send to q, k or v, or leave out approximate= (--approximate)."
        )
    which = list(range(mask.shape[2])) if None in heads or site.shared else heads
    index = _at(rows, at, graph, name, width)
    if index is None:
        mask[:, :, which] = True
    else:
        mask[torch.arange(len(mask))[:, None, None], index[:, :, None], torch.tensor(which)] = True
    return gradient * mask.view(*mask.shape, *(1,) * (gradient.dim() - 3))


def _backward(
    paths: Paths,
    sites: Sequence[str],
    through: Through,
    batch: InputBatch,
    rows: Rows,
    moved: Mapping[str, Edit],
    measure: Callable[..., Tensor],
    read_by: tuple[str, ...] = (),
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The gradient at these sites of what is measured: the root, or the sites in `read_by`.

    Returns: the gradients, and the sites' values before anything was added to them.
    """
    graph, here = paths.graph, _Pass()
    edits = dict(moved)
    for name in _cut_at(graph, sites):
        edit = here.edit(name, _passing(graph, name, through), leaf=name in sites)
        edits[name] = _after(moved.get(name), edit)
    for name in read_by:
        edits.setdefault(name, here.edit(name, True, leaf=False))
    wanted = read_by or stored_sources(graph, {cell.site for cell in paths.root.cells})
    with torch.enable_grad():
        values = forward(graph, batch, {*wanted, *sites}, edited=edits) | here.seen
        value = values if read_by else root_value(graph, paths.root, values, rows, batch)
        found = measure(value)
        leaves = [here.leaves[name] for name in sites]
        slopes = torch.autograd.grad(found.sum(), leaves, allow_unused=True)
    pairs = zip(sites, leaves, slopes, strict=True)
    gradients = {name: torch.zeros_like(leaf) if g is None else g for name, leaf, g in pairs}
    return gradients, {name: here.seen[name].detach() for name in sites}


def _after(first: Edit | None, then: Edit) -> Edit:
    return then if first is None else lambda value: then(first(value))


def _cut_at(graph: Graph, sites: Sequence[str]) -> list[str]:
    """Where paths are cut that may not go on: at the sites asked for, and at all other writers.

    A writer whose component has a site that is asked for is a function of that site.
    """
    groups = {graph.sites[name].group for name in sites}
    writers = dict.fromkeys(w for stream in graph.streams.values() for w in stream.writers)
    others = [name for name in writers if graph.sites[name].group not in groups]
    return [*sites, *others]


def _passes(graph: Graph, through: Through, cell: Cell) -> bool:
    found = passage(through, cell, graph)
    assert found.everywhere or found.nowhere, "gradients go through sites at all positions"
    return found.everywhere


def _passing(graph: Graph, name: str, through: Through) -> Tensor | bool:
    """Whether paths may pass a site's component: a bool, or one a head."""
    site = graph.sites[name]
    passes = [_passes(graph, through, cell) for cell in site.cells()]
    if len(set(passes)) == 1:
        return passes[0]
    return torch.tensor(passes, device=graph.device)


def root_value(
    graph: Graph, route: Route, values: Mapping[str, Tensor], rows: Rows, batch: InputBatch
) -> Tensor:
    """The root's value at its positions in these rows: [n, positions, cells, …].

    Args:
        values: of what is stored of the root (`stored_sources`), on the batch.
    """

    def stored(name: str, at: Tensor | None, heads: Heads) -> Tensor:
        value = _taken(values[name], at)
        value_heads = [head for head in heads if head is not None]
        return value[:, :, value_heads] if value_heads and value.shape[2] > 1 else value

    size = {"count": batch.count, "width": batch.width}
    found = []
    for cell in route.cells:
        index = _at(rows, route.at, graph, cell.site, batch.width)
        found.append(read(graph, stored, cell.site, index, (cell.head,), **size))
    return found[0] if len(found) == 1 else torch.cat(found, dim=2)
