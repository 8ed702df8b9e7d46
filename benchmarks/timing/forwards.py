"""The other way to scrub: hooked forwards of the bridge, one for each internal node and sample.

A forward on a node's other inputs, in which what no path may pass is held at its plain value and
what a child claims is set to the child's value; the node's own sites are read as they are computed.
That is exact where the children of a node take one way and no path passes the node's own sites, or
a sibling's (`timing.trees`). Plain values are computed once per row and reused.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from attrs import field, frozen
from torch import Tensor
from transformer_lens.model_bridge.exceptions import StopAtLayerException

from scrub.data.dataset import Dataset
from scrub.draw import Draws
from scrub.hypothesis.sites import (
    ALL,
    At,
    Route,
    Through,
)
from scrub.hypothesis.tree import Occurrence
from scrub.names import Cell, attention_site

HOOKS = {
    "z": "attn.o.hook_in", "q": "attn.q.hook_out", "k": "attn.k.hook_out", "v": "attn.v.hook_out",
    "mlp": "mlp.hook_out",
}  # fmt: skip
EMBEDDINGS = {"embed": "embed.hook_out", "pos_embed": "pos_embed.hook_out"}
AT_ONCE = 64
"""Rows in one forward at most: with more, GPT-2 small gets hardly quicker."""
Hook = tuple[str, Callable[..., Any]]
Landing = tuple[Route, dict[Cell, Tensor], Tensor]
"""A child's route, its values per cell [samples, positions, …], and where they land."""


@frozen(eq=False)
class Forwards:
    """A bridge and the plain values of all rows.

    Attributes:
        trimmed: start a forward at the first layer in which something changes, from the kept
            stream, and unembed only the positions that are asked for. If not, a forward is the
            ordinary one: from the tokens, and to the logits of all positions where the root is the
            logits. Either way it ends with the last layer that is read.
        kept: values by hook, [rows, width, …].
    """

    bridge: Any
    data: Dataset
    trimmed: bool
    kept: dict[str, Tensor] = field(factory=dict)

    @property
    def layers(self) -> int:
        return len(self.bridge.blocks)

    def fill(self) -> None:
        """Compute the plain values of all rows."""
        names = [f"blocks.{layer}.hook_in" for layer in range(self.layers)]
        names += [f"blocks.{layer}.{h}" for layer in range(self.layers) for h in HOOKS.values()]
        names += EMBEDDINGS.values()
        parts: dict[str, list[Tensor]] = {name: [] for name in names}

        def keep(name: str, value: Tensor, hook: Any) -> None:
            parts[name].append(value.clone())

        hooks: list[Hook] = [(name, partial(keep, name)) for name in names]
        hooks.append(("ln_final.hook_in", _stop))
        for start in range(0, len(self.data), AT_ONCE):
            self._run(self._tokens(np.arange(start, min(start + AT_ONCE, len(self.data)))), hooks)
        self.kept.update({name: torch.cat(values) for name, values in parts.items()})

    def root(self, tree: Occurrence, draws: Draws, samples: int) -> Tensor:
        """The root's value for the first samples, [samples, positions, cells, …]."""
        parts = []
        for start in range(0, samples, AT_ONCE):
            index = np.arange(start, min(start + AT_ONCE, samples))
            parts.append(torch.stack(list(self._values(tree, draws, index).values()), dim=2))
        return torch.cat(parts)

    def _tokens(self, rows: np.ndarray) -> Tensor:
        return torch.tensor(self.data.inputs["tokens"][rows])

    def _positions(self, at: At, rows: np.ndarray) -> Tensor:
        if at == ALL:
            return torch.arange(self.data.width).expand(len(rows), -1)
        return torch.tensor(np.stack([self.data.position(spec)[rows] for spec in at], axis=1))

    def _values(self, node: Occurrence, draws: Draws, index: np.ndarray) -> dict[Cell, Tensor]:
        """A node's cells at its positions, for these samples: [samples, positions, …] each."""
        rows = draws.nodes[node.path].frame.index[index]
        (route,) = node.routes
        at = self._positions(route.at, rows)
        if node.is_leaf:
            return {cell: _at(self._plain(cell, rows), at) for cell in route.cells}
        landings: list[Landing] = []
        for child in node.children:
            (way,) = child.routes
            values = self._values(child, draws, index)
            landings.append((way, values, self._positions(way.at, rows)))
        return self._forward(route, at, rows, landings)

    def _plain(self, cell: Cell, rows: np.ndarray) -> Tensor:
        value = self.kept[_hook_of(cell)][torch.tensor(rows)]
        return value if cell.head is None else value[:, :, cell.head]

    def _forward(
        self, route: Route, at: Tensor, rows: np.ndarray, landings: list[Landing]
    ) -> dict[Cell, Tensor]:
        """One forward on these rows: the cells of a route, with what lands in their place."""
        way = landings[0][0]
        found: dict[Cell, Tensor] = {}
        changes = _by_hook(landings)
        first = min(_layer(cell) for _, values, _ in landings for cell in values)
        wanted = [cell for cell in route.cells if cell.site != "logits"]
        last = max([_layer(cell) for cell in wanted], default=self.layers - 1)
        final = _hook_of(max(wanted, key=_order)) if wanted else None

        def visit(name: str, value: Tensor, hook: Any) -> Tensor | None:
            for cell in wanted:
                if _hook_of(cell) == name:
                    found[cell] = _at(value if cell.head is None else value[:, :, cell.head], at)
            if name == final:
                raise StopAtLayerException(value)
            value = self._held(name, value, way.through, rows)
            for cell, new, landing in changes.get(name, ()):
                value = value.clone()
                sample = torch.arange(len(value))[:, None]
                if cell.head is None:
                    value[sample, landing] = new
                else:
                    value[sample, landing, cell.head] = new
            return value

        def closed(name: str, value: Tensor, hook: Any) -> Tensor:
            """A port by which no path enters: plain for the node's own heads."""
            value = value.clone()
            for cell in wanted:
                if _layer(cell) == _layer_of_hook(name):
                    value[:, :, cell.head] = self._plain(Cell(_site(name), cell.head), rows)
            return value

        hooks: list[Hook] = []
        if first < 0:
            hooks += [(name, partial(visit, name)) for name in EMBEDDINGS.values()]
        ports = [] if way.into is None or not wanted else [p for p in "qkv" if p not in way.into]
        for layer in range(max(first, 0), last + 1):
            if any(_layer(cell) == layer for cell in wanted):
                names = [f"blocks.{layer}.{HOOKS[port]}" for port in ports]
                hooks += [(name, partial(closed, name)) for name in names]
            parts = [p for p in "qkv" if f"blocks.{layer}.{HOOKS[p]}" == final]
            names = [f"blocks.{layer}.{HOOKS[part]}" for part in [*parts, "z", "mlp"]]
            hooks += [(name, partial(visit, name)) for name in names]
        if wanted:
            self._run_from(first, rows, hooks)
            return found
        return {Cell("logits"): self._logits(first, rows, hooks, at)}

    def _held(self, name: str, value: Tensor, through: Through, rows: np.ndarray) -> Tensor:
        """A hook's value with plain values for what no path may pass."""
        if name.startswith("blocks.") and name.endswith(HOOKS["z"]):
            layer = _layer_of_hook(name)
            heads = range(value.shape[2])
            held = [head for head in heads if not _passes(through, layer, head)]
            if len(held) == len(heads):
                return self.kept[name][torch.tensor(rows)]
            if held:
                value = value.clone()
                value[:, :, held] = self.kept[name][torch.tensor(rows)][:, :, held]
        elif name.endswith(HOOKS["mlp"]) and through.kinds == "none":
            return self.kept[name][torch.tensor(rows)]
        return value

    def _logits(self, first: int, rows: np.ndarray, hooks: list[Hook], at: Tensor) -> Tensor:
        """Logits at some positions, [samples, positions, vocabulary]."""
        if not self.trimmed:
            return _at(self._run_from(first, rows, hooks), at)
        seen: list[Tensor] = []

        def before(value: Tensor, hook: Any) -> None:
            seen.append(_at(value, at))
            raise StopAtLayerException(value)

        self._run_from(first, rows, [*hooks, ("unembed.hook_in", before)])
        with torch.no_grad():
            return self.bridge.unembed.original_component(seen[0])

    def _run_from(self, first: int, rows: np.ndarray, hooks: list[Hook]) -> Tensor:
        if not self.trimmed or first <= 0:
            return self._run(self._tokens(rows), hooks)
        stream = self.kept[f"blocks.{first}.hook_in"][torch.tensor(rows)]
        return self._run(stream, hooks, start_at_layer=first)

    def _run(self, inputs: Tensor, hooks: list[Hook], **more: Any) -> Tensor:
        with torch.no_grad():
            return self.bridge.run_with_hooks(inputs, fwd_hooks=hooks, return_type="logits", **more)


def _stop(value: Tensor, hook: Any) -> None:
    raise StopAtLayerException(value)


def _passes(through: Through, layer: int, head: int) -> bool:
    return (
        through.kinds == "anything" and Cell(attention_site(layer, "z"), head) not in through.never
    )


def _by_hook(landings: list[Landing]) -> dict[str, list[tuple[Cell, Tensor, Tensor]]]:
    found: dict[str, list[tuple[Cell, Tensor, Tensor]]] = {}
    for _, values, landing in landings:
        for cell, value in values.items():
            found.setdefault(_hook_of(cell), []).append((cell, value, landing))
    return found


def _hook_of(cell: Cell) -> str:
    if cell.site in EMBEDDINGS:
        return EMBEDDINGS[cell.site]
    return f"blocks.{cell.name.layer}.{HOOKS[cell.name.part]}"


def _site(name: str) -> str:
    """The site that a hook of an attention layer shows."""
    kind = name.split(".")[3]
    return attention_site(_layer_of_hook(name), "z" if kind == "o" else kind)


def _layer_of_hook(name: str) -> int:
    return int(name.split(".")[1])


def _layer(cell: Cell) -> int:
    return -1 if cell.name.layer is None else cell.name.layer


def _order(cell: Cell) -> tuple[int, bool]:
    return _layer(cell), cell.name.of_mlp


def _at(value: Tensor, at: Tensor) -> Tensor:
    return value[torch.arange(len(value))[:, None], at]
