"""Scrubbed models by ordinary hooked forwards of the bridge, for trees for which they are enough.

They check the reference evaluator, and so share nothing with it but the hypothesis and the draws.
One hooked forward per node is enough in two kinds of tree:

- `same_way`: all routes below one node have the same ports and the same `through`, so that a site
  has one value in a node's frame. Ports that no path may leave by read what the frame has.
- `straight`: all routes are direct and end at writers of the residual stream, so that a node's
  input streams are those of its frame plus what the writers differ by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from legality import component, is_stream, kind, passes, ports_of
from scrub.data import Rows, padded_tokens
from scrub.draw import Draws
from scrub.hypothesis import Correspondence
from scrub.sites import ALL, Cell, Route, none
from scrub.tree import Occurrence, treeify

PARTS = ("q_in", "k_in", "v_in", "q", "k", "v", "scores", "mask", "pattern", "z")


@frozen(eq=False)
class Landing:
    """A route below a node, the values that it brings, and the positions where they land."""

    route: Route
    values: dict[Cell, Tensor]
    at: Tensor

    def on(self, value: Tensor, cell: Cell) -> Tensor:
        """The value with this route's in its place."""
        if cell not in self.values:
            return value
        value = value.clone()
        for sample, positions in enumerate(self.at):
            for i, position in enumerate(positions):
                value[sample, position] = self.values[cell][sample, i]
        return value


NodeRun = Callable[["Run", Cell, list[Landing]], Tensor]


@frozen(eq=False)
class Run:
    """The bridge on the inputs of one node, with hooks for every site.

    Attributes:
        plain: every site of the plain model in the order of the forward, [samples, width, …].
    """

    bridge: Any
    tokens: Tensor
    real: Tensor
    plain: dict[Cell, Tensor]

    @staticmethod
    def of(bridge: Any, rows: Rows, width: int) -> Run:
        tokens = torch.from_numpy(padded_tokens(rows.data, width)[rows.index])
        real = torch.from_numpy(np.arange(width) < rows.data.lengths[rows.index, None])
        run = Run(bridge, tokens, real, {})
        run.plain.update(run.forward(lambda cell, value: value))
        return run

    def forward(self, change: Callable[[Cell, Tensor], Tensor]) -> dict[Cell, Tensor]:
        """A forward in which every site is changed as it is read; all sites as they then are."""
        seen: dict[Cell, Tensor] = {}

        def visit(cell: Cell, value: Tensor) -> Tensor:
            seen[cell] = change(cell, value)
            return seen[cell]

        def one(site: str, value: Tensor, hook: Any) -> Tensor:
            return visit(Cell(site), value)

        def by_head(site: str, axis: int, value: Tensor, hook: Any) -> Tensor:
            heads = [visit(Cell(site, h), v) for h, v in enumerate(value.unbind(axis))]
            return torch.stack(heads, axis)

        def scores(site: str, value: Tensor, hook: Any) -> Tensor:
            """The hook shows masked scores: make them anew, and mask them with what is claimed."""
            masked = []
            for head in range(value.shape[1]):
                q, k = seen[Cell(f"{site}.q", head)], seen[Cell(f"{site}.k", head)]
                raw = torch.einsum("bqd,bkd->bqk", q, k) / q.shape[-1] ** 0.5
                raw = visit(Cell(f"{site}.scores", head), raw)
                mask = self.real[:, None].repeat(1, raw.shape[1], 1)
                mask = visit(Cell(f"{site}.mask", head), mask)
                masked.append(torch.where(mask.bool() & torch.ones_like(mask).tril(), raw, -1e30))
            return torch.stack(masked, 1)

        hooks = [("embed.hook_out", partial(one, "embed"))]
        hooks += [("pos_embed.hook_out", partial(one, "pos_embed"))]
        for layer in range(len(self.bridge.blocks)):
            block, site = f"blocks.{layer}", f"blocks.{layer}.attn"
            for p in "qkv":
                hooks += [(f"{site}.hook_{p}_input", partial(by_head, f"{site}.{p}_in", 2))]
                hooks += [(f"{site}.{p}.hook_out", partial(by_head, f"{site}.{p}", 2))]
            hooks += [(f"{site}.hook_attn_scores", partial(scores, site))]
            hooks += [(f"{site}.hook_pattern", partial(by_head, f"{site}.pattern", 1))]
            hooks += [(f"{site}.o.hook_in", partial(by_head, f"{site}.z", 2))]
            hooks += [(f"{block}.hook_mlp_in", partial(one, f"{block}.mlp_in"))]
            hooks += [(f"{block}.mlp.hook_out", partial(one, f"{block}.mlp"))]
        hooks += [("ln_final.hook_in", partial(one, "logits_in"))]
        hooks += [("unembed.hook_out", partial(one, "logits"))]
        with torch.no_grad(), split_inputs(self.bridge):
            self.bridge.run_with_hooks(
                self.tokens, attention_mask=self.real.long(), fwd_hooks=hooks, return_type="logits"
            )
        return seen


@contextmanager
def split_inputs(bridge: Any) -> Iterator[None]:
    """Give every head its own input streams for a while."""
    bridge.set_use_split_qkv_input(True)
    bridge.set_use_hook_mlp_in(True)
    yield
    bridge.set_use_split_qkv_input(False)
    bridge.set_use_hook_mlp_in(False)


# What a node makes of what lands in its frame


def same_way(run: Run, start: Cell, landings: list[Landing]) -> Tensor:
    """A site of a node below which all routes take the same way."""
    if not landings:
        return run.plain[start]
    (way,) = {(landing.route.into, landing.route.through) for landing in landings}
    into, route = way[0], landings[0].route

    def change(cell: Cell, value: Tensor) -> Tensor:
        at_home = component(cell) == component(start)
        if is_stream(cell):
            closed = into is not None and not ports_of(cell) <= into
            if closed if at_home else not passes(route, component(cell)):
                value = run.plain[cell]
        if cell == start or (at_home and into is not None and not ports_of(cell) <= into):
            return value
        for landing in landings:
            value = landing.on(value, cell)
        return value

    return run.forward(change)[start]


def straight(run: Run, start: Cell, landings: list[Landing]) -> Tensor:
    """A site of a node below which all routes are direct and end at writers."""
    computed = {cell: number for number, cell in enumerate(run.plain)}

    def change(cell: Cell, value: Tensor) -> Tensor:
        if not is_stream(cell) or component(cell) != component(start):
            return value
        for landing in landings:
            if landing.route.into is None or ports_of(cell) <= landing.route.into:
                for writer in (w for w in landing.values if computed[w] < computed[cell]):
                    old = run.plain[writer]
                    value = value + write(run.bridge, writer, landing.on(old, writer) - old)
        return value

    return run.forward(change)[start]


def write(bridge: Any, writer: Cell, value: Tensor) -> Tensor:
    """What a writer adds to the residual stream."""
    if kind(writer) != "z":
        return value
    return value @ bridge.blocks[int(writer.site.split(".")[1])].attn.W_O[writer.head]


# Trees


def fits_same_way(correspondence: Correspondence) -> bool:
    """Whether `same_way` is enough."""
    return all(
        len({(r.into, r.through) for child in o.children for r in child.routes}) <= 1
        for o in treeify(correspondence).walk()
    )


def fits_straight(correspondence: Correspondence) -> bool:
    """Whether `straight` is enough."""
    routes = [r for o in treeify(correspondence).walk()[1:] for r in o.routes]
    writers = {"z", "mlp", "embed", "pos_embed"}
    return all(r.through == none and {kind(c) for c in r.cells} <= writers for r in routes)


def evaluate(
    node_run: NodeRun, correspondence: Correspondence, draws: Draws, bridge: Any
) -> Tensor:
    """The root's value, [samples, positions, cells, …], by hooked forwards."""
    drawn = [rows for d in draws.nodes.values() for rows in (d.own, d.other) if rows is not None]
    width = max(rows.data.width for rows in [draws.references, draws.baseline, *drawn])

    def positions(route: Route, rows: Rows) -> Tensor:
        if route.at == ALL:
            return torch.arange(width).repeat(len(rows), 1)
        return torch.from_numpy(
            np.stack([rows.data.position(spec)[rows.index] for spec in route.at], axis=1)
        )

    def values(occurrence: Occurrence) -> list[dict[Cell, Tensor]]:
        drawn = draws.nodes[occurrence.path]
        rows = drawn.own if occurrence.is_leaf else drawn.other
        assert rows is not None
        run = Run.of(bridge, rows, width)
        landings = [
            Landing(route, brought, positions(route, rows))
            for child in occurrence.children
            for route, brought in zip(child.routes, values(child), strict=True)
        ]

        def at(route: Route, value: Tensor) -> Tensor:
            return torch.stack([v[p] for v, p in zip(value, positions(route, rows), strict=True)])

        return [
            {cell: at(route, node_run(run, cell, landings)) for cell in route.cells}
            for route in occurrence.routes
        ]

    (root,) = values(treeify(correspondence))
    return torch.stack(list(root.values()), dim=2)
