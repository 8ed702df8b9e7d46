"""AutoCircuit's method, on the bridge: edges patched one at a time, a forward each.

AutoCircuit 1.0.1 installs beside TransformerLens 4 and cannot be imported there: it needs
`transformer_lens.past_key_value_caching` and `HookedTransformer`, which are gone. So its
`PatchWrapper` is written again with hooks: every forward collects the outputs of all sources, and
adds to every destination's input mask @ (outputs of the corrupt run − outputs so far).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from attrs import define, frozen
from torch import Tensor

from scrub.data.dataset import Dataset, Rows
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    Head,
    anything,
    heads,
    output,
)
from scrub.samplers import Exact, Uncond

Edge = tuple[Head, Head, str]
"""Source, destination, and the destination's port."""


def edges_between(layers: tuple[int, int], count: int) -> list[Edge]:
    """All edges from the heads of one layer to q, k and v of the heads of another."""
    source, target = layers
    return [
        ((source, i), (target, j), port)
        for i in range(count)
        for j in range(count)
        for port in "qkv"
    ]


def on_logits(edge: Edge) -> Correspondence:
    """The edge from another row, and whatever follows from it, seen at the logits."""
    source, target, port = edge
    root = InterpNode("logits", Exact(), other=Exact())
    reader = root.child("destination", Exact(), other=Exact())
    return Correspondence({
        root: output(at="end"),
        reader: heads([target], through=anything),
        reader.child("source", Uncond()): heads([source], into=port),
    })  # fmt: skip


def on_destination(edge: Edge) -> Correspondence:
    """The edge from another row, seen at the destination's z."""
    source, target, port = edge
    reader = InterpNode("destination", Exact(), other=Exact())
    return Correspondence({
        reader: heads([target], at="end"),
        reader.child("source", Uncond()): heads([source], into=port),
    })  # fmt: skip


@define(eq=False)
class _Run:
    """One forward: the outputs of all sources so far, [sources, samples, width, d_model]."""

    outputs: Tensor
    masks: dict[str, Tensor]
    corrupt: Tensor | None


@frozen(eq=False)
class EdgePatching:
    """A bridge whose edges can be patched, on some rows."""

    bridge: Any
    data: Dataset

    def corrupt(self, donors: Rows) -> Tensor:
        """The outputs of all sources on the rows that edges are patched from."""
        run = _Run(self._room(donors), {}, None)
        self._forward(donors, run)
        return run.outputs

    def logits(self, edge: Edge, references: Rows, corrupt: Tensor) -> Tensor:
        """Logits at the end with one edge patched, [samples, vocabulary]."""
        logits, _ = self._patched(edge, references, corrupt)
        return logits[torch.arange(len(references)), self._end(references)]

    def destination(self, edge: Edge, references: Rows, corrupt: Tensor) -> Tensor:
        """The destination's z at the end with one edge patched, [samples, d_head]."""
        _, z = self._patched(edge, references, corrupt)
        return z[torch.arange(len(references)), self._end(references)]

    def _end(self, rows: Rows) -> Tensor:
        return torch.tensor(self.data.position("end")[rows.index])

    def _room(self, rows: Rows) -> Tensor:
        config = self.bridge.cfg
        sources = 1 + config.n_layers * (config.n_heads + 1)
        return torch.zeros(sources, len(rows), self.data.width, config.d_model)

    def _patched(self, edge: Edge, rows: Rows, corrupt: Tensor) -> tuple[Tensor, Tensor]:
        (layer, head), (target, reader), port = edge
        heads = self.bridge.cfg.n_heads
        mask = torch.zeros(heads, 1 + target * (heads + 1))
        mask[reader, 1 + layer * (heads + 1) + head] = 1.0
        run = _Run(self._room(rows), {f"blocks.{target}.attn.hook_{port}_input": mask}, corrupt)
        seen: list[Tensor] = []

        def see(value: Tensor, hook: Any) -> None:
            seen.append(value[:, :, reader].clone())

        logits = self._forward(rows, run, [(f"blocks.{target}.attn.o.hook_in", see)])
        return logits, seen[0]

    def _forward(self, rows: Rows, run: _Run, more: list[Any] | None = None) -> Tensor:
        """A forward in which every destination is patched, most of them by masks of zeros."""
        heads, layers = self.bridge.cfg.n_heads, self.bridge.cfg.n_layers

        def collect(first: int, axis: int | None, value: Tensor, hook: Any) -> None:
            parts = [value] if axis is None else value.unbind(axis)
            run.outputs[first : first + len(parts)] = torch.stack(list(parts))

        def patch(sources: int, value: Tensor, hook: Any) -> Tensor:
            assert run.corrupt is not None
            split = value.ndim == 4
            empty = torch.zeros(heads if split else 1, sources)
            difference = run.corrupt[:sources] - run.outputs[:sources]
            mask = run.masks.get(hook.name, empty)
            change = torch.einsum("hs,sbpd->bphd", mask, difference)
            return value + (change if split else change[:, :, 0])

        hooks: list[Any] = [("blocks.0.hook_in", partial(collect, 0, None))]
        for layer in range(layers):
            block, before = f"blocks.{layer}", 1 + layer * (heads + 1)
            reads = [(f"{block}.attn.hook_{port}_input", before) for port in "qkv"]
            reads.append((f"{block}.hook_mlp_in", before + heads))
            if run.corrupt is not None:
                hooks += [(name, partial(patch, sources)) for name, sources in reads]
            hooks.append((f"{block}.attn.hook_result", partial(collect, before, 2)))
            hooks.append((f"{block}.mlp.hook_out", partial(collect, before + heads, None)))
        if run.corrupt is not None:
            hooks.append(("ln_final.hook_in", partial(patch, 1 + layers * (heads + 1))))
        tokens = torch.tensor(self.data.inputs["tokens"][np.asarray(rows.index)])
        with torch.no_grad(), _split(self.bridge):
            return self.bridge.run_with_hooks(tokens, fwd_hooks=hooks + (more or []))


@contextmanager
def _split(bridge: Any) -> Iterator[None]:
    """Give every head its own input streams and its own output for a while."""
    settings = ("set_use_split_qkv_input", "set_use_hook_mlp_in", "set_use_attn_result")
    for setting in settings:
        getattr(bridge, setting)(True)
    try:
        yield
    finally:
        for setting in settings:
            getattr(bridge, setting)(False)
