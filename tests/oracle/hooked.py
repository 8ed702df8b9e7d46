"""Scrubbed models by ordinary hooked forwards of the bridge, for trees for which they are enough.

They check the reference evaluator, and so share nothing with it but the hypothesis and the draws.
One hooked forward per node is enough in two kinds of tree:

- `same_way`: all routes below one node have the same ports and the same `through`, so that a site
  has one value in a node's frame. Ports that no path may leave by read what the frame has.
- `straight`: all routes are direct and end at writers of the residual stream, so that a node's
  input streams are those of its frame plus what the writers differ by.

Under grouped-query attention a bridge has no key of a query head to hook. So there the forwards are
those of its twin, the same model with a key-value head of its own for every query head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from attrs import evolve, frozen
from torch import Tensor
from transformers.models.gpt_neox.modeling_gpt_neox import apply_rotary_pos_emb

from oracle import hooked_native
from oracle.net import component, is_stream, kind, ports_of, writers
from oracle.twin import twin
from scrub.data.dataset import Rows, padded_tokens
from scrub.draw import Draws
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.sites import ALL, Route, none
from scrub.hypothesis.splits import (
    Coordinates,
    Estimate,
    SourcePositions,
    Split,
)
from scrub.hypothesis.tree import Occurrence, treeify
from scrub.names import Cell
from support import tiny_models


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

    def by_summand(self, value: Tensor, cell: Cell, whole: Tensor, summand: Summand) -> Tensor:
        """The value with the summands that this route claims in the place of those of the whole."""
        for part in self.values:
            if part.part is not None and evolve(part, part=None) == cell:
                value = value + self.on(summand(part, whole), part) - summand(part, whole)
        return value


Summand = Callable[[Cell, Tensor], Tensor]
"""A summand of a site's value in some forward."""

Change = Callable[[Cell, Tensor, Summand], Tensor]
NodeRun = Callable[["Run", Cell, list[Landing]], Tensor]


@frozen(eq=False)
class Run:
    """The bridge on the inputs of one node, with hooks for every site.

    Attributes:
        shape: of the model.
        splits: every summand that some node claims, with its split.
        plain: every site of the plain model in the order of the forward, [samples, width, …].
    """

    bridge: Any
    shape: tiny_models.Shape
    splits: dict[Cell, Split]
    rows: Rows
    tokens: Tensor
    real: Tensor
    plain: dict[Cell, Tensor]

    @staticmethod
    def of(name: str, splits: dict[Cell, Split], rows: Rows, width: int) -> Run:
        tokens = torch.from_numpy(padded_tokens(rows.data, width)[rows.index])
        real = torch.from_numpy(np.arange(width) < rows.data.lengths[rows.index, None])
        run = Run(twin(name), tiny_models.SHAPES[name], splits, rows, tokens, real, {})
        run.plain.update(run.forward(lambda cell, value, summand: value))
        return run

    def forward(self, change: Change) -> dict[Cell, Tensor]:
        """A forward in which every site is changed as it is read.

        Returns: all sites as they then are, and the summands that nodes claim of them.
        """
        seen: dict[Cell, Tensor] = {}

        def visit(cell: Cell, value: Tensor) -> Tensor:
            seen[cell] = change(cell, value, lambda part, whole: self.summand(part, whole, seen))
            parts = [part for part in self.splits if evolve(part, part=None) == cell]
            seen.update({part: self.summand(part, value, seen) for part in parts})
            return seen[cell]

        def one(site: str, value: Tensor, hook: Any) -> Tensor:
            return visit(Cell(site), value)

        def by_head(site: str, axis: int, value: Tensor, hook: Any) -> Tensor:
            heads = [visit(Cell(site, h), v) for h, v in enumerate(value.unbind(axis))]
            return torch.stack(heads, axis)

        def normed(site: str, fork: Any, source: Tensor, hook: Any, heads: int) -> Tensor:
            """The bridge has no hook between the norm of a head's input and its q, k and v."""
            (port,) = (p for p in "qkv" if hook.name.endswith(f"{p}_input"))
            return by_head(f"{site}.{port}_normed", 2, fork(source, hook, heads), hook)

        def scores(site: str, value: Tensor, hook: Any) -> Tensor:
            """The hook shows masked scores: make them anew, and mask them with what is claimed."""
            masked = []
            query, source = np.indices(value.shape[2:])
            causal = (source <= query) & (query - source < (self.shape.window or math.inf))
            for head in range(value.shape[1]):
                q, k = self.rotated(seen[Cell(f"{site}.q", head)], seen[Cell(f"{site}.k", head)])
                raw = torch.einsum("bqd,bkd->bqk", q, k) / q.shape[-1] ** 0.5
                raw = visit(Cell(f"{site}.scores", head), raw)
                mask = self.real[:, None].repeat(1, raw.shape[1], 1)
                mask = visit(Cell(f"{site}.mask", head), mask)
                masked.append(torch.where(mask & torch.from_numpy(causal), raw, -math.inf))
            return torch.stack(masked, 1)

        if self.shape.native:
            with torch.no_grad():
                hooked_native.forward(self.bridge, self.tokens, self.real, visit)
            return seen
        hooks = [("embed.hook_out", partial(one, "embed"))]
        if self.shape.positions:
            hooks += [("pos_embed.hook_out", partial(one, "pos_embed"))]
        for layer, module in enumerate(self.bridge.blocks):
            block, site = f"blocks.{layer}", f"blocks.{layer}.attn"
            for p in "qkv":
                hooks += [(f"{site}.hook_{p}_input", partial(by_head, f"{site}.{p}_in", 2))]
                normed_by_itself = p != "v" and hasattr(module.attn, f"{p}_norm")
                name, axis = (f"hook_{p}_normed", 1) if normed_by_itself else (f"{p}.hook_out", 2)
                hooks += [(f"{site}.{name}", partial(by_head, f"{site}.{p}", axis))]
            hooks += [(f"{site}.hook_attn_scores", partial(scores, site))]
            hooks += [(f"{site}.hook_pattern", partial(by_head, f"{site}.pattern", 1))]
            hooks += [(f"{site}.o.hook_in", partial(by_head, f"{site}.z", 2))]
            hooks += [(f"{site}.hook_result", partial(by_head, f"{site}.result", 2))]
            hooks += [(f"{site}.hook_out", partial(one, f"{block}.attn_out"))]
            hooks += [(f"{block}.hook_mlp_in", partial(one, f"{block}.mlp_in"))]
            hooks += [(f"{block}.ln2.hook_out", partial(one, f"{block}.mlp_normed"))]
            for name, part in MLP_HOOKS[self.shape.gated].items():
                hooks += [(f"{block}.mlp.{name}", partial(one, f"{block}.{part}"))]
            fork = type(module.attn)._fork_and_norm_per_head
            module.attn._fork_and_norm_per_head = partial(normed, site, partial(fork, module.attn))
        hooks += [("ln_final.hook_in", partial(one, "logits_in"))]
        hooks += [("ln_final.hook_out", partial(one, "logits_normed"))]
        hooks += [("unembed.hook_out", partial(one, "logits"))]
        with torch.no_grad(), split_inputs(self.bridge):
            self.bridge.run_with_hooks(
                self.tokens, attention_mask=self.real.long(), fwd_hooks=hooks, return_type="logits"
            )
        return seen

    def summand(self, cell: Cell, whole: Tensor, seen: dict[Cell, Tensor]) -> Tensor:
        """A summand of a site's value, by its definition."""
        split = self.splits[cell]
        if cell.part == "rest":
            names = {other.part for other in self.splits if other.site == cell.site}
            names |= set() if isinstance(split, SourcePositions) else set(split.names)
            others = [evolve(cell, part=name) for name in names - {"rest"}]
            splits = self.splits | dict.fromkeys(others, split)
            return whole - sum(evolve(self, splits=splits).summand(o, whole, seen) for o in others)
        if isinstance(split, SourcePositions):
            pattern, v = (seen[Cell(cell.site[:-1] + name, cell.head)] for name in ("pattern", "v"))
            only = torch.arange(v.shape[1]) == int(cell.part or 0)
            return torch.einsum("bqk,bkd->bqd", pattern * only, v)
        if isinstance(split, Estimate):
            phi = torch.as_tensor(split.function(self.rows))
            if phi.ndim == 2:
                return phi[:, None].repeat(1, whole.shape[1], 1)
            missing = whole.shape[1] - phi.shape[1]
            return torch.nn.functional.pad(phi, (0, 0, 0, missing))
        if isinstance(split, Coordinates):
            numbers = list(split.sets[str(cell.part)])
            part = torch.zeros_like(whole)
            part[..., numbers] = whole[..., numbers]
            return part
        basis = torch.from_numpy(split.bases[str(cell.part)])
        return torch.einsum("bqd,de,fe->bqf", whole, basis, basis)

    def summand_of_plain(self, cell: Cell, whole: Tensor) -> Tensor:
        return self.summand(cell, whole, self.plain)

    def rotated(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Query and key of one head, [samples, width, d_head], turned by their positions."""
        if self.shape.positions:
            return q, k
        positions = torch.arange(q.shape[1])[None]
        angles = self.bridge.rotary_emb.original_component(q, positions)
        q, k = apply_rotary_pos_emb(q[:, None], k[:, None], *angles)
        return q[:, 0], k[:, 0]


MLP_HOOKS = {
    False: {"in.hook_out": "mlp_pre", "out.hook_in": "mlp_post", "hook_out": "mlp"},
    True: {
        "gate.hook_out": "mlp_pre", "in.hook_out": "mlp_pre_linear", "out.hook_in": "mlp_post",
        "hook_out": "mlp",
    },
}  # fmt: skip
"""The bridge's hooks within an MLP, plain and gated, and the sites that they show."""


@contextmanager
def split_inputs(bridge: Any) -> Iterator[None]:
    """Give every head its own input streams and its own output for a while."""
    settings = ("set_use_split_qkv_input", "set_use_hook_mlp_in", "set_use_attn_result")
    for setting in settings:
        getattr(bridge, setting)(True)
    yield
    for setting in settings:
        getattr(bridge, setting)(False)
    for block in bridge.blocks:
        block.attn.__dict__.pop("_fork_and_norm_per_head", None)


# What a node makes of what lands in its frame


def same_way(run: Run, start: Cell, landings: list[Landing]) -> Tensor:
    """A site of a node below which all routes take the same way."""
    if not landings:
        return run.plain[start]
    (way,) = {(landing.route.into, landing.route.through) for landing in landings}
    into, route, site = way[0], landings[0].route, evolve(start, part=None)

    def change(cell: Cell, value: Tensor, summand: Summand) -> Tensor:
        at_home = component(cell) == component(start)
        if kind(cell) == "attn_out" and not at_home:
            return value
        closed = into is not None and not ports_of(cell) <= into
        if is_stream(cell) and (closed if at_home else not passes(route, component(cell))):
            value = run.plain[cell]
        if at_home and closed:
            return value
        whole = value
        for landing in landings:
            if cell != site:
                value = landing.on(value, cell)
            if cell != site or start.part is None:
                value = landing.by_summand(value, cell, whole, summand)
        return value

    return run.forward(change)[start]


def straight(run: Run, start: Cell, landings: list[Landing]) -> Tensor:
    """A site of a node below which all routes are direct and end at writers."""

    def change(cell: Cell, value: Tensor, summand: Summand) -> Tensor:
        open_here = [
            landing
            for landing in landings
            if landing.route.into is None or ports_of(cell) <= landing.route.into
        ]
        if is_stream(cell) and component(cell) == component(start):
            read = [component(writer) for writer in writers(run.shape, cell)]
            for landing in open_here:
                claimed = {evolve(c, part=None) for c in landing.values}
                for writer in (c for c in claimed if component(c) in read):
                    value = value + write(run.bridge, writer, changed(landing, writer))
        whole = value
        for landing in open_here if cell == start else ():
            value = landing.by_summand(value, cell, whole, summand)
        return value

    def changed(landing: Landing, writer: Cell) -> Tensor:
        """By how much a writer's value changes."""
        old = run.plain[writer]
        new = landing.by_summand(landing.on(old, writer), writer, old, run.summand_of_plain)
        return new - old

    return run.forward(change)[start]


def write(bridge: Any, writer: Cell, value: Tensor) -> Tensor:
    """What a writer adds to the residual stream."""
    if kind(writer) != "z":
        return value
    layer = int(writer.site.split(".")[1])
    if hasattr(bridge, "layers"):
        weight = bridge.layers[layer].attn.o.weight
        return value @ weight.unflatten(1, (bridge.cfg.n_heads, -1))[:, writer.head].T
    return value @ bridge.blocks[layer].attn.W_O[writer.head]


# Trees


def passes(route: Route, site: Cell) -> bool:
    """Whether a route may pass through a component, which it may at all positions or at none."""
    through = route.through
    kinds = {"none": (), "mlps": ("mlp",), "anything": ("mlp", "z")}[through.kinds]
    also = site in (component(placed.cell) for placed in through.passed)
    return (kind(site) in kinds or also) and site not in map(component, through.never)


def fits_same_way(correspondence: Correspondence) -> bool:
    """Whether `same_way` is enough: it knows of no positions that are passed, and no edges."""
    routes = [r for o in treeify(correspondence).walk() for r in o.routes]
    if any(r.through.positions or (r.through.circuit or Circuit()).edges for r in routes):
        return False
    return all(
        len({(r.into, r.through) for child in o.children for r in child.routes}) <= 1
        for o in treeify(correspondence).walk()
    )


def fits_straight(correspondence: Correspondence) -> bool:
    """Whether `straight` is enough."""
    routes = [r for o in treeify(correspondence).walk()[1:] for r in o.routes]
    written = {"z", "result", "mlp", "embed", "pos_embed"}
    return all(r.through == none and {kind(c) for c in r.cells} <= written for r in routes)


def evaluate(node_run: NodeRun, correspondence: Correspondence, draws: Draws, name: str) -> Tensor:
    """The root's value of a tiny model, [samples, positions, cells, …], by hooked forwards."""
    drawn = [rows for d in draws.nodes.values() for rows in (d.own, d.other) if rows is not None]
    width = max(rows.data.width for rows in [draws.references, draws.baseline, *drawn])

    splits = {
        cell: route.split
        for sites in correspondence.sites.values()
        for route in sites.routes
        for cell in route.cells
        if route.split is not None
    }

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
        run = Run.of(name, splits, rows, width)
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
