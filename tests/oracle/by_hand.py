"""Scrub small models on draws that are written down, not drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from oracle.engines import ENGINE
from scrub.data.dataset import Dataset, Rows
from scrub.draw import Draws, NodeDraw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Sites
from scrub.hypothesis.tree import NamePath, treeify
from scrub.model.graph import Graph
from scrub.reference import evaluate_graph

Drawn = tuple[int, ...] | tuple[tuple[int, ...], tuple[int, ...]]
"""Rows, one a sample: a leaf's own, else (own, other)."""


def root_value(
    model: Graph, data: Dataset, sites: Mapping[InterpNode, Sites], drawn: Mapping[NamePath, Drawn]
) -> Tensor:
    """The scrubbed root, [samples, positions, cells, …]; `drawn` names the root first.

    Engine and reference evaluator must agree before the answer is looked at.
    """
    nodes = {path: _node_draw(data, rows) for path, rows in drawn.items()}
    references = next(iter(nodes.values())).own
    draws = Draws(references, references, nodes)
    correspondence = Correspondence(sites)
    (outputs,) = ENGINE.outputs(treeify(correspondence), draws, model)
    expected = evaluate_graph(correspondence, draws, model)
    torch.testing.assert_close(outputs.scrubbed, expected, rtol=1e-12, atol=1e-12)
    return outputs.scrubbed


def _node_draw(data: Dataset, drawn: Drawn) -> NodeDraw:
    own, other = drawn if isinstance(drawn[0], tuple) else (drawn, None)
    return NodeDraw(_rows(data, own), None if other is None else _rows(data, other))


def _rows(data: Dataset, index: tuple[int, ...]) -> Rows:
    return Rows(data, np.array(index))
