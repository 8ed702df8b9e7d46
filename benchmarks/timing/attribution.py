"""Attribution patching of every head and MLP: TransformerLens' own, and the least that it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from scrub import names
from scrub.data.dataset import Rows
from scrub.hypothesis.sites import Sites, anything, heads, mlp
from scrub.metrics import Metric
from scrub.names import Cell
from scrub.reference.components import kind_of, layer_of
from scrub.sweeps.first_order import Swap
from timing.ledger import filled
from timing.setting import Shape

AT_ONCE = 32
"""Pairs in one batch, as in ours."""


def senders(shape: Shape) -> dict[str, Sites]:
    """Every head and MLP, each along all paths: layer by layer, the heads before the MLP."""
    found = {}
    for layer in range(shape.layers):
        for head in range(shape.heads):
            found[f"head {layer}.{head}"] = heads([(layer, head)], through=anything)
        found[f"MLP {layer}"] = mlp(layer, through=anything)
    return found


@frozen(eq=False)
class Recipe:
    """Two forwards and one backward on a bridge, with TransformerLens' own hooks.

    The effect of a site is (new − old) · gradient on the old input, as in ours; no norm is frozen.
    """

    bridge: Any
    metric: Metric

    def effects(self, swap: Swap) -> np.ndarray:
        """The effect of each sender on each pair, in batches: [senders, pairs]."""
        parts = []
        for start in range(0, len(swap.references), AT_ONCE):
            some = np.arange(start, min(start + AT_ONCE, len(swap.references)))
            parts.append(self._batch(swap.at(some)))
        return np.concatenate(parts, axis=1)

    def _batch(self, swap: Swap) -> np.ndarray:
        from transformer_lens.tools.analysis.attribution_patching import (
            cache_activation_and_gradient,
        )

        measure = self._measure(swap)
        hooks = [
            f"blocks.{layer}.{hook}"
            for layer in range(len(self.bridge.blocks))
            for hook in ("attn.hook_z", "hook_mlp_out")
        ]
        with torch.no_grad():
            new = cache_activation_and_gradient(
                self.bridge, _tokens(swap.new), measure, compute_gradient=False
            )
        old = cache_activation_and_gradient(self.bridge, _tokens(swap.old), measure)
        found = []
        for name in hooks:
            gradient = old.gradients[name]
            assert gradient is not None, name
            change = (new.activations[name] - old.activations[name]) * gradient
            found.append(change.sum((1, -1)).reshape(len(change), -1).T)
        return torch.cat(found).numpy()

    def by_attribution_patch(self, swap: Swap) -> np.ndarray:
        """The same by `attribution_patch`, which takes one pair at a time: [senders, pairs].

        It gives a number for each position; ours is their sum.
        """
        from transformer_lens.tools.analysis.attribution_patching import attribution_patch

        found = []
        for pair in range(len(swap.references)):
            one = swap.at(np.array([pair]))
            new, old = _tokens(one.new), _tokens(one.old)
            scores = attribution_patch(self.bridge, new, old, self._measure(one)).node_scores
            total: dict[tuple[int, bool, int], float] = {}
            for node, score in scores.items():
                if node.layer is not None:
                    key = (node.layer, node.kind == "mlp_out", node.head or 0)
                    total[key] = total.get(key, 0.0) + score
            found.append([total[key] for key in sorted(total)])
        return np.array(found).T

    def _measure(self, swap: Swap) -> Any:
        """From logits [pairs, width, vocabulary] to the sum of the metric at the end."""
        end = torch.tensor(swap.old.data.position("end")[swap.old.index])

        def total(logits: Tensor) -> Tensor:
            return self.metric.function(logits[torch.arange(len(end)), end], swap.references).sum()

        return total


def _tokens(rows: Rows) -> Tensor:
    return torch.tensor(rows.data.inputs["tokens"][rows.index])


def least(shape: Shape, metric: Metric, swap: Swap) -> int:
    """Operations of the least forwards and backwards that the effects on the logits' end take.

    Forwards are counted once for each row, at positions on which the end depends: of new inputs as
    far as the last MLP. A backward is counted once for each old input and reference, whose labels
    the metric reads. A product with weights takes as much backward as forward, since no weight's
    gradient is asked for; one of two values, as in attention, twice as much; nothing is asked for
    below the first layer's z.
    """
    columns, width = len(metric.labels), swap.old.data.width
    rows, end = len(swap.old.data), width - 1
    logits, last = Cell(names.LOGITS), Cell(names.mlp(shape.layers - 1))
    asked: dict[Cell | str, Tensor] = {
        cell: torch.zeros(rows, width, dtype=torch.bool) for cell in (logits, last)
    }
    asked[logits][torch.tensor(swap.old.index), end] = True
    asked[last][torch.tensor(swap.new.index), end] = True
    one = torch.zeros(1, width, dtype=torch.bool)
    one[:, end] = True
    backward = filled({logits: one}, shape, columns, _times_backward)
    pairs = len(np.unique(np.stack([swap.old.index, swap.references.index], axis=1), axis=0))
    return filled(asked, shape, columns) + pairs * backward


def _times_backward(cell: Cell) -> int:
    """Products backward for one forward."""
    kind = kind_of(cell)
    if kind in ("q", "k", "v", "scores", "z") and int(layer_of(cell)) == 0:
        return 0
    return 2 if kind in ("scores", "z") else 1
