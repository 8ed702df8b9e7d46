"""Path patching: from every head and MLP to one receiver, sender by sender."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from scrub.data.dataset import Dataset, Rows
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import (
    Head,
    Sites,
    Through,
    anything,
    embeddings,
    heads,
    mlp,
    mlps,
    none,
    output,
)
from scrub.metrics import Metric, custom
from scrub.samplers import Exact, Uncond
from timing.setting import Shape
from timing.trees import Kind

WAYS = {"direct": none, "mlps": mlps, "anything": anything}


def senders(shape: Shape, below: int, through: Through) -> list[Sites]:
    """The embeddings, and every head and MLP of the layers below one, along such paths."""
    found = [embeddings(through=through)]
    for layer in range(below):
        found += [heads([(layer, head)], through=through) for head in range(shape.heads)]
        found.append(mlp(layer, through=through))
    return found


def to_logits(shape: Shape, kind: Kind) -> list[Correspondence]:
    """One hypothesis a sender: its path to the logits at the end, from another row."""
    return [
        _patched(output(at="end"), sender) for sender in senders(shape, shape.layers, WAYS[kind])
    ]


def to_queries(shape: Shape, kind: Kind, receiver: Head) -> list[Correspondence]:
    """One hypothesis a sender: its path to the query of one head at the end."""
    query = heads([receiver], "q", at="end")
    return [_patched(query, sender) for sender in senders(shape, receiver[0], WAYS[kind])]


def _patched(receiver: Sites, sender: Sites) -> Correspondence:
    root = InterpNode("receiver", Exact(), other=Exact())
    return Correspondence({root: receiver, root.child("sender", Uncond()): sender})


def along_a_direction(size: int) -> Metric:
    """The root's value along a fixed random direction of so many dimensions."""
    direction = torch.randn(size, generator=torch.Generator().manual_seed(1))

    def projected(value: Tensor, references: Rows) -> Tensor:
        return value.flatten(1) @ direction

    return custom(projected)


@frozen(eq=False)
class DirectPaths:
    """TransformerLens' own direct path patching, `get_act_patch_direct_path`.

    It patches one sending head into every later head, one after the other and at all positions, and
    shows the logits; the receiver's query is seen by a hook of ours. It sends from heads only, by
    direct paths only.
    """

    bridge: Any
    data: Dataset
    receiver: Head

    def queries(self, sender: Head, references: Rows, donors: Rows) -> tuple[Tensor, int]:
        """The receiver's query at the end, [samples, d_head], and the number of forwards run."""
        from transformer_lens.patching import get_act_patch_direct_path

        layer, head = self.receiver
        names = [f"blocks.{sender[0]}.attn.hook_z"]
        caches = []
        at = torch.tensor(self.data.position("end")[references.index])
        sample = torch.arange(len(references))
        everywhere: list[Tensor] = []

        def see(value: Tensor, hook: Any) -> None:
            everywhere.append(value[sample, at, head])

        with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
            for rows in (donors, references):
                tokens = torch.tensor(self.data.inputs["tokens"][rows.index])
                caches.append(self.bridge.run_with_cache(tokens, names_filter=names)[1])
            self.bridge.add_hook(f"blocks.{layer}.attn.q.hook_out", see)
            try:
                get_act_patch_direct_path(
                    self.bridge,
                    torch.tensor(self.data.inputs["tokens"][references.index]),
                    clean_cache=caches[0],
                    corrupted_cache=caches[1],
                    patching_metric=lambda logits: logits.sum(),
                    src_layer=sender[0],
                    src_head=sender[1],
                    component="q",
                    verbose=False,
                )
            finally:
                self.bridge.reset_hooks()
        number = (layer - sender[0] - 1) * self.bridge.cfg.n_heads + head
        return everywhere[number], len(everywhere)


def spread(values: list[Any], some: int) -> list[Any]:
    """So many of the values, evenly spread."""
    index = np.linspace(0, len(values) - 1, min(some, len(values))).round().astype(int)
    return [values[i] for i in dict.fromkeys(index.tolist())]
